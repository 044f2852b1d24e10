# Make the sample file (mode=sample) or the manual's list (mode=man) from
# lib/config/params.def.  tests/check-params.sh compares, and writes them.

function unquote(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	if (s == "NULL")
		return ""
	if (s ~ /^".*"$/)
		s = substr(s, 2, length(s) - 2)
	return s
}

# Split the arguments of a P_ line into arg[1..n], commas in strings kept.
function split_args(s,	i, c, quoted, n) {
	n = 1
	arg[1] = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\"")
			quoted = !quoted
		if (c == "," && !quoted)
			arg[++n] = ""
		else
			arg[n] = arg[n] c
	}
	for (i = 1; i <= n; i++)
		arg[i] = unquote(arg[i])
	return n
}

function wrapped(s, before,	words, n, i, line) {
	n = split(s, words, " ")
	line = before
	for (i = 1; i <= n; i++) {
		if (line == "") {
			line = words[i]
			continue
		}
		if (length(line) + 1 + length(words[i]) > 78) {
			print line
			line = before
		}
		line = line (line == "" ? "" : " ") words[i]
	}
	print line
}

function range(kind, lo, hi, values) {
	if (kind == "INT" || kind == "DBL")
		return lo " to " hi
	if (kind == "ENUM") {
		gsub(/\|/, ", ", values)
		return values
	}
	return kind == "BOOL" ? "yes, no" : ""
}

function sample(kind, name, def, limits, env, text) {
	print ""
	wrapped(text, "#")
	if (limits != "")
		print "# (" limits ")"
	if (env != "")
		print "# In the environment: " env
	print "#" name " =" (def != "" ? " " def : "")
}

function man(kind, name, def, limits, env, text) {
	print ".It Ic " name
	wrapped(text, "")
	if (limits != "" && kind == "ENUM")
		print "One of " limits "."
	else if (limits != "")
		print "From " limits "."
	if (kind == "SECRET")
		print "A secret: it is never printed."
	else
		print (def != "" ? "Default: " def "." : "Not set by default.")
	if (env != "") {
		print "In the environment:"
		print ".Ev " env " ."
	}
}

function entry(s,	kind, n, name, text) {
	kind = substr(s, 3, index(s, "(") - 3)
	sub(/^[A-Z_]*\(/, "", s)
	sub(/\)$/, "", s)
	n = split_args(s)
	name = arg[1]
	text = arg[n]
	if (mode == "man")
		man(kind, name, kind == "SECRET" ? "" : arg[2], \
		    range(kind, arg[3], arg[4], arg[3]), arg[n - 1], text)
	else
		sample(kind, name, kind == "SECRET" ? "" : arg[2], \
		    range(kind, arg[3], arg[4], arg[3]), arg[n - 1], text)
}

# A heading is a comment of one line.
/^\/\* .* \*\/$/ {
	title = substr($0, 4, length($0) - 6)
	if (mode == "man") {
		if (started)
			print ".El"
		print ".Ss " title
		print ".Bl -tag -width Ds"
	} else
		print "\n\n# ---- " title " ----"
	started = 1
	next
}

/^P_/ { pending = "" ; open = 1 }
open {
	line = $0
	gsub(/^[ \t]+/, "", line)
	pending = pending (pending == "" ? "" : " ") line
	if (line ~ /"\)$/) {
		open = 0
		entry(pending)
	}
}

END { if (mode == "man" && started) print ".El" }
