#include "config.h"

#include <string.h>

#include "lib/provider/answer.h"

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

long
csa_answer_count(const struct csa_node *o, const char *name)
{
	int64_t	 n = csa_node_int(csa_node_get(o, name), 0);

	return n < 0 || n > 1000000000 ? 0 : (long)n;
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
