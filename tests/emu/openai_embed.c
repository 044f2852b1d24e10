#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/openai.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

#define TEI_BATCH	32		/* TEI's default */
#define OPENAI_BATCH	2048
#define GOOGLE_BATCH	100

/* Own dimensions of the models; everything else has 384. */
static const struct {
	const char	*id;
	size_t		 dims;
} known[] = {
	{ "text-embedding-3-small", 1536 },
	{ "text-embedding-3-large", 3072 },
	{ "text-embedding-ada-002", 1536 },
	{ "gemini-embedding-001", 3072 },
	{ "gemini-embedding-2", 3072 },
};

struct embed {
	struct emu_req	*rq;
	struct emu_embedder e;
	const char	*model;
	enum emu_format	 fmt;
	size_t		 tokens, count;
	char		 space[120], task[120];
};

/*
 * Where question and passage are two names of one model, or are told by
 * input_type, they share a space and differ by a small shift.
 */
static void
read_task(struct embed *m)
{
	const char *type = emu_oai_str(m->rq->json, "input_type");
	char *dash;

	(void)snprintf(m->space, sizeof(m->space), "%s", m->model);
	(void)snprintf(m->task, sizeof(m->task), "%s",
	    type != NULL ? type : "");
	dash = strrchr(m->space, '-');
	if (dash != NULL && (strcmp(dash, "-query") == 0 ||
	    strcmp(dash, "-passage") == 0)) {
		(void)snprintf(m->task, sizeof(m->task), "%s", dash + 1);
		*dash = '\0';
	}
	m->e.space = m->space;
	m->e.task = m->task;
}

static int
read_dims(struct embed *m)
{
	struct json_object *d = emu_oai_get(m->rq->json, "dimensions");
	size_t i;

	m->e.full = 384;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].id, m->model) == 0)
			m->e.full = known[i].dims;
	m->e.dims = m->e.full;
	m->e.normalize = true;
	if (d == NULL)
		return 0;
	if (!json_object_is_type(d, json_type_int) ||
	    json_object_get_int(d) < 1 ||
	    (size_t)json_object_get_int(d) > m->e.full)
		return emu_openai_fail(m->rq, 400, NULL, "dimensions",
		    "Invalid value for 'dimensions' = %s. Must be less than or "
		    "equal to %zu.", json_object_get_string(d), m->e.full);
	m->e.dims = (size_t)json_object_get_int(d);
	return 0;
}

static int
read_format(struct embed *m)
{
	const char *f = emu_oai_str(m->rq->json, "encoding_format");

	m->fmt = EMU_JSON;
	if (f == NULL || strcmp(f, "float") == 0)
		return 0;
	m->fmt = EMU_BASE64;
	if (strcmp(f, "base64") == 0)
		return 0;
	return emu_openai_fail(m->rq, 400, NULL, "encoding_format",
	    "Invalid value: '%.40s'. Supported values are: 'float' and "
	    "'base64'.", f);
}

static int
read_request(struct embed *m)
{
	const char *why;

	if (emu_json_parse(m->rq, EMU_STRICT, &why) == -1)
		return emu_openai_fail(m->rq, 400, NULL, NULL, "We could not "
		    "parse the JSON body of your request: %s", why);
	m->model = emu_oai_str(m->rq->json, "model");
	if (emu_oai_model(m->rq, m->model) == -1 || read_dims(m) == -1 ||
	    read_format(m) == -1)
		return -1;
	read_task(m);
	return 0;
}

/* Sixteen characters of base64 are three floats; these are NaN, 0, 0. */
static const char nan_base64[] = "AADAfwAAAAAAAAAA";

static void
spoil_base64(struct embed *m, struct emu_buf *b, size_t from)
{
	size_t n = sizeof(nan_base64) - 1;

	if (b->len - from < 2 * n)
		return;
	if (m->rq->plan.fault == EMU_FAULT_WRONG_DIM) {
		b->len -= n;
		b->p[b->len - 1] = '"';
	} else if (m->rq->plan.fault == EMU_FAULT_NAN)
		memcpy(b->p + from + 1, nan_base64, n);
}

static void
spoil(struct embed *m, struct emu_buf *b, size_t from)
{
	char *s;

	if (m->fmt != EMU_JSON) {
		spoil_base64(m, b, from);
		return;
	}
	if (m->rq->plan.fault == EMU_FAULT_WRONG_DIM) {
		while (b->p[b->len - 1] != ',')
			b->len--;
		b->p[b->len - 1] = ']';
	} else if (m->rq->plan.fault == EMU_FAULT_NAN &&
	    (s = strchr(b->p + from, ',')) != NULL) {
		memset(b->p + from + 1, ' ', (size_t)(s - b->p) - from - 1);
		memcpy(b->p + from + 1, "NaN", 3);
	}
}

static void
add(struct embed *m, const char *text, size_t len)
{
	struct emu_buf *b = &m->rq->rep.body;
	size_t from;

	emu_buf_addf(b, "%s{\"object\":\"embedding\",\"index\":%zu,"
	    "\"embedding\":", m->count == 0 ? "" : ",", m->count);
	from = b->len;
	emu_embed_text(&m->e, text, len, m->fmt, b);
	spoil(m, b, from);
	emu_buf_adds(b, "}");
	m->count++;
	m->tokens += emu_tokens(len);
	m->rq->items++;
}

/* Token numbers become words, so that like lists are near. */
static void
add_tokens(struct embed *m, struct json_object *list)
{
	struct emu_buf text = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		emu_buf_addf(&text, "t%s ", json_object_get_string(
		    json_object_array_get_idx(list, i)));
	add(m, text.p != NULL ? text.p : "", text.len);
	emu_buf_fini(&text);
}

static int
check_batch(struct embed *m, size_t n)
{
	bool tei = emu_openai_shape_of(m->rq) == EMU_SHAPE_TEI;
	size_t max = tei ? TEI_BATCH :
	    strstr(m->rq->path, "/openai/") != NULL ? GOOGLE_BATCH :
	    OPENAI_BATCH;

	if (n == 0)
		return emu_openai_fail(m->rq, 400, NULL, "input", "%s",
		    tei ? "`inputs` cannot be empty" :
		    "Invalid 'input': input cannot be an empty array.");
	if (n <= max)
		return 0;
	if (tei)
		return emu_openai_fail(m->rq, 422, NULL, NULL, "batch size %zu "
		    "> maximum allowed batch size %zu", n, max);
	return emu_openai_fail(m->rq, 400, NULL, "input", "Invalid 'input': "
	    "maximum array length is %zu.", max);
}

static int
add_one(struct embed *m, struct json_object *o, size_t i)
{
	size_t len;

	if (json_object_is_type(o, json_type_array)) {
		add_tokens(m, o);
		return 0;
	}
	if (!json_object_is_type(o, json_type_string))
		return emu_openai_fail(m->rq, 400, NULL, "input",
		    "'$.input[%zu]' is invalid.", i);
	len = (size_t)json_object_get_string_len(o);
	if (len == 0)
		return emu_openai_fail(m->rq, 400, NULL, "input",
		    "'$.input[%zu]' cannot be an empty string.", i);
	add(m, json_object_get_string(o), len);
	return 0;
}

/* A string, strings, tokens, or lists of tokens. */
static int
add_all(struct embed *m)
{
	struct json_object *in = emu_oai_get(m->rq->json, "input");
	size_t i, n;

	if (json_object_is_type(in, json_type_string))
		return add_one(m, in, 0);
	if (!json_object_is_type(in, json_type_array))
		return emu_openai_fail(m->rq, 400, NULL, "input",
		    "'input' is a required property");
	n = json_object_array_length(in);
	if (n != 0 && json_object_is_type(json_object_array_get_idx(in, 0),
	    json_type_int)) {
		add_tokens(m, in);
		return 0;
	}
	if (check_batch(m, n) == -1)
		return -1;
	if (m->rq->plan.fault == EMU_FAULT_FEWER)
		n--;
	for (i = 0; i < n; i++)
		if (add_one(m, json_object_array_get_idx(in, i), i) == -1)
			return -1;
	if (m->rq->plan.fault == EMU_FAULT_MORE)
		add(m, "one too many", 12);
	return 0;
}

void
emu_oai_embed(struct emu_req *rq)
{
	struct embed m = { .rq = rq };
	struct emu_buf *b = &rq->rep.body;

	if (read_request(&m) == -1)
		return;
	emu_reply_json(rq, 200);
	emu_buf_adds(b, "{\"object\":\"list\",\"data\":[");
	if (add_all(&m) == -1)
		return;
	emu_buf_adds(b, "],\"model\":");
	emu_buf_jsons(b, m.model);
	emu_buf_addf(b, ",\"usage\":{\"prompt_tokens\":%zu,"
	    "\"total_tokens\":%zu}}", m.tokens, m.tokens);
	emu_reply_header(rq, "x-request-id", "req_%016" PRIx64, rq->id);
}
