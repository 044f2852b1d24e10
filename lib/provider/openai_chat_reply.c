#include "config.h"

#include <string.h>

#include "lib/provider/answer.h"
#include "lib/provider/reply.h"

static const struct {
	const char	*reason;
	enum csa_ending	 ending;
} endings[] = {
	{ "stop", CSA_END_STOP },
	{ "length", CSA_END_LENGTH },
	{ "max_tokens", CSA_END_LENGTH },
	{ "content_filter", CSA_END_FILTER },
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
	struct json_object	*u = csa_json_path(o, "usage");

	/* Many servers leave it out, or send null. */
	if (!json_object_is_type(u, json_type_object))
		return;
	a->prompt_tokens = csa_answer_count(u, "prompt_tokens");
	a->completion_tokens = csa_answer_count(u, "completion_tokens");
	a->total_tokens = csa_answer_count(u, "total_tokens");
	if (a->total_tokens == 0)
		a->total_tokens = a->prompt_tokens + a->completion_tokens;
}

/* Content is a string, null, or a list of parts. */
static int
content(struct csa_answer *a, struct json_object *c)
{
	struct json_object	*part, *text;

	if (c == NULL)
		return 0;
	if (json_object_is_type(c, json_type_string))
		return csa_answer_text(a, c);
	if (!json_object_is_type(c, json_type_array))
		return -1;
	for (size_t i = 0; i < json_object_array_length(c); i++) {
		part = json_object_array_get_idx(c, i);
		if (!json_object_is_type(part, json_type_object))
			return -1;
		if (json_object_object_get_ex(part, "text", &text) &&
		    json_object_is_type(text, json_type_string) &&
		    csa_answer_text(a, text) == -1)
			return -1;
	}
	return 0;
}

/* A whole reply has a message, an event of a stream a delta. */
static int
message(struct csa_answer *a, struct json_object *choice)
{
	struct json_object	*m = csa_json_path(choice, "message");
	const char		*refusal;

	if (m == NULL)
		m = csa_json_path(choice, "delta");
	if (!json_object_is_type(m, json_type_object))
		return -1;
	if (content(a, csa_json_path(m, "content")) == -1)
		return -1;
	/* The model's own words for declining are its answer. */
	refusal = csa_json_path_str(m, "refusal", NULL);
	if (refusal != NULL && refusal[0] != '\0') {
		csa_buf_puts(&a->text, refusal);
		a->ending = CSA_END_FILTER;
	}
	return a->text.failed ? -1 : 0;
}

static int
read_object(struct csa_answer *a, struct json_object *o, const char **why)
{
	struct json_object	*list, *choice;
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
	csa_answer_model(a, csa_json_path_str(o, "model", NULL));
	list = csa_json_path(o, "choices");
	if (!json_object_is_type(list, json_type_array)) {
		*why = "the reply has no choices";
		return -1;
	}
	/* No choice is an answer without text; in a stream, the usage. */
	if (json_object_array_length(list) == 0)
		return 0;
	choice = json_object_array_get_idx(list, 0);
	if (!json_object_is_type(choice, json_type_object) ||
	    message(a, choice) == -1) {
		*why = "a choice is not shaped as it should be";
		return -1;
	}
	reason = csa_json_path_str(choice, "finish_reason", NULL);
	if (reason != NULL && a->ending != CSA_END_FILTER)
		a->ending = ending_of(reason);
	return 0;
}

int
csa_openai_chat_reply(struct csa_answer *a, const char *s, size_t len,
    const char **why)
{
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	int			 rc;

	*why = "the reply is no JSON";
	rc = o != NULL ? read_object(a, o, why) : -1;
	csa_json_free(o);
	return rc;
}
