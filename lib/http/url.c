/*
 * url: addresses that need not be read again.
 *
 * For every transfer curl takes its address to pieces and puts it together again,
 * a character at a time: a twentieth of what a chat costs us.  A service asks a
 * few addresses all the time, so their pieces are kept.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

/* As curl does it by CURLOPT_URL and CURLOPT_PATH_AS_IS. */
#define FLAGS	(CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME | \
		    CURLU_PATH_AS_IS)

static struct csa_url *
find(struct csa_http *h, const char *text)
{
	for (size_t i = 0; i < CSA_URLS; i++)
		if (h->urls[i].text != NULL &&
		    strcmp(h->urls[i].text, text) == 0)
			return &h->urls[i];
	return NULL;
}

static void
clear(struct csa_url *u)
{
	curl_url_cleanup(u->parts);
	free(u->text);
	memset(u, 0, sizeof(*u));
}

/* In the place of the one that was read first; NULL where that is in use. */
static struct csa_url *
read_url(struct csa_http *h, const char *text)
{
	struct csa_url	*u = &h->urls[h->oldest_url++ % CSA_URLS];

	if (u->users > 0)
		return NULL;
	clear(u);
	if ((u->parts = curl_url()) == NULL || curl_url_set(u->parts,
	    CURLUPART_URL, text, FLAGS) != CURLUE_OK) {
		clear(u);
		return NULL;
	}
	u->text = csa_strdup(text);
	return u;
}

struct csa_url *
csa_url_use(struct csa_http *h, const char *text)
{
	struct csa_url	*u = find(h, text);

	if (u == NULL)
		u = read_url(h, text);
	if (u != NULL)
		u->users++;
	return u;
}

void
csa_url_done(struct csa_url *u)
{
	if (u != NULL)
		u->users--;
}

void
csa_urls_free(struct csa_http *h)
{
	for (size_t i = 0; i < CSA_URLS; i++)
		clear(&h->urls[i]);
}
