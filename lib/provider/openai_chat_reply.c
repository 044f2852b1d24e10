#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/answer.h"
#include "lib/provider/reply.h"

static const struct csa_ending_name endings[] = {
	{ "stop", CSA_END_STOP },
	{ "length", CSA_END_LENGTH },
	{ "max_tokens", CSA_END_LENGTH },
	{ "content_filter", CSA_END_FILTER },
};

static void
usage(struct csa_answer *a, const struct csa_node *o)
{
	const struct csa_node	*u = csa_node_get(o, "usage");

	/* Many servers leave it out, or send null. */
	if (!csa_node_is(u, CSA_NODE_OBJECT))
		return;
	a->prompt_tokens = csa_answer_count(u, "prompt_tokens");
	a->completion_tokens = csa_answer_count(u, "completion_tokens");
	a->total_tokens = csa_answer_count(u, "total_tokens");
	if (a->total_tokens == 0)
		a->total_tokens = a->prompt_tokens + a->completion_tokens;
}

/* Content is a string, null, or a list of parts. */
static int
content(struct csa_answer *a, const struct csa_node *c)
{
	const struct csa_node	*part, *text;

	if (c == NULL)
		return 0;
	if (csa_node_is(c, CSA_NODE_STRING))
		return csa_answer_text(a, c);
	if (!csa_node_is(c, CSA_NODE_ARRAY))
		return -1;
	for (part = c->first; part != NULL; part = part->next) {
		if (!csa_node_is(part, CSA_NODE_OBJECT))
			return -1;
		text = csa_node_get(part, "text");
		if (csa_node_is(text, CSA_NODE_STRING) &&
		    csa_answer_text(a, text) == -1)
			return -1;
	}
	return 0;
}

/* A whole reply has a message, an event of a stream a delta. */
static int
message(struct csa_answer *a, const struct csa_node *choice)
{
	const struct csa_node	*m = csa_node_get(choice, "message");
	const char		*refusal;

	if (m == NULL)
		m = csa_node_get(choice, "delta");
	if (!csa_node_is(m, CSA_NODE_OBJECT))
		return -1;
	if (content(a, csa_node_get(m, "content")) == -1)
		return -1;
	/* The model's own words for declining are its answer. */
	refusal = csa_node_str(csa_node_get(m, "refusal"));
	if (refusal != NULL && refusal[0] != '\0') {
		csa_buf_puts(&a->text, refusal);
		a->ending = CSA_END_FILTER;
	}
	return a->text.failed ? -1 : 0;
}

static int
read_object(struct csa_answer *a, const struct csa_node *o, const char **why)
{
	const struct csa_node	*list, *choice;
	const char		*reason;

	if (!csa_node_is(o, CSA_NODE_OBJECT)) {
		*why = "the reply is no JSON object";
		return -1;
	}
	if (csa_node_get(o, "error") != NULL) {
		*why = "the reply is an error with status 200";
		return -1;
	}
	usage(a, o);
	csa_answer_model(a, csa_node_str(csa_node_get(o, "model")));
	list = csa_node_get(o, "choices");
	if (!csa_node_is(list, CSA_NODE_ARRAY)) {
		*why = "the reply has no choices";
		return -1;
	}
	/* No choice is an answer without text; in a stream, the usage. */
	if ((choice = list->first) == NULL)
		return 0;
	if (!csa_node_is(choice, CSA_NODE_OBJECT) ||
	    message(a, choice) == -1) {
		*why = "a choice is not shaped as it should be";
		return -1;
	}
	reason = csa_node_str(csa_node_get(choice, "finish_reason"));
	if (reason != NULL && a->ending != CSA_END_FILTER)
		a->ending = csa_answer_ending(endings, CSA_NITEMS(endings),
	    reason);
	return 0;
}

int
csa_openai_chat_reply(struct csa_answer *a, const char *s, size_t len,
    const char **why)
{
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*o = csa_doc(arena, s, len);
	int			 rc;

	*why = "the reply is no JSON";
	rc = o != NULL ? read_object(a, o, why) : -1;
	csa_arena_free(arena);
	return rc;
}
