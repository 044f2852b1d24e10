/* The rules: which request gets which fault.  What a fault does: spoil.c. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/fault.h"

struct rule {
	struct rule	*next;
	char		 match[40];
	char		 contains[128];	/* in the body or the target */
	long		 count;		/* uses left; -1: no end */
	long		 skip;		/* leave out so many first */
	long		 every;		/* then one in so many */
	unsigned long	 seen, hits;
	struct emu_plan	 plan;
};

static const char *const names[] = {
#define FAULT(sym, name, when, text) [EMU_FAULT_##sym] = name,
#include "tests/emu/faults.def"
#undef FAULT
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule *rules;
static _Atomic int nrules;

bool
emu_op_matches(enum emu_op op, const char *pattern)
{
	const char *name = emu_op_name(op);
	size_t n = strlen(pattern);

	if (op == EMU_OP_CONTROL)
		return false;
	if (n != 0 && pattern[n - 1] == '*')
		return strncmp(name, pattern, n - 1) == 0;
	return strcmp(name, pattern) == 0;
}

static int
fault_by_name(const char *name, enum emu_fault *out)
{
	int i;

	for (i = 0; i < EMU_FAULT__MAX; i++)
		if (strcmp(names[i], name) == 0) {
			*out = (enum emu_fault)i;
			return 0;
		}
	return -1;
}

static void
plan_init(struct emu_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->chunk_delay_ms = -1;
	p->at = -1;
	p->step = 1;
	p->retry_after = -1;
	(void)snprintf(p->retry_delay, sizeof(p->retry_delay), "2s");
}

/* Set one field by its name in rules and headers.  0, or -1: no such. */
static int
plan_set(struct emu_plan *p, const char *key, const char *value)
{
	long n = strtol(value, NULL, 10);

	if (strcmp(key, "status") == 0)
		p->status = (int)n;
	else if (strcmp(key, "delay_ms") == 0)
		p->delay_ms = n;
	else if (strcmp(key, "chunk_delay_ms") == 0)
		p->chunk_delay_ms = n;
	else if (strcmp(key, "at") == 0)
		p->at = n;
	else if (strcmp(key, "step") == 0)
		p->step = n > 0 ? n : 1;
	else if (strcmp(key, "size") == 0)
		p->size = n;
	else if (strcmp(key, "retry_after") == 0)
		p->retry_after = strtod(value, NULL);
	else if (strcmp(key, "retry_delay") == 0)
		(void)snprintf(p->retry_delay, sizeof(p->retry_delay), "%s",
		    value);
	else if (strcmp(key, "after") == 0)
		p->after = strcmp(value, "true") == 0;
	else
		return -1;
	return 0;
}

static int
rule_set(struct rule *r, const char *key, struct json_object *v)
{
	const char *s = json_object_get_string(v);

	if (strcmp(key, "match") == 0)
		(void)snprintf(r->match, sizeof(r->match), "%s", s);
	else if (strcmp(key, "contains") == 0)
		(void)snprintf(r->contains, sizeof(r->contains), "%s", s);
	else if (strcmp(key, "count") == 0)
		r->count = json_object_get_int(v);
	else if (strcmp(key, "skip") == 0)
		r->skip = json_object_get_int(v);
	else if (strcmp(key, "every") == 0)
		r->every = json_object_get_int(v);
	else if (strcmp(key, "kind") == 0)
		return fault_by_name(s, &r->plan.fault);
	else
		return plan_set(&r->plan, key, s);
	return 0;
}

static int
add_one(struct json_object *o, char *why, size_t whylen)
{
	struct rule *r, **end;

	if (!json_object_is_type(o, json_type_object)) {
		(void)snprintf(why, whylen, "a rule is an object");
		return -1;
	}
	r = emu_calloc(1, sizeof(*r));
	plan_init(&r->plan);
	(void)snprintf(r->match, sizeof(r->match), "*");
	r->count = -1;
	json_object_object_foreach(o, key, v) {
		if (v == NULL || rule_set(r, key, v) == -1) {
			(void)snprintf(why, whylen, "bad \"%s\" in a rule",
			    key);
			free(r);
			return -1;
		}
	}
	pthread_mutex_lock(&lock);
	for (end = &rules; *end != NULL; end = &(*end)->next)
		continue;
	*end = r;
	nrules++;
	pthread_mutex_unlock(&lock);
	return 0;
}

int
emu_fault_add(struct json_object *o, char *why, size_t whylen)
{
	size_t i;

	if (!json_object_is_type(o, json_type_array))
		return add_one(o, why, whylen);
	for (i = 0; i < json_object_array_length(o); i++)
		if (add_one(json_object_array_get_idx(o, i), why, whylen) == -1)
			return -1;
	return 0;
}

void
emu_fault_clear(void)
{
	struct rule *r;

	pthread_mutex_lock(&lock);
	while ((r = rules) != NULL) {
		rules = r->next;
		free(r);
	}
	nrules = 0;
	pthread_mutex_unlock(&lock);
}

void
emu_fault_json(struct emu_buf *b)
{
	struct rule *r;

	pthread_mutex_lock(&lock);
	emu_buf_adds(b, "[");
	for (r = rules; r != NULL; r = r->next) {
		emu_buf_adds(b, r == rules ? "{\"match\":" : ",{\"match\":");
		emu_buf_jsons(b, r->match);
		emu_buf_addf(b, ",\"kind\":\"%s\",\"count\":%ld,\"skip\":%ld,"
		    "\"every\":%ld,\"seen\":%lu,\"hits\":%lu,\"status\":%d,"
		    "\"delay_ms\":%ld}", names[r->plan.fault], r->count,
		    r->skip, r->every, r->seen, r->hits, r->plan.status,
		    r->plan.delay_ms);
	}
	emu_buf_adds(b, "]");
	pthread_mutex_unlock(&lock);
}

static bool
mentions(const struct emu_req *rq, const char *text)
{
	if (text[0] == '\0' || strstr(rq->target, text) != NULL)
		return true;
	return rq->body.len != 0 && memmem(rq->body.p, rq->body.len, text,
	    strlen(text)) != NULL;
}

/* Does the rule hit this request?  Counts it either way. */
static bool
hit(struct rule *r, const struct emu_req *rq)
{
	if (!emu_op_matches(rq->op, r->match) || !mentions(rq, r->contains))
		return false;
	r->seen++;
	if (r->skip > 0) {
		r->skip--;
		return false;
	}
	if (r->count == 0)
		return false;
	if (r->every > 1 && r->seen % (unsigned long)r->every != 0)
		return false;
	if (r->count > 0)
		r->count--;
	r->hits++;
	return true;
}

/* Rules that only delay add up; of the others the first one wins. */
static void
apply_rules(struct emu_req *rq)
{
	struct rule *r;
	long delay = rq->plan.delay_ms;
	bool chosen = rq->plan.fault != EMU_FAULT_NONE;

	pthread_mutex_lock(&lock);
	for (r = rules; r != NULL; r = r->next) {
		if ((chosen && r->plan.fault != EMU_FAULT_NONE) || !hit(r, rq))
			continue;
		delay += r->plan.delay_ms;
		if (r->plan.fault != EMU_FAULT_NONE) {
			rq->plan = r->plan;
			chosen = true;
		} else if (r->plan.chunk_delay_ms >= 0) {
			rq->plan.chunk_delay_ms = r->plan.chunk_delay_ms;
		}
	}
	pthread_mutex_unlock(&lock);
	rq->plan.delay_ms = delay;
}

/* "kind; name=value; ..."; what is not understood is left out. */
static void
from_header(struct emu_plan *p, const char *text)
{
	char copy[256], *save = NULL, *part, *eq;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (part = strtok_r(copy, "; ", &save); part != NULL;
	    part = strtok_r(NULL, "; ", &save)) {
		if ((eq = strchr(part, '=')) == NULL) {
			(void)fault_by_name(part, &p->fault);
			continue;
		}
		*eq = '\0';
		(void)plan_set(p, part, eq + 1);
	}
}

void
emu_fault_plan(struct emu_req *rq)
{
	const char *h;

	plan_init(&rq->plan);
	if (rq->op == EMU_OP_CONTROL)
		return;
	if ((h = emu_header(rq, "X-Emu-Fault")) != NULL)
		from_header(&rq->plan, h);
	if ((h = emu_header(rq, "X-Emu-Delay-Ms")) != NULL)
		rq->plan.delay_ms += strtol(h, NULL, 10);
	if ((h = emu_header(rq, "X-Emu-Chunk-Delay-Ms")) != NULL)
		rq->plan.chunk_delay_ms = strtol(h, NULL, 10);
	if (nrules != 0)
		apply_rules(rq);
}
