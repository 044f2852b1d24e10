#include "config.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/rag/paraphrase.h"
#include "lib/rag/paraphrase_words.h"

#define WORDS_MAX	CSA_PARAPHRASE_WORDS

/* A word that has a meaning, and the prepositions before it. */
struct item {
	const char	*low;		/* "!1": a negation; "#7": a number */
	const char	*form;		/* the same for words of one meaning */
	const char	*relation;	/* "" for none */
	bool		 capital;
};

/* The core, or what begins with a preposition. */
struct part {
	struct item	*items;		/* room for all */
	size_t		 n;
};

struct question {
	struct csa_arena	*arena;
	enum csa_language	 language;
	struct csa_word		*w;
	size_t			 n;		/* words */
	unsigned		 flags;		/* 1 << enum csa_word_role */
	bool			 whether;	/* it wants yes or no */
	char			 asks[WORDS_MAX + 1]; /* roles of who, when... */
	size_t			 nasks;
	struct part		 parts[WORDS_MAX + 1];	/* [0]: the core */
	size_t			 nparts;
	/* While it is read: */
	struct part		*at;
	size_t			 noun;		/* where the noun at the end of */
						/* *at begins */
	const char		*relation;
};

/* ---- the same words ---- */

/*
 * Equal but for case and punctuation.  A word in capitals may be another one than
 * in small letters (WHO), so that is for the lists to say.
 */
static bool
equal_words(const struct csa_word *a, size_t na, const struct csa_word *b,
    size_t nb)
{
	if (na != nb || na == 0)
		return false;
	for (size_t i = 0; i < na; i++)
		if (strcmp(a[i].low, b[i].low) != 0 ||
		    a[i].acronym != b[i].acronym)
			return false;
	return true;
}

/* ---- forms ---- */

static bool
has_digit(const char *s)
{
	return strpbrk(s, "0123456789") != NULL;
}

/* An English word without the s of a plural or of a verb. */
static const char *
without_s(struct csa_arena *arena, const char *s, size_t n)
{
	if (n < 4 || s[n - 1] != 's' || s[n - 2] == 's' || s[n - 2] == 'u' ||
	    s[n - 2] == 'i' || strcmp(s, "news") == 0)
		return s;
	if (n > 4 && memcmp(s + n - 3, "ies", 3) == 0)
		return csa_arena_printf(arena, "%.*sy", (int)n - 3, s);
	if (n > 4 && s[n - 2] == 'e' && (strchr("xsz", s[n - 3]) != NULL ||
	    (s[n - 3] == 'h' && strchr("cs", s[n - 4]) != NULL)))
		return csa_arena_strndup(arena, s, n - 2);
	return csa_arena_strndup(arena, s, n - 1);
}

static const char *
form_of(const struct question *q, const struct csa_word *w)
{
	if (q->language != CSA_LANGUAGE_en || w->capital || w->acronym ||
	    has_digit(w->low))
		return w->low;
	if (strcmp(w->low, "has") == 0)
		return "have";
	return csa_word_same(without_s(q->arena, w->low, w->n));
}

/* ---- reading ---- */

static void
add_item(struct question *q, const char *low, const char *form, bool capital)
{
	struct item	*i;

	if (q->relation[0] != '\0') {
		q->at = &q->parts[q->nparts++];
		q->at->items = csa_arena_array(q->arena, WORDS_MAX * 2 + 2,
		    struct item);
		q->noun = 0;
	}
	i = &q->at->items[q->at->n++];
	i->low = low;
	i->form = form;
	i->relation = q->relation;
	i->capital = capital;
	q->relation = "";
}

/* The digits without the commas between thousands. */
static const char *
plain_number(struct csa_arena *arena, const char *s, size_t n)
{
	char	*out = csa_arena_alloc(arena, n + 2), *o = out;

	*o++ = '#';
	for (size_t i = 0; i < n; i++)
		if (s[i] != ',' || n - i < 4 || strspn(s + i + 1,
		    "0123456789") < 3)
			*o++ = s[i];
	*o = '\0';
	return out;
}

/* "10,000km": the number, and what it is of.  False: it is no number. */
static bool
add_number(struct question *q, const struct csa_word *w)
{
	static const char *const ordinals[] = { "st", "nd", "rd", "th" };
	const char	*s = w->low, *rest, *value;
	size_t		 n = strspn(s, "0123456789.,");

	if ((value = csa_word_number(q->arena, q->language, w)) != NULL) {
		value = csa_arena_printf(q->arena, "#%s", value);
		add_item(q, value, value, false);
		return true;
	}
	if (n == 0 || s[0] < '0' || s[0] > '9')
		return false;
	rest = s + n;
	/* A code has more digits behind its letters. */
	if (has_digit(rest) || strlen(rest) > 4)
		return false;
	value = plain_number(q->arena, s, n);
	for (size_t i = 0; i < 4; i++)
		if (strcmp(rest, ordinals[i]) == 0) {
			value = csa_arena_printf(q->arena, "%s.", value);
			rest = "";
		}
	add_item(q, value, value, false);
	if (*rest != '\0')
		add_item(q, rest, rest, false);
	return true;
}

static void
add_content(struct question *q, const struct csa_word *w)
{
	if (!add_number(q, w))
		add_item(q, w->low, form_of(q, w), w->capital || w->acronym);
}

static void
add_negation(struct question *q, enum csa_word_role role)
{
	const char	*s = csa_arena_printf(q->arena, "!%d", (int)role);

	add_item(q, s, s, false);
}

/* Something ends here: what comes belongs to the core again. */
static void
boundary(struct question *q)
{
	q->at = &q->parts[0];
	q->noun = q->at->n;
}

/* Is the i-th word this one, in English? */
static bool
is_word(const struct question *q, size_t i, const char *low)
{
	return q->language == CSA_LANGUAGE_en && i < q->n &&
	    strcmp(q->w[i].low, low) == 0;
}

/* have to, needs to: as must.  How many words that is. */
static size_t
must_in_two(const struct question *q, size_t i)
{
	return (is_word(q, i, "have") || is_word(q, i, "has") ||
	    is_word(q, i, "need") || is_word(q, i, "needs")) &&
	    is_word(q, i + 1, "to") ? 2 : 0;
}

/*
 * A of B is B A: put the noun that begins at word i before the one that was just
 * read.  Returns the word behind it.
 */
static size_t
add_of(struct question *q, size_t i)
{
	struct part	*at = q->at;
	size_t		 noun = q->noun, left = at->n - noun, added;
	struct item	 moved[WORDS_MAX * 2 + 2];

	if (left == 0 || q->relation[0] != '\0') {
		q->relation = csa_arena_printf(q->arena, "%s of", q->relation);
		return i;
	}
	memcpy(moved, at->items + noun, left * sizeof(*moved));
	at->n = noun;
	for (; i < q->n && !must_in_two(q, i); i++) {
		enum csa_word_role role = csa_word_role_of(q->language,
		    &q->w[i]);

		if (role == CSA_WORD_CONTENT)
			add_content(q, &q->w[i]);
		else if (role != CSA_WORD_DROP)
			break;
		if (q->w[i].ends) {
			i++;
			break;
		}
	}
	added = at->n - noun;
	if (added > 0) {
		at->items[noun].relation = moved[0].relation;
		moved[0].relation = "";
	}
	memcpy(at->items + at->n, moved, left * sizeof(*moved));
	at->n += left;
	return i;
}

/* A word that makes the tense, or says whether it can or must be. */
static void
add_flag(struct question *q, enum csa_word_role role, bool behind_ask)
{
	/* "How can I" is "how do I". */
	if (!behind_ask || (role != CSA_WORD_CAN && role != CSA_WORD_WOULD))
		q->flags |= 1u << role;
	boundary(q);
}

static void
add_ask(struct question *q, enum csa_word_role role)
{
	q->asks[q->nasks++] = (char)role;
	boundary(q);
}

/* The i-th word; returns the one to go on with. */
static size_t
read_word(struct question *q, size_t i, bool *asked)
{
	const struct csa_word	*w = &q->w[i];
	enum csa_word_role	 role = csa_word_role_of(q->language, w);
	bool			 behind = *asked;
	size_t			 n;

	/* "How I can" as well. */
	*asked = (role >= CSA_WORD_WHO && role <= CSA_WORD_WHAT) ||
	    (behind && role == CSA_WORD_DROP);
	if ((n = must_in_two(q, i)) > 0) {
		add_flag(q, CSA_WORD_MUST, false);
		return i + n;
	}
	if (role == CSA_WORD_RELATION) {
		/* "How to" is "how do I". */
		if (!behind || !is_word(q, i, "to"))
			q->relation = csa_arena_printf(q->arena, "%s %s",
			    q->relation, w->low);
	} else if (role == CSA_WORD_OF)
		return add_of(q, i + 1);
	else if (role == CSA_WORD_DROP)
		q->noun = q->at->n;
	else if (role == CSA_WORD_CONTENT)
		add_content(q, w);
	else if (role >= CSA_WORD_NOT && role <= CSA_WORD_WITHOUT)
		add_negation(q, role);
	else if (role >= CSA_WORD_PAST && role <= CSA_WORD_SHOULD)
		add_flag(q, role, behind);
	else if (role >= CSA_WORD_WHO && role < CSA_WORD_WHAT)
		add_ask(q, role);
	else
		boundary(q);	/* what, is, do */
	if (w->ends)
		boundary(q);
	return i + 1;
}

/* "Turn X on" is "turn on X", and that is "enable X". */
static void
join_switch(struct question *q)
{
	for (size_t i = 0; i + 1 < q->n; i++) {
		size_t	 last = i + 1;

		if (!is_word(q, i, "turn") && !is_word(q, i, "switch"))
			continue;
		if (!is_word(q, last, "on") && !is_word(q, last, "off"))
			last = q->n - 1;
		if (!is_word(q, last, "on") && !is_word(q, last, "off"))
			continue;
		q->w[i].low = is_word(q, last, "on") ? "enable" : "disable";
		q->w[i].n = strlen(q->w[i].low);
		q->w[last - 1].ends = q->w[last - 1].ends || q->w[last].ends;
		q->n--;
		memmove(&q->w[last], &q->w[last + 1],
		    (q->n - last) * sizeof(*q->w));
	}
}

/* "Do I need to know" asks about me; who asks politely speaks to somebody. */
static bool
speaks_to(const struct question *q, size_t i)
{
	static const char *const	 somebody[] = { "you", "me", "us",
		"please", "anyone", "somebody", "someone" };

	if (q->language != CSA_LANGUAGE_en || (i == 0 && (is_word(q, i, "i") ||
	    csa_word_is(q->language, CSA_WORD_ASK, &q->w[i]))))
		return true;
	for (size_t k = 0; k < CSA_NITEMS(somebody); k++)
		if (is_word(q, i, somebody[k]))
			return true;
	return false;
}

/* How many words the polite opening has: "could you please tell me". */
static size_t
opening(struct question *q)
{
	enum csa_language	 l = q->language;
	bool			 ask = false, to = false;
	size_t			 i;

	for (i = 0; i < q->n && csa_word_is(l, CSA_WORD_OPEN, &q->w[i]) &&
	    !csa_word_is(l, CSA_WORD_WHETHER, &q->w[i]); i++) {
		ask = ask || csa_word_is(l, CSA_WORD_ASK, &q->w[i]);
		to = to || speaks_to(q, i);
	}
	if (!ask || !to || i == q->n)
		return 0;
	if (csa_word_is(l, CSA_WORD_WHETHER, &q->w[i])) {
		q->whether = true;
		i++;
	}
	return i;
}

/* Does it begin as a question does that wants yes or no? */
static bool
begins_with_verb(const struct question *q, size_t i)
{
	enum csa_word_role	 role;

	if (i >= q->n)
		return false;
	role = csa_word_role_of(q->language, &q->w[i]);
	return (role >= CSA_WORD_BE && role <= CSA_WORD_SHOULD) ||
	    is_word(q, i, "have") || is_word(q, i, "has");
}

/* False where too little of it is understood. */
static bool
read_question(struct question *q)
{
	bool	 asked = false;
	size_t	 i;

	join_switch(q);
	q->nparts = 1;
	q->at = &q->parts[0];
	q->at->items = csa_arena_array(q->arena, WORDS_MAX * 2 + 2,
	    struct item);
	q->relation = "";
	i = opening(q);
	q->whether = q->whether || begins_with_verb(q, i);
	while (i < q->n)
		i = read_word(q, i, &asked);
	if (q->relation[0] != '\0')
		add_item(q, "", "", false);
	return q->parts[0].n > 0 || q->nparts > 1;
}

/* ---- comparing ---- */

static bool
same_item(const struct item *a, const struct item *b)
{
	if (strcmp(a->relation, b->relation) != 0)
		return false;
	return strcmp(a->low, b->low) == 0 || (!a->capital && !b->capital &&
	    strcmp(a->form, b->form) == 0);
}

static bool
same_part(const struct part *a, const struct part *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_item(&a->items[i], &b->items[i]))
			return false;
	return true;
}

/* Those with prepositions, in any order. */
static bool
same_parts(const struct question *a, const struct question *b)
{
	bool	 taken[WORDS_MAX + 1] = { false };
	size_t	 k;

	if (a->nparts != b->nparts || !same_part(&a->parts[0], &b->parts[0]))
		return false;
	for (size_t i = 1; i < a->nparts; i++) {
		for (k = 1; k < b->nparts; k++)
			if (!taken[k] && same_part(&a->parts[i], &b->parts[k]))
				break;
		if (k == b->nparts)
			return false;
		taken[k] = true;
	}
	return true;
}

bool
csa_same_question(struct csa_arena *arena, const char *s, size_t ns,
    const char *t, size_t nt)
{
	struct question	*a = csa_arena_array(arena, 2, struct question);
	struct question	*b = a + 1;

	a->arena = b->arena = arena;
	a->n = csa_words(arena, s, ns, WORDS_MAX, &a->w);
	b->n = csa_words(arena, t, nt, WORDS_MAX, &b->w);
	if (a->n == SIZE_MAX || b->n == SIZE_MAX)
		return ns == nt && memcmp(s, t, ns) == 0;
	if (equal_words(a->w, a->n, b->w, b->n))
		return true;
	a->language = csa_words_language(a->w, a->n);
	b->language = csa_words_language(b->w, b->n);
	if (a->language == CSA_LANGUAGE_NONE || a->language != b->language ||
	    !read_question(a) || !read_question(b))
		return false;
	return a->flags == b->flags && a->whether == b->whether &&
	    a->nasks == b->nasks && memcmp(a->asks, b->asks, a->nasks) == 0 &&
	    same_parts(a, b);
}
