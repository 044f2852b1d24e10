#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/answer.h"
#include "tests/emu/emu.h"
#include "tests/emu/words.h"

#define MAXLEN	(1l << 22)

void
emu_prompt_add(struct emu_prompt *p, const char *role, const char *text,
    size_t len)
{
	emu_buf_adds(&p->all, "<<");
	emu_buf_adds(&p->all, role);
	emu_buf_adds(&p->all, ">>\n");
	emu_buf_add(&p->all, text, len);
	emu_buf_adds(&p->all, "\n");
	p->text_bytes += len;
	if (strcmp(role, "system") == 0) {
		emu_buf_add(&p->system, text, len);
		emu_buf_adds(&p->system, "\n");
	} else if (strcmp(role, "user") == 0) {
		if (p->last.len != 0) {
			emu_buf_add(&p->others, p->last.p, p->last.len);
			emu_buf_adds(&p->others, "\n");
		}
		emu_buf_clear(&p->last);
		emu_buf_add(&p->last, text, len);
	}
}

void
emu_prompt_fini(struct emu_prompt *p)
{
	emu_buf_fini(&p->all);
	emu_buf_fini(&p->system);
	emu_buf_fini(&p->last);
	emu_buf_fini(&p->others);
}

void
emu_answer_fini(struct emu_answer *a)
{
	emu_buf_fini(&a->text);
}

/* EMU:len=N: N words, all of them different enough to see what is missing. */
static void
words(struct emu_answer *a, long n)
{
	long i;

	for (i = 0; i < n && (long)a->text.len < MAXLEN; i++)
		emu_buf_addf(&a->text, "%sword%ld", i == 0 ? "" : " ", i + 1);
}

static void
stamps(struct emu_answer *a, long n)
{
	long i;

	a->stamp = true;
	for (i = 0; i < n && (long)a->text.len < MAXLEN; i++)
		emu_buf_adds(&a->text, "TS=00000000000000000000;");
}

/* The magic words that give a text or a shape; 1 if key was one of them. */
static int
choose(struct emu_answer *a, const struct emu_prompt *p, const char *key,
    const char *value, long n)
{
	if (strcmp(key, "block") == 0)
		a->shape = EMU_BLOCKED_PROMPT;
	else if (strcmp(key, "safety") == 0 || strcmp(key, "finish") == 0)
		a->shape = EMU_BLOCKED_ANSWER;
	else if (strcmp(key, "maxtokens") == 0)
		a->shape = EMU_ATE_BUDGET;
	else if (strcmp(key, "empty") == 0)
		a->shape = EMU_NO_TEXT;
	else if (strcmp(key, "toolcall") == 0)
		a->shape = EMU_TOOL_CALL;
	else if (strcmp(key, "echo") == 0)
		emu_buf_add(&a->text, p->all.p, p->all.len);
	else if (strcmp(key, "len") == 0)
		words(a, n);
	else if (strcmp(key, "ts") == 0)
		stamps(a, n);
	else if (strcmp(key, "text") == 0)
		emu_buf_add(&a->text, value, strcspn(value, "\r\n"));
	else
		return 0;
	if (strcmp(key, "finish") == 0)
		(void)snprintf(a->finish, sizeof(a->finish), "%.*s",
		    (int)strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), value);
	if (strcmp(key, "toolcall") == 0)
		a->ntools = n > 0 ? n : 1;
	return 1;
}

/* The magic words that only change how. */
static void
adjust(struct emu_answer *a, const char *key, long n)
{
	if (strcmp(key, "hops") == 0)
		a->hops = n;
	else if (strcmp(key, "think") == 0)
		a->thoughts = n;
	else if (strcmp(key, "delay") == 0)
		a->delay_ms = n;
	else if (strcmp(key, "slow") == 0)
		a->chunk_delay_ms = n;
}

/* Find EMU:key and EMU:key=value in the last user message. */
static bool
magic(struct emu_answer *a, const struct emu_prompt *p)
{
	const char *s = p->last.p, *value;
	bool chosen = false;
	char key[16];
	size_t n;

	while (s != NULL && (s = strstr(s, "EMU:")) != NULL) {
		s += 4;
		n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		if (n == 0 || n >= sizeof(key))
			continue;
		memcpy(key, s, n);
		key[n] = '\0';
		value = s[n] == '=' ? s + n + 1 : "";
		if (!chosen && choose(a, p, key, value,
		    strtol(value, NULL, 10)) == 1) {
			chosen = true;
			/* The text of EMU:text= may itself hold magic words. */
			if (strcmp(key, "text") == 0)
				s = value + strcspn(value, "\r\n");
		}
		adjust(a, key, strtol(value, NULL, 10));
	}
	return chosen;
}

void
emu_answer(const struct emu_prompt *p, struct emu_answer *a)
{
	memset(a, 0, sizeof(*a));
	a->thoughts = -1;
	emu_buf_room(&a->text, 1);
	if (magic(a, p))
		return;
	if (!emu_sources_answer(p, &a->text))
		emu_buf_adds(&a->text, "I don't know.");
}

static bool
inside(const struct emu_buf *b, size_t i)
{
	return i < b->len && ((unsigned char)b->p[i] & 0xc0) == 0x80;
}

size_t
emu_answer_step(const struct emu_answer *a, size_t from)
{
	size_t end = from, spaces = 0;

	if (a->stamp) {
		end = from + 24;
		return end < a->text.len ? end : a->text.len;
	}
	/* Four words, or 40 bytes where there are no spaces. */
	while (end < a->text.len && end - from < 40) {
		if (a->text.p[end] == ' ' && ++spaces == 4)
			break;
		end++;
	}
	while (inside(&a->text, end))
		end++;
	return end > from ? end : a->text.len;
}

bool
emu_answer_cut(struct emu_answer *a, size_t tokens)
{
	size_t max;

	if (emu_tokens(a->text.len) <= tokens)
		return false;
	for (max = tokens * 4; inside(&a->text, max); max--)
		continue;
	a->text.len = max;
	a->text.p[max] = '\0';
	return true;
}
