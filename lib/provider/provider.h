/*
 * provider: whoever turns text into vectors, and questions into answers.
 *
 * Embedders: gemini, openai, script, fail.  Chat models: gemini, openai,
 * extractive, script, fail.  All take the deadline of ctx seriously, all return
 * errors with their own source, and none shows the far end's words to a client.
 */

#ifndef CSA_PROVIDER_PROVIDER_H
#define CSA_PROVIDER_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/text/vec.h"
#include "lib/store/store.h"

struct csa_config;
struct csa_http;

/* ---- embeddings ---- */

enum csa_embed_kind { CSA_EMBED_QUERY, CSA_EMBED_PASSAGE };

struct csa_text { const char *s; size_t n; };

struct csa_embedder {
	const struct csa_embedder_ops *ops;
	const char	*name;		/* "gemini" */
	const char	*model;		/* and dimensions: which space this is */
};

struct csa_embed_job;			/* calls under way */

struct csa_embedder_ops {
	/*
	 * Start embedding n texts, in as many calls at the same time as their batches
	 * need; never waits.  texts must live until finish or cancel.
	 */
	struct csa_embed_job *
		(*start)(struct csa_embedder *, struct csa_ctx *,
		    enum csa_embed_kind, const struct csa_text *texts,
		    size_t n);
	/*
	 * 0 with vecs[0] to vecs[n - 1], all of one dimension, in the order of the
	 * texts, in memory that lives as long as the job: end it after use.  -1 with err
	 * (the first failure; the other calls are cancelled).  Anything but n sound
	 * vectors (a wrong number of them, of dimensions, NaN, all zero) is
	 * PROVIDER_ERROR.
	 */
	int	(*finish)(struct csa_embed_job *, struct csa_vec *vecs,
		    struct csa_err *) CSA_MUSTCHECK;
	void	(*end)(struct csa_embed_job *);		/* NULL is fine */
	int	(*probe)(struct csa_embedder *, long ms);
	/* See csa_embed_price; NULL: it costs nothing. */
	double	(*price)(const struct csa_embedder *, enum csa_embed_kind,
		    long tokens);
	void	(*close)(struct csa_embedder *);
};

struct csa_embedder *csa_embedder_gemini_open(const struct csa_config *,
		    struct csa_http *, struct csa_err *);
struct csa_embedder *csa_embedder_openai_open(const struct csa_config *,
		    struct csa_http *, struct csa_err *);
struct csa_embedder *csa_embedder_fail_open(void);

/* What so many tokens cost now, in US dollars; 0 where nobody says. */
double	csa_embed_price(const struct csa_embedder *, enum csa_embed_kind,
	    long tokens);

/* ---- chat ---- */

enum csa_role { CSA_ROLE_USER, CSA_ROLE_ASSISTANT };

struct csa_message {
	enum csa_role	 role;
	const char	*text;
	size_t		 len;
	bool		 more;		/* the next one goes on with it */
};

/* A passage as the prompt numbers it: passages[0] is [1]. */
struct csa_passage {
	struct csa_chunk chunk;
	double		 score;
};

struct csa_chat_req {
	const char	*model;		/* "" or NULL: the configured one */
	const char	*system;	/* whole system text, sources included */
	const struct csa_message *messages;	/* history, then the question */
	size_t		 nmessages;
	double		 temperature;	/* < 0: the model's own */
	long		 max_output_tokens;
	/* What the extractive model quotes from: */
	const char	*question;
	const struct csa_passage *passages;
	size_t		 npassages;
	const struct csa_text_result *text;	/* terms and ideal; may be NULL */
	bool		 may_degrade;	/* another model, or quotes, will do */
};

enum csa_finish { CSA_FINISH_STOP, CSA_FINISH_LENGTH, CSA_FINISH_FILTER };
const char *csa_finish_name(enum csa_finish);	/* "content_filter" */

struct csa_chat_res {
	const char	*text;		/* in the arena; valid UTF-8, not blank */
	size_t		 len;
	enum csa_finish	 finish;
	const char	*model;		/* the one that answered */
	const char	*provider;	/* its csa_model's name; NULL: as asked */
	long		 prompt_tokens, completion_tokens, total_tokens;
	long		 cached_tokens;	/* of the prompt */
	long		 thought_tokens;	/* of the completion */
	double		 cost_usd;
	bool		 unknown;	/* an honest "I don't know" */
	const char	*degraded;	/* NULL, or why: "model_unavailable" */
};

struct csa_model {
	const struct csa_model_ops *ops;
	const char	*name;		/* "gemini" */
	const char	*model;		/* default model id */
};

struct csa_model_ops {
	/*
	 * Answer.  delta, where not NULL, gets the text piece by piece as it
	 * comes (whole characters; joined they are res->text; nothing before
	 * there is more than blanks) and returns -1 when nobody listens any
	 * more: then the call upstream is ended before generate returns.  0 with
	 * res, or -1 with err: CANCELLED, PROVIDER_UNAVAILABLE for a stream that
	 * broke off, ...
	 *
	 * On -1 res->model and the counts of tokens are what has been used up
	 * all the same, 0 where nothing was: as the upstream reported, else
	 * estimated at 4 bytes a token of the prompt and of the text that came.
	 * The prompt counts as soon as a good reply had begun, and when the call
	 * was given up (CANCELLED, DEADLINE): the upstream may have read it.  A
	 * stream that ends well without saying what it cost is estimated too.
	 */
	int	(*generate)(struct csa_model *, struct csa_ctx *,
		    const struct csa_chat_req *,
		    int (*delta)(void *arg, const char *s, size_t n), void *arg,
		    struct csa_chat_res *res, struct csa_err *) CSA_MUSTCHECK;
	int	(*probe)(struct csa_model *, long ms);
	void	(*close)(struct csa_model *);
};

struct csa_model *csa_model_gemini_open(const struct csa_config *,
		    struct csa_http *, struct csa_err *);
struct csa_model *csa_model_openai_open(const struct csa_config *,
		    struct csa_http *, struct csa_err *);
struct csa_model *csa_model_extractive_open(const struct csa_config *);
struct csa_model *csa_model_fail_open(void);

/*
 * Whom the configuration names, and who answers in its place: chain.h.  NULL with
 * err.  http may be NULL where that is extractive alone.
 */
struct csa_model *csa_model_open(const struct csa_config *, struct csa_http *,
		    struct csa_err *);

/*
 * Is this the fault of a provider that another could make good: refused, failed,
 * nonsense, out of reach, too slow?  Not a client's mistake or leaving, and not
 * this process's own end.
 */
bool	csa_provider_failed(const struct csa_err *);

#endif
