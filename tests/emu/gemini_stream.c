#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"

/* Without alt=sse the same chunks come as the members of one JSON array. */
static void
begin(struct emu_gem *g, bool sse, bool first)
{
	struct emu_buf *b = &g->rq->rep.body;

	if (sse)
		emu_buf_adds(b, "data: ");
	else
		emu_buf_adds(b, first ? "[" : ",\r\n");
}

static void
end(struct emu_gem *g, bool sse, bool last)
{
	struct emu_buf *b = &g->rq->rep.body;

	if (sse)
		emu_buf_adds(b, "\r\n\r\n");
	else
		emu_buf_adds(b, last ? "\n]\n" : "");
	emu_reply_piece(g->rq);
}

static void
delay(struct emu_gem *g)
{
	struct emu_reply *rep = &g->rq->rep;
	size_t i;

	for (i = 1; i < rep->npieces; i++)
		rep->piece[i].delay_ms += g->answer.chunk_delay_ms;
}

void
emu_gem_stream(struct emu_gem *g)
{
	const char *alt = emu_query(g->rq, "alt");
	bool sse = alt != NULL && strcmp(alt, "sse") == 0, first = true, last;
	size_t from, to;

	if (emu_gem_prepare(g) == -1)
		return;
	if (sse)
		emu_reply(g->rq, 200, "text/event-stream");
	else
		emu_reply_json(g->rq, 200);
	g->rq->rep.stream = true;
	g->rq->rep.stamp = g->answer.stamp;
	from = g->from;
	do {
		to = g->answer.shape == EMU_TEXT && from < g->to ?
		    emu_answer_step(&g->answer, from) : g->to;
		if (to > g->to)
			to = g->to;
		last = to >= g->to;
		begin(g, sse, first);
		emu_gem_chunk(g, from, to, first, last);
		end(g, sse, last);
		first = false;
		from = to;
	} while (!last);
	delay(g);
}
