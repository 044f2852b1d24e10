#include "config.h"

#include <stdint.h>
#include <string.h>

#include "lib/text/num.h"
#include "lib/text/sse.h"

#define MAX_RETRY_MS	86400000

void
csa_sse_init(struct csa_sse *e, size_t max)
{
	memset(e, 0, sizeof(*e));
	csa_buf_init(&e->line, max);
	csa_buf_init(&e->data, max);
	csa_buf_init(&e->name, max);
	csa_buf_init(&e->id, max);
	e->retry_ms = -1;
	e->first = true;
}

void
csa_sse_fini(struct csa_sse *e)
{
	csa_buf_fini(&e->line);
	csa_buf_fini(&e->data);
	csa_buf_fini(&e->name);
	csa_buf_fini(&e->id);
}

static void
set(struct csa_buf *b, const char *s, size_t n)
{
	csa_buf_reset(b);
	csa_buf_add(b, s, n);
}

static const char *
str(const struct csa_buf *b)
{
	return b->data != NULL ? b->data : "";
}

static bool
is(const char *name, size_t n, const char *what)
{
	return n == strlen(what) && memcmp(name, what, n) == 0;
}

static void
add_data(struct csa_sse *e, const char *s, size_t n)
{
	if (e->any)
		csa_buf_putc(&e->data, '\n');
	csa_buf_add(&e->data, s, n);
	e->any = true;
}

static void
retry(struct csa_sse *e, const char *s, size_t n)
{
	char	 digits[16];
	size_t	 ms;

	if (n == 0 || n >= sizeof(digits))
		return;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (csa_parse_size(digits, &ms) == 0)
		e->retry_ms = ms < MAX_RETRY_MS ? (long)ms : MAX_RETRY_MS;
}

static void
field(struct csa_sse *e, const char *s, size_t n)
{
	const char	*colon = memchr(s, ':', n), *value = s + n;
	size_t		 nname = n, nvalue = 0;

	if (colon != NULL) {
		nname = (size_t)(colon - s);
		value = colon + 1;
		nvalue = n - nname - 1;
		if (nvalue > 0 && *value == ' ') {
			value++;
			nvalue--;
		}
	}
	if (is(s, nname, "data"))
		add_data(e, value, nvalue);
	else if (is(s, nname, "event"))
		set(&e->name, value, nvalue);
	else if (is(s, nname, "id")) {
		if (memchr(value, '\0', nvalue) == NULL)
			set(&e->id, value, nvalue);
	} else if (is(s, nname, "retry"))
		retry(e, value, nvalue);
}

/* Returns whether an event has come to its end. */
static bool
take(struct csa_sse *e, const char *s, size_t n)
{
	if (e->first && n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		n -= 3;
	}
	e->first = false;
	if (n == 0) {
		if (!e->any)
			csa_buf_reset(&e->name);
		return e->any;
	}
	if (!e->any && *s == '{')
		e->bare = true;
	if (e->bare)
		add_data(e, s, n);
	else if (*s != ':')
		field(e, s, n);
	return false;
}

static bool
failed(const struct csa_sse *e)
{
	return e->line.failed || e->data.failed || e->name.failed ||
	    e->id.failed;
}

static int
give(struct csa_sse *e, struct csa_sse_event *ev)
{
	if (failed(e))
		return -1;
	ev->name = str(&e->name);
	ev->data = str(&e->data);
	ev->n = e->data.len;
	ev->id = str(&e->id);
	ev->bare = e->bare;
	e->given = true;
	return 1;
}

static void
begin(struct csa_sse *e)
{
	if (!e->given)
		return;
	e->given = e->any = e->bare = false;
	csa_buf_reset(&e->data);
	csa_buf_reset(&e->name);
}

/* A line's text without its end, or NULL where that has not come. */
static const char *
line(struct csa_sse *e, const char **s, size_t *n, size_t *len)
{
	const char	*start = *s, *p = start, *end = start + *n;

	while (p < end && *p != '\n' && *p != '\r')
		p++;
	*len = (size_t)(p - start);
	if (p == end || e->line.len > 0 || *len > e->line.max) {
		csa_buf_add(&e->line, start, *len);
		start = str(&e->line);
		*len = e->line.len;
	}
	*s = p;
	*n = (size_t)(end - p);
	return p < end ? start : NULL;
}

int
csa_sse_next(struct csa_sse *e, const char **s, size_t *n,
    struct csa_sse_event *ev)
{
	const char	*text;
	size_t		 len;
	bool		 whole;

	begin(e);
	while (*n > 0 && !failed(e)) {
		if (e->cr && **s == '\n') {
			e->cr = false;
			++*s;
			--*n;
			continue;
		}
		e->cr = false;
		if ((text = line(e, s, n, &len)) == NULL)
			break;
		e->cr = **s == '\r';
		++*s;
		--*n;
		if (e->line.failed)
			break;
		whole = take(e, text, len);
		csa_buf_reset(&e->line);
		if (whole)
			return give(e, ev);
	}
	return failed(e) ? -1 : 0;
}

int
csa_sse_end(struct csa_sse *e, struct csa_sse_event *ev)
{
	begin(e);
	if (failed(e))
		return -1;
	if (e->line.len > 0)
		(void)take(e, e->line.data, e->line.len);
	csa_buf_reset(&e->line);
	return e->any || failed(e) ? give(e, ev) : 0;
}
