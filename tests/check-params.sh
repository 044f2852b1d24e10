#!/bin/sh
# The sample file and the manual say of every option what params.def says:
# conf/chatsphere.conf.sample and the list in man/chatsphere.conf.5 are made from
# it, and this compares them.  "tests/check-params.sh write" makes them anew.

cd "${CSA_SRCDIR:-.}" || exit 1

params=lib/config/params.def
sample=conf/chatsphere.conf.sample
man=man/chatsphere.conf.5
begin='.\" made from lib/config/params.def; tests/check-params.sh write'
end='.\" end of what is made'

make_sample() {
	cat <<'END'
# chatsphere.conf: every option, at its default.
#
# NAME = VALUE, a line each; # begins a comment line.  The environment beats this
# file; a variable that is set and empty counts as not set.  Keep this file from
# other people's eyes if there are keys in it.  "chatsphere.fcgi -t -c FILE"
# checks it.  See chatsphere.conf(5).
END
	awk -v mode=sample -f conf/params.awk $params
}

make_man() {
	awk -v mode=man -f conf/params.awk $params
}

# The manual with the list as it should be.
whole_man() {
	sed "/^$(printf %s "$begin" | sed 's/[.\\/]/\\&/g')\$/q" $man
	make_man
	sed -n "/^$(printf %s "$end" | sed 's/[.\\/]/\\&/g')\$/,\$p" $man
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
make_sample >"$work/sample"
whole_man >"$work/man"

if [ "${1-}" = write ]; then
	cat "$work/sample" >$sample && cat "$work/man" >$man
	exit
fi

status=0
options=$(grep -c '^P_' $params)
[ "$(grep -c '^#[a-z_0-9]* =' "$work/sample")" -eq "$options" ] || {
	echo "conf/params.awk does not see all $options options" >&2
	status=1
}
diff -u $sample "$work/sample" >&2 || status=1
diff -u $man "$work/man" >&2 || status=1
[ $status -eq 0 ] || echo "run: tests/check-params.sh write" >&2
exit $status
