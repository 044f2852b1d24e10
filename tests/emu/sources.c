/*
 * The "model": it reads the numbered sources of the prompt and quotes the
 * sentence that shares the rarest words with the question.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/answer.h"
#include "tests/emu/emu.h"
#include "tests/emu/memo.h"
#include "tests/emu/words.h"

#define MAXSOURCES	256
#define MAXSENTENCES	8192
#define MAXWORDS	64		/* of the question */

struct source {
	long		 number;
	const char	*s, *end;
};

struct sentence {
	long		 number;	/* of its source */
	const char	*s, *end;
	uint64_t	 has;		/* bit i: the question's word i */
};

struct work {
	struct source	 source[MAXSOURCES];
	size_t		 nsources;
	struct sentence	*sentence;
	size_t		 nsentences;
	uint64_t	 word[MAXWORDS];
	size_t		 nwords;
};

/* "[12] " at s: the number and where the text starts; else NULL. */
static const char *
marker(const char *s, const char *end, long *number)
{
	const char *p = s;
	long n = 0;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p++ != '[')
		return NULL;
	if (p == end || *p < '1' || *p > '9')
		return NULL;
	for (; p < end && *p >= '0' && *p <= '9' && n < 100000; p++)
		n = n * 10 + (*p - '0');
	if (p == end || *p != ']')
		return NULL;
	*number = n;
	return p + 1;
}

static bool
starts(const char *s, const char *end, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(end - s) >= n && memcmp(s, with, n) == 0;
}

/* A line that cannot belong to a source: a tag, a rule, the question. */
static bool
closes(const char *s, const char *end)
{
	return starts(s, end, "</") || starts(s, end, "<question") ||
	    starts(s, end, "<passage") || starts(s, end, "---") ||
	    starts(s, end, "===") || starts(s, end, "Question:") ||
	    starts(s, end, "QUESTION:") || starts(s, end, "User question:");
}

/* Collect the sources of one message.  Returns where the last one ended. */
static const char *
find_sources(struct work *w, const char *s, size_t len)
{
	const char *end = s + len, *line = s, *next, *text, *last = s;
	struct source *cur = NULL;
	long number;

	for (; line < end; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next != NULL ? next + 1 : end;
		text = marker(line, end, &number);
		if (text != NULL && w->nsources < MAXSOURCES) {
			cur = &w->source[w->nsources++];
			cur->number = number;
			cur->s = text;
		} else if (closes(line, end)) {
			cur = NULL;
		}
		if (cur != NULL)
			last = cur->end = next;
	}
	return last;
}

/* Where text stands between open and close, or after open; else unchanged. */
static bool
between(const char **s, const char **end, const char *open,
    const char *shut)
{
	const char *a, *b;

	a = memmem(*s, (size_t)(*end - *s), open, strlen(open));
	if (a == NULL)
		return false;
	a += strlen(open);
	b = shut == NULL ? NULL :
	    memmem(a, (size_t)(*end - a), shut, strlen(shut));
	*s = a;
	if (b != NULL)
		*end = b;
	return true;
}

/*
 * The question inside the last message: what a tag or "Question:" marks; after
 * sources, what follows them or else their last paragraph, which is then no
 * longer a source's.
 */
static void
find_question(struct work *w, const struct emu_prompt *p, size_t before,
    const char *after, const char **s, const char **end)
{
	const char *para = NULL, *q;

	*s = p->last.p;
	*end = p->last.p + p->last.len;
	if (between(s, end, "<question>", "</question>") ||
	    between(s, end, "\nQuestion:", NULL) ||
	    between(s, end, "\nUser question:", NULL) ||
	    w->nsources == before)
		return;
	*s = after;
	if (after + strspn(after, " \t\r\n") < *end)
		return;
	for (q = w->source[w->nsources - 1].s; q + 1 < *end; q++)
		if (q[0] == '\n' && q[1] == '\n')
			para = q + 2;
	*s = para != NULL ? para : p->last.p;
	if (para != NULL)
		w->source[w->nsources - 1].end = para;
}

static void
question_words(struct work *w, const char *s, const char *end)
{
	struct emu_word word;
	size_t i;

	while (w->nwords < MAXWORDS && emu_word_next(&s, end, &word)) {
		if (word.stop)
			continue;
		for (i = 0; i < w->nwords && w->word[i] != word.hash; i++)
			continue;
		if (i == w->nwords)
			w->word[w->nwords++] = word.hash;
	}
}

/* The end of the sentence at s, after its full stop; a line end ends it too. */
static const char *
sentence_end(const char *s, const char *end)
{
	for (; s < end; s++) {
		if (*s == '\n')
			return s;
		if ((*s == '.' || *s == '!' || *s == '?') &&
		    (s + 1 == end || strchr(" \n\r\t\"')", s[1]) != NULL))
			return s + 1;
		if (end - s >= 3 && (memcmp(s, "\xe3\x80\x82", 3) == 0 ||
		    memcmp(s, "\xef\xbc\x9f", 3) == 0))
			return s + 3;
	}
	return end;
}

static uint64_t
shared_words(const struct work *w, const char *s, const char *end)
{
	struct emu_word word;
	uint64_t has = 0;
	size_t i;

	while (emu_word_next(&s, end, &word))
		for (i = 0; i < w->nwords; i++)
			if (w->word[i] == word.hash)
				has |= (uint64_t)1 << i;
	return has;
}

static void
split(struct work *w, const struct source *src)
{
	const char *s = src->s, *e;

	while (w->nsentences < MAXSENTENCES) {
		/* Grow at the powers of two from 128 on. */
		if ((w->nsentences & (w->nsentences - 1)) == 0 &&
		    (w->nsentences == 0 || w->nsentences >= 128))
			w->sentence = emu_realloc(w->sentence,
			    (w->nsentences != 0 ? w->nsentences * 2 : 128) *
			    sizeof(*w->sentence));
		while (s < src->end && strchr(" \t\r\n", *s) != NULL)
			s++;
		if (s >= src->end)
			return;
		e = sentence_end(s, src->end);
		w->sentence[w->nsentences++] = (struct sentence){ src->number,
		    s, e, shared_words(w, s, e) };
		s = e;
	}
}

/* The sentence whose shared words are rarest in sum; NULL if none shares. */
static const struct sentence *
best(const struct work *w)
{
	const struct sentence *top = NULL;
	double rare[MAXWORDS], score, high = 0;
	size_t i, k, df;

	for (k = 0; k < w->nwords; k++) {
		for (i = df = 0; i < w->nsentences; i++)
			df += w->sentence[i].has >> k & 1;
		rare[k] = log(1 + (double)w->nsentences / (double)(df + 1));
	}
	for (i = 0; i < w->nsentences; i++) {
		for (k = 0, score = 0; k < w->nwords; k++)
			if (w->sentence[i].has >> k & 1)
				score += rare[k];
		if (score > high) {
			high = score;
			top = &w->sentence[i];
		}
	}
	return top;
}

static bool
find_answer(const struct emu_prompt *p, struct emu_buf *out)
{
	const struct sentence *top;
	const char *after, *s, *end;
	struct work *w;
	size_t i, before;

	if (p->last.len == 0)
		return false;
	w = emu_calloc(1, sizeof(*w));
	if (p->system.len != 0)
		(void)find_sources(w, p->system.p, p->system.len);
	if (p->others.len != 0)
		(void)find_sources(w, p->others.p, p->others.len);
	before = w->nsources;
	after = find_sources(w, p->last.p, p->last.len);
	find_question(w, p, before, after, &s, &end);
	question_words(w, s, end);
	for (i = 0; i < w->nsources; i++)
		split(w, &w->source[i]);
	if ((top = best(w)) != NULL) {
		emu_buf_add(out, top->s, (size_t)(top->end - top->s));
		emu_buf_addf(out, " [%ld]", top->number);
	}
	free(w->sentence);
	free(w);
	return top != NULL;
}

/* Remembered by the whole prompt; an empty text is "none". */
bool
emu_sources_answer(const struct emu_prompt *p, struct emu_buf *out)
{
	struct emu_key key;
	size_t from = out->len;

	key = emu_memo_key(p->all.p, p->all.len, 0xa5);
	if (!emu_memo_get(key, out)) {
		(void)find_answer(p, out);
		emu_memo_put(key, out->p + from, out->len - from);
	}
	return out->len > from;
}
