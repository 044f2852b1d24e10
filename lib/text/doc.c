#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/must.h"
#include "lib/text/doc.h"
#include "lib/text/escape.h"
#include "lib/text/json_check.h"
#include "lib/text/names.h"
#include "lib/text/number.h"

/* Doubles count in ones up to here; beyond, an integer may be another one. */
#define EXACT		9007199254740992.0	/* 2^53 */

#define FEW		16	/* members compared one by one */
#define MAX_REPEATED	64	/* names, in a whole text */

#define STEPMAX		128	/* of a step in a path */

/*
 * What is read here csa_json_check has passed: brackets match, strings end,
 * escapes are sound, nothing is nested deeper than its limit.
 */
struct reader {
	struct csa_arena *arena;
	const char	*p, *end;
	unsigned	 repeated;
};

static void
blanks(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' ||
	    *r->p == '\t')
		r->p++;
}

/* ---- strings ---- */

/* The string behind r->p, which has escapes; its first is n bytes away. */
static const char *
escaped(struct reader *r, size_t n, size_t *len)
{
	const char	*end = r->p + n;
	char		*copy, *out;

	while (*end != '"') {
		end += 2;
		end += csa_json_plain(end, (size_t)(r->end - end));
	}
	/* Never longer than the original. */
	copy = out = csa_arena_alloc(r->arena, (size_t)(end - r->p) + 1);
	for (;;) {
		memcpy(out, r->p, n);
		out += n;
		r->p += n;
		if (r->p == end)
			break;
		out = csa_unescape(&r->p, out);
		n = csa_json_plain(r->p, (size_t)(end - r->p));
	}
	*out = '\0';
	*len = (size_t)(out - copy);
	r->p = end + 1;
	return copy;
}

/* A copy of the string whose opening quote is at p. */
static const char *
string(struct reader *r, size_t *n)
{
	const char	*start = ++r->p;
	size_t		 plain;

	plain = csa_json_plain(start, (size_t)(r->end - start));
	if (start[plain] != '"')
		return escaped(r, plain, n);
	*n = plain;
	r->p = start + plain + 1;
	return csa_arena_strndup(r->arena, start, plain);
}

/* ---- objects ---- */

static bool
same_name(const struct csa_node *a, const struct csa_node *b)
{
	return a->nname == b->nname && memcmp(a->name, b->name, a->nname) == 0;
}

/* The last value wins, in the place of the first. */
static void
replace(struct reader *r, struct csa_node *o, struct csa_node *before)
{
	struct csa_node	*last = before->next, *a = o->first;

	while (a != last && !same_name(a, last))
		a = a->next;
	if (a == last)
		return;
	a->type = last->type;
	a->s = last->s;
	a->n = last->n;
	a->first = last->first;
	before->next = NULL;
	o->n--;
	r->repeated++;
}

/*
 * The member behind `before` is new in the object; was its name there before?
 * In a large object that is asked of a table first.
 */
static struct csa_node *
settle(struct reader *r, struct csa_node *o, struct csa_node *before,
    struct csa_names *names)
{
	struct csa_node	*m;

	if (before == NULL)
		return o->first;
	m = before->next;
	if (o->n == FEW)
		for (struct csa_node *a = o->first; a != m; a = a->next)
			(void)csa_names_push(names, 0, a->name, a->nname,
			    false);
	if (o->n < FEW || !csa_names_push(names, 0, m->name, m->nname, false))
		replace(r, o, before);
	return before->next != NULL ? before->next : before;
}

static struct csa_node *value(struct reader *);

static void
members(struct reader *r, struct csa_node *o)
{
	struct csa_names	 names;
	struct csa_node		*last = NULL, *m;
	const char		*name;
	size_t			 n;

	csa_names_init(&names);
	while (r->repeated <= MAX_REPEATED && (blanks(r), *r->p != '}')) {
		if (*r->p == ',') {
			r->p++;
			blanks(r);
		}
		name = string(r, &n);
		blanks(r);
		r->p++;			/* the colon */
		m = value(r);
		m->name = name;
		m->nname = n;
		if (last != NULL)
			last->next = m;
		else
			o->first = m;
		o->n++;
		last = settle(r, o, last, &names);
	}
	csa_names_fini(&names);
}

static void
elements(struct reader *r, struct csa_node *a)
{
	struct csa_node	**end = &a->first;

	while (r->repeated <= MAX_REPEATED && (blanks(r), *r->p != ']')) {
		if (*r->p == ',')
			r->p++;
		*end = value(r);
		end = &(*end)->next;
		a->n++;
	}
}

static void
number(struct reader *r, struct csa_node *v)
{
	const char	*p = r->p;

	while (p < r->end && ((*p >= '0' && *p <= '9') || *p == '-' ||
	    *p == '+' || *p == '.' || *p == 'e' || *p == 'E'))
		p++;
	v->type = CSA_NODE_NUMBER;
	v->n = (size_t)(p - r->p);
	v->s = csa_arena_strndup(r->arena, r->p, v->n);
	r->p = p;
}

static struct csa_node *
value(struct reader *r)
{
	struct csa_node	*v = csa_arena_zalloc(r->arena, 1, sizeof(*v));

	blanks(r);
	switch (*r->p) {
	case '{':
		v->type = CSA_NODE_OBJECT;
		r->p++;
		members(r, v);
		r->p++;
		break;
	case '[':
		v->type = CSA_NODE_ARRAY;
		r->p++;
		elements(r, v);
		r->p++;
		break;
	case '"':
		v->type = CSA_NODE_STRING;
		v->s = string(r, &v->n);
		break;
	case 't':
		v->type = CSA_NODE_TRUE;
		r->p += 4;
		break;
	case 'f':
		v->type = CSA_NODE_FALSE;
		r->p += 5;
		break;
	case 'n':
		r->p += 4;
		break;
	default:
		number(r, v);
	}
	return v;
}

const struct csa_node *
csa_doc_checked(struct csa_arena *arena, const char *s, size_t n)
{
	struct reader		 r = { .arena = arena, .p = s, .end = s + n };
	const struct csa_node	*v = value(&r);

	return r.repeated <= MAX_REPEATED ? v : NULL;
}

const struct csa_node *
csa_doc(struct csa_arena *arena, const char *s, size_t n)
{
	const char	*why;
	size_t		 where;

	if (csa_json_check(s, n, &csa_json_reply_limits, &where, &why) == -1)
		return NULL;
	return csa_doc_checked(arena, s, n);
}

/* ---- looking ---- */

bool
csa_node_is(const struct csa_node *v, enum csa_node_type type)
{
	return v != NULL && v->type == type;
}

static const struct csa_node *
get(const struct csa_node *o, const char *name, size_t n)
{
	const struct csa_node	*m;

	if (!csa_node_is(o, CSA_NODE_OBJECT))
		return NULL;
	for (m = o->first; m != NULL; m = m->next)
		if (m->nname == n && memcmp(m->name, name, n) == 0)
			return m->type != CSA_NODE_NULL ? m : NULL;
	return NULL;
}

const struct csa_node *
csa_node_get(const struct csa_node *o, const char *name)
{
	return get(o, name, strlen(name));
}

const struct csa_node *
csa_node_at(const struct csa_node *o, const char *path)
{
	size_t	 n;

	for (;;) {
		n = strcspn(path, ".");
		CSA_MUST(n > 0 && n < STEPMAX);
		o = get(o, path, n);
		if (path[n] == '\0')
			return o;
		path += n + 1;
	}
}

const char *
csa_node_str(const struct csa_node *v)
{
	return csa_node_is(v, CSA_NODE_STRING) ? v->s : NULL;
}

double
csa_node_double(const struct csa_node *v)
{
	return csa_node_is(v, CSA_NODE_NUMBER) ?
	    csa_number_double(v->s, v->n) : 0;
}

/* The digits of an integer as it is written; false where it has too many. */
static bool
digits(const char *s, int64_t *v)
{
	bool		 minus = *s == '-';
	int64_t		 x = 0;

	for (s += minus; *s != '\0'; s++)
		if (__builtin_mul_overflow(x, 10, &x) ||
		    __builtin_sub_overflow(x, *s - '0', &x))
			return false;
	/* Counted below zero, where there is room for one more. */
	if (!minus && x == INT64_MIN)
		return false;
	*v = minus ? x : -x;
	return true;
}

int64_t
csa_node_int(const struct csa_node *v, int64_t otherwise)
{
	int64_t	 x;
	double	 d;

	if (!csa_node_is(v, CSA_NODE_NUMBER))
		return otherwise;
	if (strpbrk(v->s, ".eE") == NULL)
		return digits(v->s, &x) ? x : otherwise;
	d = csa_node_double(v);
	return d == floor(d) && fabs(d) <= EXACT ? (int64_t)d : otherwise;
}

static void
write_children(struct csa_buf *b, const struct csa_node *v)
{
	bool			 object = v->type == CSA_NODE_OBJECT;
	const struct csa_node	*c;

	csa_buf_putc(b, object ? '{' : '[');
	for (c = v->first; c != NULL; c = c->next) {
		if (c != v->first)
			csa_buf_putc(b, ',');
		if (object) {
			csa_buf_json(b, c->name, c->nname);
			csa_buf_putc(b, ':');
		}
		csa_node_write(b, c);
	}
	csa_buf_putc(b, object ? '}' : ']');
}

void
csa_node_write(struct csa_buf *b, const struct csa_node *v)
{
	static const char *const	 words[] = {
		[CSA_NODE_NULL] = "null",
		[CSA_NODE_FALSE] = "false",
		[CSA_NODE_TRUE] = "true",
	};

	switch (v->type) {
	case CSA_NODE_ARRAY:
	case CSA_NODE_OBJECT:
		write_children(b, v);
		break;
	case CSA_NODE_STRING:
		csa_buf_json(b, v->s, v->n);
		break;
	case CSA_NODE_NUMBER:
		csa_buf_add(b, v->s, v->n);
		break;
	default:
		csa_buf_puts(b, words[v->type]);
	}
}
