# The table of doc/METRICS.md from lib/metrics/metrics.def;
# tests/check-metrics.sh compares, and writes it.

function split_args(s,	i, c, quoted, n) {
	n = 1
	arg[1] = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\"")
			quoted = !quoted
		else if (c == "," && !quoted)
			arg[++n] = ""
		else if (quoted || c !~ /[ \t]/)
			arg[n] = arg[n] c
	}
}

function entry(s) {
	sub(/^METRIC\(/, "", s)
	sub(/\)$/, "", s)
	split_args(s)
	gsub(/,/, "`, `", arg[4])
	if (arg[3] == "NANOS")
		arg[3] = "counter"
	print "| `" arg[2] "` | " tolower(arg[3]) " | " \
	    (arg[4] == "NULL" ? "" : "`" arg[4] "`") " | " arg[5] " |"
}

BEGIN {
	print "| name | type | labels | what it means |"
	print "| --- | --- | --- | --- |"
}

/^METRIC\(/ { pending = ""; open = 1 }
open {
	line = $0
	gsub(/^[ \t]+/, "", line)
	pending = pending (pending == "" ? "" : " ") line
	if (line ~ /"\)$/) {
		open = 0
		entry(pending)
	}
}
