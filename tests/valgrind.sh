#!/bin/bash
# Every unit and contract test of a build under memcheck: no error, no leak.
#   tests/valgrind.sh BUILDDIR
#
# A program's tests share one process, for speed: each of its own would translate
# libcurl and OpenSSL anew. What the programs of tests/fcgi start would not be looked
# at here; the sanitizers see them. Threads take turns (--fair-sched): six that ask all
# the time once kept the one that writes waiting. Without a fork check has no time limit
# of its own, so there is one here.
set -u
build=$(cd "$1" && pwd)
src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CSA_SRCDIR=$src CSA_BUILDDIR=$build CSA_VALGRIND=${CSA_VALGRIND:-1} CK_TIMEOUT_MULTIPLIER=20 CK_FORK=no
# One of each number of flipped bits that test_store knows.
[[ $CSA_VALGRIND == all ]] || export CSA_TEST_IMAGES=${CSA_TEST_IMAGES:-40}
make -s -C "$build" check TESTS= >/dev/null || exit 1

one() { # TEST
  local name=${1##*/} log rc=0 start=$SECONDS
  log=$(mktemp)
  (cd "$build" && timeout "$limit" valgrind -q --fair-sched=try --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite,indirect "$1") >"$log" 2>&1 || rc=$?
  case $rc in
    0) echo "valgrind: $name is clean ($((SECONDS - start)) s)" ;;
    77) echo "valgrind: $name skipped" ;;
    *) echo "valgrind: $name FAILED ($rc)"; tail -n 40 "$log" ;;
  esac
  rm -f "$log"
  [[ $rc == 0 || $rc == 77 ]]
}
export -f one
export build limit=600
[[ $CSA_VALGRIND != all ]] || limit=7200

tests=()
for test in "$build"/tests/unit/test_* "$build"/tests/contract/test_*; do
  # They try bytes and numbers by the million: an hour here, and the sanitizers run them.
  [[ ${test##*/} != test_text_utf8 && ${test##*/} != test_text_numarr ]] || continue
  # Minutes, over code that waits for nobody and that the sanitizers run too: with CSA_VALGRIND=all only.
  [[ $CSA_VALGRIND == all || ! ${test##*/} =~ ^test_(base|metrics|paraphrase|similar|text_.*)$ ]] || continue
  [[ -x $test && -f $test && $test != *.* ]] && tests+=("$test")
done
# Those that take minutes first, or the last of them would be waited for alone; some of them mostly wait.
slow='/test_(kv|store|http|cache|embed_cache|retrieve_cache)$'
{ printf '%s\n' "${tests[@]}" | grep -E "$slow"; printf '%s\n' "${tests[@]}" | grep -vE "$slow"; } |
  xargs -P "$(($(nproc) * 2))" -I{} bash -c 'one {}'
