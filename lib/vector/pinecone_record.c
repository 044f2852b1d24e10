#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/text/json.h"
#include "lib/text/utf8.h"
#include "lib/vector/pinecone_reply.h"

/* 40 KB a record, counted with some room for how the far end counts. */
#define MAX_METADATA	40000

static bool
reads_as_escape(const char *s)
{
	return s[0] == '%' && isxdigit((unsigned char)s[1]) &&
	    isxdigit((unsigned char)s[2]);
}

int
csa_vector_id(const char *s, char *out)
{
	static const char	 hex[] = "0123456789ABCDEF";
	size_t			 n = 0;

	for (; *s != '\0'; s++) {
		unsigned char	 c = (unsigned char)*s;
		bool		 plain = c >= 0x20 && c < 0x7f &&
				    !reads_as_escape(s);

		if (n + (plain ? 1 : 3) > CSA_VECTOR_ID_MAX)
			return -1;
		if (plain) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return 0;
}

static void
add_name(struct csa_buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{')
		csa_buf_putc(b, ',');
	csa_buf_jsonz(b, name);
	csa_buf_putc(b, ':');
}

static void
add_string(struct csa_buf *b, const char *name, const char *s)
{
	add_name(b, name);
	csa_buf_jsonz(b, s);
}

/* Strings, numbers, booleans, and lists of strings are all Pinecone takes. */
static bool
may_be_stored(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_object:
	case json_type_null:
		return false;
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(v); i++)
			if (!json_object_is_type(json_object_array_get_idx(v,
			    i), json_type_string))
				return false;
		return true;
	default:
		return true;
	}
}

static bool
is_ours(const char *name, const struct csa_chunk *c)
{
	if (strcmp(name, "title") == 0)
		return c->title != NULL && c->title[0] != '\0';
	return strcmp(name, "bot_id") == 0 || strcmp(name, "text") == 0 ||
	    strcmp(name, "document_id") == 0 ||
	    strcmp(name, "chunk_id") == 0 ||
	    strcmp(name, "text_truncated") == 0;
}

/* The chunk's own members that can be stored and are not named as ours. */
static int
add_own(struct csa_buf *b, const struct csa_chunk *c, struct csa_err *err)
{
	struct json_object	*o;
	int			 rc = 0;

	if (c->metadata == NULL || c->metadata[0] == '\0')
		return 0;
	o = csa_json_reply(c->metadata, strlen(c->metadata));
	if (!json_object_is_type(o, json_type_object)) {
		csa_json_free(o);
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "metadata must be a JSON object");
	}
	json_object_object_foreach(o, name, v) {
		if (v == NULL || is_ours(name, c))
			continue;
		if (!may_be_stored(v)) {
			rc = csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "metadata.%.100s must be a string, "
			    "a number, a boolean or a list of strings", name);
			break;
		}
		add_name(b, name);
		csa_buf_puts(b, json_object_to_json_string_ext(v,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	csa_json_free(o);
	return rc;
}

/* What a byte may become: \u001f. */
#define LONGEST_ESCAPE	6

/* How long s[0] to s[n - 1] is inside a JSON string, written without frills. */
static size_t
json_length(const char *s, size_t n, size_t room, size_t *fits)
{
	size_t	 len = 0;

	*fits = n;
	for (size_t i = 0; i < n; i++) {
		unsigned char	 c = (unsigned char)s[i];

		len += c >= 0x20 ? (c == '"' || c == '\\' ? 2 : 1) :
		    strchr("\b\f\n\r\t", c) != NULL ? 2 : 6;
		if (len > room && *fits == n)
			*fits = i;
	}
	return len;
}

int
csa_pinecone_metadata(struct csa_buf *b, const char *bot,
    const struct csa_chunk *c, struct csa_err *err)
{
	size_t	 start = b->len, used, room, n;

	csa_buf_putc(b, '{');
	if (add_own(b, c, err) == -1)
		return -1;
	add_string(b, "bot_id", bot);
	add_string(b, "document_id", c->document_id);
	add_string(b, "chunk_id", c->id);
	if (c->title != NULL && c->title[0] != '\0')
		add_string(b, "title", c->title);
	/* What is still to come: the text, its name, its mark, the end. */
	used = b->len - start + sizeof(",\"text\":\"\""
	    ",\"text_truncated\":true}") - 1;
	if (b->failed || used + 16 > MAX_METADATA)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "the metadata of a chunk is larger than Pinecone takes "
		    "(40 KB)");
	room = MAX_METADATA - used;
	n = c->len;
	if (n > room / LONGEST_ESCAPE &&
	    json_length(c->text, c->len, room, &n) > room)
		n = csa_utf8_cut(c->text, c->len, n);
	add_name(b, "text");
	csa_buf_json(b, c->text, n);
	if (n < c->len) {
		add_name(b, "text_truncated");
		csa_buf_puts(b, "true");
	}
	csa_buf_putc(b, '}');
	return 0;
}
