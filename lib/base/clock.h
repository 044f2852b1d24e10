/*
 * clock: durations are monotonic, dates are for people.
 */

#ifndef CSA_BASE_CLOCK_H
#define CSA_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds and nanoseconds of CLOCK_MONOTONIC. */
int64_t	csa_now_ms(void);
int64_t	csa_now_ns(void);

/* Milliseconds since 1970, UTC; for display and the log only. */
int64_t	csa_wall_ms(void);

/*
 * A deadline is an absolute csa_now_ms() time.  csa_left_ms returns what is
 * left of it, never below 0; csa_sooner the smaller of a deadline and now + ms.
 */
int64_t	csa_left_ms(int64_t deadline);
int64_t	csa_sooner(int64_t deadline, int64_t ms);

#endif
