#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/provider/answer.h"
#include "lib/text/utf8.h"

void
csa_answer_init(struct csa_answer *a, size_t max_text)
{
	memset(a, 0, sizeof(*a));
	csa_buf_init(&a->text, max_text);
}

void
csa_answer_fini(struct csa_answer *a)
{
	csa_buf_fini(&a->text);
}

/* A count of tokens; 0 for anything that is none. */
static long
count(const struct csa_node *o, const char *path)
{
	int64_t	 n = csa_node_int(csa_node_at(o, path), 0);

	return n < 0 || n > 1000000000 ? 0 : (long)n;
}

/* A part is never more than the whole, or a price could be negative. */
static void
bound(long *part, long whole)
{
	if (*part > whole)
		*part = whole;
}

void
csa_answer_usage(struct csa_answer *a, const struct csa_node *o,
    const struct csa_usage_name *names, size_t n)
{
	struct csa_answer	 u = { .prompt_tokens = 0 };
	long			*field;

	for (size_t i = 0; i < n; i++) {
		field = (long *)(void *)((char *)&u + names[i].field);
		*field += count(o, names[i].path);
	}
	if (u.total_tokens == 0)
		u.total_tokens = u.prompt_tokens + u.completion_tokens;
	if (u.total_tokens == 0)
		return;
	bound(&u.cached_tokens, u.prompt_tokens);
	bound(&u.thought_tokens, u.completion_tokens);
	a->prompt_tokens = u.prompt_tokens;
	a->completion_tokens = u.completion_tokens;
	a->total_tokens = u.total_tokens;
	a->cached_tokens = u.cached_tokens;
	a->thought_tokens = u.thought_tokens;
}

bool
csa_answer_has_text(const struct csa_answer *a)
{
	return a->text.len > 0 && !csa_utf8_blank(a->text.data, a->text.len);
}

void
csa_answer_model(struct csa_answer *a, const char *name)
{
	size_t	 n;

	/* A longer one is no name, and half of it another model's. */
	if (name != NULL && (n = strlen(name)) < sizeof(a->model))
		memcpy(a->model, name, n + 1);
}

int
csa_answer_text(struct csa_answer *a, const struct csa_node *s)
{
	csa_buf_add(&a->text, s->s, s->n);
	return a->text.failed ? -1 : 0;
}

enum csa_ending
csa_answer_ending(const struct csa_ending_name *names, size_t n,
    const char *reason)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(reason, names[i].reason) == 0)
			return names[i].ending;
	return CSA_END_OTHER;
}

int
csa_chat_reply(csa_chat_reader *read, struct csa_answer *a, const char *s,
    size_t len, const char **why)
{
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*o = csa_doc(arena, s, len);
	int			 rc;

	*why = "the reply is no JSON";
	rc = o != NULL ? read(a, o, true, why) : -1;
	csa_arena_free(arena);
	return rc;
}
