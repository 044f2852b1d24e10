#!/bin/bash
# Every unit and contract test of a build under memcheck: no error, no leak.
#   tests/valgrind.sh BUILDDIR
set -u
build=$(cd "$1" && pwd)
src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CSA_SRCDIR=$src CSA_BUILDDIR=$build CK_FORK=no CSA_VALGRIND=1
make -s -C "$build" check TESTS= >/dev/null || exit 1
failed=0
for test in "$build"/tests/unit/test_* "$build"/tests/contract/test_*; do
  [[ -x $test && -f $test && $test != *.* ]] || continue
  log=$(mktemp)
  if (cd "$build" && valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
      --child-silent-after-fork=yes "$test") >"$log" 2>&1; then
    echo "valgrind: ${test##*/} is clean"
  else
    rc=$?
    if [[ $rc == 77 ]]; then echo "valgrind: ${test##*/} skipped"
    else echo "valgrind: ${test##*/} FAILED ($rc)"; tail -n 40 "$log"; failed=1; fi
  fi
  rm -f "$log"
done
exit $failed
