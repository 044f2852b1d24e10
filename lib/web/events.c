#include "config.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/must.h"
#include "lib/web/events.h"
#include "lib/web/resp.h"

static const char	hello[] = ": stream\n\n", beat[] = ":\n\n";

int
csa_events_begin(struct csa_resp *r)
{
	if (r->status != 0)
		return 0;
	if (csa_resp_begin(r, 200, "text/event-stream; charset=utf-8",
	    -1) == -1 || csa_resp_write(r, hello, sizeof(hello) - 1) == -1)
		return -1;
	return csa_resp_flush(r);
}

int
csa_events_beat(struct csa_resp *r)
{
	if (r->status == 0)
		return csa_events_begin(r);
	if (csa_resp_write(r, beat, sizeof(beat) - 1) == -1)
		return -1;
	return csa_resp_flush(r);
}

static void
add_field(struct csa_buf *b, const char *name, const char *value, size_t n)
{
	CSA_MUST(memchr(value, '\n', n) == NULL &&
	    memchr(value, '\r', n) == NULL);
	csa_buf_puts(b, name);
	csa_buf_add(b, value, n);
	csa_buf_putc(b, '\n');
}

void
csa_events_format(struct csa_buf *b, const char *id, const char *name,
    const char *data, size_t n)
{
	if (id != NULL)
		add_field(b, "id: ", id, strlen(id));
	if (name != NULL)
		add_field(b, "event: ", name, strlen(name));
	add_field(b, "data: ", data, n);
	csa_buf_putc(b, '\n');
}

int
csa_events_put(struct csa_resp *r, const struct csa_buf *b)
{
	if (csa_resp_write(r, b->data, b->len) == -1)
		return -1;
	return csa_resp_flush(r);
}
