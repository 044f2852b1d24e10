#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "handlers/v1_messages.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/fields.h"
#include "lib/text/utf8.h"

enum role { SYSTEM, USER, ASSISTANT, TOOL };

/* A message as it came; text is borrowed from the body or the arena. */
struct given {
	enum role	 role;
	const char	*text;
	size_t		 len;
};

int
csa_v1_bad(struct csa_err *err, const char *at, const char *what)
{
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT, "%s %s", at,
	    what);
}

int
csa_v1_required(int rc, const char *at, const char *name, struct csa_err *err)
{
	char	 path[96];

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	snprintf(path, sizeof(path), "%s%s%s", at, *at != '\0' ? "." : "",
	    name);
	return csa_v1_bad(err, path, "is missing");
}

/* Add the text of a part; pictures, sounds and files are for other models. */
static int
add_part(const struct csa_node *part, const char *at, struct csa_buf *b,
    struct csa_err *err)
{
	const char	*type, *s;
	size_t		 n;

	if (part->type != CSA_NODE_OBJECT)
		return csa_v1_bad(err, at, "must be an object");
	if (csa_v1_required(csa_field_str(part, at, "type", &type, &n, err), at,
	    "type", err) == -1)
		return -1;
	if (strcmp(type, "refusal") == 0)
		return 0;
	if (strcmp(type, "text") != 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is of the type %.40s; only text is taken here", at,
		    type);
	if (csa_v1_required(csa_field_str(part, at, "text", &s, &n, err), at,
	    "text", err) == -1)
		return -1;
	if (b->len > 0 && n > 0)
		csa_buf_putc(b, '\n');
	csa_buf_add(b, s, n);
	return 0;
}

static int
join_parts(const struct csa_node *list, const char *at, struct csa_arena *arena,
    struct given *m, struct csa_err *err)
{
	const struct csa_node	*part;
	char			 path[96];
	struct csa_buf		 b;
	size_t			 i = 0;
	int			 rc = 0;

	/* No larger than the body that it came in. */
	csa_buf_init(&b, SIZE_MAX / 2);
	for (part = list->first; part != NULL && rc == 0; part = part->next) {
		snprintf(path, sizeof(path), "%s[%zu]", at, i++);
		rc = add_part(part, path, &b, err);
	}
	if (rc == 0 && b.len > 0) {
		m->text = csa_arena_strndup(arena, b.data, b.len);
		m->len = b.len;
	}
	csa_buf_fini(&b);
	return rc;
}

static int
read_role(const struct csa_node *o, const char *at, enum role *role,
    struct csa_err *err)
{
	static const struct { const char *name; enum role role; } roles[] = {
		{ "user", USER }, { "assistant", ASSISTANT },
		{ "system", SYSTEM }, { "developer", SYSTEM },
		{ "tool", TOOL }, { "function", TOOL },
	};
	const char	*s;
	size_t		 n;

	if (csa_v1_required(csa_field_str(o, at, "role", &s, &n, err), at,
	    "role", err) == -1)
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
read_message(const struct csa_node *o, size_t i, struct csa_arena *arena,
    struct given *m, struct csa_err *err)
{
	char			 at[32], path[48];
	const struct csa_node	*content;

	snprintf(at, sizeof(at), "messages[%zu]", i);
	snprintf(path, sizeof(path), "%s.content", at);
	m->text = "";
	m->len = 0;
	if (o->type != CSA_NODE_OBJECT)
		return csa_v1_bad(err, at, "must be an object");
	if (read_role(o, at, &m->role, err) == -1)
		return -1;
	/* Absent and null where an assistant has only called tools. */
	if ((content = csa_node_get(o, "content")) == NULL)
		return m->role == ASSISTANT || m->role == TOOL ? 0 :
		    csa_v1_bad(err, path, "is missing");
	switch (content->type) {
	case CSA_NODE_STRING:
		m->text = content->s;
		m->len = content->n;
		return 0;
	case CSA_NODE_ARRAY:
		return m->role == TOOL ? 0 :
		    join_parts(content, path, arena, m, err);
	default:
		return csa_v1_bad(err, path,
		    "must be a string or a list of parts");
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
		return csa_v1_bad(err, "messages",
		    "must have one of the role user");
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

int
csa_v1_messages_parse(const struct csa_node *body,
    const struct csa_config *config, struct csa_arena *arena,
    struct csa_chat_request *r, struct csa_err *err)
{
	const struct csa_node	*list, *o;
	struct given		*m;
	size_t			 i = 0;

	if (csa_v1_required(csa_field_arr(body, "", "messages", &list, err), "",
	    "messages", err) == -1)
		return -1;
	m = csa_arena_array(arena, list->n, struct given);
	for (o = list->first; o != NULL; o = o->next, i++)
		if (read_message(o, i, arena, &m[i], err) == -1)
			return -1;
	return take_messages(m, list->n, config, arena, r, err);
}
