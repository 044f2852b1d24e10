#include "config.h"

#include <sys/random.h>
#include <sys/types.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/text/digest.h"

void
csa_hex(const uint8_t *b, size_t n, char *out)
{
	static const char	 hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = hex[b[i] >> 4];
		*out++ = hex[b[i] & 15];
	}
	*out = '\0';
}

int
csa_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
csa_unhex(const char *s, uint8_t *b, size_t n)
{
	int	 hi, lo;

	for (size_t i = 0; i < n; i++, s += 2) {
		/* The order matters: s may end after its first digit. */
		if ((hi = csa_hex_digit(s[0])) == -1 ||
		    (lo = csa_hex_digit(s[1])) == -1)
			return -1;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return *s == '\0' ? 0 : -1;
}

/*
 * Bytes of the kernel's, got many at a time.  Not libcrypto's: that keeps a
 * generator of 3 kB for every thread that ever asked, and asks for the
 * process's number each time.
 */
static struct {
	pthread_mutex_t	 lock;
	unsigned char	 b[512];
	size_t		 left;		/* b's last so many are unused */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
pool_lock(void)
{
	CSA_MUST(pthread_mutex_lock(&pool.lock) == 0);
}

static void
pool_unlock(void)
{
	CSA_MUST(pthread_mutex_unlock(&pool.lock) == 0);
}

/* A child must not hand out what its parent will. */
static void
pool_in_child(void)
{
	pool.left = 0;
	pool_unlock();
}

static void
pool_init(void)
{
	CSA_MUST(pthread_atfork(pool_lock, pool_unlock, pool_in_child) == 0);
}

static void
kernel_random(unsigned char *b, size_t n)
{
	ssize_t	 got;

	while (n > 0) {
		got = getrandom(b, n, 0);
		CSA_MUST(got > 0 || errno == EINTR);
		if (got > 0) {
			b += got;
			n -= (size_t)got;
		}
	}
}

void
csa_random(void *b, size_t n)
{
	static pthread_once_t	 once = PTHREAD_ONCE_INIT;
	unsigned char		*p;

	if (n > sizeof(pool.b) / 8) {
		kernel_random(b, n);
		return;
	}
	CSA_MUST(pthread_once(&once, pool_init) == 0);
	pool_lock();
	if (pool.left < n) {
		kernel_random(pool.b, sizeof(pool.b));
		pool.left = sizeof(pool.b);
	}
	p = pool.b + sizeof(pool.b) - pool.left;
	memcpy(b, p, n);
	memset(p, 0, n);
	pool.left -= n;
	pool_unlock();
}

void
csa_random_id(char out[33])
{
	uint8_t	 b[16];

	csa_random(b, sizeof(b));
	csa_hex(b, sizeof(b), out);
}
