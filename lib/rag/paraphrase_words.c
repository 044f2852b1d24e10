#include "config.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/rag/paraphrase_words.h"
#include "lib/text/utf8.h"

#define QUOTE		0x2019		/* a typographic apostrophe */

/* ---- the lists ---- */

struct row {
	enum csa_language	 language;
	enum csa_word_role	 role;
	const char		*words;		/* with blanks around each */
};

static const struct row rows[] = {
#define LANGUAGE(id)
#define WORDS(l, r, words)	{ CSA_LANGUAGE_##l, CSA_WORD_##r, " " words " " },
#define NUMBERS(l, words)
#define SAME(word, words)
#include "lib/rag/paraphrase.def"
#undef WORDS
#undef NUMBERS
#undef SAME
};

static const struct row numbers[] = {
#define WORDS(l, r, words)
#define NUMBERS(l, words)	{ CSA_LANGUAGE_##l, CSA_WORD_CONTENT, " " words " " },
#define SAME(word, words)
#include "lib/rag/paraphrase.def"
#undef WORDS
#undef NUMBERS
#undef SAME
};

static const struct { const char *word, *others; } same[] = {
#define WORDS(l, r, words)
#define NUMBERS(l, words)
#define SAME(word, others)	{ word, " " others " " },
#include "lib/rag/paraphrase.def"
#undef LANGUAGE
#undef WORDS
#undef NUMBERS
#undef SAME
};

/* Past "before WORD after" in a list, or NULL. */
static const char *
find(const char *list, const char *word, size_t n, char after)
{
	char		 s[40];
	const char	*p;

	/* No word of a list is longer. */
	if (n == 0 || n > sizeof(s) - 3)
		return NULL;
	s[0] = ' ';
	memcpy(s + 1, word, n);
	s[n + 1] = after;
	s[n + 2] = '\0';
	p = strstr(list, s);
	return p != NULL ? p + n + 2 : NULL;
}

bool
csa_word_is(enum csa_language language, enum csa_word_role role,
    const struct csa_word *w)
{
	for (size_t i = 0; i < CSA_NITEMS(rows); i++)
		if (rows[i].language == language && rows[i].role == role)
			return find(rows[i].words, w->low, w->n, ' ') != NULL;
	return false;
}

enum csa_word_role
csa_word_role_of(enum csa_language language, const struct csa_word *w)
{
	/* WHO asks nobody, US is not us, and A may be a name. */
	if (w->acronym || (w->capital && w->n == 1 && w->low[0] != 'i'))
		return CSA_WORD_CONTENT;
	for (size_t i = 0; i < CSA_NITEMS(rows); i++)
		if (rows[i].language == language &&
		    rows[i].role < CSA_WORD_OPEN &&
		    find(rows[i].words, w->low, w->n, ' ') != NULL)
			return rows[i].role;
	return CSA_WORD_CONTENT;
}

const char *
csa_word_number(struct csa_arena *arena, enum csa_language language,
    const struct csa_word *w)
{
	const char	*p;

	for (size_t i = 0; i < CSA_NITEMS(numbers); i++)
		if (numbers[i].language == language &&
		    (p = find(numbers[i].words, w->low, w->n, '=')) != NULL)
			return csa_arena_strndup(arena, p, strcspn(p, " "));
	return NULL;
}

const char *
csa_word_same(const char *w)
{
	for (size_t i = 0; i < CSA_NITEMS(same); i++)
		if (find(same[i].others, w, strlen(w), ' ') != NULL)
			return same[i].word;
	return w;
}

enum csa_language
csa_words_language(const struct csa_word *w, size_t n)
{
	size_t	 count[CSA_LANGUAGE__MAX] = { 0 };
	int	 best = 1, tie = 0;

	for (int l = 1; l < CSA_LANGUAGE__MAX; l++)
		for (size_t i = 0; i < n; i++)
			count[l] += csa_word_role_of((enum csa_language)l,
			    &w[i]) != CSA_WORD_CONTENT;
	for (int l = 2; l < CSA_LANGUAGE__MAX; l++) {
		if (count[l] == count[best])
			tie = best;
		else if (count[l] > count[best])
			best = l;
	}
	/* One known word among many is a chance. */
	if (best == tie || count[best] == 0 || (count[best] < 2 && n > 4))
		return CSA_LANGUAGE_NONE;
	return (enum csa_language)best;
}

/* ---- words ---- */

struct splitter {
	struct csa_arena	*arena;
	struct csa_word		*out;
	size_t			 n, max;
	bool			 begins;	/* a sentence does */
	bool			 shouts;	/* there are no small letters */
};

static void
add(struct splitter *s, const char *low, size_t n, const struct csa_word *like)
{
	struct csa_word	*w;

	if (s->n > s->max || n == 0)
		return;
	/* One beyond max tells that there are more. */
	if (s->n < s->max) {
		w = &s->out[s->n];
		*w = *like;
		w->low = csa_arena_strndup(s->arena, low, n);
		w->n = n;
		w->ends = false;
	}
	s->n++;
}

static bool
ends_with(const char *s, size_t n, const char *tail)
{
	size_t	 m = strlen(tail);

	return n > m && memcmp(s + n - m, tail, m) == 0;
}

/* What an apostrophe joins, in the languages we know. */
static void
add_parts(struct splitter *s, const char *low, size_t n,
    const struct csa_word *like)
{
	static const struct { const char *tail, *word; } tails[] = {
		{ "'s", NULL }, { "'re", NULL }, { "'m", NULL },
		{ "'ll", "will" }, { "'ve", "have" }, { "'d", "would" },
	};
	const char	*p;

	if (n == 6 && memcmp(low, "cannot", 6) == 0) {
		add(s, "can", 3, like);
		add(s, "not", 3, like);
		return;
	}
	if (ends_with(low, n, "n't")) {
		if (n == 5 && memcmp(low, "won't", 5) == 0)
			add(s, "will", 4, like);
		else
			/* can't is can and not; don't is do and not. */
			add(s, low, n == 5 && memcmp(low, "can't", 5) == 0 ?
			    3 : n - 3, like);
		add(s, "not", 3, like);
		return;
	}
	for (size_t i = 0; i < CSA_NITEMS(tails); i++)
		if (ends_with(low, n, tails[i].tail)) {
			add(s, low, n - strlen(tails[i].tail), like);
			if (tails[i].word != NULL)
				add(s, tails[i].word, strlen(tails[i].word),
				    like);
			return;
		}
	/* l'heure, dell'anno */
	if ((p = memchr(low, '\'', n)) != NULL && p > low && p - low <= 6 &&
	    p + 1 < low + n) {
		add(s, low, (size_t)(p - low), like);
		add(s, p + 1, n - (size_t)(p + 1 - low), like);
	} else
		add(s, low, n, like);
}

/* Quotes, brackets and marks around words; signs that mean something stay. */
static bool
is_mark(uint32_t c)
{
	return (c < 128 && strchr(".,;:!?\"'()[]{}", (int)c) != NULL) ||
	    c == 0xa1 || c == 0xab || c == 0xbb || c == 0xbf ||
	    (c >= 0x2013 && c <= 0x201f) || c == 0x2026 || c == 0x2039 ||
	    c == 0x203a;
}

static bool
ends_sentence(uint32_t c)
{
	return c == '.' || c == '!' || c == '?' || c == ':';
}

static bool
is_upper(uint32_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	    (c >= 0x100 && c <= 0x17f && c % 2 == 0 && c != 0x138);
}

/* Of Latin letters; others are left as they are, so that they must agree. */
static size_t
put_lower(char *out, const char *s, size_t n, uint32_t c)
{
	if (c == QUOTE) {
		*out = '\'';
		return 1;
	}
	if (c >= 'A' && c <= 'Z') {
		*out = (char)(c + 32);
		return 1;
	}
	memcpy(out, s, n);
	if (c >= 0xc0 && c <= 0xde && c != 0xd7)
		out[1] = (char)(out[1] + 32);
	else if (n == 2 && c >= 0x100 && c < 0x130 && c % 2 == 0)
		out[1]++;
	return n;
}

/*
 * What a chunk without white space is without the marks around it: from *from to
 * *to.  Inches stay: 5" is not 5'.
 */
static void
trim(const char *raw, size_t n, size_t *from, size_t *to)
{
	uint32_t	 c;
	size_t		 k;

	*from = n;
	*to = n;
	for (size_t i = 0; i < n; i += k) {
		k = csa_utf8_decode(raw + i, n - i, &c);
		if (is_mark(c))
			continue;
		if (*from == n)
			*from = i;
		*to = i + k;
	}
	if (*from < n && *to < n && raw[*to - 1] >= '0' &&
	    raw[*to - 1] <= '9' && (raw[*to] == '"' || raw[*to] == '\''))
		(*to)++;
}

/* Does what follows a word end something? */
static void
look_behind(struct splitter *s, const char *marks, size_t n)
{
	bool		 ends = false;
	uint32_t	 c;
	size_t		 k;

	s->begins = false;
	for (size_t i = 0; i < n; i += k) {
		k = csa_utf8_decode(marks + i, n - i, &c);
		ends = ends || c == ',' || c == ';' || ends_sentence(c);
		s->begins = s->begins || ends_sentence(c);
	}
	if (ends && s->n > 0 && s->n <= s->max)
		s->out[s->n - 1].ends = true;
}

static void
add_chunk(struct splitter *s, const char *raw, size_t n)
{
	struct csa_word	 w = { .low = NULL };
	char		*low = csa_arena_alloc(s->arena, n + 1);
	size_t		 from, to, len = 0, upper = 0, k;
	uint32_t	 c;

	trim(raw, n, &from, &to);
	for (size_t i = from; i < to; i += k) {
		k = csa_utf8_decode(raw + i, n - i, &c);
		if (i == from)
			w.capital = is_upper(c) && !s->begins;
		upper += is_upper(c);
		len += put_lower(low + len, raw + i, k, c);
	}
	w.acronym = upper >= 2 && !s->shouts;
	/* A dash alone is no word, but it ends what stands before it. */
	if (len == 1 && low[0] == '-')
		look_behind(s, ",", 1);
	else
		add_parts(s, low, len, &w);
	look_behind(s, raw + to, n - to);
}

static bool
has_small_letters(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'a' && s[i] <= 'z')
			return true;
	return false;
}

size_t
csa_words(struct csa_arena *arena, const char *text, size_t n, size_t max,
    struct csa_word **out)
{
	struct splitter	 s = {
		.arena = arena, .max = max, .begins = true,
		.out = csa_arena_array(arena, max, struct csa_word),
		.shouts = !has_small_letters(text, n),
	};
	size_t		 i = 0, end;
	uint32_t	 c;

	while (i < n && s.n <= max) {
		i += csa_utf8_skip(text + i, n - i);
		for (end = i; end < n;) {
			size_t	 k = csa_utf8_decode(text + end, n - end, &c);

			if (csa_utf8_space(c))
				break;
			end += k;
		}
		if (end > i)
			add_chunk(&s, text + i, end - i);
		i = end;
	}
	*out = s.out;
	return s.n <= max ? s.n : SIZE_MAX;
}
