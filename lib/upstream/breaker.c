/*
 * breaker: closed -> open -> one at a time is let through -> closed.
 *
 * The gate is one word: 0 while closed, else the time until which nobody may
 * enter, in the upper bits, and below a number that makes every word another.
 * Whoever comes after that time and swaps the word for one of a later time is
 * the one who is let through; the word is his pass.  Should he never come back
 * the time passes again.
 */

#include "config.h"

#include "lib/upstream/share.h"

#define TURN_BITS	16
#define IN_A_ROW	5

static int64_t
until(uint64_t gate)
{
	return (int64_t)(gate >> TURN_BITS);
}

/* The gate after `old`: shut until then. */
static uint64_t
shut(uint64_t old, int64_t then)
{
	uint64_t	 turn = (old + 1) & ((1 << TURN_BITS) - 1);

	return (uint64_t)then << TURN_BITS | (turn != 0 ? turn : 1);
}

int64_t
csa_breaker_ask(const struct csa_breaker *b, const struct csa_breaker_opts *o,
    int64_t now)
{
	uint64_t	 gate = b->gate;

	/* Further ahead than it can be: of before this boot. */
	if (gate == 0 || o->percent == 0 || until(gate) - now > o->open_ms ||
	    until(gate) <= now)
		return 0;
	return until(gate) - now;
}

int64_t
csa_breaker_enter(struct csa_breaker *b, const struct csa_breaker_opts *o,
    int64_t now, csa_pass *pass)
{
	uint64_t	 gate = b->gate, next;
	int64_t		 left;

	*pass = 0;
	if (gate == 0 || o->percent == 0)
		return 0;
	left = until(gate) - now;
	if (left > 0 && left <= o->open_ms)
		return left;
	next = shut(gate, now + o->open_ms);
	if (!atomic_compare_exchange_strong(&b->gate, &gate, next))
		/* Another was let through, or has found it well by now. */
		return gate == 0 ? 0 : o->open_ms;
	*pass = next;
	return 0;
}

/* Close it; whatever was counted before says nothing any more. */
static int
close_it(struct csa_breaker *b)
{
	b->streak = 0;
	csa_window_clear(&b->window);
	return atomic_exchange(&b->gate, 0) != 0 ? -1 : 0;
}

static int
open_it(struct csa_breaker *b, const struct csa_breaker_opts *o, int64_t now)
{
	uint64_t	 closed = 0;

	return atomic_compare_exchange_strong(&b->gate, &closed,
	    shut(0, now + o->open_ms)) ? 1 : 0;
}

/* What the one who was let through has found. */
static int
tell_probe(struct csa_breaker *b, const struct csa_breaker_opts *o,
    int64_t now, csa_pass pass, enum csa_verdict verdict)
{
	if (verdict == CSA_GOOD)
		return close_it(b);
	/* Unless somebody else was let through meanwhile: nothing found out
	 * lets the next one in at once. */
	atomic_compare_exchange_strong(&b->gate, &pass, shut(pass,
	    verdict == CSA_NO_VERDICT ? now : now + o->open_ms));
	return 0;
}

int
csa_breaker_tell(struct csa_breaker *b, const struct csa_breaker_opts *o,
    int64_t now, csa_pass pass, enum csa_verdict verdict)
{
	struct csa_share_of	 sum;
	bool			 in_a_row = false;

	if (o->percent == 0)
		return 0;
	if (pass != 0)
		return tell_probe(b, o, now, pass, verdict);
	if (verdict == CSA_NO_VERDICT || b->gate != 0)
		return 0;
	if (verdict == CSA_NO_CONNECTION)
		in_a_row = atomic_fetch_add(&b->streak, 1) + 1 >= IN_A_ROW;
	else
		b->streak = 0;
	csa_window_add(&b->window, now, verdict != CSA_GOOD, 1);
	if (verdict == CSA_GOOD)
		return 0;
	sum = csa_window_sum(&b->window, now);
	if (in_a_row || (sum.of >= o->calls &&
	    (uint64_t)sum.n * 100 >= (uint64_t)sum.of * o->percent))
		return open_it(b, o, now);
	return 0;
}
