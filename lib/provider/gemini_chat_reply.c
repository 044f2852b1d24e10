#include "config.h"

#include <stddef.h>

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
	{ "FINISH_REASON_UNSPECIFIED", CSA_END_NONE },
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

/* Thoughts are billed as output, and what tools said is as input. */
static const struct csa_usage_name usage[] = {
	{ "promptTokenCount", offsetof(struct csa_answer, prompt_tokens) },
	{ "toolUsePromptTokenCount",
	  offsetof(struct csa_answer, prompt_tokens) },
	{ "cachedContentTokenCount",
	  offsetof(struct csa_answer, cached_tokens) },
	{ "candidatesTokenCount",
	  offsetof(struct csa_answer, completion_tokens) },
	{ "thoughtsTokenCount",
	  offsetof(struct csa_answer, completion_tokens) },
	{ "thoughtsTokenCount", offsetof(struct csa_answer, thought_tokens) },
	{ "totalTokenCount", offsetof(struct csa_answer, total_tokens) },
};

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

/*
 * Prompt blocked: no candidates at all.  Events may just have none to add to.
 */
static void
without_candidates(struct csa_answer *a, const struct csa_node *o, bool whole)
{
	if (csa_node_is(csa_node_at(o, "promptFeedback.blockReason"),
	    CSA_NODE_STRING))
		a->ending = CSA_END_FILTER;
	else if (whole)
		a->ending = CSA_END_OTHER;
}

static int
candidates(struct csa_answer *a, const struct csa_node *list, const char **why)
{
	const struct csa_node	*candidate;
	const char		*reason;
	enum csa_ending		 ending;

	candidate = csa_node_is(list, CSA_NODE_ARRAY) ? list->first : NULL;
	*why = "a candidate is not shaped as it should be";
	if (!csa_node_is(candidate, CSA_NODE_OBJECT))
		return -1;
	if (csa_node_int(csa_node_get(candidate, "index"), 0) != 0)
		return 0;
	if (parts(a, candidate) == -1)
		return -1;
	reason = csa_node_str(csa_node_get(candidate, "finishReason"));
	if (reason == NULL)
		return 0;
	ending = csa_answer_ending(endings, CSA_NITEMS(endings), reason);
	if (ending != CSA_END_NONE)
		a->ending = ending;
	return 0;
}

int
csa_gemini_chat_read(struct csa_answer *a, const struct csa_node *o, bool whole,
    const char **why)
{
	const struct csa_node	*list;

	if (!csa_node_is(o, CSA_NODE_OBJECT)) {
		*why = "the reply is no JSON object";
		return -1;
	}
	if (csa_node_get(o, "error") != NULL) {
		a->is_error = true;
		*why = "the reply is an error with status 200";
		return -1;
	}
	csa_answer_usage(a, csa_node_get(o, "usageMetadata"), usage,
	    CSA_NITEMS(usage));
	csa_answer_model(a, csa_node_str(csa_node_get(o, "modelVersion")));
	list = csa_node_get(o, "candidates");
	if (list != NULL && !(csa_node_is(list, CSA_NODE_ARRAY) &&
	    list->n == 0))
		return candidates(a, list, why);
	without_candidates(a, o, whole);
	return 0;
}

int
csa_gemini_chat_reply(struct csa_answer *a, const char *s, size_t len,
    const char **why)
{
	return csa_chat_reply(csa_gemini_chat_read, a, s, len, why);
}
