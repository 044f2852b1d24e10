/*
 * emu_client: an emulator as a child, and everything a driver needs to talk to
 * it.
 */

#ifndef CSA_TESTS_EMU_CLIENT_H
#define CSA_TESTS_EMU_CLIENT_H

#include <json-c/json.h>

#include "lib/base/ctx.h"
#include "lib/config/config.h"
#include "lib/http/http.h"

/*
 * Start CSA_EMULATOR, or the one beside the build, with keys gk, pk and ok and
 * the indexes cos, dot and euc of the dimensions given.  Returns 0, or -1,
 * having said so on stderr, where there is none: skip.
 */
int	emu_start(int dimensions);
void	emu_stop(void);
const char *emu_url(void);		/* "http://127.0.0.1:PORT" */

/* For each test: engine, waiter, arena and configuration, and a reset. */
extern struct csa_http *emu_http;
extern struct csa_ctx	emu_ctx;	/* 10 s from now */
extern struct csa_config emu_config;	/* defaults, and all three upstreams */
void	emu_setup(void);
void	emu_teardown(void);

/* Plan a fault: the members of a rule, `"kind":"hang","match":"gemini.*"`. */
void	emu_fault(const char *rule);

/* POST a setting; see the emulator's README. */
void	emu_set(const char *settings);

/*
 * The requests of one kind of operation since the reset, oldest first; yours to
 * put.  emu_request: the i-th one's body parsed, yours to put.
 */
struct json_object *emu_log(const char *op);
struct json_object *emu_request(struct json_object *log, size_t i);
const char *emu_target(struct json_object *log, size_t i);
/* The value of a header of the i-th request; NULL where absent. */
const char *emu_sent_header(struct json_object *log, size_t i,
	    const char *name);

/* What it has counted since the reset; yours to put. */
struct json_object *emu_stats(void);

/* Are the two JSON texts the same, but for the order of members? */
int	emu_same(struct json_object *, const char *json);

#endif
