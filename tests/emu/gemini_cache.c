/* cachedContents: created, listed, prolonged, deleted, gone by their TTL. */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/words.h"

#define NAME	"cachedContents/"
#define MAXTTL	(86400.0 * 365)

struct cached {
	struct cached	*next;
	char		 id[24], display[130];
	const struct emu_model *model;
	struct emu_prompt prompt;
	long		 tokens;
	double		 created, updated, expires;	/* UTC seconds */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cached *all;

static double
utc(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
forget(struct cached **at)
{
	struct cached *c = *at;

	*at = c->next;
	emu_prompt_fini(&c->prompt);
	free(c);
}

/* Where the entry hangs, or NULL; what has expired goes on the way. */
static struct cached **
find(const char *id)
{
	struct cached **at = &all;

	while (*at != NULL) {
		if ((*at)->expires <= utc()) {
			forget(at);
			continue;
		}
		if (strcmp((*at)->id, id) == 0)
			return at;
		at = &(*at)->next;
	}
	return NULL;
}

static void
put_time(struct emu_buf *b, const char *name, double t)
{
	time_t s = (time_t)t;
	struct tm tm;
	char text[40];

	(void)gmtime_r(&s, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	emu_buf_addf(b, "\"%s\":\"%s.%06ldZ\",", name, text,
	    (long)((t - (double)s) * 1e6));
}

static void
write_cached(struct emu_buf *b, const struct cached *c)
{
	emu_buf_addf(b, "{\"name\":\"" NAME "%s\",\"model\":\"models/%s\",",
	    c->id, c->model->id);
	put_time(b, "createTime", c->created);
	put_time(b, "updateTime", c->updated);
	put_time(b, "expireTime", c->expires);
	emu_buf_adds(b, "\"displayName\":");
	emu_buf_jsons(b, c->display);
	emu_buf_addf(b, ",\"usageMetadata\":{\"totalTokenCount\":%ld}}",
	    c->tokens);
}

/* ttl "600s" or expireTime; an hour without either.  0, or -1 answered. */
static int
read_expiry(struct emu_gem *g, double *expires)
{
	const char *ttl = emu_gem_str(g->rq->json, "ttl");
	const char *at = emu_gem_str(g->rq->json, "expireTime");
	struct tm tm = { .tm_isdst = 0 };
	double secs = 3600;
	char *end;

	if (at != NULL) {
		if (strptime(at, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
			return emu_gem_fail(g, 400,
			    "Invalid value at 'expire_time'");
		*expires = (double)timegm(&tm);
		return 0;
	}
	if (ttl != NULL) {
		secs = strtod(ttl, &end);
		if (end == ttl || strcmp(end, "s") != 0 || !(secs > 0) ||
		    secs > MAXTTL)
			return emu_gem_fail(g, 400, "Invalid value at 'ttl' "
			    "(type.googleapis.com/google.protobuf.Duration)");
	}
	*expires = utc() + secs;
	return 0;
}

/* Read the contents into a prompt of the entry's own. */
static int
read_prompt(struct emu_gem *g)
{
	struct json_object *c = emu_gem_get(g->rq->json, "contents");
	struct json_object *sys = emu_gem_get(g->rq->json, "systemInstruction");
	struct json_object *parts = emu_gem_get(sys, "parts"), *t;
	size_t i;

	if (json_object_is_type(parts, json_type_array))
		for (i = 0; i < json_object_array_length(parts); i++) {
			t = emu_gem_get(json_object_array_get_idx(parts, i),
			    "text");
			if (json_object_is_type(t, json_type_string))
				emu_prompt_add(&g->prompt, "system",
				    json_object_get_string(t), (size_t)
				    json_object_get_string_len(t));
		}
	if (json_object_is_type(c, json_type_array))
		return emu_gem_read_contents(g, c);
	return 0;
}

static void
create(struct emu_gem *g)
{
	const char *model = emu_gem_str(g->rq->json, "model"), *display;
	const struct emu_model *m;
	struct cached *c;
	double expires;

	if (emu_gem_check_names(g, g->rq->json, "model|contents|tools|"
	    "systemInstruction|toolConfig|displayName|ttl|expireTime",
	    "") == -1)
		return;
	if (model == NULL ||
	    (m = emu_gem_model(model, strlen(model))) == NULL) {
		(void)emu_gem_fail(g, 404, "Model %s is not found.",
		    model != NULL ? model : "");
		return;
	}
	if (read_expiry(g, &expires) == -1 || read_prompt(g) == -1)
		return;
	display = emu_gem_str(g->rq->json, "displayName");
	c = emu_calloc(1, sizeof(*c));
	(void)snprintf(c->id, sizeof(c->id), "%s", g->id);
	(void)snprintf(c->display, sizeof(c->display), "%s",
	    display != NULL ? display : "");
	c->model = m;
	c->tokens = (long)emu_tokens(g->prompt.text_bytes);
	c->created = c->updated = utc();
	c->expires = expires;
	c->prompt = g->prompt;
	memset(&g->prompt, 0, sizeof(g->prompt));
	emu_reply_json(g->rq, 200);
	pthread_mutex_lock(&lock);
	c->next = all;
	all = c;
	write_cached(&g->rq->rep.body, c);
	pthread_mutex_unlock(&lock);
}

static void
list(struct emu_gem *g)
{
	struct emu_buf *b = &g->rq->rep.body;
	struct cached *c;

	emu_reply_json(g->rq, 200);
	pthread_mutex_lock(&lock);
	(void)find("");			/* drops the expired */
	emu_buf_adds(b, "{");
	for (c = all; c != NULL; c = c->next) {
		emu_buf_adds(b, c == all ? "\"cachedContents\":[" : ",");
		write_cached(b, c);
	}
	emu_buf_adds(b, all != NULL ? "]}" : "}");
	pthread_mutex_unlock(&lock);
}

static void
one(struct emu_gem *g, const char *id)
{
	const char *method = g->rq->method;
	struct cached **at;
	double expires = 0;

	if (strcmp(method, "PATCH") == 0 && read_expiry(g, &expires) == -1)
		return;
	pthread_mutex_lock(&lock);
	if ((at = find(id)) == NULL) {
		(void)emu_gem_fail(g, 404, "CachedContent not found "
		    "(or permission denied)");
		pthread_mutex_unlock(&lock);
		return;
	}
	emu_reply_json(g->rq, 200);
	if (strcmp(method, "DELETE") == 0) {
		forget(at);
		emu_buf_adds(&g->rq->rep.body, "{}");
	} else {
		if (strcmp(method, "PATCH") == 0) {
			(*at)->expires = expires;
			(*at)->updated = utc();
		}
		write_cached(&g->rq->rep.body, *at);
	}
	pthread_mutex_unlock(&lock);
}

void
emu_gem_cache(struct emu_gem *g)
{
	const char *id = g->rest + strlen("cachedContents");

	if (emu_gem_parse(g) == -1)
		return;
	if (id[0] == '/')
		one(g, id + 1);
	else if (strcmp(g->rq->method, "POST") == 0)
		create(g);
	else
		list(g);
}

/* Put the cached texts in front of the prompt, and count them as cached. */
int
emu_gem_use_cache(struct emu_gem *g, struct json_object *req)
{
	const char *name = emu_gem_str(req, "cachedContent");
	struct cached **at = NULL;

	if (name == NULL)
		return 0;
	pthread_mutex_lock(&lock);
	if (strncmp(name, NAME, strlen(NAME)) == 0)
		at = find(name + strlen(NAME));
	if (at != NULL) {
		const struct emu_prompt *p = &(*at)->prompt;

		g->cached_tokens = (*at)->tokens;
		emu_buf_add(&g->prompt.all, p->all.p, p->all.len);
		emu_buf_add(&g->prompt.system, p->system.p, p->system.len);
		emu_buf_add(&g->prompt.others, p->others.p, p->others.len);
		emu_buf_add(&g->prompt.others, p->last.p, p->last.len);
	}
	pthread_mutex_unlock(&lock);
	if (at == NULL)
		return emu_gem_fail(g, 403, "CachedContent not found "
		    "(or permission denied)");
	if (emu_gem_get(req, "systemInstruction") != NULL ||
	    emu_gem_get(req, "tools") != NULL)
		return emu_gem_fail(g, 400, "CachedContent can not be used with"
		    " GenerateContent request setting system_instruction, tools"
		    " or tool_config.");
	return 0;
}

void
emu_gem_cache_reset(void)
{
	pthread_mutex_lock(&lock);
	while (all != NULL)
		forget(&all);
	pthread_mutex_unlock(&lock);
}
