#!/bin/bash
# Count what a chat costs, exactly, and fail where it costs more than
# bench/budgets.txt allows.  No figure here is a time: a busy machine gives the
# same counts as an idle one.
#
#	counts.sh [BUILDDIR]
#
# Wants valgrind, strace, jq and spawn-fcgi; chat.fcgi runs on a unix socket
# with bench/fcgiload before it and bench/upstream behind it.

set -u -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-.}" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/chatsphere-counts.XXXXXX")
pids=()
failed=0

die() {
	echo "counts.sh: $*" >&2
	[ ! -s "$tmp/log" ] || tail -n 20 "$tmp/log" >&2
	exit 2
}

# Only what was started here is ended, by its number.
cleanup() {
	local p
	for p in "${pids[@]}"; do
		kill -TERM "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Where automake put a program: fcgi/ here, the top elsewhere.
program() {
	local place
	for place in "$build/fcgi" "$build" "$build/bench"; do
		[ ! -x "$place/$1" ] || { echo "$place/$1"; return; }
	done
	die "$1 is not built in $build"
}

for tool in valgrind strace jq spawn-fcgi curl; do
	command -v "$tool" >/dev/null || die "$tool is not installed"
done
chat=$(program chat.fcgi) || exit 2
prefork=$(program chatsphere-prefork) || exit 2
fcgiload=$(program fcgiload) || exit 2
upstream=$(program upstream) || exit 2

start_upstream() {
	"$upstream" >"$tmp/upstream" 2>>"$tmp/log" &
	pids+=($!)
	local i
	for ((i = 0; i < 100; i++)); do
		port=$(awk '/^listening/ { print $2 }' "$tmp/upstream")
		[ -z "$port" ] || return 0
		sleep 0.05
	done
	die "the fake upstream did not start"
}

set_delays() {
	curl -fsS --noproxy '*' -o "$tmp/reply" \
	    "http://127.0.0.1:$port/set?$1" || die "cannot set delays"
}

upstream_stats() {
	curl -fsS --noproxy '*' "http://127.0.0.1:$port/stats?reset=1"
}

# Become one of our programs, with this environment and no other.
ours() {
	exec env -i PATH="$PATH" HOME="$tmp" \
	    GOOGLE_API_KEY=counts GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:$port" \
	    PINECONE_API_KEY=counts PINECONE_INDEX_HOST="http://127.0.0.1:$port" \
	    EMBEDDING_MODEL_NAME=gemini-embedding-001 EMBEDDING_DIMENSIONS=768 \
	    GENERATIVE_MODEL_NAME=gemini-3.8-flash INTERNAL_API_KEY=counts "$@"
}

write_conf() {
	rm -rf "$tmp/data" "$tmp/run"
	mkdir "$tmp/data" "$tmp/run"
	{
		echo "data_dir = $tmp/data"
		echo "run_dir = $tmp/run"
		echo "log_file = $tmp/log"
		echo "log_level = warn"
		echo "max_requests = 0"
		printf '%s\n' "$@"
	} >"$tmp/conf"
}

write_body() {
	jq -cn '{bot_id: "bench", message: "How long is the warranty?",
	    history: [range(2) | {role: "user", content: ("Hello. " * 20)},
		{role: "assistant", content: ("Go on. " * 20)}],
	    config_params: {temperature: 0.7, retriever_k: 5}}' >"$tmp/body"
}

# pool COMMAND...: run it on a fresh socket; its number is in $pool.
pool() {
	rm -f "$tmp/sock"
	ours spawn-fcgi -n -s "$tmp/sock" -b 1024 -- "$@" >>"$tmp/log" 2>&1 &
	pool=$!
	pids+=("$pool")
	local i
	for ((i = 0; i < 200; i++)); do
		[ ! -S "$tmp/sock" ] || return 0
		sleep 0.05
	done
	die "no socket: $*"
}

# end_pool [PID]: end it through PID, where that is not the pool itself.
end_pool() {
	local p left=()
	kill -TERM "${1:-$pool}" 2>/dev/null
	wait "$pool" 2>/dev/null
	for p in "${pids[@]}"; do
		[ "$p" = "$pool" ] || left+=("$p")
	done
	pids=("${left[@]}")
}

# chats N C: N chats, C at a time. What failed goes to a file: some of these
# run in subshells.
chats() {
	local got bad
	got=$("$fcgiload" -s "$tmp/sock" -u /chat -b "$tmp/body" -k counts \
	    -n "$1" -c "$2" -t 120)
	bad=$(jq "$1 - (.status[\"200\"] // 0)" <<<"$got") ||
		die "fcgiload: $got"
	[ "$bad" = 0 ] || echo "	$got" >&2
	echo "$bad" >>"$tmp/bad"
}

# check NAME VALUE: against its line in budgets.txt.
check() {
	local budget tolerance word
	read -r budget tolerance < <(awk -v n="$1" '$1 == n { print $2, $3 }' \
	    "$here/budgets.txt") || die "$1 has no budget"
	word=$(awk -v v="$2" -v b="$budget" -v t="$tolerance" 'BEGIN {
		if (v > b * (1 + t / 100))
			print "ABOVE"
		else if (v < b * (1 - t / 100))
			print "below"
		else
			print "ok"
	}')
	printf '%-24s %12s  budget %10s +-%s%%  %s\n' \
	    "$1" "$2" "$budget" "$tolerance" "$word"
	[ "$word" != ABOVE ] || failed=1
}

# The difference of a long and a short run leaves out start and end.
per_chat() {
	awk -v a="$1" -v b="$2" -v n="$3" \
	    'BEGIN { printf "%.'"${4:-0}"'f", (b - a) / n }'
}

callgrind_total() {
	rm -f "$tmp"/callgrind.out*
	write_conf "workers = 1" "threads = 4"
	pool "$(command -v valgrind)" -q --tool=callgrind \
	    --callgrind-out-file="$tmp/callgrind.out" "$chat" -c "$tmp/conf"
	chats "$1" 1
	end_pool
	awk '/^(summary|totals):/ { n = $2 } END { print n; exit !n }' \
	    "$tmp/callgrind.out" || die "callgrind wrote nothing"
}

strace_table() {
	write_conf "workers = 1" "threads = 4"
	pool "$(command -v strace)" -f -qq -c -S calls -o "$tmp/strace.$1" "$chat" -c "$tmp/conf"
	chats "$1" 1
	# strace passes the signal on to nobody: ask its child.
	end_pool "$(pgrep -P "$pool" | head -n 1)"
}

instructions() {
	local short long
	short=$(callgrind_total 50) || exit 2
	long=$(callgrind_total 250) || exit 2
	check chat_instructions "$(per_chat "$short" "$long" 200)"
}

# Whether a thread has to be woken, or a reply waited for, is decided by who is
# faster: those calls are shown, not counted.
strace_total() {
	awk '$NF == "total" { all = $4 }
	    $NF == "futex" || $NF == "epoll_wait" { chance += $4 }
	    END { print all - chance }' "$tmp/strace.$1"
}

syscalls() {
	strace_table 100
	strace_table 600
	check chat_syscalls \
	    "$(per_chat "$(strace_total 100)" "$(strace_total 600)" 500 2)"
	awk 'FNR == 1 { file++ }
	    $NF ~ /^[a-z_0-9]+$/ && $4 ~ /^[0-9]+$/ && $NF != "total" {
		n[file, $NF] = $4; name[$NF] = 1 }
	    END { for (s in name) if (n[2, s] - n[1, s] > 25)
		printf "\t%8.2f %s\n", (n[2, s] - n[1, s]) / 500, s }' \
	    "$tmp/strace.100" "$tmp/strace.600" | sort -rn
}

# All ask the same, and would share one call: here each is to make its own.
connections() {
	local stats
	write_conf "workers = 2" "threads = 16" "single_flight = no"
	upstream_stats >"$tmp/reply"
	pool "$prefork" -c "$tmp/conf" -- "$chat" -c "$tmp/conf"
	chats 1000 8
	stats=$(upstream_stats)
	check chat_upstream_calls \
	    "$(jq -r '.routes | (.embed + .batch + .query + .chat) / 1000' \
		<<<"$stats")"
	check upstream_connections "$(jq -r .connections <<<"$stats")"
	end_pool
}

# kB of the processes named by number: PSS of what is anonymous.  The share of a
# library's pages depends on what else the machine runs, and is left out.
pss() {
	local p
	for p in "$@"; do
		cat "/proc/$p/smaps_rollup" 2>/dev/null
	done | awk '/^Pss_Anon:/ { kb += $2 } END { print kb + 0 }'
}

memory() {
	local workers=() peak=0 now load
	write_conf "workers = 2" "threads = 192" "queue = 256" \
	    "queue_timeout_ms = 10000" "single_flight = no"
	pool "$prefork" -c "$tmp/conf" -- "$chat" -c "$tmp/conf"
	sleep 1
	mapfile -t workers < <(pgrep -P "$pool")
	[ "${#workers[@]}" -ge 2 ] ||
		die "the master has ${#workers[@]} workers"
	check worker_idle_kb "$(($(pss "${workers[@]}") / ${#workers[@]}))"

	set_delays "embed=200&batch=200&query=20&chat=1000"
	chats 512 256 &
	load=$!
	while kill -0 "$load" 2>/dev/null; do
		now=$(pss "$pool" "${workers[@]}")
		[ "$now" -le "$peak" ] || peak=$now
		sleep 0.1
	done
	wait "$load"
	set_delays "embed=0&batch=0&query=0&chat=0"
	check in_flight_256_kb "$((peak / 256))"
	end_pool
}

write_body
start_upstream
instructions
syscalls
connections
memory
check failed_requests "$(awk '{ n += $1 } END { print n }' "$tmp/bad")"
exit "$failed"
