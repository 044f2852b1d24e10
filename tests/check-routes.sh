#!/bin/sh
# The tables of routes and errors against handlers/openapi.json and doc/API.md.

cd "${CSA_SRCDIR:-.}" || exit 1
status=0
complain() {
	echo "$*" >&2
	status=1
}

api=handlers/openapi.json
tables=$(mktemp -d) || exit 1
trap 'rm -rf "$tables"' EXIT

# "POST /chat", one a line, from each side.
sed -n 's/^ROUTE(\([A-Z]*\), "\([^"]*\)".*/\1 \2/p' handlers/routes.def |
	sort >"$tables/routes"
awk '/^    "\/[^"]*": \{/ { gsub(/[": ]/, "", $1); path = $1 }
	/^      "(get|post|put|delete|patch)": \{/ {
		gsub(/[":{ ]/, "", $1); print toupper($1) " " path }' $api |
	sort >"$tables/api"
[ -s "$tables/routes" ] || complain "routes.def: no route found"
diff "$tables/routes" "$tables/api" >&2 ||
	complain "$api and handlers/routes.def name different routes"
while read -r method path; do
	grep -q "^#* *\`*$method $path\`*" doc/API.md ||
		complain "doc/API.md: no section \"$method $path\""
done <"$tables/routes"

# The sentences of the table are the summaries of the description.
tr '\n\t' '  ' <handlers/routes.def |
	sed 's/ROUTE(/\nROUTE(/g' | sed -n 's/^ROUTE(.*"\([^"]*\)") *.*/\1/p' |
	while read -r text; do
		grep -qF "\"summary\": \"$text\"" $api ||
			echo "$text"
	done >"$tables/missing"
[ ! -s "$tables/missing" ] ||
	complain "$api lacks these summaries: $(cat "$tables/missing")"

# Every error code is in both documents.
for code in $(tr '\n' ' ' <lib/base/errs.def | sed 's/ERR(/\nERR(/g' |
	sed -n 's/^ERR([A-Z_]*,[^"]*"\([a-z_]*\)".*/\1/p'); do
	grep -q "\"$code\"" $api || complain "$api: no error code $code"
	grep -q "\`$code\`" doc/API.md || complain "doc/API.md: no error code $code"
done
exit $status
