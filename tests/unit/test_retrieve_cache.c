/*
 * What a question has found, kept and found again: the key, the value, and what
 * storing, replacing and deleting do to it, with a memcached of the test's own.
 */
#include "config.h"

#include <check.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/cache/cache.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/provider_script.h"
#include "lib/rag/retrieve_cache.h"
#include "lib/vector/vector_script.h"
#include "tests/suite.h"
#include "tests/unit/cache_fixture.h"

static struct csa_arena	*arena;

static void
setup(void)
{
	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	arena = csa_arena_new();
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

/* ---- the question ---- */

static const struct {
	const char	*from, *to;
} questions[] = {
	{ "a", "a" },
	{ "a b", "a b" },
	{ " a", "a" },
	{ "a ", "a" },
	{ "  a \t\r\n b  ", "a b" },
	{ "a\nb", "a b" },
	{ "a\xc2\xa0" "b", "a b" },
	{ "\xe3\x80\x80\xe5\x9b\xbe\xe3\x80\x80\xe3\x80\x80\xe4\xb9\xa6",
	    "\xe5\x9b\xbe \xe4\xb9\xa6" },
	/* Case, marks, what shows as nothing: not ours to change. */
	{ "A? b!", "A? b!" },
	{ "a\xe2\x80\x8b" "b", "a\xe2\x80\x8b" "b" },
	{ "\xc3\x89", "\xc3\x89" },
	{ "e\xcc\x81", "e\xcc\x81" },
	{ " ", "" },
	{ "", "" },
};

START_TEST(white_space_is_all_that_is_normalised)
{
	const char	*from = questions[_i].from, *to;

	to = csa_question(arena, from);
	ck_assert_str_eq(to, questions[_i].to);
	/* Nothing is copied that need not be; and once is enough. */
	ck_assert_int_eq(to == from, strcmp(from, to) == 0);
	ck_assert_ptr_eq(csa_question(arena, to), to);
}
END_TEST

/* ---- the key ---- */

static struct csa_embedder	 some_embedder = { NULL, "gemini", "m#768" };
static struct csa_vectors	 some_vectors = { NULL, "pinecone", true };

struct asked {
	struct csa_rag		 rag;
	struct csa_embedder	 embedder;
	struct csa_vectors	 vectors;
	struct csa_scope	 scope;
	struct csa_generation	 g;
	const char		*question;
	size_t			 k;
};

static struct asked
some_question(void)
{
	return (struct asked){
		.rag = {
			.text_weight = .6, .retrieval_ttl = 60,
			.space = { .embedding_url = "https://e",
			    .query_model = "q", .query_prefix = "query: ",
			    .passage_prefix = "passage: ",
			    .query_body = "{}", .passage_body = "{ }",
			    .index = "i", .index_host = "https://h",
			    .controller = "https://c" },
		},
		.embedder = some_embedder, .vectors = some_vectors,
		.scope = { "t", "b" },
		.g = { .store = 7, .token = "0123456789abcdef"
		    "0123456789abcdef", .changed = 1 },
		.question = "is it so?", .k = 5,
	};
}

static const char *
name_of(const struct asked *a)
{
	static struct csa_cache_key	 key;
	struct csa_rag			 rag = a->rag;
	struct csa_embedder		 e = a->embedder;
	struct csa_vectors		 v = a->vectors;

	rag.embedder = e.name != NULL ? &e : NULL;
	rag.vectors = v.name != NULL ? &v : NULL;
	csa_lookup_key(&rag, &a->scope, &a->g, a->question, a->k, &key);
	ck_assert_int_eq(key.kind, CSA_CACHE_RETRIEVAL);
	return key.name;
}

/*
 * Made by another program, from key.h alone.  When these change, all that is kept
 * becomes unknown, which is right where a version was raised, and else is not.
 */
#define GOLDEN_WITH_VECTORS						\
	"csa:r:255724c3a23d45cc12683994f1397af6"						\
	"705e5e497286e3df47c3fce5236ff8ca"
#define GOLDEN_TEXT_ALONE						\
	"csa:r:a057ba577576cd3a5f68a83c0280a387"						\
	"e4712d61b878b7194ee2138627aa62a2"

START_TEST(the_key_is_what_it_was)
{
	struct asked	 a = some_question();

	ck_assert_str_eq(name_of(&a), GOLDEN_WITH_VECTORS);
	a.embedder.name = a.vectors.name = NULL;
	ck_assert_str_eq(name_of(&a), GOLDEN_TEXT_ALONE);
}
END_TEST

/* Each changes one thing that decides what is found. */
#define CHANGES(C)							\
	C(a.scope.tenant = "u")						\
	C(a.scope.tenant = "")						\
	C(a.scope.bot = "c")						\
	C(a.scope = ((struct csa_scope){ "tb", "" }))			\
	C(a.g.store++)							\
	C(a.g.token[31] ^= 1)						\
	C(a.question = "is it so")					\
	C(a.question = "Is it so?")					\
	C(a.k = 6)							\
	C(a.rag.text_weight = nextafter(.6, 1))				\
	C(a.embedder.name = "openai")					\
	C(a.embedder.model = "m#1536")					\
	C(a.embedder.name = NULL)					\
	C(a.vectors.name = "local")					\
	C(a.rag.space.embedding_url = "https://f")			\
	C(a.rag.space.query_model = "r")				\
	C(a.rag.space.query_prefix = "")				\
	C(a.rag.space.query_prefix = NULL)				\
	C(a.rag.space.passage_prefix = "query: ")			\
	C(a.rag.space.query_body = "{\"a\":1}")				\
	C(a.rag.space.passage_body = "{}")				\
	C(a.rag.space.index = "j")					\
	C(a.rag.space.index_host = "https://i")				\
	C(a.rag.space.controller = "https://d")				\
	C(swap(&a.rag.space.query_prefix, &a.rag.space.passage_prefix))	\
	C(swap(&a.rag.space.index, &a.rag.space.query_model))

static void
swap(const char **a, const char **b)
{
	const char	*t = *a;

	*a = *b;
	*b = t;
}

START_TEST(whatever_decides_changes_the_key)
{
	char		 names[32][80];
	size_t		 n = 0;
	struct asked	 a = some_question();

	strcpy(names[n++], name_of(&a));
#define CHANGE(what)							\
	a = some_question();						\
	what;								\
	strcpy(names[n++], name_of(&a));
	CHANGES(CHANGE)
	ck_assert_uint_le(n, 32);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(names[i], names[j]) != 0,
			    "changes %zu and %zu have one key", j, i);
	/* Every field of the space is among them: nine strings. */
	_Static_assert(sizeof(struct csa_space) == 9 * sizeof(char *),
	    "a setting more: add it to csa_rag_key and to CHANGES");
}
END_TEST

START_TEST(what_decides_nothing_does_not)
{
	struct asked	 a = some_question();
	char		 name[80];

	strcpy(name, name_of(&a));
	a.rag.may_degrade = true;
	a.rag.retrieve_ms = 9;
	a.rag.context_tokens = 9;
	a.rag.retrieval_ttl = 9;
	a.g.changed = 9;
	ck_assert_str_eq(name_of(&a), name);
	/* Without vectors their settings are nobody's. */
	a.embedder.name = NULL;
	strcpy(name, name_of(&a));
	a.rag.text_weight = .1;
	a.rag.space.index = "j";
	ck_assert_str_eq(name_of(&a), name);
}
END_TEST

/* ---- the value ---- */

static struct csa_passage	 some_passages[] = {
	{ { .id = "d-0", .document_id = "d", .text = "plum", .len = 4,
	    .title = "" }, 1 },
	{ { .id = "f\xc3\xa9-1", .document_id = "far", .text = "a\0b",
	    .len = 3, .title = "T", .metadata = "{\"p\":1}" }, .5 },
	{ { .id = "x", .document_id = "far", .text = "y", .len = 1,
	    .title = "" }, 0 },
};
static const bool		 some_elsewhere[] = { false, true, true };
static struct csa_text_hit	 some_hits[] = {
	{ { .id = "d-0" }, 3, 2 }, { { .id = "gone" }, 2, 2 },
};
static struct csa_term		 some_terms[] = {
	{ "plum", 1.5, 3, false }, { "\xe5\x9b\xbe", .1, 1000000, true },
};
static const struct csa_found	 some_found = {
	.passages = some_passages, .n = 3, .elsewhere = some_elsewhere,
	.text = { .hits = some_hits, .nhits = 2, .terms = some_terms,
	    .nterms = 2, .ideal = 4.4 },
};

static struct csa_buf
encoded(const struct csa_found *found)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 1 << 20);
	csa_found_encode(&b, found);
	ck_assert(!b.failed);
	return b;
}

static int
decode(const void *data, size_t n, struct csa_found *found)
{
	const uint32_t	*of;

	return csa_found_decode(arena, data, n, 5, found, &of);
}

START_TEST(what_was_kept_is_read)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;

	ck_assert_int_eq(csa_found_decode(arena, b.data, b.len, 3, &got, &of),
	    1);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_str_eq(got.passages[0].chunk.id, "d-0");
	ck_assert_ptr_null(got.passages[0].chunk.text);
	ck_assert_double_eq(got.passages[0].score, 1);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(got.elsewhere[i], some_elsewhere[i]);
	for (size_t i = 1; i < 3; i++) {
		const struct csa_chunk *c = &got.passages[i].chunk;
		const struct csa_chunk *o = &some_passages[i].chunk;

		ck_assert_str_eq(c->id, o->id);
		ck_assert_str_eq(c->document_id, o->document_id);
		ck_assert_str_eq(c->title, o->title);
		ck_assert_uint_eq(c->len, o->len);
		ck_assert_mem_eq(c->text, o->text, o->len + 1);
		ck_assert_pstr_eq(c->metadata, o->metadata);
	}
	/* The hit of what is no passage is nobody's business. */
	ck_assert_uint_eq(got.text.nhits, 1);
	ck_assert_uint_eq(of[0], 0);
	ck_assert_double_eq(got.text.hits[0].score, 3);
	ck_assert_double_eq(got.text.hits[0].bm25, 2);
	ck_assert_double_eq(got.text.ideal, 4.4);
	ck_assert_uint_eq(got.text.nterms, 2);
	ck_assert_str_eq(got.text.terms[1].text, "\xe5\x9b\xbe");
	ck_assert_double_eq(got.text.terms[1].idf, .1);
	ck_assert_uint_eq(got.text.terms[1].df, 1000000);
	ck_assert(got.text.terms[1].prefix && !got.text.terms[0].prefix);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(nothing_found_is_worth_keeping)
{
	const struct csa_found	 nothing = { .n = 0 };
	struct csa_buf		 b = encoded(&nothing);
	struct csa_found	 got;

	ck_assert_int_eq(decode(b.data, b.len, &got), 1);
	ck_assert_uint_eq(got.n, 0);
	ck_assert_uint_eq(got.text.nhits, 0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(cut_or_longer_it_is_none)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	void			*copy;

	for (size_t n = 0; n < b.len; n++) {
		/* Of its own size, so that a read behind it is seen. */
		copy = csa_malloc(n + 1);
		memcpy(copy, b.data, n);
		ck_assert_int_eq(decode(copy, n, &got), 0);
		free(copy);
	}
	csa_buf_putc(&b, '\0');
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

/* Whatever a byte becomes, what is read is sound. */
static void
assert_sound(const struct csa_found *f, const uint32_t *of)
{
	ck_assert_uint_le(f->n, 5);
	for (size_t i = 0; i < f->n; i++) {
		ck_assert(isfinite(f->passages[i].score));
		ck_assert(i == 0 || f->passages[i].score <=
		    f->passages[i - 1].score);
		ck_assert_str_ne(f->passages[i].chunk.id, "");
		ck_assert_int_eq(f->passages[i].chunk.text != NULL,
		    f->elsewhere[i]);
	}
	ck_assert_uint_le(f->text.nhits, f->n);
	for (size_t i = 0; i < f->text.nhits; i++)
		ck_assert(of[i] < f->n && isfinite(f->text.hits[i].bm25));
	for (size_t i = 0; i < f->text.nterms; i++)
		ck_assert_str_ne(f->text.terms[i].text, "");
}

START_TEST(any_byte_may_be_wrong)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;
	unsigned char		*p = (unsigned char *)b.data;

	for (size_t i = 0; i < b.len; i++)
		for (int v = 0; v < 256; v++) {
			unsigned char	 was = p[i];

			p[i] = (unsigned char)v;
			if (csa_found_decode(arena, b.data, b.len, 5, &got,
			    &of) == 1)
				assert_sound(&got, of);
			p[i] = was;
			csa_arena_reset(arena);
		}
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_more_than_was_asked_for)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;

	ck_assert_int_eq(csa_found_decode(arena, b.data, b.len, 2, &got, &of),
	    0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_passage_twice)
{
	struct csa_passage	 p[3];
	struct csa_found	 f = some_found, got;
	struct csa_buf		 b;

	memcpy(p, some_passages, sizeof(p));
	f.passages = p;
	p[2].chunk.id = "d-0";
	b = encoded(&f);
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

static const double	 no_scores[] = { NAN, INFINITY, -1 };

START_TEST(scores_are_numbers_that_fall)
{
	struct csa_passage	 p[3];
	struct csa_found	 f = some_found, got;
	struct csa_buf		 b;

	memcpy(p, some_passages, sizeof(p));
	f.passages = p;
	p[0].score = _i < 3 ? no_scores[_i] : .4;
	b = encoded(&f);
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

/* ---- with a store and a memcached ---- */

static char			 dir[64];
static struct host		 host;
static struct csa_store		*store;
static struct csa_rag		 rag;
static struct csa_ctx		 ctx;
static struct csa_err		 err;
static struct csa_found		 found;
static struct csa_vectors_script index_script;
static const struct csa_scope	 one = { "", "one" }, other = { "t", "one" };

static void
service_setup(void)
{
	setup();
	mc_start();
	host_open(&host, true);
	snprintf(dir, sizeof(dir), "/tmp/csa-found-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	store = csa_store_sqlite_open(dir, 2, &err);
	ck_assert_ptr_nonnull(store);
	index_script = (struct csa_vectors_script){ .remote = true };
	rag = (struct csa_rag){ .store = store, .text_weight = .6,
	    .cache = host.cache, .retrieval_ttl = 600, .may_degrade = true };
	memset(&ctx, 0, sizeof(ctx));
	ctx.arena = arena;
	ctx.deadline = csa_now_ms() + patience(60000);
}

static int
remove_one(const char *path, const struct stat *sb, int kind, struct FTW *ftw)
{
	(void)sb;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void
service_teardown(void)
{
	if (rag.embedder != NULL)
		rag.embedder->ops->close(rag.embedder);
	if (rag.vectors != NULL)
		rag.vectors->ops->close(rag.vectors);
	host_close(&host);
	store->ops->close(store);
	csa_metrics_close();
	mc_stop();
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	teardown();
}

/* An index far away, which this host's changes are older than. */
static void
with_vectors(void)
{
	rag.embedder = csa_embedder_script_open(4, 0);
	rag.vectors = csa_vectors_script_open(&index_script);
}

static void
put(const struct csa_scope *scope, const char *id, const char *text)
{
	struct csa_chunk	 c = { .id = csa_arena_printf(arena, "%s-0",
				    id), .text = text, .len = strlen(text),
				    .title = "" };

	ck_assert_msg(csa_ingest(&rag, &ctx, scope, id, NULL, &c, 1, &err) ==
	    0, "%s %s", err.msg, err.detail);
}

static void
ask(const struct csa_scope *scope, const char *question, size_t k)
{
	struct csa_timings	 t = { 0, 0, 0 };

	ck_assert_msg(csa_retrieve(&rag, &ctx, scope, question, k, &found, &t,
	    &err) == 0, "%s %s", err.msg, err.detail);
	ck_assert_int_gt(t.retrieve, 0);
}

/* It was, or was not, cached; the best passage says so. */
static void
assert_found(bool cached, const char *text)
{
	ck_assert_int_eq(found.cached, cached);
	if (text == NULL) {
		ck_assert_uint_eq(found.n, 0);
		return;
	}
	ck_assert_uint_gt(found.n, 0);
	ck_assert_str_eq(found.passages[0].chunk.text, text);
}

START_TEST(asked_again_it_is_the_same)
{
	struct csa_found	 first;

	put(&one, "d", "a ripe plum");
	put(&one, "e", "a plum tree");
	ask(&one, "where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
	first = found;
	ask(&one, "where is a ripe plum?", 5);
	assert_found(true, "a ripe plum");
	ck_assert_uint_eq(found.n, first.n);
	for (size_t i = 0; i < found.n; i++) {
		ck_assert_str_eq(found.passages[i].chunk.id,
		    first.passages[i].chunk.id);
		ck_assert_str_eq(found.passages[i].chunk.document_id,
		    first.passages[i].chunk.document_id);
		ck_assert_double_eq(found.passages[i].score,
		    first.passages[i].score);
		ck_assert_str_eq(found.text.hits[i].chunk.id,
		    first.text.hits[i].chunk.id);
		ck_assert_double_eq(found.text.hits[i].bm25,
		    first.text.hits[i].bm25);
	}
	ck_assert_uint_eq(found.text.nterms, first.text.nterms);
	ck_assert_str_eq(found.text.terms[0].text, first.text.terms[0].text);
	ck_assert_double_eq(found.text.ideal, first.text.ideal);
	/* White space is nothing; all else is another question. */
	ask(&one, "  where is\na ripe   plum?", 5);
	assert_found(true, "a ripe plum");
	ask(&one, "Where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
	ask(&one, "where is a ripe plum?", 1);
	assert_found(false, "a ripe plum");
	ask(&other, "where is a ripe plum?", 5);
	assert_found(false, NULL);
	ask(&other, "where is a ripe plum?", 5);
	assert_found(true, NULL);
	rag.retrieval_ttl = 0;
	ask(&one, "where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
}
END_TEST

START_TEST(a_change_is_seen_at_once)
{
	struct csa_ids	 gone;

	put(&one, "d", "the plum is red");
	put(&other, "d", "the plum is blue");
	for (int i = 0; i < 2; i++) {
		ask(&one, "plum?", 5);
		assert_found(i > 0, "the plum is red");
		ask(&other, "plum?", 5);
		assert_found(i > 0, "the plum is blue");
	}
	put(&one, "d", "the plum is green");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	/* The other tenant's is untouched. */
	ask(&other, "plum?", 5);
	assert_found(true, "the plum is blue");
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone, &err), 1);
	ask(&one, "plum?", 5);
	assert_found(false, NULL);
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone, &err), 0);
	ask(&one, "plum?", 5);
	assert_found(true, NULL);
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
}
END_TEST

/* Either part of the generation alone. */
START_TEST(flushed_it_is_searched_anew)
{
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	if (_i == 0)
		ck_assert_int_eq(store->ops->touch(store, &ctx, &one, &err),
		    1);
	else
		csa_generation_bump(rag.cache, &ctx, &one);
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
}
END_TEST

/* What an old key still names may be gone: then all of it is searched for. */
START_TEST(an_id_that_is_gone_is_a_miss)
{
	struct csa_generation	 g;
	struct csa_cache_key	 key;
	struct csa_found	 f = { .passages = some_passages, .n = 1 };
	struct csa_buf		 b = encoded(&f);

	put(&one, "d", "the plum is red");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	csa_lookup_key(&rag, &one, &g, "plum?", 5, &key);
	csa_cache_put(rag.cache, &ctx, &key, b.data, b.len, 60);
	csa_buf_fini(&b);
	/* some_passages[0] is d-0, which is there, under the score 1 ... */
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	ck_assert_double_eq(found.passages[0].score, 1);
	/* ... and this one is not. */
	some_passages[0].chunk.id = "e-0";
	b = encoded(&f);
	csa_cache_put(rag.cache, &ctx, &key, b.data, b.len, 60);
	csa_buf_fini(&b);
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
}
END_TEST

/* A caller who has read the generation says so, and it is believed. */
START_TEST(the_generation_is_read_once)
{
	struct csa_generation	 g;

	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	ck_assert_uint_gt(g.store, 0);
	ck_assert_uint_eq(strlen(g.token), 32);
	rag.generation = &g;
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	/* Not known: no cache. */
	memset(&g, 0, sizeof(g));
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
}
END_TEST

START_TEST(without_memcached_it_is_searched)
{
	struct csa_generation	 g;

	host_close(&host);
	mc_config.memcached_timeout_ms = 50;
	host_open(&host, true);
	rag.cache = host.cache;
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	mc_hang(true);
	for (int i = 0; i < 5; i++) {
		ask(&one, "plum?", 5);
		assert_found(false, "the plum is red");
	}
	put(&one, "d", "the plum is green");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 0);
	ck_assert_str_eq(g.token, "");
	ck_assert_uint_gt(g.store, 0);
	ck_assert(!csa_rag_may_keep(&rag, &g));
	rag.cache = NULL;
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	mc_hang(false);
}
END_TEST

START_TEST(nothing_is_kept_for_a_minute)
{
	struct csa_cache_key	 key;
	struct csa_generation	 g;

	put(&one, "d", "the plum is red");
	for (int i = 0; i < 2; i++) {
		ask(&one, "submarine?", 5);
		assert_found(i == 1, NULL);
	}
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	csa_lookup_key(&rag, &one, &g, "submarine?", 5, &key);
	ck_assert_int_gt(mc_ttl(key.name), 0);
	ck_assert_int_le(mc_ttl(key.name), 66);
	ask(&one, "plum?", 5);
	csa_lookup_key(&rag, &one, &g, "plum?", 5, &key);
	ck_assert_int_gt(mc_ttl(key.name), 500);
}
END_TEST

START_TEST(degraded_it_is_not_kept)
{
	rag.embedder = csa_embedder_fail_open();
	rag.vectors = csa_vectors_script_open(&index_script);
	for (int i = 0; i < 2; i++) {
		ask(&one, "plum?", 5);
		ck_assert_str_eq(found.degraded, "embedding_unavailable");
		ck_assert(!found.cached);
	}
}
END_TEST

/* Another host's passage, which only the index has the text of. */
START_TEST(a_text_from_elsewhere_comes_along)
{
	struct csa_vec_hit	 hits[] = { { { .id = "far-0",
	    .document_id = "far", .text = "a plum far away", .len = 15,
	    .title = "Far", .metadata = "{\"p\":1}" }, .9 } };
	struct csa_generation	 g;

	with_vectors();
	index_script.hits = hits;
	index_script.nhits = 1;
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	/* The token is new: everything of it may be, too. */
	ck_assert(!csa_rag_may_keep(&rag, &g));
	ask(&one, "plum?", 5);
	ask(&one, "plum?", 5);
	assert_found(false, "a plum far away");
	/* In ten seconds' time. */
	g.changed -= CSA_SETTLE_MS;
	ck_assert(csa_rag_may_keep(&rag, &g));
	rag.generation = &g;
	ask(&one, "plum?", 5);
	assert_found(false, "a plum far away");
	ck_assert(found.elsewhere[0]);
	ck_assert_uint_eq(index_script.queries, 3);
	ask(&one, "plum?", 5);
	assert_found(true, "a plum far away");
	ck_assert_str_eq(found.passages[0].chunk.document_id, "far");
	ck_assert_str_eq(found.passages[0].chunk.title, "Far");
	ck_assert_str_eq(found.passages[0].chunk.metadata, "{\"p\":1}");
	ck_assert_uint_eq(index_script.queries, 3);
	ck_assert_uint_gt(csa_metric_value(CSA_M_cache_saved_tokens,
	    "retrieval"), 0);
}
END_TEST

START_TEST(the_far_end_needs_time)
{
	int64_t			 now = csa_wall_ms();
	struct csa_generation	 g = { .token = "x" };
	static const struct {
		int64_t	 changed, store;	/* ms ago */
		bool	 may;
	} cases[] = {
		{ 60000, 60000, true }, { 9000, 60000, false },
		{ 60000, 9000, false }, { 0, 0, false },
		{ 10500, 10500, true }, { -5000, 60000, false },
		{ 60000, -5000, false },
		/* A clock that is a day ahead tells nothing. */
		{ -86400000, 60000, true }, { 60000, -86400000, true },
	};

	for (size_t i = 0; i < CSA_NITEMS(cases); i++) {
		g.changed = now - cases[i].changed;
		g.store = (uint64_t)(now - cases[i].store);
		rag.vectors = &some_vectors;
		ck_assert_msg(csa_rag_may_keep(&rag, &g) == cases[i].may,
		    "case %zu", i);
		rag.vectors = NULL;
		ck_assert(csa_rag_may_keep(&rag, &g));
	}
	g.token[0] = '\0';
	ck_assert(!csa_rag_may_keep(&rag, &g));
}
END_TEST

/* All hosts learn of what was begun at the far end, however it ended. */
START_TEST(a_failure_half_way_is_told_too)
{
	struct csa_generation	 before, after;
	struct csa_chunk	 c = { .id = "d-0", .text = "plum", .len = 4,
				    .title = "" };
	struct csa_ids		 gone;

	with_vectors();
	put(&one, "d", "plum");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &before), 1);
	index_script.fail_at = index_script.calls + 1;
	if (_i == 0)
		ck_assert_int_eq(csa_ingest(&rag, &ctx, &one, "d", NULL, &c,
		    1, &err), -1);
	else
		ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone,
		    &err), -1);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &after), 1);
	ck_assert_uint_eq(after.store, before.store);
	ck_assert_str_ne(after.token, before.token);
	/* What changes nothing anywhere tells nobody. */
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "e", &gone, &err), 0);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &before), 1);
	ck_assert_str_eq(after.token, before.token);
}
END_TEST

static TCase *
alone(void)
{
	TCase	*tc = tcase_create("alone");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, white_space_is_all_that_is_normalised, 0,
	    (int)CSA_NITEMS(questions));
	tcase_add_test(tc, the_key_is_what_it_was);
	tcase_add_test(tc, whatever_decides_changes_the_key);
	tcase_add_test(tc, what_decides_nothing_does_not);
	tcase_add_test(tc, what_was_kept_is_read);
	tcase_add_test(tc, nothing_found_is_worth_keeping);
	tcase_add_test(tc, cut_or_longer_it_is_none);
	tcase_add_test(tc, any_byte_may_be_wrong);
	tcase_add_test(tc, no_more_than_was_asked_for);
	tcase_add_test(tc, no_passage_twice);
	tcase_add_loop_test(tc, scores_are_numbers_that_fall, 0, 4);
	return tc;
}

static TCase *
together(void)
{
	TCase	*tc = tcase_create("together");

	tcase_add_checked_fixture(tc, service_setup, service_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, asked_again_it_is_the_same);
	tcase_add_test(tc, a_change_is_seen_at_once);
	tcase_add_loop_test(tc, flushed_it_is_searched_anew, 0, 2);
	tcase_add_test(tc, an_id_that_is_gone_is_a_miss);
	tcase_add_test(tc, the_generation_is_read_once);
	tcase_add_test(tc, without_memcached_it_is_searched);
	tcase_add_test(tc, nothing_is_kept_for_a_minute);
	tcase_add_test(tc, degraded_it_is_not_kept);
	tcase_add_test(tc, a_text_from_elsewhere_comes_along);
	tcase_add_test(tc, the_far_end_needs_time);
	tcase_add_loop_test(tc, a_failure_half_way_is_told_too, 0, 2);
	return tc;
}

int
main(void)
{
	Suite	*s = suite_create("retrieve_cache");

	suite_add_tcase(s, alone());
	if (system("command -v memcached >/dev/null 2>&1") == 0)
		suite_add_tcase(s, together());
	else
		fprintf(stderr, "memcached is not here: skipped in part\n");
	return run_suite(s);
}
