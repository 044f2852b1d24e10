#include "config.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/text/abbrev.h"
#include "lib/text/utf8.h"

/* No abbreviation of the table is longer, and no starter. */
#define LONGEST		8

enum when { TITLE, NEVER, NUMBER, STARTER };

static const struct {
	const char	*word;
	enum when	 when;
} abbrs[] = {
#define ABBR(word, when)	{ word, when },
#define STARTER(word)
#include "lib/text/abbrev.def"
#undef ABBR
#undef STARTER
};

static const char *const starters[] = {
#define ABBR(word, when)
#define STARTER(word)		word,
#include "lib/text/abbrev.def"
#undef ABBR
#undef STARTER
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* In Latin Extended-A capitals and small letters alternate, with two shifts. */
static bool
extended_lower(uint32_t cp)
{
	if (cp == 0x138 || cp == 0x149 || cp == 0x17f)
		return true;
	if ((cp >= 0x139 && cp <= 0x148) || cp >= 0x178)
		return cp % 2 == 0 && cp != 0x178;
	return cp % 2 == 1;
}

bool
csa_is_lower(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'a' && cp <= 'z';
	if (cp >= 0x100 && cp <= 0x17f)
		return extended_lower(cp);
	return (cp >= 0xdf && cp <= 0xff && cp != 0xf7) ||
	    (cp >= 0x3ac && cp <= 0x3ce) || (cp >= 0x430 && cp <= 0x45f);
}

bool
csa_is_upper(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z';
	if (cp >= 0x100 && cp <= 0x17f)
		return !extended_lower(cp);
	return (cp >= 0xc0 && cp <= 0xde && cp != 0xd7) ||
	    (cp >= 0x386 && cp <= 0x3ab) || (cp >= 0x400 && cp <= 0x42f);
}

/* The word at next is one that starts sentences. */
static bool
starter(const char *s, size_t n)
{
	size_t	 len = 0;

	while (len < n && len <= LONGEST && is_letter(s[len]))
		len++;
	for (size_t i = 0; i < CSA_NITEMS(starters); i++)
		if (strlen(starters[i]) == len &&
		    memcmp(starters[i], s, len) == 0)
			return true;
	return false;
}

/* A number, a letter or a Roman numeral, or the bracket before one. */
static bool
numbered(const char *s, size_t n)
{
	if (is_digit(s[0]) || s[0] == '(' || s[0] == '#')
		return true;
	if (s[0] < 'A' || s[0] > 'Z')
		return false;
	return n == 1 || (s[1] >= 'A' && s[1] <= 'Z') || !is_letter(s[1]);
}

/* Letters with full stops between them: "U.S", "p.m". */
static bool
acronym(const char *w, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (i % 2 == 0 ? !is_letter(w[i]) : w[i] != '.')
			return false;
	return len >= 3 && len % 2 == 1;
}

/* The table's word on w; -1 if it has none. */
static int
lookup(const char *w, size_t len)
{
	char	 low[LONGEST];

	if (len > sizeof(low))
		return -1;
	for (size_t i = 0; i < len; i++)
		low[i] = is_letter(w[i]) ? (char)(w[i] | 0x20) : w[i];
	for (size_t i = 0; i < CSA_NITEMS(abbrs); i++)
		if (strlen(abbrs[i].word) == len &&
		    memcmp(abbrs[i].word, low, len) == 0)
			return (int)abbrs[i].when;
	return -1;
}

/* "12" or "iv" or "b", where a sentence begins: a list item's. */
static bool
enumerator(const char *w, size_t len)
{
	size_t	 i = 0;

	if (len == 1 && is_letter(w[0]))
		return true;
	while (i < len && is_digit(w[i]))
		i++;
	if (i == 0)
		while (i < len && strchr("ivxIVX", w[i]) != NULL)
			i++;
	return i == len && len <= 4;
}

/* Where the word before the dot begins, looking no further than need be. */
static size_t
word(const char *s, size_t start, size_t dot)
{
	size_t	 w = dot;

	while (w > start && dot - w <= LONGEST && (is_letter(s[w - 1]) ||
	    is_digit(s[w - 1]) || s[w - 1] == '.' ||
	    (unsigned char)s[w - 1] >= 0x80))
		w--;
	return w;
}

bool
csa_is_abbreviation(const char *s, size_t n, size_t start, size_t dot,
    size_t next)
{
	size_t		 w = word(s, start, dot), len = dot - w;
	uint32_t	 cp;

	if (len == 0 || len > LONGEST)
		return false;
	if (w == start && enumerator(s + w, len))
		return true;
	switch (lookup(s + w, len)) {
	case TITLE:
		return csa_is_upper((unsigned char)s[w]);
	case NEVER:
		return true;
	case NUMBER:
		return numbered(s + next, n - next);
	case STARTER:
		return !starter(s + next, n - next);
	}
	if (csa_utf8_decode(s + w, len, &cp) < len && !acronym(s + w, len))
		return false;
	return (len > 2 || csa_is_upper(cp)) && !starter(s + next, n - next);
}
