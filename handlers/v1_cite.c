#include "config.h"

#include <string.h>

#include "handlers/turn.h"
#include "handlers/v1_cite.h"
#include "lib/base/buf.h"

#define SOURCES_MAX	100		/* retriever_k */
#define TITLE_MAX	200		/* bytes of one, in the list */

void
csa_v1_uncite_init(struct csa_v1_uncite *c, size_t sources)
{
	memset(c, 0, sizeof(*c));
	c->sources = sources < SOURCES_MAX ? sources : SOURCES_MAX;
}

static void
let_go(struct csa_v1_uncite *c, struct csa_buf *out)
{
	csa_buf_add(out, c->held, c->nheld);
	c->nheld = 0;
	c->open = false;
}

/* Does what is held name a source?  [2024] does not. */
static bool
is_citation(const struct csa_v1_uncite *c)
{
	bool	 cited[SOURCES_MAX] = { false };

	csa_citations(c->held, c->nheld, cited, c->sources);
	return memchr(cited, true, sizeof(cited)) != NULL;
}

/* May c go on what is held? */
static bool
goes_on(const struct csa_v1_uncite *u, char c)
{
	if (!u->open)
		return c == ' ' || c == '[';
	return c == ']' || (c != '\0' && strchr("0123456789 ,;-", c) != NULL);
}

static void
add(struct csa_v1_uncite *u, char c, struct csa_buf *out)
{
	if (!goes_on(u, c) || u->nheld == sizeof(u->held)) {
		let_go(u, out);
		if (!goes_on(u, c)) {
			csa_buf_putc(out, c);
			return;
		}
	}
	u->held[u->nheld++] = c;
	if (c == '[')
		u->open = true;
	if (c != ']')
		return;
	if (is_citation(u)) {
		u->nheld = 0;
		u->open = false;
	} else
		let_go(u, out);
}

void
csa_v1_uncite_add(struct csa_v1_uncite *u, const char *s, size_t n,
    struct csa_buf *out)
{
	for (size_t i = 0; i < n; i++)
		add(u, s[i], out);
}

void
csa_v1_uncite_end(struct csa_v1_uncite *u, struct csa_buf *out)
{
	let_go(u, out);
}

/* One line of it, and not a long one. */
static void
add_title(struct csa_buf *out, const char *s)
{
	size_t	 n = strlen(s);

	if (n > TITLE_MAX)
		for (n = TITLE_MAX; ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			continue;
	for (size_t i = 0; i < n; i++)
		csa_buf_putc(out, (unsigned char)s[i] < ' ' ? ' ' : s[i]);
}

void
csa_v1_list_sources(const struct csa_turn *t, struct csa_buf *out)
{
	bool	 first = true;

	for (size_t i = 0; i < t->found.n; i++) {
		const struct csa_chunk *c = &t->found.passages[i].chunk;

		if (!t->cited[i])
			continue;
		csa_buf_addf(out, "%s- [%zu] ", first ? "\n\n" : "\n", i + 1);
		first = false;
		add_title(out, c->title != NULL && c->title[0] != '\0' ?
		    c->title : c->document_id);
	}
}
