#include "config.h"

#include <string.h>

#include "lib/provider/answer.h"
#include "lib/provider/reply.h"

/*
 * A reply may have no candidates, a candidate no content, a
 * content no parts, and parts no text, each of them with status 200 and for a
 * reason of its own.  OTHER means that trying again may help.
 */
static const struct {
	const char	*reason;
	enum csa_ending	 ending;
} endings[] = {
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

static enum csa_ending
ending_of(const char *reason)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(reason, endings[i].reason) == 0)
			return endings[i].ending;
	return CSA_END_OTHER;
}

static void
usage(struct csa_answer *a, struct json_object *o)
{
	struct json_object	*u = csa_json_path(o, "usageMetadata");

	if (!json_object_is_type(u, json_type_object))
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
parts(struct csa_answer *a, struct json_object *candidate)
{
	struct json_object	*list, *part, *text, *thought;

	list = csa_json_path(candidate, "content.parts");
	if (!json_object_is_type(list, json_type_array))
		return list == NULL ? 0 : -1;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		part = json_object_array_get_idx(list, i);
		if (!json_object_is_type(part, json_type_object))
			return -1;
		if (json_object_object_get_ex(part, "thought", &thought) &&
		    json_object_get_boolean(thought))
			continue;
		if (!json_object_object_get_ex(part, "text", &text) ||
		    text == NULL)
			continue;
		if (!json_object_is_type(text, json_type_string) ||
		    csa_answer_text(a, text) == -1)
			return -1;
	}
	return 0;
}

/* Prompt blocked: no candidates at all. */
static void
without_candidates(struct csa_answer *a, struct json_object *o)
{
	a->ending = csa_json_path_str(o, "promptFeedback.blockReason", NULL) !=
	    NULL ? CSA_END_FILTER : CSA_END_OTHER;
}

static int
read_object(struct csa_answer *a, struct json_object *o, const char **why)
{
	struct json_object	*list, *candidate;
	const char		*reason;

	if (!json_object_is_type(o, json_type_object)) {
		*why = "the reply is no JSON object";
		return -1;
	}
	if (csa_json_path(o, "error") != NULL) {
		*why = "the reply is an error with status 200";
		return -1;
	}
	usage(a, o);
	csa_answer_model(a, csa_json_path_str(o, "modelVersion", NULL));
	list = csa_json_path(o, "candidates");
	if (list == NULL || (json_object_is_type(list, json_type_array) &&
	    json_object_array_length(list) == 0)) {
		without_candidates(a, o);
		return 0;
	}
	candidate = csa_json_path(o, "candidates[0]");
	if (!json_object_is_type(candidate, json_type_object) ||
	    parts(a, candidate) == -1) {
		*why = "a candidate is not shaped as it should be";
		return -1;
	}
	reason = csa_json_path_str(candidate, "finishReason", NULL);
	if (reason != NULL)
		a->ending = ending_of(reason);
	return 0;
}

int
csa_gemini_chat_reply(struct csa_answer *a, const char *s, size_t len,
    const char **why)
{
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	int			 rc;

	*why = "the reply is no JSON";
	rc = o != NULL ? read_object(a, o, why) : -1;
	csa_json_free(o);
	return rc;
}
