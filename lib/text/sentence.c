#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text/abbrev.h"
#include "lib/text/sentence.h"
#include "lib/text/utf8.h"

struct text {
	const char	*s;
	size_t		 n;
	bool		 cased;		/* it has capitals to go by */
};

enum mark {
	MARK_NONE,
	MARK_DOT,			/* . */
	MARK_ELLIPSIS,			/* ... and the character */
	MARK_STRONG,			/* ! ? and their like: need a space */
	MARK_WIDE			/* Chinese, Japanese: need nothing */
};

static enum mark
mark(uint32_t cp)
{
	switch (cp) {
	case '.':
		return MARK_DOT;
	case 0x2026:				/* ellipsis */
		return MARK_ELLIPSIS;
	case '!':
	case '?':
	case 0x589:				/* Armenian */
	case 0x61f:				/* Arabic */
	case 0x6d4:
	case 0x964:				/* Devanagari */
	case 0x965:
	case 0x1362:				/* Ethiopic */
	case 0x203c:				/* !! ?? ?! !? */
	case 0x2047:
	case 0x2048:
	case 0x2049:
		return MARK_STRONG;
	case 0x3002:				/* ideographic full stops */
	case 0xff0e:
	case 0xff61:
	case 0xff01:				/* full width ! ? */
	case 0xff1f:
		return MARK_WIDE;
	}
	return MARK_NONE;
}

static bool
closer(uint32_t cp)
{
	switch (cp) {
	case '"':
	case '\'':
	case ')':
	case ']':
	case '}':
	case '*':				/* Markdown */
	case '_':
	case '`':
	case 0xbb:				/* quotation marks */
	case 0x2019:
	case 0x201c:
	case 0x201d:
	case 0x203a:
	case 0x3009:				/* wide brackets */
	case 0x300b:
	case 0x300d:
	case 0x300f:
	case 0x3011:
	case 0xff09:
	case 0xff3d:
	case 0xff5d:
		return true;
	}
	return false;
}

static bool
opener(uint32_t cp)
{
	return cp == '"' || cp == '\'' || cp == '(' || cp == '[' ||
	    cp == '*' || cp == '_' || cp == '`' || cp == 0xab ||
	    cp == 0x2018 || cp == 0x201c || cp == 0x201e;
}

static size_t
decode(const struct text *t, size_t i, uint32_t *cp)
{
	return csa_utf8_decode(t->s + i, t->n - i, cp);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t
digits(const struct text *t, size_t i)
{
	while (i < t->n && t->s[i] >= '0' && t->s[i] <= '9')
		i++;
	return i;
}

/* A reference as in "so it is.[12]" or "[3, 4]"; i if there is none. */
static size_t
reference(const struct text *t, size_t i)
{
	size_t	 j = i + 1;

	if (i >= t->n || t->s[i] != '[' || digits(t, j) == j)
		return i;
	while (j < t->n && j - i < 24 && t->s[j] != '\0' &&
	    strchr("0123456789,- ", t->s[j]) != NULL)
		j++;
	return j < t->n && t->s[j] == ']' ? j + 1 : i;
}

/* Past the quotes and brackets that close behind an end mark. */
static size_t
closers(const struct text *t, size_t i)
{
	uint32_t	 cp;
	size_t		 len, j;

	for (;;) {
		while ((j = reference(t, i)) != i)
			i = j;
		if (i == t->n)
			return i;
		len = decode(t, i, &cp);
		if (!closer(cp))
			return i;
		i += len;
	}
}

/*
 * Does the line whose first non-blank byte is s[i] stand for itself, whatever
 * marks are in it: "## 1. Heading", the row of a table, the fence of a listing?
 */
static bool
own_line(const struct text *t, size_t i)
{
	const char	*p = t->s + i;
	size_t		 left = t->n - i, level = 0;

	while (level < left && level < 7 && p[level] == '#')
		level++;
	return (level > 0 && level < left && is_blank(p[level])) ||
	    (left > 0 && *p == '|') || (left > 2 && memcmp(p, "```", 3) == 0);
}

/* "12." "12)" "a)" "(a)" and a blank. */
static bool
numbered_item(const struct text *t, size_t i)
{
	size_t	 open = t->s[i] == '(', j = digits(t, i + open);
	bool	 number = j > i + open;

	if (!number && j < t->n && csa_is_lower((unsigned char)t->s[j]) &&
	    (unsigned char)t->s[j] < 0x80)
		j++;
	if (j == i + open || j - i > 3 + open || j + 1 >= t->n)
		return false;
	if (t->s[j] != ')' && (t->s[j] != '.' || !number || open))
		return false;
	return is_blank(t->s[j + 1]);
}

/* Does the line whose first non-blank byte is s[i] begin something new? */
static bool
begins_item(const struct text *t, size_t i)
{
	uint32_t	 cp;
	size_t		 len;

	if (i == t->n)
		return false;
	len = decode(t, i, &cp);
	if ((cp == '-' || cp == '*' || cp == '+' || cp == '>' ||
	    cp == 0x2022 || cp == 0x2023 || cp == 0x25aa || cp == 0x25cf ||
	    cp == 0x2013 || cp == 0xb7) && i + len < t->n &&
	    is_blank(t->s[i + len]))
		return true;
	return own_line(t, i) || numbered_item(t, i);
}

/* A line of === or ---, under a heading or between paragraphs. */
static bool
is_rule(const struct text *t, size_t i, size_t end)
{
	size_t	 from;

	while (i < end && is_blank(t->s[i]))
		i++;
	from = i;
	while (i < end && t->s[i] == t->s[from] &&
	    strchr("=-*_~", t->s[from]) != NULL)
		i++;
	if (i - from < 3)
		return false;
	while (i < end && is_blank(t->s[i]))
		i++;
	return i == end;
}

/* Does the newline at i end the sentence?  line is where its line began. */
static bool
line_ends(const struct text *t, size_t line, size_t i)
{
	size_t	 j = i + 1;

	while (j < t->n && is_blank(t->s[j]))
		j++;
	return j == t->n || t->s[j] == '\n' || begins_item(t, j) ||
	    is_rule(t, line, i);
}

/* The end mark at i, with all that follow it at once; *end is behind them. */
static enum mark
marks(const struct text *t, size_t i, size_t *end)
{
	enum mark	 first = MARK_NONE, m;
	uint32_t	 cp;
	size_t		 len;

	for (; i < t->n; i += len) {
		len = decode(t, i, &cp);
		if ((m = mark(cp)) == MARK_NONE)
			break;
		if (m == MARK_DOT && first == MARK_DOT)
			first = MARK_ELLIPSIS;
		else if (m > first)
			first = m;
	}
	*end = i;
	return first;
}

/* "...", he said: what goes on in small letters is no new sentence. */
static bool
goes_on(const struct text *t, size_t i)
{
	uint32_t	 cp;
	size_t		 len;

	if (!t->cased)
		return false;
	for (; i < t->n; i += len) {
		len = decode(t, i, &cp);
		if (!opener(cp))
			return csa_is_lower(cp);
	}
	return false;
}

/*
 * The white space from i to the word it leads to.  False where a new line is not
 * just a wrapped one: then whatever stands there is the end.
 */
static bool
same_paragraph(const struct text *t, size_t i, size_t next)
{
	const char	*nl = memchr(t->s + i, '\n', next - i);

	if (nl == NULL)
		return true;
	nl++;
	return memchr(nl, '\n', next - (size_t)(nl - t->s)) == NULL &&
	    !begins_item(t, next);
}

/* 「はい。」と言った: a quotation within its sentence. */
static bool
is_hiragana(const struct text *t, size_t i)
{
	uint32_t	 cp;

	decode(t, i, &cp);
	return cp >= 0x3041 && cp <= 0x309f;
}

/* Is the mark at i, ending at `behind` (closers: at end), a sentence's? */
static bool
mark_ends(const struct text *t, size_t start, enum mark m, size_t i,
    size_t behind, size_t end)
{
	size_t	 next = end + csa_utf8_skip(t->s + end, t->n - end);

	if (next == t->n)
		return true;
	if (m == MARK_WIDE)
		return end == behind || !is_hiragana(t, end);
	if (next == end)
		return false;
	if (!same_paragraph(t, end, next))
		return true;
	switch (m) {
	case MARK_ELLIPSIS:
		return !goes_on(t, next);
	case MARK_DOT:
		/* A full stop that stands alone is one. */
		if (i > start && is_blank(t->s[i - 1]))
			return true;
		return !goes_on(t, next) &&
		    !csa_is_abbreviation(t->s, t->n, start, i, next);
	default:
		return end == behind || !goes_on(t, next);
	}
}

/* Where the sentence that begins at start ends; all of it lies before. */
static size_t
sentence(const struct text *t, size_t start)
{
	size_t		 i = start, line = start, len, behind, end;
	const char	*nl;
	enum mark	 m;
	uint32_t	 cp;

	if (own_line(t, start)) {
		nl = memchr(t->s + start, '\n', t->n - start);
		return nl != NULL ? (size_t)(nl - t->s) : t->n;
	}
	while (i < t->n) {
		if (t->s[i] == '\n') {
			if (line_ends(t, line, i))
				return i;
			line = ++i;
			continue;
		}
		len = decode(t, i, &cp);
		if (mark(cp) == MARK_NONE) {
			i += len;
			continue;
		}
		m = marks(t, i, &behind);
		end = closers(t, behind);
		if (mark_ends(t, start, m, i, behind, end))
			return end;
		i = end;
	}
	return t->n;
}

static bool
has_capitals(const char *s, size_t n)
{
	uint32_t	 cp;

	for (size_t i = 0; i < n; ) {
		i += csa_utf8_decode(s + i, n - i, &cp);
		if (csa_is_upper(cp))
			return true;
	}
	return false;
}

/* The end without the white space before it. */
static size_t
trimmed(const char *s, size_t start, size_t end)
{
	uint32_t	 cp;
	size_t		 i = end;

	while (i > start) {
		do
			i--;
		while (i > start && ((unsigned char)s[i] & 0xc0) == 0x80);
		csa_utf8_decode(s + i, end - i, &cp);
		if (!csa_utf8_space(cp))
			return end;
		end = i;
	}
	return end;
}

size_t
csa_sentences(const char *s, size_t n, struct csa_span *out, size_t max)
{
	struct text	 t = { s, n, has_capitals(s, n) };
	size_t		 start = csa_utf8_skip(s, n), end, count = 0;

	while (start < n && count < max) {
		end = count + 1 < max ? sentence(&t, start) : n;
		out[count].start = start;
		out[count++].len = trimmed(s, start, end) - start;
		start = end + csa_utf8_skip(s + end, n - end);
	}
	return count;
}
