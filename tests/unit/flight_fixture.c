#include "config.h"

#include <string.h>

#include "lib/base/clock.h"
#include "tests/unit/test_flight.h"

struct host	 hosts[2];
struct who	 leader;
struct csa_flight *flight;	/* the leader's */

struct csa_cache_key
flight_key(const char *of)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;

	csa_key_begin(&b, CSA_CACHE_ANSWER);
	csa_key_str(&b, of);
	csa_key_end(&b, CSA_CACHE_ANSWER, &key);
	return key;
}

void
open_hosts(bool memcached)
{
	for (int i = 0; i < 2; i++)
		host_open(&hosts[i], memcached);
	who_open(&leader, &hosts[0], patience(60000));
}

void
flight_setup(void)
{
	mc_start();
	open_hosts(true);
}

void
flight_teardown(void)
{
	who_close(&leader);
	for (int i = 0; i < 2; i++)
		host_close(&hosts[i]);
	mc_stop();
}

struct csa_flight *
flight_board(struct who *w, int host)
{
	struct csa_cache_key	 key = flight_key("one");

	return csa_flight_board(hosts[host].cache, &w->ctx, &key);
}

void
take_the_lead(void)
{
	flight = flight_board(&leader, 0);
	ck_assert(csa_flight_leads(flight));
}

void
pause_ms(struct who *w, int64_t ms)
{
	struct csa_err	 err;

	ck_assert_int_eq(csa_waiter_pause(w->ctx.waiter, csa_now_ms() + ms,
	    &err), 0);
}

/* ---- one who follows, in a thread ---- */

static int
told(void *arg, const void *data, size_t len)
{
	struct follower	*f = arg;

	if (len <= f->nheard || len > sizeof(f->heard) ||
	    memcmp(data, f->heard, f->nheard) != 0)
		f->odd++;
	else {
		memcpy(f->heard, data, len);
		f->nheard = len;
	}
	f->times++;
	return f->ends_at != 0 && len >= f->ends_at ? -1 : 0;
}

static void *
follow(void *arg)
{
	struct follower			*f = arg;
	const struct csa_flight_ear	 ear = { told, f };
	int64_t				 begin = csa_now_ms();

	f->rc = csa_flight_follow(f->flight, f->listens ? &ear : NULL,
	    &f->value, &f->err);
	f->took = csa_now_ms() - begin;
	return NULL;
}

void
start_follower(struct follower *f, int host, int64_t ms)
{
	f->host = host;
	who_open(&f->who, &hosts[host], ms);
	f->flight = flight_board(&f->who, host);
	f->leads = csa_flight_leads(f->flight);
	f->rc = 0;
	if (!f->leads)
		ck_assert_int_eq(pthread_create(&f->thread, NULL, follow, f),
		    0);
}

int
end_follower(struct follower *f)
{
	if (!f->leads)
		ck_assert_int_eq(pthread_join(f->thread, NULL), 0);
	return f->rc;
}

void
close_follower(struct follower *f)
{
	csa_flight_leave(f->flight);
	who_close(&f->who);
}

void
has(const struct follower *f, const char *value)
{
	ck_assert_int_eq(f->rc, 1);
	ck_assert_uint_eq(f->value.len, strlen(value));
	ck_assert_mem_eq(f->value.data, value, f->value.len);
}
