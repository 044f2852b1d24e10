#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/vendors.h"

static const struct {
	enum emu_family	 family;
	const char	*name;
} ops[] = {
#define OP(sym, fam, name) [EMU_OP_##sym] = { EMU_##fam, name },
#include "tests/emu/ops.def"
#undef OP
};

const char *
emu_op_name(enum emu_op op)
{
	return ops[op].name;
}

enum emu_family
emu_op_family(enum emu_op op)
{
	return ops[op].family;
}

void
emu_reply(struct emu_req *rq, unsigned status, const char *ctype)
{
	rq->rep.status = status;
	rq->rep.ctype = ctype;
}

void
emu_reply_json(struct emu_req *rq, unsigned status)
{
	emu_reply(rq, status, emu_op_family(rq->op) == EMU_GEMINI ?
	    "application/json; charset=UTF-8" : "application/json");
}

void
emu_reply_header(struct emu_req *rq, const char *name, const char *fmt, ...)
{
	struct emu_reply *rep = &rq->rep;
	va_list ap;

	if (rep->nheaders == EMU_REPLY_HEADERS)
		return;
	rep->header[rep->nheaders].name = name;
	va_start(ap, fmt);
	(void)vsnprintf(rep->header[rep->nheaders].value,
	    sizeof(rep->header[0].value), fmt, ap);
	va_end(ap);
	rep->nheaders++;
}

void
emu_reply_piece(struct emu_req *rq)
{
	struct emu_reply *rep = &rq->rep;

	/* Grow at the powers of two. */
	if ((rep->npieces & (rep->npieces - 1)) == 0)
		rep->piece = emu_realloc(rep->piece, (rep->npieces != 0 ?
		    rep->npieces * 2 : 1) * sizeof(*rep->piece));
	rep->piece[rep->npieces].end = rep->body.len;
	rep->piece[rep->npieces++].delay_ms = 0;
}

void
emu_reply_clear(struct emu_req *rq)
{
	struct emu_reply *rep = &rq->rep;

	free(rep->piece);
	emu_buf_fini(&rep->body);
	memset(rep, 0, sizeof(*rep));
	rep->stop = SIZE_MAX;
}

void
emu_error(struct emu_req *rq, int status, const char *msg)
{
	emu_reply_clear(rq);
	switch (emu_op_family(rq->op)) {
	case EMU_GEMINI:
		emu_gemini_error(rq, status, msg);
		break;
	case EMU_PINECONE:
	case EMU_PINECONE_CTL:
		emu_pinecone_error(rq, status, msg);
		break;
	case EMU_OPENAI:
		emu_openai_error(rq, status, msg);
		break;
	case EMU_NONE:
		emu_reply(rq, (unsigned)status, "application/json");
		emu_buf_adds(&rq->rep.body, "{\"error\":");
		emu_buf_jsons(&rq->rep.body, msg);
		emu_buf_adds(&rq->rep.body, "}");
		break;
	}
}
