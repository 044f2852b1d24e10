#include "config.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/answer.h"
#include "lib/provider/reply.h"

static const struct csa_ending_name endings[] = {
	{ "stop", CSA_END_STOP },
	{ "length", CSA_END_LENGTH },
	{ "max_tokens", CSA_END_LENGTH },
	{ "content_filter", CSA_END_FILTER },
};

/* Many servers leave it out, or send null. */
static const struct csa_usage_name usage[] = {
	{ "prompt_tokens", offsetof(struct csa_answer, prompt_tokens) },
	{ "prompt_tokens_details.cached_tokens",
	  offsetof(struct csa_answer, cached_tokens) },
	{ "completion_tokens",
	  offsetof(struct csa_answer, completion_tokens) },
	{ "completion_tokens_details.reasoning_tokens",
	  offsetof(struct csa_answer, thought_tokens) },
	{ "total_tokens", offsetof(struct csa_answer, total_tokens) },
};

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

/*
 * A whole reply has a message, an event of a stream a delta, or only what has
 * become of the filters.
 */
static int
message(struct csa_answer *a, const struct csa_node *choice, bool whole)
{
	const struct csa_node	*m = csa_node_get(choice, "message");
	const struct csa_node	*refusal;

	if (m == NULL)
		m = csa_node_get(choice, "delta");
	if (m == NULL && !whole)
		return 0;
	if (!csa_node_is(m, CSA_NODE_OBJECT))
		return -1;
	if (content(a, csa_node_get(m, "content")) == -1)
		return -1;
	/* The model's own words for declining are its answer. */
	refusal = csa_node_get(m, "refusal");
	if (csa_node_is(refusal, CSA_NODE_STRING) && refusal->n > 0) {
		a->refused = true;
		return csa_answer_text(a, refusal);
	}
	return 0;
}

static int
choices(struct csa_answer *a, const struct csa_node *choice, bool whole,
    const char **why)
{
	const char	*reason;

	*why = "a choice is not shaped as it should be";
	if (!csa_node_is(choice, CSA_NODE_OBJECT))
		return -1;
	if (csa_node_int(csa_node_get(choice, "index"), 0) != 0)
		return 0;
	if (message(a, choice, whole) == -1)
		return -1;
	reason = csa_node_str(csa_node_get(choice, "finish_reason"));
	/* Some send "" as long as there is none. */
	if (reason != NULL && reason[0] != '\0')
		a->ending = csa_answer_ending(endings, CSA_NITEMS(endings),
		    reason);
	if (a->refused && (whole || a->ending != CSA_END_NONE))
		a->ending = CSA_END_FILTER;
	return 0;
}

/* vLLM's older form has the error flat in the event. */
static bool
is_error(const struct csa_node *o)
{
	const char	*object = csa_node_str(csa_node_get(o, "object"));

	return csa_node_get(o, "error") != NULL ||
	    (object != NULL && strcmp(object, "error") == 0);
}

int
csa_openai_chat_read(struct csa_answer *a, const struct csa_node *o, bool whole,
    const char **why)
{
	const struct csa_node	*list;

	if (!csa_node_is(o, CSA_NODE_OBJECT)) {
		*why = "the reply is no JSON object";
		return -1;
	}
	if (is_error(o)) {
		a->is_error = true;
		*why = "the reply is an error with status 200";
		return -1;
	}
	csa_answer_usage(a, csa_node_get(o, "usage"), usage,
	    CSA_NITEMS(usage));
	csa_answer_model(a, csa_node_str(csa_node_get(o, "model")));
	list = csa_node_get(o, "choices");
	if (list == NULL && !whole)
		return 0;
	if (!csa_node_is(list, CSA_NODE_ARRAY)) {
		*why = "the reply has no choices";
		return -1;
	}
	/* No choice is an answer without text; in a stream, the usage. */
	return list->first == NULL ? 0 : choices(a, list->first, whole, why);
}

int
csa_openai_chat_reply(struct csa_answer *a, const char *s, size_t len,
    const char **why)
{
	return csa_chat_reply(csa_openai_chat_read, a, s, len, why);
}
