#include "config.h"

#include <stdio.h>
#include <string.h>

#include "handlers/chat_request.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/text/fields.h"

static int
required(const struct csa_node *o, const char *name, const char **s, size_t *n,
    struct csa_err *err)
{
	int	 rc = csa_field_str(o, "", name, s, n, err);

	if (rc == 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is missing", name);
	return rc == 1 ? 0 : -1;
}

static int
parse_message(const struct csa_node *o, size_t i,
    const struct csa_config *config, struct csa_message *m, struct csa_err *err)
{
	char		 at[48];
	const char	*role;
	size_t		 n;

	snprintf(at, sizeof(at), "history[%zu]", i);
	if (!csa_node_is(o, CSA_NODE_OBJECT))
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s must be an object", at);
	switch (csa_field_str(o, at, "role", &role, &n, err)) {
	case -1:
		return -1;
	case 0:
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s.role is missing", at);
	}
	if (strcmp(role, "user") == 0)
		m->role = CSA_ROLE_USER;
	else if (strcmp(role, "assistant") == 0)
		m->role = CSA_ROLE_ASSISTANT;
	else
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s.role must be user or assistant", at);
	switch (csa_field_str(o, at, "content", &m->text, &m->len, err)) {
	case -1:
		return -1;
	case 0:
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s.content is missing", at);
	}
	if (m->len > (size_t)config->max_message_bytes)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s.content has %zu bytes; the limit is %ld", at, m->len,
		    config->max_message_bytes);
	return 0;
}

static int
parse_history(const struct csa_node *body, const struct csa_config *config,
    struct csa_arena *arena, struct csa_chat_request *r, struct csa_err *err)
{
	const struct csa_node	*list, *o;
	size_t			 i = 0;
	int			 rc;

	if ((rc = csa_field_arr(body, "", "history", &list, err)) != 1)
		return rc;
	if (list->n > (size_t)config->max_history)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "history has %zu messages; the limit is %ld", list->n,
		    config->max_history);
	r->history = csa_arena_array(arena, list->n, struct csa_message);
	for (o = list->first; o != NULL; o = o->next) {
		struct csa_message *m = &r->history[r->nhistory];

		if (parse_message(o, i++, config, m, err) == -1)
			return -1;
		/* An empty turn says nothing and no model takes it. */
		if (m->len > 0)
			r->nhistory++;
	}
	return 0;
}

int
csa_chat_cache_parse(const struct csa_node *o, const char *at,
    enum csa_reuse *cache, struct csa_err *err)
{
	const struct csa_node	*v = csa_node_get(o, "cache");

	if (v == NULL)
		return 0;
	if (v->type == CSA_NODE_TRUE || v->type == CSA_NODE_FALSE) {
		*cache = v->type == CSA_NODE_TRUE ? CSA_REUSE_EXACT :
		    CSA_REUSE_NEVER;
		return 0;
	}
	if (v->type != CSA_NODE_STRING)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s.cache must be a boolean or a string", at);
	*cache = csa_reuse_of(v->s);
	if (*cache == CSA_REUSE_EXACT || *cache == CSA_REUSE_SEMANTIC)
		return 0;
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "%s.cache must be true, false, exact or semantic", at);
}

static int
parse_params(const struct csa_node *body, const struct csa_config *config,
    struct csa_chat_request *r, struct csa_err *err)
{
	static const char	 at[] = "config_params";
	const struct csa_node	*o, *tools;
	const char		*s;
	size_t			 n;
	int64_t			 v;
	int			 rc;

	if ((rc = csa_field_obj(body, "", at, &o, err)) != 1)
		return rc;
	/*
	 * There is one kind of agent, and it has no tools; who means another one
	 * does not mean what others were told.
	 */
	if ((rc = csa_field_str(o, at, "agent_type", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && n > 0 && strcmp(s, "rag") != 0)
		r->alone = true;
	if ((rc = csa_field_arr(o, at, "tools", &tools, err)) == -1)
		return -1;
	if (rc == 1 && tools->n > 0)
		r->alone = true;
	if (csa_chat_cache_parse(o, at, &r->cache, err) == -1)
		return -1;
	if ((rc = csa_field_str(o, at, "llm_model", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && n > 0) {
		if (csa_check_model("config_params.llm_model", s, n, err) == -1)
			return -1;
		r->model = s;
	}
	if ((rc = csa_field_str(o, at, "system_prompt", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && n > (size_t)config->max_message_bytes)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "config_params.system_prompt has %zu bytes; the limit is "
		    "%ld", n, config->max_message_bytes);
	if (rc == 1 && n > 0)
		r->system_prompt = s;
	if (csa_field_num(o, at, "temperature", 0, 2, &r->temperature,
	    err) == -1)
		return -1;
	if ((rc = csa_field_int(o, at, "retriever_k", 1, 100, &v, err)) == -1)
		return -1;
	if (rc == 1)
		r->k = (size_t)v;
	if ((rc = csa_field_int(o, at, "chat_history_length", 0, 100, &v,
	    err)) == -1)
		return -1;
	if (rc == 1)
		r->keep = (size_t)v;
	if ((rc = csa_field_str(o, at, "fallback", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && strcmp(s, "extractive") != 0 && strcmp(s, "none") != 0)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "config_params.fallback must be extractive or none");
	if (rc == 1)
		r->may_degrade = strcmp(s, "none") != 0;
	return 0;
}

/* Copy what is borrowed from the body. */
static void
keep(struct csa_arena *arena, const struct csa_config *config,
    struct csa_chat_request *r)
{
	r->bot = csa_arena_strdup(arena, r->bot);
	r->message = csa_arena_strdup(arena, r->message);
	for (size_t i = 0; i < r->nhistory; i++)
		r->history[i].text = csa_arena_strndup(arena,
		    r->history[i].text, r->history[i].len);
	if (r->model != NULL)
		r->model = csa_arena_strdup(arena, r->model);
	if (r->system_prompt != config->system_prompt)
		r->system_prompt = csa_arena_strdup(arena, r->system_prompt);
}

void
csa_chat_request_defaults(const struct csa_config *config,
    struct csa_chat_request *r)
{
	memset(r, 0, sizeof(*r));
	r->system_prompt = config->system_prompt;
	r->temperature = config->temperature;
	r->may_degrade = strcmp(config->fallback, "none") != 0;
	r->k = (size_t)config->retriever_search_k;
	r->keep = (size_t)config->chat_history_length;
}

int
csa_chat_request_parse(const struct csa_node *body,
    const struct csa_config *config, struct csa_arena *arena,
    struct csa_chat_request *r, struct csa_err *err)
{
	size_t	 n;

	csa_chat_request_defaults(config, r);
	if (required(body, "bot_id", &r->bot, &n, err) == -1 ||
	    csa_check_bot("bot_id", r->bot, n, err) == -1 ||
	    required(body, "message", &r->message, &n, err) == -1 ||
	    csa_check_text("message", r->message, n,
	    (size_t)config->max_message_bytes, err) == -1)
		return -1;
	if (parse_history(body, config, arena, r, err) == -1 ||
	    parse_params(body, config, r, err) == -1 ||
	    csa_field_bool(body, "", "stream", &r->stream, err) == -1)
		return -1;
	keep(arena, config, r);
	return 0;
}
