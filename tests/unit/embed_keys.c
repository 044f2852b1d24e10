/*
 * Under which name a text's vector is kept, and what shapes it.
 */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/cached.h"
#include "tests/unit/test_embed_cache.h"

/* All that may shape a vector. */
struct shape {
	struct csa_embedder	 e;
	struct csa_config	 c;
	enum csa_embed_kind	 kind;
	struct csa_text		 text;
};

static struct shape
base(const char *name, enum csa_embed_kind kind, const char *text)
{
	return (struct shape){
		.e = { .name = name, .model = "m#768" },
		.c = {
			.embedding_model_name = "m",
			.embedding_dimensions = 768,
			.google_gemini_base_url = "https://g.example",
			.gemini_api_version = "v1beta",
			.openai_embedding_base_url = "http://e.example/v1",
			.openai_base_url = "http://o.example/v1",
			.embedding_query_model = "qm",
			.embedding_query_prefix = "q: ",
			.embedding_passage_prefix = "p: ",
			.embedding_query_body = "{\"q\":1}",
			.embedding_passage_body = "{\"p\":1}",
		},
		.kind = kind,
		.text = { text, strlen(text) },
	};
}

static struct csa_cache_key
key_of(const struct shape *s)
{
	struct csa_digest	 space;
	struct csa_cache_key	 key;

	csa_embed_space(&s->e, &s->c, s->kind, &space);
	csa_embed_key(&space, &s->text, &key);
	return key;
}

/*
 * Worked out by another program from key.h and cached.h alone.  Where one of
 * these changes, all that was ever kept is lost; where it must, so does the
 * version in key.h.
 */
static const struct {
	const char		*name;
	enum csa_embed_kind	 kind;
	const char		*text, *key;
} golden[] = {
	{ "gemini", CSA_EMBED_QUERY, "", "csa:e:"
	    "d77be48259b4e09187d08a43b02ba843a184bc54214e61cfe96bf5865911bd16" },
	{ "gemini", CSA_EMBED_QUERY, "What is a flight?", "csa:e:"
	    "2749b49f746cb02e568056b17b5b28dc0322e6b2c368fbc4fdff879fdc8f6597" },
	{ "openai", CSA_EMBED_QUERY, "", "csa:e:"
	    "dd84f2a1dc022bf410dfeda99536e4218bcc2f8fc3823592fa261885250fae5d" },
	{ "openai", CSA_EMBED_QUERY, "What is a flight?", "csa:e:"
	    "de7d1c4a4a479d2863b9feb1307e7a67b7c4f91a51069e8992a2ffc640b588b4" },
	{ "gemini", CSA_EMBED_PASSAGE, "", "csa:e:"
	    "c76d7aee937ab94c9d432b4a4c31453f94c2e3f7113f14476bb6c78c65aa8dd4" },
	{ "gemini", CSA_EMBED_PASSAGE, "What is a flight?", "csa:e:"
	    "151ebb964b5369622efc04e48c2dfbe82e83fd360b90732e5a5ce597accb69f3" },
	{ "openai", CSA_EMBED_PASSAGE, "", "csa:e:"
	    "28c7d710339ca23dff10e2c28e48158cd634024ec31bafdda81a1ef125a5f19a" },
	{ "openai", CSA_EMBED_PASSAGE, "What is a flight?", "csa:e:"
	    "abcb95921720ce74abe7c17d1fd6755ffd55a6985e81596701c848a9edfae5c9" },
};

START_TEST(golden_keys)
{
	struct shape		 s = base(golden[_i].name, golden[_i].kind,
				    golden[_i].text);
	struct csa_cache_key	 key = key_of(&s);

	ck_assert_str_eq(key.name, golden[_i].key);
}
END_TEST

#define SET(member, to)	static void member##_is(struct shape *s) { s->member = to; }
#define CONF(option, to) static void option##_is(struct shape *s) { s->c.option = to; }

static void name_is(struct shape *s) { s->e.name = "another"; }
static void model_is(struct shape *s) { s->e.model = "m#767"; }
static void longer_is(struct shape *s) { s->text.n--; }
static void text_is(struct shape *s) { s->text.s = "What is a flight!"; }
SET(kind, s->kind == CSA_EMBED_QUERY ? CSA_EMBED_PASSAGE : CSA_EMBED_QUERY)
CONF(embedding_model_name, "m2")
CONF(embedding_dimensions, 767)
CONF(google_gemini_base_url, "https://h.example")
CONF(gemini_api_version, "v1")
CONF(openai_embedding_base_url, "http://f.example/v1")
CONF(openai_base_url, "http://p.example/v1")
CONF(embedding_query_model, "")
CONF(embedding_query_prefix, "q:")
CONF(embedding_query_body, "{\"q\":2}")
CONF(embedding_passage_prefix, "")
CONF(embedding_passage_body, "")

/* What each must change: for gemini and openai, questions and passages. */
#define GQ	1
#define OQ	2
#define GP	4
#define OP	8
#define ALL	15
static const struct {
	void	(*change)(struct shape *);
	unsigned changes;
} fields[] = {
	{ name_is, ALL },
	{ model_is, ALL },
	{ kind_is, ALL },
	{ text_is, ALL },
	{ longer_is, ALL },
	{ embedding_model_name_is, ALL },
	{ embedding_dimensions_is, ALL },
	{ google_gemini_base_url_is, GQ | GP },
	{ gemini_api_version_is, GQ | GP },
	{ openai_embedding_base_url_is, OQ | OP },
	{ openai_base_url_is, OQ | OP },
	{ embedding_query_model_is, GQ | OQ },
	{ embedding_query_prefix_is, GQ | OQ },
	{ embedding_query_body_is, GQ | OQ },
	{ embedding_passage_prefix_is, GP | OP },
	{ embedding_passage_body_is, GP | OP },
};

/* Each field changes the key, none where it has no say, and no two alike. */
START_TEST(mutations)
{
	const char		*name = _i & 1 ? "openai" : "gemini";
	enum csa_embed_kind	 kind = _i & 2 ? CSA_EMBED_PASSAGE :
				    CSA_EMBED_QUERY;
	struct shape		 s = base(name, kind, "What is a flight?");
	struct csa_cache_key	 key[1 + CSA_NITEMS(fields)];
	size_t			 n = 1;

	key[0] = key_of(&s);
	for (size_t i = 0; i < CSA_NITEMS(fields); i++) {
		s = base(name, kind, "What is a flight?");
		fields[i].change(&s);
		key[n] = key_of(&s);
		if (!(fields[i].changes >> _i & 1)) {
			ck_assert_str_eq(key[n].name, key[0].name);
			continue;
		}
		for (size_t k = 0; k < n; k++)
			ck_assert_str_ne(key[n].name, key[k].name);
		n++;
	}
	ck_assert_uint_ge(n, 10);
}
END_TEST

/* ---- values ---- */

START_TEST(pack_and_unpack)
{
	static const float	 f[] = { 0, -0.0f, 1, -1.5f, 1e-45f, 3e38f };
	struct csa_arena	*a = csa_arena_new();
	struct csa_vec		 v;
	struct csa_buf		 b;

	csa_buf_init(&b, 1000);
	csa_embed_pack(&b, f, CSA_NITEMS(f));
	ck_assert_uint_eq(b.len, 4 + sizeof(f));
	ck_assert_mem_eq(b.data, "\6\0\0\0\0\0\0\0\0\0\0\x80\0\0\x80\x3f", 16);
	ck_assert_int_eq(csa_embed_unpack(a, b.data, b.len, &v), 0);
	ck_assert_uint_eq(v.dim, CSA_NITEMS(f));
	ck_assert_ptr_null(v.json.s);
	ck_assert_mem_eq(v.f, f, sizeof(f));
	/* Any other length is another value. */
	for (size_t n = 0; n < b.len; n++)
		ck_assert_int_eq(csa_embed_unpack(a, b.data, n, &v), -1);
	csa_buf_putc(&b, '\0');
	ck_assert_int_eq(csa_embed_unpack(a, b.data, b.len, &v), -1);
	csa_buf_fini(&b);
	csa_arena_free(a);
}
END_TEST

START_TEST(unsound_vectors)
{
	static const float	 f[][2] = { { 0, -0.0f }, { 1, NAN },
				    { INFINITY, 1 }, { 1, -INFINITY } };
	struct csa_arena	*a = csa_arena_new();
	struct csa_vec		 v;
	struct csa_buf		 b;

	for (size_t i = 0; i < CSA_NITEMS(f); i++) {
		csa_buf_init(&b, 1000);
		csa_embed_pack(&b, f[i], 2);
		ck_assert_int_eq(csa_embed_unpack(a, b.data, b.len, &v), -1);
		csa_buf_fini(&b);
	}
	csa_arena_free(a);
}
END_TEST

START_TEST(failures)
{
	struct csa_arena	*a = csa_arena_new();
	struct csa_err		 err, back;
	struct csa_vec		 v;
	struct csa_buf		 b;
	char			*cut;

	for (int code = CSA_OK + 1; code < CSA_ERR__MAX; code++) {
		csa_fail(&err, (enum csa_errcode)code, CSA_SRC_OPENAI, NULL);
		err.retry_after = code;
		csa_buf_init(&b, 1000);
		csa_embed_pack_failure(&b, &err);
		ck_assert_int_eq(csa_embed_unpack(a, b.data, b.len, &v), -1);
		ck_assert_int_eq(csa_embed_unpack_failure(b.data, b.len,
		    &back), 1);
		ck_assert_int_eq((int)back.code, code);
		ck_assert_int_eq(back.source, CSA_SRC_OPENAI);
		ck_assert_int_eq(back.retry_after, code);
		/* Every beginning of it, in memory of just that size. */
		for (size_t n = 0; n < b.len; n++) {
			cut = csa_malloc(n);
			memcpy(cut, b.data, n);
			ck_assert_int_eq(csa_embed_unpack_failure(cut, n,
			    &back), 0);
			free(cut);
		}
		csa_buf_fini(&b);
	}
	ck_assert_int_eq(csa_embed_unpack_failure("\0\0\0\0\0\0\0\0what\0x",
	    15, &back), 0);
	csa_arena_free(a);
}
END_TEST

TCase *
embed_keys_case(void)
{
	TCase	*t = tcase_create("keys");

	tcase_add_loop_test(t, golden_keys, 0, CSA_NITEMS(golden));
	tcase_add_loop_test(t, mutations, 0, 4);
	tcase_add_test(t, pack_and_unpack);
	tcase_add_test(t, unsound_vectors);
	tcase_add_test(t, failures);
	return t;
}
