#ifndef EMU_EMU_H
#define EMU_EMU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "tests/emu/buf.h"

struct MHD_Connection;

enum emu_family { EMU_NONE, EMU_GEMINI, EMU_PINECONE, EMU_PINECONE_CTL,
    EMU_OPENAI };

enum emu_op {
#define OP(sym, family, name) EMU_OP_##sym,
#include "tests/emu/ops.def"
#undef OP
	EMU_OP__MAX
};

enum emu_fault {
#define FAULT(sym, name, when, text) EMU_FAULT_##sym,
#include "tests/emu/faults.def"
#undef FAULT
	EMU_FAULT__MAX
};

/* What goes wrong with one request; all zero is nothing. */
struct emu_plan {
	enum emu_fault	fault;
	int		status;		/* for "status" and the like */
	long		delay_ms;	/* before the first byte */
	long		chunk_delay_ms;	/* before each piece */
	long		at;		/* byte of the cut; -1: the middle */
	long		step;		/* bytes per piece of a drip */
	long		size;		/* of "big" and "deep" */
	double		retry_after;	/* seconds for the header; < 0: none */
	char		retry_delay[24];/* RetryInfo's, as "2s" */
	bool		after;		/* the operation happens first */
};

/* A part of a streamed body that is sent at once, after waiting. */
struct emu_piece {
	size_t	end;			/* offset in the body after it */
	long	delay_ms;
};

enum emu_ending { EMU_END_CLEAN, EMU_END_CUT, EMU_END_RESET, EMU_END_HANG };

#define EMU_REPLY_HEADERS	10

/* An answer.  Handlers fill it; the fault may bend it; http.c sends it. */
struct emu_reply {
	unsigned	 status;
	const char	*ctype;		/* static; NULL: no such header */
	struct emu_buf	 body;
	struct {
		const char	*name;	/* static */
		char		 value[160];
	}		 header[EMU_REPLY_HEADERS];
	size_t		 nheaders;
	struct emu_piece *piece;
	size_t		 npieces;
	bool		 stream;	/* chunked, by pieces */
	bool		 stamp;		/* fill TS= marks when sending */
	size_t		 filler;	/* body, then so many 'a', then "\"}" */
	size_t		 stop;		/* do not send more than this */
	enum emu_ending	 ending;	/* what happens at stop */
};

/* Number arrays lifted out of a body before json-c sees it; see lift.h. */
struct emu_lift {
	uint64_t	 nonce;
	float		**array;
	size_t		*len;
	size_t		 n;
};

struct emu_req {
	struct MHD_Connection	*conn;
	char			*target;  /* as sent, with the query */
	const char		*method;
	char			*path;	  /* decoded, without the query */
	char			*index;	  /* from /_ix/NAME/, or NULL */
	struct emu_buf		 body;
	bool			 too_big;
	enum emu_op		 op;
	struct json_object	*json;	  /* the body; NULL before parsing */
	struct emu_lift		 lift;
	struct emu_plan		 plan;
	struct emu_reply	 rep;
	uint64_t		 id;	  /* counts from 1 */
	int64_t			 start_ms;
	size_t			 items;	  /* texts or vectors, for stats */

	/* Progress; owned by http.c, send.c and timer.c. */
	bool			 counted, dispatched, answered, waited;
	bool			 intended; /* we break it, not the client */
	atomic_bool		 gone;	  /* the client left */
	size_t			 at_piece, sent;
	struct emu_wait		*wait;
	const char		*phase;	  /* for the record of a departure */
};

/* Command line and POST /_emu/config. */
struct emu_options {
	const char	*gemini_key, *pinecone_key, *openai_key;
	char		 base_url[256];	/* http://127.0.0.1:PORT, no slash */
	_Atomic int	 error_shape;	/* enum emu_shape of openai.h */
	atomic_bool	 unknown_fields;/* Gemini refuses unknown names */
	atomic_bool	 signatures;	/* Gemini 3+ insists on signatures */
	atomic_bool	 route_retired;	/* 2.5 answers as its successor */
	atomic_bool	 strict_versions; /* Pinecone: unknown version 400 */
	atomic_bool	 strict_models;	/* OpenAI: only the listed models */
	_Atomic long	 visibility_ms;	/* Pinecone: writes show later */
	_Atomic long	 chunk_delay_ms;/* every stream */
};

extern struct emu_options emu_opt;

/* Monotonic clock. */
int64_t	emu_now_ms(void);
int64_t	emu_now_ns(void);

/* The value of a request header or query parameter, or NULL. */
const char *emu_header(const struct emu_req *, const char *);
const char *emu_query(const struct emu_req *, const char *);

/* Call fn(arg, value) for each query parameter of that name, in order. */
void	emu_query_each(const struct emu_req *, const char *,
	    void (*)(void *, const char *), void *);

/* Set status and content type; add a header; the JSON content type. */
void	emu_reply(struct emu_req *, unsigned, const char *);
void	emu_reply_header(struct emu_req *, const char *, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
void	emu_reply_json(struct emu_req *, unsigned);

/* End the current piece of a streamed body here. */
void	emu_reply_piece(struct emu_req *);

/* Forget the answer made so far. */
void	emu_reply_clear(struct emu_req *);

/* The vendor's own error body for the request's family. */
void	emu_error(struct emu_req *, int, const char *);

const char *emu_op_name(enum emu_op);
enum emu_family emu_op_family(enum emu_op);

#endif
