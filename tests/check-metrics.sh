#!/bin/sh
# doc/METRICS.md lists what metrics.def has, in its words, and every metric is
# counted somewhere.  "tests/check-metrics.sh write" makes the list anew.

cd "${CSA_SRCDIR:-.}" || exit 1

def=lib/metrics/metrics.def
doc=doc/METRICS.md

whole_doc() {
	sed '/^<!-- made from/q' $doc
	awk -f doc/metrics.awk $def
	sed -n '/^<!-- end of what is made/,$p' $doc
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
whole_doc >"$work/doc"

if [ "${1-}" = write ]; then
	cat "$work/doc" >$doc
	exit
fi

status=0
[ "$(grep -c '^METRIC(' $def)" -eq "$(grep -c '^| `' "$work/doc")" ] || {
	echo "doc/metrics.awk does not see all of $def" >&2
	status=1
}
diff -u $doc "$work/doc" >&2 || {
	echo "run: tests/check-metrics.sh write" >&2
	status=1
}
for id in $(sed -n 's/^METRIC(\([a-z_]*\),.*/\1/p' $def); do
	grep -rqw --include='*.c' "CSA_M_$id" lib handlers fcgi || {
		echo "$def: $id is never counted" >&2
		status=1
	}
done
exit $status
