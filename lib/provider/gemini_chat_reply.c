#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/answer.h"
#include "lib/provider/reply.h"

/*
 * A reply may have no candidates, a candidate no content, a
 * content no parts, and parts no text, each of them with status 200 and for a
 * reason of its own.  OTHER means that trying again may help.
 */
static const struct csa_ending_name endings[] = {
	{ "STOP", CSA_END_STOP },
	{ "MAX_TOKENS", CSA_END_LENGTH },
	/* There is more, which a further call would bring; nobody asked. */
	{ "CONTINUATION", CSA_END_LENGTH },
	{ "SAFETY", CSA_END_FILTER },
	{ "RECITATION", CSA_END_FILTER },
	{ "BLOCKLIST", CSA_END_FILTER },
	{ "PROHIBITED_CONTENT", CSA_END_FILTER },
	{ "SPII", CSA_END_FILTER },
	{ "IMAGE_SAFETY", CSA_END_FILTER },
	{ "IMAGE_PROHIBITED_CONTENT", CSA_END_FILTER },
	{ "IMAGE_RECITATION", CSA_END_FILTER },
};

static void
usage(struct csa_answer *a, const struct csa_node *o)
{
	const struct csa_node	*u = csa_node_get(o, "usageMetadata");

	if (!csa_node_is(u, CSA_NODE_OBJECT))
		return;
	a->prompt_tokens = csa_answer_count(u, "promptTokenCount") +
	    csa_answer_count(u, "toolUsePromptTokenCount");
	/* Thoughts are billed as output. */
	a->completion_tokens = csa_answer_count(u, "candidatesTokenCount") +
	    csa_answer_count(u, "thoughtsTokenCount");
	a->total_tokens = csa_answer_count(u, "totalTokenCount");
	if (a->total_tokens == 0)
		a->total_tokens = a->prompt_tokens + a->completion_tokens;
}

/* The text of a candidate's parts, without what it thought. */
static int
parts(struct csa_answer *a, const struct csa_node *candidate)
{
	const struct csa_node	*list, *part, *text;

	list = csa_node_at(candidate, "content.parts");
	if (!csa_node_is(list, CSA_NODE_ARRAY))
		return list == NULL ? 0 : -1;
	for (part = list->first; part != NULL; part = part->next) {
		if (!csa_node_is(part, CSA_NODE_OBJECT))
			return -1;
		if (csa_node_is(csa_node_get(part, "thought"), CSA_NODE_TRUE))
			continue;
		if ((text = csa_node_get(part, "text")) == NULL)
			continue;
		if (!csa_node_is(text, CSA_NODE_STRING) ||
		    csa_answer_text(a, text) == -1)
			return -1;
	}
	return 0;
}

/* Prompt blocked: no candidates at all. */
static void
without_candidates(struct csa_answer *a, const struct csa_node *o)
{
	a->ending = csa_node_is(csa_node_at(o, "promptFeedback.blockReason"),
	    CSA_NODE_STRING) ? CSA_END_FILTER : CSA_END_OTHER;
}

static int
read_object(struct csa_answer *a, const struct csa_node *o, const char **why)
{
	const struct csa_node	*list, *candidate;
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
	csa_answer_model(a, csa_node_str(csa_node_get(o, "modelVersion")));
	list = csa_node_get(o, "candidates");
	if (list == NULL ||
	    (csa_node_is(list, CSA_NODE_ARRAY) && list->n == 0)) {
		without_candidates(a, o);
		return 0;
	}
	candidate = csa_node_is(list, CSA_NODE_ARRAY) ? list->first : NULL;
	if (!csa_node_is(candidate, CSA_NODE_OBJECT) ||
	    parts(a, candidate) == -1) {
		*why = "a candidate is not shaped as it should be";
		return -1;
	}
	reason = csa_node_str(csa_node_get(candidate, "finishReason"));
	if (reason != NULL)
		a->ending = csa_answer_ending(endings, CSA_NITEMS(endings),
	    reason);
	return 0;
}

int
csa_gemini_chat_reply(struct csa_answer *a, const char *s, size_t len,
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
