#include "config.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/provider/quote.h"
#include "lib/store/tokens.h"
#include "lib/text/utf8.h"

#define TOKENS_MAX	1024
#define MISSING_MAX	5	/* words that are named to the user */
#define MISSING_LEN	60	/* bytes of each */

/*
 * How a question asks.  The words count as part of the form, not as words that
 * a passage should have.
 */
static const struct {
	const char	*phrase;	/* lower case */
	enum csa_asked	 asked;
} forms[] = {
	{ "how many", CSA_ASKED_NUMBER }, { "how much", CSA_ASKED_NUMBER },
	{ "how long", CSA_ASKED_NUMBER }, { "how old", CSA_ASKED_NUMBER },
	{ "how far", CSA_ASKED_NUMBER }, { "how often", CSA_ASKED_NUMBER },
	{ "how high", CSA_ASKED_NUMBER }, { "how tall", CSA_ASKED_NUMBER },
	{ "what percentage", CSA_ASKED_NUMBER },
	{ "wie viel", CSA_ASKED_NUMBER }, { "wie viele", CSA_ASKED_NUMBER },
	{ "wieviel", CSA_ASKED_NUMBER }, { "wie lange", CSA_ASKED_NUMBER },
	{ "combien", CSA_ASKED_NUMBER }, { "quanto", CSA_ASKED_NUMBER },
	{ "cuánto", CSA_ASKED_NUMBER }, { "cuántos", CSA_ASKED_NUMBER },
	{ "多少", CSA_ASKED_NUMBER }, { "几", CSA_ASKED_NUMBER },
	{ "いくつ", CSA_ASKED_NUMBER }, { "いくら", CSA_ASKED_NUMBER },
	{ "何人", CSA_ASKED_NUMBER }, { "何日", CSA_ASKED_NUMBER },
	{ "when", CSA_ASKED_DATE }, { "what year", CSA_ASKED_DATE },
	{ "which year", CSA_ASKED_DATE }, { "what date", CSA_ASKED_DATE },
	{ "wann", CSA_ASKED_DATE }, { "quand", CSA_ASKED_DATE },
	{ "cuándo", CSA_ASKED_DATE }, { "什么时候", CSA_ASKED_DATE },
	{ "何时", CSA_ASKED_DATE }, { "哪年", CSA_ASKED_DATE },
	{ "いつ", CSA_ASKED_DATE }, { "何年", CSA_ASKED_DATE },
	{ "who", CSA_ASKED_NAME }, { "whom", CSA_ASKED_NAME },
	{ "whose", CSA_ASKED_NAME }, { "wer", CSA_ASKED_NAME },
	{ "quién", CSA_ASKED_NAME }, { "谁", CSA_ASKED_NAME },
	{ "誰", CSA_ASKED_NAME }, { "だれ", CSA_ASKED_NAME },
};

static const char *const numbers[] = {
	"one", "two", "three", "four", "five", "six", "seven", "eight",
	"nine", "ten", "eleven", "twelve", "hundred", "thousand", "million",
	"half", "twice",
};

static const char *const months[] = {
	"january", "february", "march", "april", "june", "july", "august",
	"september", "october", "november", "december", "century",
};

static bool
is_letter(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Where word stands in s, lower-cased for ASCII; whole words if it is ASCII. */
static const char *
find_word(const char *s, size_t n, const char *word)
{
	size_t	 k = strlen(word);
	bool	 whole = (unsigned char)word[0] < 0x80, same;

	for (size_t i = 0; i + k <= n; i++) {
		if (whole && i > 0 && is_letter(s[i - 1]))
			continue;
		same = true;
		for (size_t j = 0; same && j < k; j++)
			same = tolower((unsigned char)s[i + j]) ==
			    (unsigned char)word[j];
		if (same && !(whole && i + k < n && is_letter(s[i + k])))
			return s + i;
	}
	return NULL;
}

static bool
has_word(const char *s, size_t n, const char *const *words, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (find_word(s, n, words[i]) != NULL)
			return true;
	return false;
}

/* ---- the question ---- */

/* The longest form in the question; where it stands in *start and *end. */
static enum csa_asked
form_of(const char *q, size_t n, size_t *start, size_t *end)
{
	enum csa_asked	 asked = CSA_ASKED_ANYTHING;
	const char	*at;
	size_t		 len, best = 0;

	*start = *end = 0;
	for (size_t i = 0; i < CSA_NITEMS(forms); i++) {
		len = strlen(forms[i].phrase);
		if (len <= best ||
		    (at = find_word(q, n, forms[i].phrase)) == NULL)
			continue;
		best = len;
		asked = forms[i].asked;
		*start = (size_t)(at - q);
		*end = *start + len;
	}
	return asked;
}

static unsigned
hash(const char *s)
{
	uint32_t	 h = 2166136261u;

	while (*s != '\0')
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return (h ^ h >> 16) & 255;
}

static void
add(struct csa_qterms *q, const struct csa_token *t)
{
	struct csa_qterm	*term;
	unsigned		 h;

	if (q->n == CSA_QTERMS || csa_qterm_find(q, t->text) != -1)
		return;
	term = &q->t[q->n++];
	memset(term, 0, sizeof(*term));
	term->text = t->text;
	term->prefix = t->prefix;
	term->start = t->start;
	term->end = t->end;
	for (h = hash(t->text); q->slot[h] != 0; h = (h + 1) & 255)
		;
	q->slot[h] = (uint8_t)q->n;
}

/* The lone last character of a run says nothing that its pair does not. */
static bool
is_tail(const struct csa_token *t, size_t i)
{
	return t[i].prefix && i > 0 && t[i - 1].end == t[i].end;
}

static void
pick(struct csa_qterms *q, const struct csa_token *t, size_t n, bool all,
    size_t from, size_t to)
{
	for (size_t i = 0; i < n; i++)
		if (all || (!t[i].stop && !is_tail(t, i) &&
		    (t[i].end <= from || t[i].start >= to)))
			add(q, &t[i]);
}

/*
 * The index knows how rare a word is.  Of how many chunks it knows that follows
 * from the formula in store.h.
 */
static void
take_idf(struct csa_qterms *q, const struct csa_text_result *text)
{
	for (size_t i = 0; i < text->nterms; i++) {
		const struct csa_term	*t = &text->terms[i];
		int			 at = csa_qterm_find(q, t->text);
		double			 df = (double)t->df;

		if (t->idf > 0)
			q->chunks = (exp(t->idf) - 1) * (df + .5) + df - .5;
		if (at != -1)
			q->t[at].idf = t->idf;
	}
}

void
csa_qterms(struct csa_arena *arena, const char *question,
    const struct csa_text_result *text, struct csa_qterms *q)
{
	struct csa_token	*t;
	size_t			 n, len = strlen(question), from, to;

	memset(q, 0, sizeof(*q));
	q->question = question;
	q->asked = form_of(question, len, &from, &to);
	n = csa_tokens(arena, question, len, TOKENS_MAX, &t);
	pick(q, t, n, false, from, to);
	if (q->n == 0)
		pick(q, t, n, true, 0, 0);
	if (text != NULL && text->ideal > 0)
		take_idf(q, text);
	for (size_t i = 0; i < q->n; i++)
		q->sum_idf += q->t[i].idf;
}

int
csa_qterm_find(const struct csa_qterms *q, const char *word)
{
	unsigned	 h;

	for (h = hash(word); q->slot[h] != 0; h = (h + 1) & 255)
		if (strcmp(q->t[q->slot[h] - 1].text, word) == 0)
			return q->slot[h] - 1;
	/* Single characters of scripts without spaces begin pairs. */
	if ((unsigned char)word[0] < 0x80)
		return -1;
	for (size_t i = 0; i < q->n; i++)
		if (q->t[i].prefix && strncmp(q->t[i].text, word,
		    strlen(q->t[i].text)) == 0)
			return (int)i;
	return -1;
}

/* ---- answers ---- */

static bool
has_digit(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= '0' && s[i] <= '9')
			return true;
	return false;
}

/* Four digits by themselves, from 1000 to 2199. */
static bool
has_year(const char *s, size_t n)
{
	size_t	 run = 0;

	for (size_t i = 0; i <= n; i++) {
		if (i < n && isdigit((unsigned char)s[i])) {
			run++;
			continue;
		}
		if (run == 4 && (s[i - 4] == '1' ||
		    (s[i - 4] == '2' && s[i - 3] < '2')))
			return true;
		run = 0;
	}
	return false;
}

/* A capitalised word behind the first that the question does not have. */
static bool
has_name(const struct csa_qterms *q, const char *s, size_t n)
{
	char	 word[32];
	size_t	 k;

	for (size_t i = 1; i + 1 < n; i++) {
		if (is_letter(s[i - 1]) || !isupper((unsigned char)s[i]) ||
		    !islower((unsigned char)s[i + 1]))
			continue;
		for (k = 0; i + k < n && k + 1 < sizeof(word) &&
		    isalpha((unsigned char)s[i + k]); k++)
			word[k] = (char)tolower((unsigned char)s[i + k]);
		word[k] = '\0';
		if (find_word(q->question, strlen(q->question), word) == NULL)
			return true;
	}
	return false;
}

bool
csa_qterms_answered(const struct csa_qterms *q, const char *s, size_t n)
{
	switch (q->asked) {
	case CSA_ASKED_NUMBER:
		return has_digit(s, n) || has_word(s, n, numbers,
		    CSA_NITEMS(numbers));
	case CSA_ASKED_DATE:
		return has_year(s, n) || has_word(s, n, months,
		    CSA_NITEMS(months)) || memmem(s, n, "年", 3) != NULL;
	case CSA_ASKED_NAME:
		return has_name(q, s, n);
	case CSA_ASKED_ANYTHING:
		break;
	}
	return false;
}

/*
 * Neighbours are named as one, as pairs of characters overlap: "退款", "款政" and
 * "政策" are one word to the reader.
 */
const char *
csa_qterms_missing(struct csa_arena *arena, const struct csa_qterms *q)
{
	struct csa_buf	 b;
	const char	*out;
	size_t		 named = 0, start, end;

	csa_buf_init(&b, 1u << 16);
	for (size_t i = 0; i < q->n && named < MISSING_MAX; i++) {
		if (q->t[i].seen)
			continue;
		start = q->t[i].start;
		end = q->t[i].end;
		for (; i + 1 < q->n && !q->t[i + 1].seen &&
		    q->t[i + 1].start < end; i++)
			end = q->t[i + 1].end;
		csa_buf_puts(&b, named++ > 0 ? ", \"" : "\"");
		csa_buf_add(&b, q->question + start, csa_utf8_cut(q->question +
		    start, end - start, MISSING_LEN));
		csa_buf_putc(&b, '"');
	}
	out = b.len > 0 ? csa_arena_strndup(arena, b.data, b.len) : "";
	csa_buf_fini(&b);
	return out;
}
