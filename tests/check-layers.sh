#!/bin/sh
# Fail when a source file includes a header of its own layer or one above,
# unless both are in the same directory, or a third-party header beyond its wall.

cd "${CSA_SRCDIR:-.}" || exit 1

rank() {
	case $1 in
	lib/base/*)				echo 0 ;;
	lib/text/*)				echo 1 ;;
	lib/config/*|lib/metrics/*|lib/trace/*)	echo 2 ;;
	lib/web/*|lib/http/*|lib/kv/*|lib/store/*) echo 3 ;;
	lib/upstream/*|lib/cache/*)		echo 4 ;;
	lib/provider/*|lib/vector/*|lib/limit/*) echo 5 ;;
	lib/rag/*|lib/jobs/*)			echo 6 ;;
	handlers/*)				echo 7 ;;
	fcgi/*|cli/*)				echo 8 ;;
	*)					echo 99 ;;
	esac
}

# The directories that may include a third-party header, "" for any header.
wall() {
	case $1 in
	json-c/*)		echo "lib/text/" ;;
	openssl/evp.h|openssl/rand.h|openssl/crypto.h|openssl/sha.h) echo "lib/text/" ;;
	openssl/*)		echo "lib/http/" ;;
	curl/*)			echo "lib/http/" ;;
	libmemcached/*)		echo "lib/kv/" ;;
	sqlite3.h|libpq-fe.h)	echo "lib/store/" ;;
	ini.h)			echo "lib/config/" ;;
	fcgiapp.h|fcgi_config.h|fcgimisc.h|fastcgi.h) echo "fcgi/" ;;
	esac
}

status=0
complain() {
	echo "$*" >&2
	status=1
}

for file in $(find lib handlers fcgi $(ls -d cli 2>/dev/null) -name '*.[ch]'); do
	mine=$(rank "$file")
	[ "$mine" -ne 99 ] || complain "$file: its directory has no rank here"
	for header in $(sed -n 's|^#include "\(.*/.*\)".*|\1|p' "$file"); do
		[ "${header%/*}" != "${file%/*}" ] || continue
		[ "$(rank "$header")" -lt "$mine" ] ||
			complain "$file: $header is not below it"
	done
	for header in $(sed -n 's|^#include <\(.*\)>.*|\1|p' "$file"); do
		dirs=$(wall "$header")
		[ -n "$dirs" ] || continue
		ok=0
		for d in $dirs; do
			case $file in "$d"*) ok=1 ;; esac
		done
		[ $ok -eq 1 ] || complain "$file: <$header> belongs to $dirs"
	done
done
exit $status
