/*
 * A text/event-stream: the same events come out whether it is fed at once, byte
 * by byte or in pieces whose sizes the first bytes say.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/sse.h"
#include "tests/fuzz/fuzz.h"

#define MAX	256

static void
note(struct csa_buf *out, const struct csa_sse_event *ev)
{
	CSA_MUST(ev->n <= MAX && strlen(ev->name) <= MAX);
	CSA_MUST(ev->data[ev->n] == '\0' && strlen(ev->id) <= MAX);
	CSA_MUST(strpbrk(ev->name, "\r\n") == NULL);
	CSA_MUST(memchr(ev->data, '\r', ev->n) == NULL);
	csa_buf_addf(out, "%d%s=", ev->bare, ev->name);
	csa_buf_add(out, ev->data, ev->n);
	csa_buf_addf(out, "#%s\n\n", ev->id);
}

/* Pieces of the sizes in how, over and over; a 0 is one byte. */
static void
read_in(struct csa_buf *out, const uint8_t *how, size_t nhow, const char *s,
    size_t n)
{
	struct csa_sse		 e;
	struct csa_sse_event	 ev;
	int			 rc = 0;

	csa_buf_init(out, 1 << 24);
	csa_sse_init(&e, MAX);
	for (size_t i = 0; rc == 0 && n > 0; i++) {
		size_t		 k = nhow > 0 ? how[i % nhow] : n, left;
		const char	*p;
		char		*copy;

		k = k == 0 ? 1 : k < n ? k : n;
		copy = csa_malloc(k);
		memcpy(copy, s, k);
		p = copy;
		left = k;
		while ((rc = csa_sse_next(&e, &p, &left, &ev)) == 1)
			note(out, &ev);
		free(copy);
		s += k;
		n -= k;
	}
	if (rc == 0 && (rc = csa_sse_end(&e, &ev)) == 1)
		note(out, &ev);
	csa_buf_addf(out, "%d %ld", rc, rc == -1 ? 0 : e.retry_ms);
	csa_sse_fini(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t	 one[] = { 1 };
	const char		*s = (const char *)data + 4;
	struct csa_buf		 whole, other;

	if (n < 4)
		return 0;
	read_in(&whole, NULL, 0, s, n - 4);
	read_in(&other, one, 1, s, n - 4);
	CSA_MUST(other.len == whole.len &&
	    memcmp(other.data, whole.data, whole.len) == 0);
	csa_buf_fini(&other);
	read_in(&other, data, 4, s, n - 4);
	CSA_MUST(other.len == whole.len &&
	    memcmp(other.data, whole.data, whole.len) == 0);
	csa_buf_fini(&other);
	csa_buf_fini(&whole);
	return 0;
}
