#include "config.h"

#include <time.h>

#include "lib/base/clock.h"

int64_t
csa_now_ns(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
csa_now_ms(void)
{
	return csa_now_ns() / 1000000;
}

int64_t
csa_wall_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
csa_left_ms(int64_t deadline)
{
	int64_t	 left = deadline - csa_now_ms();

	return left > 0 ? left : 0;
}

int64_t
csa_sooner(int64_t deadline, int64_t ms)
{
	int64_t	 then = csa_now_ms() + ms;

	return then < deadline ? then : deadline;
}
