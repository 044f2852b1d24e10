#include "config.h"

#include <string.h>

#include "handlers/v1_chat_request.h"
#include "handlers/v1_messages.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/fields.h"

#define TOKENS_MAX	10000000	/* nobody means more */

/* One of the names in a list that ends with NULL; -1 where it is another. */
static int
one_of(const char *const *names, const char *s)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], s) == 0)
			return i;
	return -1;
}

/* {"chatsphere": {...}}: what a bot can and a model of OpenAI's cannot. */
static int
parse_ours(const struct csa_node *body, struct csa_arena *arena,
    struct csa_v1_request *r, struct csa_err *err)
{
	static const char	 at[] = "chatsphere";
	static const char *const citations[] = { "marks", "list", "none",
		NULL };
	static const char *const fallbacks[] = { "none", "extractive", NULL };
	const struct csa_node	*o;
	const char		*s;
	size_t			 n;
	int64_t			 v;
	int			 rc, i;

	if ((rc = csa_field_obj(body, "", at, &o, err)) != 1)
		return rc;
	if ((rc = csa_field_str(o, at, "llm_model", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && n > 0) {
		if (csa_check_model("chatsphere.llm_model", s, n, err) == -1)
			return -1;
		r->chat.model = csa_arena_strdup(arena, s);
	}
	if ((rc = csa_field_int(o, at, "retriever_k", 1, 100, &v, err)) == -1)
		return -1;
	if (rc == 1)
		r->chat.k = (size_t)v;
	if ((rc = csa_field_int(o, at, "chat_history_length", 0, 100, &v,
	    err)) == -1)
		return -1;
	if (rc == 1)
		r->chat.keep = (size_t)v;
	if ((rc = csa_field_str(o, at, "fallback", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && (i = one_of(fallbacks, s)) == -1)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "chatsphere.fallback must be extractive or none");
	if (rc == 1)
		r->chat.may_degrade = i == 1;
	if (csa_chat_cache_parse(o, at, &r->chat.cache, err) == -1)
		return -1;
	if ((rc = csa_field_str(o, at, "citations", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && (i = one_of(citations, s)) == -1)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "chatsphere.citations must be marks, list or none");
	if (rc == 1)
		r->citations = (enum csa_v1_citations)i;
	return 0;
}

/* What would change the answer's form, and cannot be had here. */
static int
parse_form(const struct csa_node *body, struct csa_err *err)
{
	const struct csa_node	*o;
	const char		*s;
	size_t			 len;
	int64_t			 n;
	int			 rc;

	if ((rc = csa_field_int(body, "", "n", 1, 128, &n, err)) == -1)
		return -1;
	if (rc == 1 && n != 1)
		return csa_v1_bad(err, "n", "must be 1: there is one answer");
	if ((rc = csa_field_obj(body, "", "response_format", &o, err)) != 1)
		return rc;
	if (csa_v1_required(csa_field_str(o, "response_format", "type", &s,
	    &len, err), "response_format", "type", err) == -1)
		return -1;
	return strcmp(s, "text") == 0 ? 0 : csa_v1_bad(err,
	    "response_format.type", "must be text: answers are prose with "
	    "citations");
}

/* The client may ask for less than the operator allows, not for more. */
static int
parse_tokens(const struct csa_node *body, const struct csa_config *config,
    struct csa_chat_request *r, struct csa_err *err)
{
	static const char *const	 names[] = { "max_tokens",
		"max_completion_tokens" };
	int64_t				 v;
	int				 rc;

	for (size_t i = 0; i < CSA_NITEMS(names); i++) {
		if ((rc = csa_field_int(body, "", names[i], 1, TOKENS_MAX, &v,
		    err)) == -1)
			return -1;
		if (rc == 1)
			r->max_output_tokens = v < config->max_output_tokens ?
			    (long)v : config->max_output_tokens;
	}
	return 0;
}

static int
parse_stream(const struct csa_node *body, struct csa_v1_request *r,
    struct csa_err *err)
{
	const struct csa_node	*o;
	int			 rc;

	if (csa_field_bool(body, "", "stream", &r->chat.stream, err) == -1)
		return -1;
	if ((rc = csa_field_obj(body, "", "stream_options", &o, err)) != 1)
		return rc;
	return csa_field_bool(o, "stream_options", "include_usage",
	    &r->include_usage, err) == -1 ? -1 : 0;
}

/* They have no effect, but who sends them does not share his answer. */
static void
parse_tools(const struct csa_node *body, struct csa_chat_request *r)
{
	const struct csa_node	*tools = csa_node_get(body, "tools");

	if (csa_node_is(tools, CSA_NODE_ARRAY) && tools->n > 0)
		r->alone = true;
}

static int
parse_model(const struct csa_node *body, struct csa_arena *arena,
    struct csa_chat_request *r, struct csa_err *err)
{
	const char	*s;
	size_t		 n;

	if (csa_v1_required(csa_field_str(body, "", "model", &s, &n, err), "",
	    "model", err) == -1)
		return -1;
	if (csa_check_bot("model", s, n, err) == -1)
		return -1;
	r->bot = csa_arena_strdup(arena, s);
	return 0;
}

int
csa_v1_chat_request_parse(const struct csa_node *body,
    const struct csa_config *config, struct csa_arena *arena,
    struct csa_v1_request *r, struct csa_err *err)
{
	memset(r, 0, sizeof(*r));
	csa_chat_request_defaults(config, &r->chat);
	if (parse_model(body, arena, &r->chat, err) == -1 ||
	    parse_form(body, err) == -1 ||
	    parse_ours(body, arena, r, err) == -1 ||
	    csa_field_num(body, "", "temperature", 0, 2, &r->chat.temperature,
	    err) == -1 ||
	    parse_tokens(body, config, &r->chat, err) == -1 ||
	    parse_stream(body, r, err) == -1)
		return -1;
	parse_tools(body, &r->chat);
	return csa_v1_messages_parse(body, config, arena, &r->chat, err);
}
