#include "config.h"

#include <stdio.h>
#include <string.h>

#include "handlers/v1_chat_request.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/json.h"
#include "lib/text/utf8.h"

#define TOKENS_MAX	10000000	/* nobody means more */

enum role { SYSTEM, USER, ASSISTANT, TOOL };

/* A message as it came; text is borrowed from the JSON object or the arena. */
struct given {
	enum role	 role;
	const char	*text;
	size_t		 len;
};

static int
bad(struct csa_err *err, const char *at, const char *what)
{
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT, "%s %s", at,
	    what);
}

static int
required(int rc, const char *at, const char *name, struct csa_err *err)
{
	char	 path[96];

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	snprintf(path, sizeof(path), "%s%s%s", at, *at != '\0' ? "." : "",
	    name);
	return bad(err, path, "is missing");
}

/* ---- messages ---- */

/* Add the text of a part; pictures, sounds and files are for other models. */
static int
add_part(struct json_object *part, const char *at, struct csa_buf *b,
    struct csa_err *err)
{
	const char	*type, *s;
	size_t		 n;

	if (json_object_get_type(part) != json_type_object)
		return bad(err, at, "must be an object");
	if (required(csa_json_str(part, at, "type", &type, &n, err), at,
	    "type", err) == -1)
		return -1;
	if (strcmp(type, "refusal") == 0)
		return 0;
	if (strcmp(type, "text") != 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is of the type %.40s; only text is taken here", at,
		    type);
	if (required(csa_json_str(part, at, "text", &s, &n, err), at, "text",
	    err) == -1)
		return -1;
	if (b->len > 0 && n > 0)
		csa_buf_putc(b, '\n');
	csa_buf_add(b, s, n);
	return 0;
}

static int
join_parts(struct json_object *list, const char *at, struct csa_arena *arena,
    struct given *m, struct csa_err *err)
{
	char		 path[96];
	struct csa_buf	 b;
	size_t		 n = json_object_array_length(list);
	int		 rc = 0;

	/* No larger than the body that it came in. */
	csa_buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < n && rc == 0; i++) {
		snprintf(path, sizeof(path), "%s[%zu]", at, i);
		rc = add_part(json_object_array_get_idx(list, i), path, &b,
		    err);
	}
	if (rc == 0 && b.len > 0) {
		m->text = csa_arena_strndup(arena, b.data, b.len);
		m->len = b.len;
	}
	csa_buf_fini(&b);
	return rc;
}

static int
read_role(struct json_object *o, const char *at, enum role *role,
    struct csa_err *err)
{
	static const struct { const char *name; enum role role; } roles[] = {
		{ "user", USER }, { "assistant", ASSISTANT },
		{ "system", SYSTEM }, { "developer", SYSTEM },
		{ "tool", TOOL }, { "function", TOOL },
	};
	const char	*s;
	size_t		 n;

	if (required(csa_json_str(o, at, "role", &s, &n, err), at, "role",
	    err) == -1)
		return -1;
	for (size_t i = 0; i < CSA_NITEMS(roles); i++)
		if (strcmp(roles[i].name, s) == 0) {
			*role = roles[i].role;
			return 0;
		}
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "%s.role must be user, assistant, system, developer or tool", at);
}

static int
read_message(struct json_object *o, size_t i, struct csa_arena *arena,
    struct given *m, struct csa_err *err)
{
	char			 at[32], path[48];
	struct json_object	*content;

	snprintf(at, sizeof(at), "messages[%zu]", i);
	snprintf(path, sizeof(path), "%s.content", at);
	m->text = "";
	m->len = 0;
	if (json_object_get_type(o) != json_type_object)
		return bad(err, at, "must be an object");
	if (read_role(o, at, &m->role, err) == -1)
		return -1;
	/* Absent and null where an assistant has only called tools. */
	if (!json_object_object_get_ex(o, "content", &content) ||
	    content == NULL)
		return m->role == ASSISTANT || m->role == TOOL ? 0 :
		    bad(err, path, "is missing");
	switch (json_object_get_type(content)) {
	case json_type_string:
		m->text = json_object_get_string(content);
		m->len = (size_t)json_object_get_string_len(content);
		return 0;
	case json_type_array:
		return m->role == TOOL ? 0 :
		    join_parts(content, path, arena, m, err);
	default:
		return bad(err, path, "must be a string or a list of parts");
	}
}

/* The system text: all messages of that role, a blank line between them. */
static int
take_system(const struct given *m, size_t n, const struct csa_config *config,
    struct csa_arena *arena, struct csa_chat_request *r, struct csa_err *err)
{
	struct csa_buf	 b;

	csa_buf_init(&b, (size_t)config->max_message_bytes);
	for (size_t i = 0; i < n; i++) {
		if (m[i].role != SYSTEM || m[i].len == 0)
			continue;
		if (b.len > 0)
			csa_buf_puts(&b, "\n\n");
		csa_buf_add(&b, m[i].text, m[i].len);
	}
	if (b.failed)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "messages: the system's have more than %ld bytes",
		    config->max_message_bytes);
	if (b.len > 0 && !csa_utf8_blank(b.data, b.len))
		r->system_prompt = csa_arena_strndup(arena, b.data, b.len);
	csa_buf_fini(&b);
	return 0;
}

/* The last r->keep messages before the question, oldest first. */
static int
take_history(const struct given *m, size_t question,
    const struct csa_config *config, struct csa_arena *arena,
    struct csa_chat_request *r, struct csa_err *err)
{
	size_t	 first = question, want = 0;

	while (first > 0 && want < r->keep) {
		first--;
		want += (m[first].role == USER || m[first].role == ASSISTANT) &&
		    m[first].len > 0;
	}
	r->history = csa_arena_array(arena, want, struct csa_message);
	for (size_t i = first; i < question; i++) {
		if ((m[i].role != USER && m[i].role != ASSISTANT) ||
		    m[i].len == 0)
			continue;
		if (m[i].len > (size_t)config->max_message_bytes)
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "messages[%zu].content has %zu "
			    "bytes; the limit is %ld", i, m[i].len,
			    config->max_message_bytes);
		r->history[r->nhistory++] = (struct csa_message){
			.role = m[i].role == USER ? CSA_ROLE_USER :
			    CSA_ROLE_ASSISTANT,
			.text = csa_arena_strndup(arena, m[i].text, m[i].len),
			.len = m[i].len,
		};
	}
	return 0;
}

static int
take_messages(const struct given *m, size_t n, const struct csa_config *config,
    struct csa_arena *arena, struct csa_chat_request *r, struct csa_err *err)
{
	char	 at[48];
	size_t	 q = n;

	while (q > 0 && m[q - 1].role != USER)
		q--;
	if (q == 0)
		return bad(err, "messages", "must have one of the role user");
	q--;
	snprintf(at, sizeof(at), "messages[%zu].content", q);
	if (csa_check_text(at, m[q].text, m[q].len,
	    (size_t)config->max_message_bytes, err) == -1)
		return -1;
	r->message = csa_arena_strndup(arena, m[q].text, m[q].len);
	if (take_system(m, n, config, arena, r, err) == -1)
		return -1;
	return take_history(m, q, config, arena, r, err);
}

static int
parse_messages(struct json_object *body, const struct csa_config *config,
    struct csa_arena *arena, struct csa_chat_request *r, struct csa_err *err)
{
	struct json_object	*list;
	struct given		*m;
	size_t			 n;

	if (required(csa_json_arr(body, "", "messages", &list, err), "",
	    "messages", err) == -1)
		return -1;
	n = json_object_array_length(list);
	m = csa_arena_array(arena, n, struct given);
	for (size_t i = 0; i < n; i++)
		if (read_message(json_object_array_get_idx(list, i), i, arena,
		    &m[i], err) == -1)
			return -1;
	return take_messages(m, n, config, arena, r, err);
}

/* ---- the rest ---- */

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
parse_ours(struct json_object *body, struct csa_arena *arena,
    struct csa_v1_request *r, struct csa_err *err)
{
	static const char	 at[] = "chatsphere";
	static const char *const citations[] = { "marks", "list", "none",
		NULL };
	static const char *const fallbacks[] = { "none", "extractive", NULL };
	struct json_object	*o;
	const char		*s;
	size_t			 n;
	int64_t			 v;
	int			 rc, i;

	if ((rc = csa_json_obj(body, "", at, &o, err)) != 1)
		return rc;
	if ((rc = csa_json_str(o, at, "llm_model", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && n > 0) {
		if (csa_check_model("chatsphere.llm_model", s, n, err) == -1)
			return -1;
		r->chat.model = csa_arena_strdup(arena, s);
	}
	if ((rc = csa_json_int(o, at, "retriever_k", 1, 100, &v, err)) == -1)
		return -1;
	if (rc == 1)
		r->chat.k = (size_t)v;
	if ((rc = csa_json_int(o, at, "chat_history_length", 0, 100, &v,
	    err)) == -1)
		return -1;
	if (rc == 1)
		r->chat.keep = (size_t)v;
	if ((rc = csa_json_str(o, at, "fallback", &s, &n, err)) == -1)
		return -1;
	if (rc == 1 && (i = one_of(fallbacks, s)) == -1)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "chatsphere.fallback must be extractive or none");
	if (rc == 1)
		r->chat.may_degrade = i == 1;
	if ((rc = csa_json_str(o, at, "citations", &s, &n, err)) == -1)
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
parse_form(struct json_object *body, struct csa_err *err)
{
	struct json_object	*o;
	const char		*s;
	size_t			 len;
	int64_t			 n;
	int			 rc;

	if ((rc = csa_json_int(body, "", "n", 1, 128, &n, err)) == -1)
		return -1;
	if (rc == 1 && n != 1)
		return bad(err, "n", "must be 1: there is one answer");
	if ((rc = csa_json_obj(body, "", "response_format", &o, err)) != 1)
		return rc;
	if (required(csa_json_str(o, "response_format", "type", &s, &len, err),
	    "response_format", "type", err) == -1)
		return -1;
	return strcmp(s, "text") == 0 ? 0 : bad(err, "response_format.type",
	    "must be text: answers are prose with citations");
}

/* The client may ask for less than the operator allows, not for more. */
static int
parse_tokens(struct json_object *body, const struct csa_config *config,
    struct csa_chat_request *r, struct csa_err *err)
{
	static const char *const	 names[] = { "max_tokens",
		"max_completion_tokens" };
	int64_t				 v;
	int				 rc;

	for (size_t i = 0; i < CSA_NITEMS(names); i++) {
		if ((rc = csa_json_int(body, "", names[i], 1, TOKENS_MAX, &v,
		    err)) == -1)
			return -1;
		if (rc == 1)
			r->max_output_tokens = v < config->max_output_tokens ?
			    (long)v : config->max_output_tokens;
	}
	return 0;
}

static int
parse_stream(struct json_object *body, struct csa_v1_request *r,
    struct csa_err *err)
{
	struct json_object	*o;
	int			 rc;

	if (csa_json_bool(body, "", "stream", &r->chat.stream, err) == -1)
		return -1;
	if ((rc = csa_json_obj(body, "", "stream_options", &o, err)) != 1)
		return rc;
	return csa_json_bool(o, "stream_options", "include_usage",
	    &r->include_usage, err) == -1 ? -1 : 0;
}

static int
parse_model(struct json_object *body, struct csa_arena *arena,
    struct csa_chat_request *r, struct csa_err *err)
{
	const char	*s;
	size_t		 n;

	if (required(csa_json_str(body, "", "model", &s, &n, err), "",
	    "model", err) == -1)
		return -1;
	if (csa_check_bot("model", s, n, err) == -1)
		return -1;
	r->bot = csa_arena_strdup(arena, s);
	return 0;
}

int
csa_v1_chat_request_parse(struct json_object *body,
    const struct csa_config *config, struct csa_arena *arena,
    struct csa_v1_request *r, struct csa_err *err)
{
	if (json_object_get_type(body) != json_type_object)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "the body must be a JSON object");
	memset(r, 0, sizeof(*r));
	csa_chat_request_defaults(config, &r->chat);
	if (parse_model(body, arena, &r->chat, err) == -1 ||
	    parse_form(body, err) == -1 ||
	    parse_ours(body, arena, r, err) == -1 ||
	    csa_json_num(body, "", "temperature", 0, 2, &r->chat.temperature,
	    err) == -1 ||
	    parse_tokens(body, config, &r->chat, err) == -1 ||
	    parse_stream(body, r, err) == -1)
		return -1;
	return parse_messages(body, config, arena, &r->chat, err);
}
