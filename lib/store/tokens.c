#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/tokenizer.h"
#include "lib/store/tokens.h"

/* Longer than any stop word. */
#define WORDMAX	16

/*
 * Function and question words of English.  A question is mostly made of them,
 * and they find every text; leaving them out is worth .08 nDCG on short
 * questions.  Sorted for bsearch.
 */
static const char *const stop_words[] = {
	"a", "about", "above", "after", "again", "all", "also", "am", "an",
	"and", "any", "are", "as", "at", "be", "been", "before", "being",
	"below", "between", "both", "but", "by", "can", "could", "did", "do",
	"does", "doing", "done", "down", "during", "each", "few", "for",
	"from", "further", "had", "has", "have", "having", "he", "her",
	"here", "him", "himself", "his", "how", "i", "if", "in", "into",
	"is", "it", "its", "itself", "just", "may", "me", "might", "more",
	"most", "must", "my", "myself", "no", "not", "of", "off", "on",
	"once", "only", "or", "other", "our", "out", "over", "own", "same",
	"shall", "she", "should", "so", "some", "such", "than", "that",
	"the", "their", "them", "themselves", "then", "there", "these",
	"they", "this", "to", "too", "under", "up", "us", "very", "was",
	"we", "were", "what", "when", "where", "which", "who", "whom",
	"whose", "why", "will", "with", "would", "you", "your", "yourself",
};

/*
 * The same for pairs of characters: particles, and what Chinese and Japanese
 * ask with.  A pair that has one of these characters lies across two words or
 * in a question word.
 */
static const char *const stop_chars[] = {
	"的", "了", "吗", "呢", "么", "吧", "嗎", "麼",
	"は", "を", "が", "に", "で", "へ",
};
static const char *const stop_pairs[] = {
	"什么", "怎样", "如何", "多少", "哪里", "哪个", "哪些", "是什",
	"です", "ます", "すか", "した", "する", "どの", "どこ", "どう",
	"なぜ", "なに", "いつ", "ださ", "さい", "くだ", "何で",
};

struct collect {
	struct csa_arena *arena;
	const char	*s;
	size_t		 len;		/* of s */
	struct csa_token *t;
	size_t		 n, size, max;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool
is_stop_word(const char *s, size_t n)
{
	char	 word[WORDMAX];

	if (n >= sizeof(word))
		return false;
	for (size_t i = 0; i < n; i++) {
		word[i] = s[i];
		if (word[i] >= 'A' && word[i] <= 'Z')
			word[i] += 'a' - 'A';
	}
	word[n] = '\0';
	return bsearch(word, stop_words, CSA_NITEMS(stop_words),
	    sizeof(stop_words[0]), compare) != NULL;
}

static bool
is_ascii_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Length of the apostrophe (' or U+2019) at s, or 0. */
static size_t
apostrophe(const char *s, size_t n)
{
	if (n >= 1 && *s == '\'')
		return 1;
	return n >= 3 && memcmp(s, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

/* What follows the apostrophe in "it's", "we'll", "don't". */
static bool
is_ending(const char *s, size_t start, size_t end)
{
	size_t	 at = start;

	if (end - start > 2)
		return false;
	if (at >= 1 && s[at - 1] == '\'')
		at -= 1;
	else if (at >= 3 && apostrophe(s + at - 3, 3) == 3)
		at -= 3;
	return at < start && at > 0 && is_ascii_letter(s[at - 1]);
}

/* What precedes it in "don't", "isn't". */
static bool
is_negated(const char *s, size_t len, size_t end)
{
	size_t	 n = apostrophe(s + end, len - end);

	return n > 0 && (s[end - 1] | 0x20) == 'n' && len - end > n &&
	    (s[end + n] | 0x20) == 't' && (len - end == n + 1 ||
	    !is_ascii_letter(s[end + n + 1]));
}

static bool
is_stop_pair(const char *text)
{
	for (size_t i = 0; i < CSA_NITEMS(stop_pairs); i++)
		if (strcmp(text, stop_pairs[i]) == 0)
			return true;
	for (size_t i = 0; i < CSA_NITEMS(stop_chars); i++)
		if (strstr(text, stop_chars[i]) != NULL)
			return true;
	return false;
}

/* Did the run of a script without spaces give this token? */
static bool
is_pairs(const char *text, int n)
{
	const unsigned char	*u = (const unsigned char *)text;
	uint32_t		 cp;

	if (n < 3 || u[0] < 0xe0 || (u[0] >= 0xf0 && n < 4))
		return false;
	cp = (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	if (u[0] >= 0xf0)
		cp = (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 |
		    (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
	return csa_is_spaceless(cp);
}

static void
grow(struct collect *c)
{
	struct csa_token	*more;

	c->size = c->size == 0 ? 32 : c->size * 2;
	more = csa_arena_alloc(c->arena, c->size * sizeof(*more));
	if (c->n > 0)
		memcpy(more, c->t, c->n * sizeof(*more));
	c->t = more;
}

static int
collect(void *arg, const char *text, int n, int start, int end)
{
	struct collect		*c = arg;
	struct csa_token	*t;

	if (c->n == c->max)
		return 1;
	if (c->n == c->size)
		grow(c);
	t = &c->t[c->n++];
	t->text = csa_arena_strndup(c->arena, text, (size_t)n);
	t->start = (size_t)start;
	t->end = (size_t)end;
	t->prefix = false;
	if (is_pairs(text, n)) {
		t->prefix = n == (*t->text & 0x10 ? 4 : 3);
		t->stop = is_stop_pair(t->text);
	} else
		t->stop = is_stop_word(c->s + start, (size_t)(end - start)) ||
		    is_ending(c->s, t->start, t->end) ||
		    is_negated(c->s, c->len, t->end);
	return 0;
}

size_t
csa_tokens(struct csa_arena *arena, const char *s, size_t n, size_t max,
    struct csa_token **out)
{
	struct collect	 c = { .arena = arena, .s = s, .len = n, .max = max };

	if (n > 0 && max > 0)
		csa_tokenizer_run(s, n, collect, &c);
	*out = c.t;
	return c.n;
}
