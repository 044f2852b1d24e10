#include "config.h"

#include "handlers/chat_reply.h"
#include "handlers/turn.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/web/resp.h"

static void
add_source(struct csa_buf *b, const struct csa_passage *p)
{
	csa_buf_puts(b, "{\"chunk_id\":");
	csa_buf_jsonz(b, p->chunk.id);
	csa_buf_puts(b, ",\"document_id\":");
	csa_buf_jsonz(b, p->chunk.document_id);
	csa_buf_puts(b, ",\"score\":");
	csa_buf_fixed(b, p->score, 6);
	csa_buf_puts(b, ",\"text\":");
	csa_buf_json(b, p->chunk.text, p->chunk.len);
	if (p->chunk.metadata != NULL) {
		csa_buf_puts(b, ",\"metadata\":");
		csa_buf_puts(b, p->chunk.metadata);
	}
}

void
csa_reply_sources(struct csa_buf *b, const struct csa_turn *t, bool cited)
{
	csa_buf_puts(b, "\"sources\":[");
	for (size_t i = 0; i < t->found.n; i++) {
		if (i > 0)
			csa_buf_putc(b, ',');
		add_source(b, &t->found.passages[i]);
		if (cited)
			csa_buf_puts(b, t->cited[i] ? ",\"cited\":true" :
			    ",\"cited\":false");
		csa_buf_putc(b, '}');
	}
	csa_buf_putc(b, ']');
}

void
csa_reply_cited(struct csa_buf *b, const struct csa_turn *t)
{
	bool	 first = true;

	csa_buf_puts(b, "\"cited\":[");
	for (size_t i = 0; i < t->found.n; i++)
		if (t->cited[i]) {
			csa_buf_addf(b, first ? "%zu" : ",%zu", i + 1);
			first = false;
		}
	csa_buf_putc(b, ']');
}

static void
add_ms(struct csa_buf *b, const char *name, int64_t ns)
{
	csa_buf_puts(b, name);
	csa_buf_fixed(b, (double)ns / 1e6, 3);
}

void
csa_reply_outcome(struct csa_buf *b, const struct csa_turn *t)
{
	const struct csa_chat_res	*res = &t->res;

	csa_buf_puts(b, "\"model\":");
	csa_buf_jsonz(b, res->model);
	csa_buf_puts(b, ",\"finish_reason\":");
	csa_buf_jsonz(b, csa_finish_name(res->finish));
	csa_buf_puts(b, ",\"tokens_used\":{\"prompt\":");
	csa_buf_int(b, res->prompt_tokens);
	csa_buf_puts(b, ",\"completion\":");
	csa_buf_int(b, res->completion_tokens);
	csa_buf_puts(b, ",\"total\":");
	csa_buf_int(b, res->total_tokens);
	csa_buf_puts(b, "},\"cost_usd\":");
	csa_buf_fixed(b, res->cost_usd, 6);
	csa_buf_puts(b, ",\"cache\":");
	csa_buf_jsonz(b, t->cache);
	if (t->match != NULL) {
		csa_buf_puts(b, ",\"cache_match\":");
		csa_buf_jsonz(b, t->match);
	}
	csa_buf_puts(b, ",\"degraded\":");
	csa_buf_puts(b, t->degraded != NULL ? "true" : "false");
	if (t->degraded != NULL) {
		csa_buf_puts(b, ",\"degraded_reason\":");
		csa_buf_jsonz(b, t->degraded);
	}
	csa_buf_puts(b, ",\"timings_ms\":{");
	add_ms(b, "\"embed\":", t->t.embed);
	add_ms(b, ",\"retrieve\":", t->t.retrieve);
	add_ms(b, ",\"generate\":", t->t.generate);
	add_ms(b, ",\"total\":", t->total);
	csa_buf_putc(b, '}');
}

int
csa_reply_send(struct csa_resp *resp, struct csa_buf *b, struct csa_err *err)
{
	int	 rc = 0;

	if (b->failed)
		rc = csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the answer and its sources are too large");
	else
		(void)csa_resp_send(resp, 200,
		    "application/json; charset=utf-8", b->data, b->len);
	csa_buf_fini(b);
	return rc;
}
