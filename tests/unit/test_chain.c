/*
 * Who answers where a model cannot, and what it cost: chain.h and prices.h.
 */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/chain.h"
#include "lib/provider/prices.h"
#include "tests/suite.h"

/* ---- models that do as they are told ---- */

struct fake {
	struct csa_model	 model;		/* must be first */
	enum csa_errcode	 error;		/* CSA_OK: it answers */
	const char		*before;	/* handed out before it fails */
	bool			 till_the_end;	/* takes all the time it has */
	long			 tokens;	/* billed, whatever happens */
	/* What it saw. */
	unsigned		 calls, closed;
	char			 asked[64];
	int64_t			 had_ms;
};

static int
fake_generate(struct csa_model *m, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	struct fake	*f = (struct fake *)m;
	const char	*text = f->model.model;

	f->calls++;
	f->had_ms = csa_left_ms(ctx->deadline);
	snprintf(f->asked, sizeof(f->asked), "%s",
	    req->model != NULL ? req->model : "");
	if (f->till_the_end)
		while (csa_left_ms(ctx->deadline) > 0)
			usleep(1000);
	if (f->tokens > 0) {
		res->model = f->model.model;
		res->prompt_tokens = f->tokens;
		res->completion_tokens = f->tokens;
		res->total_tokens = 2 * f->tokens;
	}
	if (f->before != NULL && delta != NULL &&
	    delta(arg, f->before, strlen(f->before)) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	if (f->error != CSA_OK) {
		csa_fail(err, f->error, CSA_SRC_GEMINI, "%s failed", text);
		err->retry_after = 7;
		return -1;
	}
	if (delta != NULL && delta(arg, text, strlen(text)) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	res->text = text;
	res->len = strlen(text);
	res->model = f->model.model;
	return 0;
}

static int
fake_probe(struct csa_model *m, long ms)
{
	(void)ms;
	return ((struct fake *)m)->error == CSA_OK ? 0 : -1;
}

static void
fake_close(struct csa_model *m)
{
	((struct fake *)m)->closed++;
}

static const struct csa_model_ops fake_ops = {
	fake_generate, fake_probe, fake_close
};

/* ---- fixtures ---- */

static struct fake		 one, two;
static struct csa_model		*chain;
static struct csa_ctx		 ctx;
static struct csa_chat_req	 req;
static struct csa_chat_res	 res;
static struct csa_err		 err;
static char			 heard[256];
static bool			 deaf;		/* the listener leaves */

static int
listen_to(void *arg, const char *s, size_t n)
{
	size_t	 used = strlen(heard);

	ck_assert_ptr_eq(arg, heard);
	snprintf(heard + used, sizeof(heard) - used, "%.*s", (int)n, s);
	return deaf ? -1 : 0;
}

static struct fake
fake(const char *name, const char *model)
{
	return (struct fake){ .model = { &fake_ops, name, model } };
}

static struct csa_prices *
prices(const char *setting)
{
	struct csa_prices	*p = csa_prices_new(setting, &err);

	ck_assert_msg(p != NULL, "%s: %s", setting, err.msg);
	return p;
}

/* one, two asked for "second", one again for "third", and quotes. */
static void
setup(void)
{
	struct csa_config	*config;
	FILE			*unread = fopen("/dev/null", "w");

	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	config = csa_config_load(NULL, unread);
	fclose(unread);
	one = fake("gemini", "first");
	two = fake("openai", "unused");
	two.model.model = "second-answers";
	chain = csa_model_chain_new((struct csa_link[]){
		{ &one.model, NULL }, { &two.model, "second" },
		{ &one.model, "third" },
		{ csa_model_extractive_open(config), NULL },
	}, 4, prices("first=1/2"));
	csa_config_free(config);
	memset(&ctx, 0, sizeof(ctx));
	memset(&req, 0, sizeof(req));
	ctx.arena = csa_arena_new();
	ctx.deadline = csa_now_ms() + 60000;
	req.question = "Is it so?";
	req.may_degrade = true;
	heard[0] = '\0';
	deaf = false;
	memset(&err, 0, sizeof(err));
}

static void
teardown(void)
{
	chain->ops->close(chain);
	ck_assert_uint_eq(one.closed, 1);
	ck_assert_uint_eq(two.closed, 1);
	csa_arena_free(ctx.arena);
	csa_metrics_close();
}

static void
quiet(void)
{
	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
}

static int
generate(bool stream)
{
	return chain->ops->generate(chain, &ctx, &req,
	    stream ? listen_to : NULL, heard, &res, &err);
}

/* ---- the chain ---- */

START_TEST(is_the_first_as_long_as_that_answers)
{
	ck_assert_str_eq(chain->name, "gemini");
	ck_assert_str_eq(chain->model, "first");
	ck_assert_int_eq(chain->ops->probe(chain, 10), 0);
	ck_assert_int_eq(generate(_i), 0);
	ck_assert_str_eq(res.text, "first");
	ck_assert_str_eq(res.model, "first");
	ck_assert_str_eq(res.provider, "gemini");
	ck_assert_ptr_null(res.degraded);
	ck_assert_uint_eq(two.calls, 0);
	ck_assert_str_eq(heard, _i ? "first" : "");
}
END_TEST

/* Every code there is: may another be asked? */
static const bool others_help[CSA_ERR__MAX] = {
	[CSA_ERR_PROVIDER_ERROR] = true,
	[CSA_ERR_PROVIDER_FAULT] = true,
	[CSA_ERR_PROVIDER_BUSY] = true,
	[CSA_ERR_PROVIDER_UNAVAILABLE] = true,
	[CSA_ERR_DEADLINE] = true,
};

START_TEST(asks_another_for_faults_of_providers_alone)
{
	int	 code = _i / 2;
	bool	 stream = _i % 2 != 0;

	one.error = (enum csa_errcode)code;
	if (!others_help[code]) {
		ck_assert_int_eq(generate(stream), -1);
		ck_assert_int_eq(err.code, code);
		ck_assert_int_eq(err.retry_after, 7);
		ck_assert_uint_eq(two.calls, 0);
		return;
	}
	ck_assert_int_eq(generate(stream), 0);
	ck_assert_str_eq(res.model, "second-answers");
	ck_assert_str_eq(res.provider, "openai");
	ck_assert_str_eq(res.degraded, "model_unavailable");
	ck_assert_str_eq(two.asked, "second");
	ck_assert_str_eq(heard, stream ? "second-answers" : "");
}
END_TEST

START_TEST(quotes_where_no_model_answers)
{
	bool	 stream = _i != 0;

	one.error = CSA_ERR_PROVIDER_BUSY;
	two.error = CSA_ERR_PROVIDER_ERROR;
	ck_assert_int_eq(generate(stream), 0);
	ck_assert_uint_eq(one.calls, 2);
	ck_assert_str_eq(one.asked, "third");
	ck_assert_uint_eq(two.calls, 1);
	ck_assert_str_eq(res.model, "extractive");
	ck_assert_str_eq(res.provider, "extractive");
	ck_assert_str_eq(res.degraded, "model_unavailable");
	ck_assert(res.unknown);
	ck_assert_uint_gt(res.len, 0);
	ck_assert_int_eq(strncmp(heard, "I don't know", 12) == 0, stream);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "first|second|provider_busy"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "second|third|provider_error"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "third|extractive|provider_busy"), 1);
}
END_TEST

START_TEST(a_fallback_model_that_is_unknown_is_no_mistake_of_the_client)
{
	one.error = CSA_ERR_PROVIDER_BUSY;
	two.error = CSA_ERR_INVALID_VALUE;
	ck_assert_int_eq(generate(false), 0);
	ck_assert_str_eq(res.model, "extractive");
	ck_assert_uint_eq(one.calls, 2);
}
END_TEST

START_TEST(fails_as_the_first_does_where_it_must_not_degrade)
{
	one.error = CSA_ERR_PROVIDER_BUSY;
	req.may_degrade = false;
	ck_assert_int_eq(generate(_i), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_int_eq(err.retry_after, 7);
	ck_assert_uint_eq(two.calls, 0);
	/* And nothing is kept back of the time. */
	ck_assert_int_gt(one.had_ms, 59900);
	ck_assert_str_eq(heard, "");
}
END_TEST

START_TEST(never_glues_two_answers)
{
	one.error = CSA_ERR_PROVIDER_UNAVAILABLE;
	one.before = "half an ans";
	ck_assert_int_eq(generate(true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_str_eq(heard, "half an ans");
	ck_assert_uint_eq(two.calls, 0);
	/* Whom nobody hears can be replaced. */
	ck_assert_int_eq(generate(false), 0);
	ck_assert_str_eq(res.model, "second-answers");
}
END_TEST

START_TEST(the_second_ones_half_is_its_own_failure)
{
	one.error = CSA_ERR_PROVIDER_BUSY;
	two.error = CSA_ERR_PROVIDER_UNAVAILABLE;
	two.before = "half";
	ck_assert_int_eq(generate(true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_uint_eq(one.calls, 1);
}
END_TEST

START_TEST(nobody_is_asked_for_a_listener_who_left)
{
	deaf = true;
	ck_assert_int_eq(generate(true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_CANCELLED);
	ck_assert_uint_eq(two.calls, 0);
}
END_TEST

START_TEST(does_not_ask_the_same_model_twice)
{
	one.error = two.error = CSA_ERR_PROVIDER_BUSY;
	req.model = "third";
	ck_assert_int_eq(generate(false), 0);
	ck_assert_uint_eq(one.calls, 1);
	ck_assert_str_eq(one.asked, "third");
	ck_assert_uint_eq(two.calls, 1);
	ck_assert_str_eq(res.model, "extractive");
	/* One of that name elsewhere is another. */
	req.model = "second";
	ck_assert_int_eq(generate(false), 0);
	ck_assert_uint_eq(two.calls, 2);
	ck_assert_uint_eq(one.calls, 3);
}
END_TEST

#define DEADLINE_MS	5000	/* so much that half a second is kept back */

START_TEST(quotes_are_in_time_where_models_hang)
{
	one.till_the_end = two.till_the_end = true;
	one.error = two.error = CSA_ERR_DEADLINE;
	ctx.deadline = csa_now_ms() + DEADLINE_MS;
	ck_assert_int_eq(generate(false), 0);
	ck_assert_str_eq(res.model, "extractive");
	ck_assert_int_gt(csa_left_ms(ctx.deadline), 0);
	/* Of the 4500 ms two thirds for the first, of the rest for the next. */
	ck_assert_uint_eq(two.calls, 1);
	ck_assert_int_le(two.had_ms, 1 + DEADLINE_MS * 2 / 10);
	ck_assert_int_gt(two.had_ms, DEADLINE_MS / 20);
	ck_assert_uint_eq(one.calls, 2);
}
END_TEST

START_TEST(a_stream_gets_nearly_all_the_time)
{
	one.till_the_end = true;
	one.error = CSA_ERR_DEADLINE;
	ctx.deadline = csa_now_ms() + DEADLINE_MS;
	ck_assert_int_eq(generate(true), 0);
	ck_assert_int_gt(csa_left_ms(ctx.deadline), 0);
	/* What was kept back is for quotes alone. */
	ck_assert_uint_eq(one.calls + two.calls, 1);
	ck_assert_str_eq(res.model, "extractive");
	one.till_the_end = false;
	heard[0] = '\0';
	ctx.deadline = csa_now_ms() + 60000;
	ck_assert_int_eq(generate(true), 0);
	ck_assert_int_le(one.had_ms, 59500);
	ck_assert_int_gt(one.had_ms, 50000);
}
END_TEST

START_TEST(nothing_follows_when_the_time_is_over)
{
	one.error = CSA_ERR_DEADLINE;
	ctx.deadline = csa_now_ms();
	ck_assert_int_eq(generate(false), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_uint_eq(two.calls, 0);
}
END_TEST

START_TEST(failed_calls_are_paid_too)
{
	one.error = two.error = CSA_ERR_PROVIDER_UNAVAILABLE;
	one.tokens = 1000000;
	ck_assert_int_eq(generate(false), 0);
	/* Twice a million in at 1 and a million out at 2. */
	ck_assert_double_eq_tol(res.cost_usd, 6, 1e-9);
	ck_assert_int_eq(res.total_tokens, 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cost, "first"),
	    UINT64_C(6000000000));
	ck_assert_uint_eq(csa_metric_value(CSA_M_tokens, "first|prompt"),
	    2000000);
	/* So are those that end in an error. */
	req.may_degrade = false;
	ck_assert_int_eq(generate(false), -1);
	ck_assert_double_eq_tol(res.cost_usd, 3, 1e-9);
}
END_TEST

/* ---- prices ---- */

#define ARGON	"gemini-4-argon"
#define FLASH	"gemini-3.8-flash"
#define PRO	"gemini-3.1-pro-preview"

/* A million in, of them `cached`, and a million out. */
static const struct {
	const char	*setting, *model, *day;
	long		 prompt, cached, out;
	double		 usd;		/* < 0: nobody knows */
} price_cases[] = {
	{ "", ARGON, "2026-11-30 23:59:59", 1000000, 0, 1000000, 12 },
	{ "", ARGON, "2026-12-01 00:00:00", 1000000, 0, 1000000, 24 },
	{ "", ARGON, "2026-11-30 00:00:00", 1000000, 1000000, 0, .1 },
	{ "", FLASH, "2026-12-31 23:59:59", 1000000, 500000, 0, .4125 },
	{ "", FLASH, "2027-01-01 00:00:00", 1000000, 0, 1000000, 9 },
	{ "", FLASH, "2026-11-24 12:00:00", 812, 0, 9, .00064275 },
	/* More cached than there was is no gift. */
	{ "", FLASH, "2026-11-24 12:00:00", 1000000, 9000000, 0, .075 },
	{ "", PRO, "2026-11-24 12:00:00", 200000, 0, 0, .4 },
	{ "", PRO, "2026-11-24 12:00:00", 200001, 0, 0, .800004 },
	/* Versions of a model are that model, relatives are not. */
	{ "", FLASH "-001", "2026-11-24 12:00:00", 1000000, 0, 0, .75 },
	{ "", "models/" FLASH "-preview-09-2026", "2026-11-24 12:00:00",
	    1000000, 0, 0, .75 },
	{ "", FLASH "-lite", "2026-11-24 12:00:00", 1000000, 0, 0, -1 },
	{ "", FLASH "-", "2026-11-24 12:00:00", 1000000, 0, 0, -1 },
	{ "", "gemini-3.5-flash-lite", "2026-11-24 12:00:00", 1000000, 0,
	    1000000, 2.8 },
	{ "", "gemini-3.5-flash", "2026-11-24 12:00:00", 1000000, 0, 1000000,
	    10.5 },
	{ "", "gemini", "2026-11-24 12:00:00", 1000000, 0, 0, -1 },
	{ "", "my-llama", "2026-11-24 12:00:00", 1000000, 0, 0, -1 },
	{ "", "gemini-2.5-pro", "2026-11-24 12:00:00", 200001, 0, 0,
	    .5000025 },
	{ "", "gpt-4.1-mini-2025-04-14", "2026-11-24 12:00:00", 1000000,
	    500000, 1000000, 1.85 },
	/* A question or a document that was embedded. */
	{ "", "gemini-embedding-001", "2026-11-24 12:00:00", 1000000, 0, 0,
	    .15 },
	{ "", "text-embedding-3-small", "2026-11-24 12:00:00", 1000000, 0, 0,
	    .02 },
	/* The operator's word. */
	{ "my-llama=0/0", "my-llama", "2026-11-24 12:00:00", 1000000, 0,
	    1000000, 0 },
	{ FLASH "=1/2/0.5", FLASH, "2026-11-24 12:00:00", 1000000, 1000000,
	    1000000, 2.5 },
	{ FLASH "=1/2", FLASH, "2026-11-24 12:00:00", 1000000, 1000000, 0, 1 },
	{ FLASH "=1/2", FLASH "-001", "2026-11-24 12:00:00", 1000000, 0, 0,
	    .75 },
	{ "*=0/0", FLASH, "2026-11-24 12:00:00", 1000000, 0, 1000000, 0 },
	{ "a*=1/1, ab*=2/2,abc=3/3", "abc", "2026-11-24 12:00:00", 1000000, 0,
	    0, 3 },
	{ "a*=1/1, ab*=2/2,abc=3/3", "abcd", "2026-11-24 12:00:00", 1000000, 0,
	    0, 2 },
	{ "abc*=1/1,abc=3/3", "abc", "2026-11-24 12:00:00", 1000000, 0, 0, 3 },
	{ "abc=3/3,abc*=1/1", "abc", "2026-11-24 12:00:00", 1000000, 0, 0, 3 },
	{ "x=1/1,x=2/2", "x", "2026-11-24 12:00:00", 1000000, 0, 0, 2 },
};

static int64_t
wall(const char *day)
{
	struct tm	 tm = { .tm_isdst = 0 };

	ck_assert_ptr_nonnull(strptime(day, "%Y-%m-%d %H:%M:%S", &tm));
	return (int64_t)timegm(&tm) * 1000;
}

START_TEST(prices_go_by_model_day_and_size)
{
	struct csa_prices	*p = prices(price_cases[_i].setting);
	struct csa_chat_res	 r = {
		.model = price_cases[_i].model,
		.prompt_tokens = price_cases[_i].prompt,
		.cached_tokens = price_cases[_i].cached,
		.completion_tokens = price_cases[_i].out,
	};
	double			 usd = 99, want = price_cases[_i].usd;
	bool			 known;

	known = csa_price(p, wall(price_cases[_i].day), &r, &usd);
	ck_assert_msg(known == (want >= 0), "%s", r.model);
	ck_assert_msg(fabs(usd - (known ? want : 0)) < 1e-9, "%s on %s: %.9f",
	    r.model, price_cases[_i].day, usd);
	csa_prices_free(p);
}
END_TEST

START_TEST(a_model_without_a_price_is_counted)
{
	struct csa_prices	*p = prices("");
	struct csa_chat_res	 r = { .model = "who", .prompt_tokens = 5,
		.total_tokens = 5, .cost_usd = 77 };

	csa_prices_settle(p, &r);
	ck_assert_double_eq(r.cost_usd, 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_unpriced, "who"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_tokens, "who|prompt"), 5);
	/* Nothing asked, nothing to settle. */
	r.total_tokens = 0;
	csa_prices_settle(p, &r);
	r.total_tokens = 1;
	r.model = NULL;
	csa_prices_settle(p, &r);
	ck_assert_uint_eq(csa_metric_value(CSA_M_unpriced, "who"), 1);
	csa_prices_free(p);
}
END_TEST

static const char *const bad_prices[] = {
	"x", "=1/2", "x=1", "x=1/2/3/4", "x=/2", "x=1/", "x=-1/2", "x=1/2/",
	"x=1/nan", "x=100001/1", "x y=1/2", "x**=1/2", "a=1/2,x", "x=1,5/2",
	"/nowhere/at/all",
};

START_TEST(refuses_what_is_no_price)
{
	ck_assert_ptr_null(csa_prices_new(bad_prices[_i], &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "prices: "));
}
END_TEST

START_TEST(reads_prices_from_a_file)
{
	char			 path[] = "/tmp/csa-prices-XXXXXX";
	int			 fd = mkstemp(path);
	struct csa_prices	*p;
	struct csa_chat_res	 r = { .model = "b", .prompt_tokens = 1000000 };
	double			 usd;
	FILE			*f;

	ck_assert_ptr_nonnull(f = fdopen(fd, "w"));
	fputs("# ours\n\n a = 1/2 # the big one\nb* =\t3/4/5\r\n", f);
	fclose(f);
	p = prices(path);
	ck_assert(csa_price(p, 0, &r, &usd));
	ck_assert_double_eq_tol(usd, 3, 1e-9);
	r.model = "a";
	ck_assert(csa_price(p, 0, &r, &usd));
	ck_assert_double_eq_tol(usd, 1, 1e-9);
	csa_prices_free(p);
	ck_assert_ptr_nonnull(f = fopen(path, "a"));
	fputs("c 1/2\n", f);
	fclose(f);
	ck_assert_ptr_null(csa_prices_new(path, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "c 1/2"));
	unlink(path);
}
END_TEST

/* ---- whom the configuration names ---- */

START_TEST(opens_what_the_configuration_names)
{
	static const char	 text[] =
	    "google_api_key = k\nopenai_api_key = o\n"
	    "fallback_models = gemini-3.5-flash-lite, openai:big:8b\n";
	struct csa_config	*config;
	struct csa_model	*m;
	FILE			*f = fmemopen((void *)(uintptr_t)text,
				    sizeof(text) - 1, "r");
	FILE			*unread = fopen("/dev/null", "w");

	config = csa_config_load_stream(f, "FILE", unread);
	fclose(unread);
	ck_assert_ptr_nonnull(config);
	m = csa_model_open(config, NULL, &err);
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(m->name, "gemini");
	m->ops->close(m);
	fclose(f);
	csa_config_free(config);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("chain");
	TCase	*tc = tcase_create("chain"), *p = tcase_create("prices");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, is_the_first_as_long_as_that_answers, 0, 2);
	tcase_add_loop_test(tc, asks_another_for_faults_of_providers_alone, 2,
	    2 * CSA_ERR__MAX);
	tcase_add_loop_test(tc, quotes_where_no_model_answers, 0, 2);
	tcase_add_test(tc,
	    a_fallback_model_that_is_unknown_is_no_mistake_of_the_client);
	tcase_add_loop_test(tc,
	    fails_as_the_first_does_where_it_must_not_degrade, 0, 2);
	tcase_add_test(tc, never_glues_two_answers);
	tcase_add_test(tc, the_second_ones_half_is_its_own_failure);
	tcase_add_test(tc, nobody_is_asked_for_a_listener_who_left);
	tcase_add_test(tc, does_not_ask_the_same_model_twice);
	tcase_add_test(tc, quotes_are_in_time_where_models_hang);
	tcase_add_test(tc, a_stream_gets_nearly_all_the_time);
	tcase_add_test(tc, nothing_follows_when_the_time_is_over);
	tcase_add_test(tc, failed_calls_are_paid_too);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(p, quiet, csa_metrics_close);
	tcase_add_loop_test(p, prices_go_by_model_day_and_size, 0,
	    (int)CSA_NITEMS(price_cases));
	tcase_add_test(p, a_model_without_a_price_is_counted);
	tcase_add_loop_test(p, refuses_what_is_no_price, 0,
	    (int)CSA_NITEMS(bad_prices));
	tcase_add_test(p, reads_prices_from_a_file);
	tcase_add_test(p, opens_what_the_configuration_names);
	suite_add_tcase(s, p);
	return run_suite(s);
}
