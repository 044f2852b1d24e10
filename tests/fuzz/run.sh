#!/bin/sh
# Run every fuzz target for SECONDS (60), JOBS (9) at a time, over its seeds.
# Call it in a build directory made with CC=clang and --enable-fuzz.  What is
# found on the way is kept in fuzz-work/X/, what crashes in fuzz-work/X.crash-*;
# the exit status is 0 where nothing did.

seconds=${1:-60}
src=${CSA_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=fuzz-work

if [ "$1" = --one ]; then
	target=$2
	seconds=$3
	name=${target##*/fuzz_}
	mkdir -p "$work/$name"
	"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
		-max_len=16384 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix="$work/$name." \
		"$work/$name" "$src/tests/fuzz/corpus/$name" \
		>"$work/$name.log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
	echo "fuzz_$name: ${runs:-0} runs, exit status $status"
	# A crash is read here, not in a file of a machine that is gone.
	[ $status -eq 0 ] || tail -n 60 "$work/$name.log"
	exit $status
fi

mkdir -p "$work" || exit 1
targets=
for t in tests/fuzz/fuzz_*; do
	[ -f "$t" ] && [ -x "$t" ] && targets="$targets $t"
done
if [ -z "$targets" ]; then
	echo "no fuzz targets here: configure with CC=clang --enable-fuzz" >&2
	exit 1
fi
export CSA_SRCDIR="$src"
printf '%s\n' $targets |
	xargs -P "${JOBS:-9}" -I{} sh "$0" --one {} "$seconds"
