#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/digest.h"

#define ASK_MS		5000
#define BODY_MS		15000
#define CHAT_BODY	(300u * 1024)
#define STORE_BODY	(2u << 20)

/*
 * An empty object asks for nothing: the key is looked at first, and then it is
 * 400 that bot_id is missing.  No model hears of it.
 */
static const char	nothing[] = "{}";

enum taken {
	TAKEN,			/* the key is good */
	TAKEN_FORBIDDEN,	/* good, but not for this */
	TAKEN_UNKNOWN,		/* the service does not know it */
	TAKEN_MISSING,		/* it never arrived */
	TAKEN_ODD		/* something else is wrong */
};

static enum taken
judge(const struct csa_look *l)
{
	char	 why[128];

	if (!csa_front_ours(l))
		return TAKEN_ODD;
	csa_front_member(l, "error_message", why, sizeof(why));
	if (l->status == 401)
		return strncmp(why, "no key", 6) == 0 ? TAKEN_MISSING :
		    TAKEN_UNKNOWN;
	if (l->status == 403)
		return TAKEN_FORBIDDEN;
	return l->status == 400 || l->status == 422 ? TAKEN : TAKEN_ODD;
}

static enum taken
try(struct csa_doctor *d, enum csa_key_how how, const char *key,
    struct csa_look *l)
{
	csa_front_ask(d, "/chat", how, key, nothing, sizeof(nothing) - 1,
	    ASK_MS, l);
	return judge(l);
}

static void
say_odd(struct csa_doctor *d, const char *check, const struct csa_look *l)
{
	char	 code[40];

	if (!csa_front_ours(l)) {
		csa_front_fail(d, check, l);
		return;
	}
	csa_front_member(l, "error.code", code, sizeof(code));
	csa_report(&d->report, CSA_VERDICT_FAIL, check, "the service answers "
	    "%d %s", l->status, code);
	csa_report_do(&d->report, l->status == 503 ? "it is overloaded: wait, "
	    "or give the chat pool more workers and threads" :
	    "see the chat pool's log");
}

static void
check_header(struct csa_doctor *d)
{
	struct csa_look	 l;

	switch (try(d, CSA_KEY_HEADER, d->key, &l)) {
	case TAKEN:
		d->key_good = true;
		csa_report(&d->report, CSA_VERDICT_OK, "front.key",
		    "X-Internal-API-Key arrives, and the key is known");
		break;
	case TAKEN_FORBIDDEN:
		csa_report(&d->report, CSA_VERDICT_WARN, "front.key", "the "
		    "key is known, but has no right to chat: streams cannot "
		    "be looked at with it");
		csa_report_do(&d->report, "look with another key: --key-file "
		    "FILE");
		break;
	case TAKEN_UNKNOWN:
		csa_report(&d->report, CSA_VERDICT_FAIL, "front.key", "the "
		    "service does not know this key");
		csa_report_do(&d->report, "give the key that the pools were "
		    "started with (--key-file FILE); after a change of keys "
		    "reload the pools (kill -HUP of the masters)");
		break;
	case TAKEN_MISSING:
		csa_report(&d->report, CSA_VERDICT_FAIL, "front.key", "the "
		    "header X-Internal-API-Key does not reach the service");
		csa_advise(&d->report, CSA_PROBLEM_KEY, d->front);
		break;
	case TAKEN_ODD:
		say_odd(d, "front.key", &l);
	}
	csa_look_fini(&l);
}

static void
check_bearer(struct csa_doctor *d)
{
	struct csa_look	 l;

	switch (try(d, CSA_KEY_BEARER, d->key, &l)) {
	case TAKEN_MISSING:
		csa_report(&d->report, CSA_VERDICT_FAIL,
		    "front.authorization", "the header Authorization does not "
		    "reach the service: OpenAI clients are refused");
		csa_advise(&d->report, CSA_PROBLEM_AUTHORIZATION, d->front);
		break;
	case TAKEN_ODD:
		say_odd(d, "front.authorization", &l);
		break;
	case TAKEN_UNKNOWN:
		/* front.key has said so. */
		break;
	default:
		csa_report(&d->report, CSA_VERDICT_OK, "front.authorization",
		    "Authorization: Bearer arrives");
	}
	csa_look_fini(&l);
}

static void
check_unknown(struct csa_doctor *d)
{
	struct csa_look	 l;
	enum taken	 taken;
	char		 key[33];

	csa_random_id(key);
	taken = try(d, CSA_KEY_HEADER, key, &l);
	if (taken == TAKEN || taken == TAKEN_FORBIDDEN) {
		csa_report(&d->report, CSA_VERDICT_FAIL, "front.unknown_key",
		    "a key made up just now is taken: somebody on the way "
		    "puts a good one in");
		csa_report_do(&d->report, "take it out of the web server's "
		    "configuration: it would let everybody in");
	} else if (taken == TAKEN_ODD)
		say_odd(d, "front.unknown_key", &l);
	else
		csa_report(&d->report, CSA_VERDICT_OK, "front.unknown_key",
		    "an unknown key is refused");
	csa_look_fini(&l);
}

static void
check_previous(struct csa_doctor *d)
{
	const char	*key;
	struct csa_look	 l;
	enum taken	 taken;

	if (d->config == NULL ||
	    *(key = d->config->internal_api_key_previous) == '\0')
		return;
	taken = try(d, CSA_KEY_HEADER, key, &l);
	if (taken == TAKEN)
		csa_report(&d->report, CSA_VERDICT_OK, "front.previous_key",
		    "internal_api_key_previous is taken");
	else {
		csa_report(&d->report, CSA_VERDICT_FAIL, "front.previous_key",
		    "internal_api_key_previous is not taken");
		csa_report_do(&d->report, "reload the pools (kill -HUP of the "
		    "masters): they were started with other keys");
	}
	csa_look_fini(&l);
}

/*
 * A body that the web server must pass on, and the service finds wanting.  A
 * member of it is large, so that it is refused for what it lacks.
 */
static void
check_body(struct csa_doctor *d, const char *check, const char *path,
    size_t size)
{
	static const char	 head[] = "{\"padding\":\"", tail[] = "\"}";
	char			*body = csa_malloc(size), code[40];
	struct csa_look		 l;

	memset(body, 'x', size);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + size - sizeof(tail) + 1, tail, sizeof(tail) - 1);
	csa_front_ask(d, path, CSA_KEY_HEADER, d->key, body, size, BODY_MS,
	    &l);
	csa_front_member(&l, "error.code", code, sizeof(code));
	if (!csa_front_ours(&l)) {
		csa_report(&d->report, CSA_VERDICT_FAIL, check, "a body of "
		    "%zu KiB does not reach the service: %s %d", size / 1024,
		    l.why[0] != '\0' ? l.why : "status", l.status);
		csa_advise(&d->report, CSA_PROBLEM_BODY, d->front);
	} else if (strcmp(code, "too_large") == 0) {
		csa_report(&d->report, CSA_VERDICT_WARN, check, "a body of "
		    "%zu KiB is larger than the service's own limit",
		    size / 1024);
		csa_report_do(&d->report, "raise max_body_chat or "
		    "max_body_store, if such bodies are to be taken");
	} else
		csa_report(&d->report, CSA_VERDICT_OK, check, "a body of %zu "
		    "KiB arrives, in %.0f ms", size / 1024, l.total_ms);
	csa_look_fini(&l);
	free(body);
}

void
csa_check_headers(struct csa_doctor *d)
{
	if (!d->front_answers)
		return;
	check_unknown(d);
	if (d->key == NULL)
		return;
	check_header(d);
	check_bearer(d);
	check_previous(d);
	if (!d->key_good)
		return;
	check_body(d, "front.body.chat", "/chat", CHAT_BODY);
	check_body(d, "front.body.store", "/embed_and_store", STORE_BODY);
}
