#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_internal.h"
#include "lib/metrics/metrics.h"

#define FAILURES	3	/* in a row, and a server is left alone */
#define BYPASS_MS	5000
#define SAY_MS		60000

/* ---- names ---- */

/* "host:port", "[v6]:port", "/path". */
static int
parse(const char *name, struct csa_kv_far *far)
{
	const char	*colon = strrchr(name, ':');
	size_t		 n;
	char		*end;
	unsigned long	 port;

	if (*name == '/') {
		far->host = csa_strdup(name);
		return 0;
	}
	if (colon == NULL || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -1;
	port = strtoul(colon + 1, &end, 10);
	if (port < 1 || port > 65535)
		return -1;
	n = (size_t)(colon - name);
	if (n >= 2 && *name == '[' && name[n - 1] == ']') {
		name++;
		n -= 2;
	}
	far->port = (unsigned short)port;
	far->host = csa_strndup(name, n);
	return n > 0 && strpbrk(far->host, " []\t") == NULL ? 0 : -1;
}

/* Takes the next name off *list, without the blanks around it. */
static char *
next_name(const char **list)
{
	const char	*s = *list, *end = s + strcspn(s, ",");

	*list = *end == ',' ? end + 1 : NULL;
	while (*s == ' ')
		s++;
	while (end > s && end[-1] == ' ')
		end--;
	return csa_strndup(s, (size_t)(end - s));
}

struct csa_kv_farm *
csa_kv_farm_new(const char *servers, struct csa_err *err)
{
	struct csa_kv_farm	*farm = csa_new(struct csa_kv_farm);
	const char		*list = servers;

	while (list != NULL) {
		struct csa_kv_far	*far = &farm->far[farm->n];

		if (farm->n == CSA_KV_SERVERS)
			goto fail;
		CSA_MUST(pthread_mutex_init(&far->lock, NULL) == 0);
		farm->n++;
		far->name = next_name(&list);
		if (parse(far->name, far) == -1)
			goto fail;
	}
	return farm;
fail:
	csa_kv_farm_free(farm);
	csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_MEMCACHED,
	    "memcached_servers cannot be used");
	csa_fail_detail(err, "memcached_servers \"%s\": %s", servers,
	    "wanted host:port or /path, several with commas");
	return NULL;
}

/* ---- the breaker ---- */

static void
gauge(const struct csa_kv_far *far, int64_t n)
{
	char	*label = csa_strdup(far->name);

	for (char *p = label; *p != '\0'; p++)
		if (*p == '|')
			*p = '_';
	csa_gauge_add(CSA_M_cache_breaker_open, label, n);
	free(label);
}

static void
lock(struct csa_kv_far *far)
{
	CSA_MUST(pthread_mutex_lock(&far->lock) == 0);
}

static void
unlock(struct csa_kv_far *far)
{
	CSA_MUST(pthread_mutex_unlock(&far->lock) == 0);
}

void
csa_kv_farm_free(struct csa_kv_farm *farm)
{
	if (farm == NULL)
		return;
	for (unsigned i = 0; i < farm->n; i++) {
		struct csa_kv_far	*far = &farm->far[i];

		if (far->open)
			gauge(far, -1);
		pthread_mutex_destroy(&far->lock);
		free(far->name);
		free(far->host);
	}
	free(farm);
}

bool
csa_kv_far_enter(struct csa_kv_far *far, bool *probe)
{
	int64_t	 now = csa_now_ms();
	bool	 may = true;

	*probe = false;
	lock(far);
	if (far->open && now < far->until)
		may = false;
	else if (far->open) {
		/* Should it never come back, another may after as long. */
		far->until = now + BYPASS_MS;
		*probe = true;
	}
	unlock(far);
	return may;
}

void
csa_kv_far_worked(struct csa_kv_far *far)
{
	bool	 was_open;

	lock(far);
	was_open = far->open;
	far->open = false;
	far->failures = 0;
	if (was_open)
		gauge(far, -1);
	unlock(far);
	if (was_open)
		csa_info("memcached %s: is back", far->name);
}

void
csa_kv_far_failed(struct csa_kv_far *far, bool probe, const char *what,
    const char *why)
{
	bool	 opens = false;

	lock(far);
	if (far->open) {
		if (probe)
			far->until = csa_now_ms() + BYPASS_MS;
	} else if (++far->failures >= FAILURES) {
		opens = far->open = true;
		far->until = csa_now_ms() + BYPASS_MS;
		gauge(far, 1);
	}
	unlock(far);
	csa_warn("memcached %s: %s: %s", far->name, what, why);
	if (opens)
		csa_warn("memcached %s: left alone for %d s", far->name,
		    BYPASS_MS / 1000);
}

void
csa_kv_far_refused(struct csa_kv_far *far, const char *what, const char *why)
{
	int64_t	 now = csa_now_ms();
	bool	 say;

	lock(far);
	if ((say = far->said == 0 || now - far->said >= SAY_MS))
		far->said = now;
	unlock(far);
	if (say)
		csa_warn("memcached %s: %s: %s (said once in %d s)", far->name,
		    what, why, SAY_MS / 1000);
}
