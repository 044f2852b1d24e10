#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/io.h"
#include "bench/replies.h"

#define EMBED_BYTES	15079	/* the whole body, as measured */
#define QUERY_BYTES	4758
#define ANSWER_BYTES	1175
#define MATCHES		5

static struct csa_bytes	 embed, query, answer, batch[CSA_REPLIES_BATCH + 1];

/* What matches and answers talk about; each sentence stands on its own. */
static const char *const sentences[] = {
	"The warranty covers parts and labor for two years from delivery.",
	"A parcel that arrives damaged must be reported within three days.",
	"Hold the power button for ten seconds to return to factory settings.",
	"Refunds reach the card that was charged, usually in a week.",
	"The filter should be rinsed with cold water once a month.",
	"Orders above fifty euros are shipped free of charge in the EU.",
	"The battery lasts about nine hours with the screen at half light.",
	"Never use a cleaner that contains alcohol on the \\\"matte\\\" parts.",
	"Accounts can be merged when both addresses have been confirmed.",
	"The manual lists every error code with its cause and its remedy.",
	"Technicians answer on working days between eight and eighteen.",
	"A firmware update needs the charger and a stable connection.",
};
#define NSENTENCES	(sizeof(sentences) / sizeof(sentences[0]))

/* The same sequence in every process: nothing here needs real chance. */
static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Overwrite out with a whole response; body must not be out's own. */
static void
with_head(struct csa_bytes *out, const char *status, const char *body,
    size_t len)
{
	out->len = 0;
	csa_addf(out, "HTTP/1.1 %s\r\nContent-Type: application/json; "
	    "charset=UTF-8\r\nContent-Length: %zu\r\n\r\n", status, len);
	csa_add(out, body, len);
}

/*
 * One embedding's numbers, a line each.  Eight or nine digits are chosen so
 * that 768 lines with an indent of six meet EMBED_BYTES to the byte, whatever
 * signs the sequence brings.
 */
static void
add_values(struct csa_bytes *b, const char *indent, uint32_t seed)
{
	const double	 each = (EMBED_BYTES - 45.0) / CSA_REPLIES_DIMS - 8;
	double		 due = 0;
	uint32_t	 state = seed;
	char		 number[16];
	int		 digits, n, sign;

	for (int i = 0; i < CSA_REPLIES_DIMS; i++) {
		sign = next_random(&state) & 1;
		due += each;
		digits = (int)due - sign - 3;
		digits = digits < 7 ? 7 : digits > 9 ? 9 : digits;
		due -= sign + 3 + digits;
		n = snprintf(number, sizeof(number), "%s0.0%u",
		    sign ? "-" : "", 1 + next_random(&state) % 9);
		for (int d = 1; d < digits; d++)
			number[n++] = (char)('0' + next_random(&state) % 10);
		csa_add(b, indent, strlen(indent));
		csa_add(b, number, (size_t)n);
		csa_add(b, ",\n", i == CSA_REPLIES_DIMS - 1 ? 0 : 2);
	}
}

static void
make_embed(void)
{
	struct csa_bytes	 b = { NULL, 0, 0 };

	csa_addf(&b, "{\n  \"embedding\": {\n    \"values\": [\n");
	add_values(&b, "      ", 1);
	csa_addf(&b, "\n    ]\n  }\n}\n");
	/* White space is JSON's slack: the last bytes to the measured size. */
	while (b.len < EMBED_BYTES)
		csa_add(&b, "\n", 1);
	if (b.len != EMBED_BYTES)
		csa_die("the embedding has %zu bytes, not %d", b.len,
		    EMBED_BYTES);
	with_head(&embed, "200 OK", b.data, b.len);
	free(b.data);
}

/* About n bytes of sentences, JSON-escaped, cut to exactly n. */
static void
add_text(struct csa_bytes *b, size_t n, unsigned first)
{
	size_t	 start = b->len;

	while (b->len - start < n)
		csa_addf(b, "%s%s", b->len == start ? "" : " ",
		    sentences[first++ % NSENTENCES]);
	b->len = start + n;
	/* The cut must leave neither half an escape nor a space at the end. */
	while (strchr(" \\\"", b->data[b->len - 1]) != NULL)
		b->data[b->len - 1] = '.';
}

static void
make_query(const char *bot)
{
	struct csa_bytes	 b = { NULL, 0, 0 };
	size_t			 text = 0;

	/* A first round without text tells what is left for it. */
	for (int round = 0; round < 2; round++) {
		size_t left = round == 0 ? 0 : QUERY_BYTES - b.len;

		b.len = 0;
		text = left / MATCHES;
		csa_addf(&b, "{\"results\":[],\"matches\":[");
		for (unsigned i = 0; i < MATCHES; i++) {
			csa_addf(&b, "%s{\"id\":\"d1-chunk-%u\","
			    "\"score\":0.%u7,\"values\":[],\"metadata\":{"
			    "\"bot_id\":\"%s\",\"document_id\":\"d1\","
			    "\"chunk_id\":\"d1-chunk-%u\",\"text\":\"",
			    i == 0 ? "" : ",", i, 8 - i, bot, i);
			if (round == 1)
				add_text(&b, i == 0 ? left - 4 * text : text,
				    2 * i);
			csa_addf(&b, "\"}}");
		}
		csa_addf(&b, "],\"namespace\":\"%s\","
		    "\"usage\":{\"readUnits\":1}}", bot);
	}
	with_head(&query, "200 OK", b.data, b.len);
	free(b.data);
}

/* Google's pretty print, an answer that cites, about 640 characters of it. */
static void
make_answer(void)
{
	struct csa_bytes	 b = { NULL, 0, 0 };
	size_t			 left = 0;

	for (int round = 0; round < 2; round++) {
		if (round == 1)
			left = ANSWER_BYTES - b.len;
		b.len = 0;
		csa_addf(&b, "{\n  \"candidates\": [\n    {\n"
		    "      \"content\": {\n        \"parts\": [\n"
		    "          {\n            \"text\": \"");
		csa_addf(&b, "The warranty covers two years [1]. "
		    "Report damage within three days [2]. ");
		if (round == 1)
			add_text(&b, left, 3);
		csa_addf(&b, "\"\n          }\n        ],\n"
		    "        \"role\": \"model\"\n      },\n"
		    "      \"finishReason\": \"STOP\",\n"
		    "      \"index\": 0\n    }\n  ],\n"
		    "  \"usageMetadata\": {\n"
		    "    \"promptTokenCount\": 1240,\n"
		    "    \"candidatesTokenCount\": 142,\n"
		    "    \"totalTokenCount\": 1382\n  },\n"
		    "  \"modelVersion\": \"gemini-3.8-flash\",\n"
		    "  \"responseId\": \"bench-response-1\"\n}\n");
	}
	with_head(&answer, "200 OK", b.data, b.len);
	free(b.data);
}

void
csa_replies_init(const char *bot)
{
	make_embed();
	make_query(bot);
	make_answer();
	/* The one that matters, before anybody waits for it. */
	(void)csa_reply_batch(CSA_REPLIES_BATCH);
}

const struct csa_bytes *
csa_reply_embed(void)
{
	return &embed;
}

const struct csa_bytes *
csa_reply_query(void)
{
	return &query;
}

const struct csa_bytes *
csa_reply_answer(void)
{
	return &answer;
}

const struct csa_bytes *
csa_reply_batch(size_t n)
{
	struct csa_bytes	 b = { NULL, 0, 0 };

	if (n < 1 || n > CSA_REPLIES_BATCH)
		csa_die("no reply for %zu embeddings", n);
	if (batch[n].len > 0)
		return &batch[n];
	csa_addf(&b, "{\n  \"embeddings\": [\n");
	for (size_t i = 0; i < n; i++) {
		csa_addf(&b, "    {\n      \"values\": [\n");
		add_values(&b, "        ", (uint32_t)i + 1);
		csa_addf(&b, "\n      ]\n    }%s\n", i + 1 < n ? "," : "");
	}
	csa_addf(&b, "  ]\n}\n");
	with_head(&batch[n], "200 OK", b.data, b.len);
	free(b.data);
	return &batch[n];
}

void
csa_reply_json(struct csa_bytes *out, int status, const char *body)
{
	const char	*line = status == 200 ? "200 OK" :
	    status == 400 ? "400 Bad Request" :
	    status == 404 ? "404 Not Found" :
	    status == 411 ? "411 Length Required" : "413 Payload Too Large";

	with_head(out, line, body, strlen(body));
}

void
csa_reply_upserted(struct csa_bytes *out, size_t n)
{
	struct csa_bytes	 b = { NULL, 0, 0 };

	csa_addf(&b, "{\"upsertedCount\":%zu}", n);
	csa_reply_json(out, 200, b.data);
	free(b.data);
}

void
csa_reply_index(struct csa_bytes *out, const char *name, size_t namelen,
    const char *scheme, const char *host, enum csa_index_shape shape)
{
	struct csa_bytes	 b = { NULL, 0, 0 };

	csa_addf(&b, "{\"name\":\"%.*s\",\"host\":\"%s://%s\","
	    "\"deletion_protection\":\"disabled\",\"tags\":null,"
	    "\"status\":{\"ready\":true,\"state\":\"Ready\"},",
	    (int)namelen, name, scheme, host);
	if (shape == CSA_INDEX_2026_07)
		csa_addf(&b, "\"deployment\":{\"deployment_type\":\"managed\","
		    "\"cloud\":\"aws\",\"region\":\"us-east-1\","
		    "\"environment\":\"bench\"},\"schema\":{\"fields\":{"
		    "\"_values\":{\"type\":\"dense_vector\","
		    "\"dimension\":%d,\"metric\":\"cosine\"}}}}",
		    CSA_REPLIES_DIMS);
	else
		csa_addf(&b, "\"dimension\":%d,\"metric\":\"cosine\","
		    "\"vector_type\":\"dense\",\"spec\":{\"serverless\":{"
		    "\"cloud\":\"aws\",\"region\":\"us-east-1\"}}}",
		    CSA_REPLIES_DIMS);
	csa_reply_json(out, 200, b.data);
	free(b.data);
}
