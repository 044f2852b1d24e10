/*
 * model_fixture: every chat model, a question to it, and who hears the answer.
 */

#ifndef CSA_TESTS_MODEL_FIXTURE_H
#define CSA_TESTS_MODEL_FIXTURE_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/provider/provider.h"

enum { GEMINI, OPENAI, SCRIPT, EXTRACTIVE, NMODELS };

struct model_case {
	struct csa_model *(*open)(void);
	enum csa_source	 source;
	bool		 remote;
	const char	*op, *stream_op;	/* the emulator's names */
};
extern const struct model_case models[NMODELS];

struct csa_model *open_model(int i);

/* What the last question came to. */
extern struct csa_err	 err;
extern struct csa_chat_res res;
extern struct csa_buf	 heard;		/* all deltas */
extern unsigned		 ndeltas;
extern int64_t		 first_delta;	/* csa_now_ms() */
/* Say after so many deltas that nobody listens any more; 0: never. */
extern unsigned		 leave_after;

/* A question with history, a passage, and room for 100 tokens. */
struct csa_chat_req request(const char *question);
/* Another passage, from then on; borrowed. */
void	passage(const char *text);

/*
 * Ask it, for a stream or not.  Every delta is checked to be UTF-8 and not
 * empty, and all of them to be the answer where there is one.
 */
int	ask(struct csa_model *, const char *question, bool streamed);

/* How many calls of the i-th model the emulator has seen. */
size_t	calls(int i);

#endif
