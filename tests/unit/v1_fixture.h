/*
 * v1_fixture: the endpoints of the OpenAI face over a loopback, with a model
 * that says what it is told in pieces, a store of three bots and an embedder of
 * four dimensions.
 */

#ifndef TESTS_UNIT_V1_FIXTURE_H
#define TESTS_UNIT_V1_FIXTURE_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "handlers/app.h"
#include "lib/base/err.h"
#include "lib/provider/provider.h"

#define KEY	"the-key-of-the-test"	/* may do everything */
#define LESSER	"the-key-for-bot-b"	/* chat, bot b */
#define STORER	"the-key-for-storing"	/* store, all bots */
#define TENANT	"the-key-of-tenant-t"	/* everything of tenant t */

/* ---- what the drivers are told, and what they were asked ---- */

struct v1_model {
	const char	*text;
	size_t		 piece;		/* bytes of a delta */
	size_t		 fail_after;	/* deltas, with error */
	enum csa_errcode error;		/* CSA_OK: none */
	enum csa_finish	 finish;
	const char	*degraded;
};
extern struct v1_model	 says;

/* Copies in long-lived memory; joined with '|' where there are several. */
extern char	 asked_system[512], asked_messages[512], asked_model[64];
extern double	 asked_temperature;
extern long	 asked_tokens;
extern size_t	 asked_k;

extern size_t	 passages;		/* that the store finds */
extern enum csa_errcode store_error;

/* ---- one request ---- */

extern struct csa_app app;
extern struct json_object *body;	/* of the last response, or NULL */
extern bool	 client_gone;
extern const char *url_prefix;

void	v1_setup(void);
void	v1_teardown(void);

/* Send it with this key (NULL: none); the status. */
int	v1_ask(const char *key, const char *method, const char *target,
	    const char *text);
/* POST it with KEY to the chat. */
int	v1_chat(const char *text);
/* The response as it went out, and the value of a header (NULL: absent). */
const char *v1_sent(void);
const char *v1_header(const char *name);

/* A string of body, "(missing)" where there is none. */
const char *v1_str(const char *path);

/* The i-th `data:` of the stream that was sent; NULL past the last. */
const char *v1_event(size_t i);
/* Read it into body. */
void	v1_read_event(size_t i);
/* All contents of the stream, joined. */
const char *v1_stream_text(void);

#endif
