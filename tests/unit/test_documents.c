/*
 * DELETE /documents: whose, which, and in what order.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/query.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/store.h"
#include "lib/store/store_script.h"
#include "lib/text/json.h"
#include "lib/vector/vector_script.h"
#include "tests/path_int.h"
#include "tests/remove_tree.h"
#include "tests/suite.h"
#include "tests/unit/v1_fixture.h"

static char			 dir[64];
static struct csa_store		*store;
static struct csa_ctx		 ctx;
static struct csa_err		 err;
static struct csa_vectors_script index_script;

static void
setup(void)
{
	v1_setup();
	snprintf(dir, sizeof(dir), "/tmp/csa-docs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	store = csa_store_sqlite_open(dir, 2, &err);
	ck_assert_msg(store != NULL, "%s", err.detail);
	app.store = store;
	index_script = (struct csa_vectors_script){ .remote = true };
	app.vectors = csa_vectors_script_open(&index_script);
	ctx.arena = csa_arena_new();
	ctx.deadline = csa_now_ms() + 60000;
}

static void
teardown(void)
{
	app.vectors->ops->close(app.vectors);
	store->ops->close(store);
	csa_arena_free(ctx.arena);
	v1_teardown();
	remove_tree(dir);
}

/* Two chunks, "ID-chunk-0" and "ID-chunk-1". */
static void
put(const char *tenant, const char *bot, const char *id)
{
	struct csa_scope scope = { tenant, bot };
	struct csa_chunk c[2];

	memset(c, 0, sizeof(c));
	for (int i = 0; i < 2; i++) {
		c[i].id = csa_arena_printf(ctx.arena, "%s-chunk-%d", id, i);
		c[i].text = "plum";
		c[i].len = 4;
		c[i].title = "";
	}
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &scope, id,
	    NULL, "", c, 2, NULL, &err), 0);
}

static size_t
chunks(const char *tenant, const char *bot)
{
	struct csa_scope	 scope = { tenant, bot };
	struct csa_text_result	 r;

	ck_assert_int_eq(store->ops->search(store, &ctx, &scope, "plum", 100,
	    &r, &err), 0);
	return r.nhits;
}

START_TEST(deletes_a_document)
{
	put("", "b", "d");
	put("", "b", "e");
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    200);
	ck_assert_str_eq(v1_str("status"), "success");
	ck_assert_str_eq(v1_str("document_id"), "d");
	ck_assert_str_eq(v1_str("deleted_vector_ids[0]"), "d-chunk-0");
	ck_assert_str_eq(v1_str("deleted_vector_ids[1]"), "d-chunk-1");
	ck_assert_int_eq(path_int(body, "deleted_vector_count"), 2);
	ck_assert_ptr_nonnull(strstr(v1_sent(), "\"error_message\":null"));
	ck_assert_str_ne(v1_str("request_id"), "(missing)");
	ck_assert_uint_eq(chunks("", "b"), 2);
	ck_assert_str_eq(index_script.last_del, "d-chunk-0 d-chunk-1 ");
	/* Again. */
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    404);
	ck_assert_str_eq(v1_str("error.code"), "not_found");
	ck_assert_str_eq(v1_str("error.source"), "client");
	ck_assert_uint_eq(index_script.dels, 1);
}
END_TEST

static const struct {
	const char	*id, *target;
} names[] = {
	{ "a b", "/documents/a%20b?bot_id=b" },
	{ "a+b", "/documents/a+b?bot_id=b" },
	{ "50%", "/documents/50%25?x=1&bot_id=b" },
	{ "\xe5\x9b\xbe", "/documents/%E5%9B%BE?bot_id=b&" },
	{ "\xc2\xa0-", "/documents/%C2%A0-?bot_id=b" },	/* next to a control */
	{ "{document_id}", "/documents/%7Bdocument_id%7D?bot_id=b" },
	{ "d", "/documents?document_id=d&bot_id=b" },
	{ "docs/d.md", "/documents?bot_id=b&document_id=docs%2Fd.md" },
	{ "docs/d.md", "/documents?bot_id=b&document_id=docs/d.md" },
	{ "a b", "/documents?bot_id=b&document_id=a+b" },
	{ "a+b&c=d", "/documents?bot_id=b&document_id=a%2Bb%26c%3dd" },
	{ "c:\\d", "/documents?bot_id=b&document_id=c%3A%5Cd" },
	{ "..", "/documents?bot_id=b&document_id=.." },
};

START_TEST(every_name_can_be_said)
{
	put("", "b", names[_i].id);
	ck_assert_int_eq(v1_ask(KEY, "DELETE", names[_i].target, NULL), 200);
	ck_assert_str_eq(v1_str("document_id"), names[_i].id);
	ck_assert_uint_eq(chunks("", "b"), 0);
}
END_TEST

static const struct {
	const char	*key, *method, *target;
	int		 status;
} refused[] = {
	{ KEY, "DELETE", "/documents/d", 400 },
	{ KEY, "DELETE", "/documents?bot_id=b", 400 },
	{ KEY, "DELETE", "/documents/d?bot_id=b&bot_id=c", 400 },
	{ KEY, "DELETE", "/documents/d?bot_id=b%2", 400 },
	{ KEY, "DELETE", "/documents?bot_id=b&document_id=%ff", 400 },
	{ KEY, "DELETE", "/documents/d?bot_id=", 422 },
	{ KEY, "DELETE", "/documents/d?bot_id", 422 },
	{ KEY, "DELETE", "/documents/d?bot_id=..", 422 },
	{ KEY, "DELETE", "/documents/d?bot_id=b%2Fc", 422 },
	{ KEY, "DELETE", "/documents/d?bot_id=b%00", 422 },
	{ KEY, "DELETE", "/documents/%20?bot_id=b", 422 },
	{ KEY, "DELETE", "/documents?bot_id=b&document_id=", 422 },
	{ KEY, "DELETE", "/documents?bot_id=b&document_id=d%00", 422 },
	{ KEY, "DELETE", "/documents?bot_id=b&document_id=d%0A", 422 },
	{ KEY, "DELETE", "/documents?bot_id=b&document_id=%C2%9Fd", 422 },
	{ KEY, "DELETE", "/documents/?bot_id=b", 404 },
	{ KEY, "DELETE", "/documents/a%2Fb?bot_id=b", 404 },
	{ KEY, "DELETE", "/documents/e?bot_id=b", 404 },
	{ KEY, "DELETE", "/documents/d?bot_id=c", 404 },
	{ KEY, "DELETE", "/documents/d?xbot_id=b&bot_id=c", 404 },
	{ KEY, "GET", "/documents/d?bot_id=b", 405 },
	{ KEY, "POST", "/documents?bot_id=b", 405 },
	{ NULL, "DELETE", "/documents/d?bot_id=b", 401 },
	{ "wrong", "DELETE", "/documents/d?bot_id=b", 401 },
	{ LESSER, "DELETE", "/documents/d?bot_id=b", 403 },
	{ TENANT, "DELETE", "/documents/d?bot_id=b", 404 },
};

START_TEST(what_is_not_right_deletes_nothing)
{
	put("", "b", "d");
	ck_assert_int_eq(v1_ask(refused[_i].key, refused[_i].method,
	    refused[_i].target, NULL), refused[_i].status);
	ck_assert_str_eq(v1_str("status"), "error");
	if (refused[_i].status == 405)
		ck_assert_str_eq(v1_header("Allow"), "DELETE");
	ck_assert_uint_eq(chunks("", "b"), 2);
	ck_assert_uint_eq(index_script.calls, 0);
}
END_TEST

START_TEST(a_tenant_deletes_its_own)
{
	put("", "b", "d");
	put("t", "b", "d");
	ck_assert_int_eq(v1_ask(TENANT, "DELETE", "/documents/d?bot_id=b",
	    NULL), 200);
	ck_assert_uint_eq(chunks("t", "b"), 0);
	ck_assert_uint_eq(chunks("", "b"), 2);
	ck_assert_int_eq(v1_ask(STORER, "DELETE", "/documents/d?bot_id=b",
	    NULL), 200);
	ck_assert_uint_eq(chunks("", "b"), 0);
}
END_TEST

/* The ids must be known for the next try. */
START_TEST(vectors_that_stay_keep_the_document)
{
	put("", "b", "d");
	index_script.fail_at = 1;
	ck_assert_int_ge(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    500);
	ck_assert_uint_eq(chunks("", "b"), 2);
	index_script.fail_at = 0;
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    200);
	ck_assert_uint_eq(index_script.dels, 1);
	ck_assert_str_eq(index_script.last_del, "d-chunk-0 d-chunk-1 ");
	ck_assert_uint_eq(chunks("", "b"), 0);
}
END_TEST

/* The commit fails after the vectors have gone: 503, and all of it again. */
START_TEST(the_store_is_last)
{
	static const char	*ids[] = { "d-chunk-0" };
	static const struct csa_ids old = { ids, 1 };
	const struct csa_store_step steps[] = {
		{ .op = "generation", .generation = 7 },
		{ .op = "check_document", .arg = "d", .ids = &old },
		{ .op = "delete_document", .arg = "d",
		    .fail = CSA_ERR_STORE_UNAVAILABLE },
		{ .op = "generation", .generation = 7 },
		{ .op = "check_document", .arg = "d",
		    .fail = CSA_ERR_STORE_UNAVAILABLE },
		{ .op = "generation", .fail = CSA_ERR_STORE_UNAVAILABLE },
		{ .op = "generation", .generation = 7 },
		{ .op = "check_document", .arg = "d", .ids = &old },
		{ .op = "delete_document", .arg = "d", .ids = &old,
		    .generation = 7 },
	};
	struct csa_store_script	 script = { .steps = steps,
				    .nsteps = CSA_NITEMS(steps) };

	app.store = csa_store_script_open(&script);
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    503);
	ck_assert_str_eq(v1_str("error.code"), "store_unavailable");
	ck_assert_uint_eq(index_script.dels, 1);
	/* Without knowing its ids nothing is touched. */
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(v1_ask(KEY, "DELETE",
		    "/documents/d?bot_id=b", NULL), 503);
	ck_assert_uint_eq(index_script.dels, 1);
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    200);
	ck_assert_uint_eq(index_script.dels, 2);
	ck_assert_str_eq(script.wrong, "");
	app.store->ops->close(app.store);
}
END_TEST

/*
 * Stored again by somebody else between the look at its ids and the commit: what
 * he has put there is deleted as well.
 */
START_TEST(a_version_in_between_leaves_nothing)
{
	static const char	*first[] = { "d-0" }, *second[] = { "d-1" };
	static const struct csa_ids seen = { first, 1 }, gone = { second, 1 };
	const struct csa_store_step steps[] = {
		{ .op = "generation", .generation = 7 },
		{ .op = "check_document", .arg = "d", .ids = &seen },
		{ .op = "delete_document", .arg = "d", .ids = &gone,
		    .generation = 8 },
		/* And where it is replaced. */
		{ .op = "generation", .generation = 7 },
		{ .op = "check_document", .arg = "d", .ids = &seen },
		{ .op = "put_document", .arg = "d", .ids = &gone,
		    .generation = 8 },
		{ .op = "generation", .generation = 9 },
		{ .op = "check_document", .arg = "d", .ids = &seen },
		{ .op = "put_document", .arg = "d", .ids = &seen,
		    .generation = 9 },
	};
	static const char	 post[] = "{\"document_id\":\"d\","
				    "\"chunks\":[\"x\"],"
				    "\"metadata\":{\"bot_id\":\"b\"}}";
	struct csa_store_script	 script = { .steps = steps,
				    .nsteps = CSA_NITEMS(steps) };

	app.store = csa_store_script_open(&script);
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    200);
	ck_assert_uint_eq(index_script.dels, 2);
	ck_assert_str_eq(index_script.last_del, "d-1 ");
	ck_assert_int_eq(v1_ask(KEY, "POST", "/embed_and_store", post), 200);
	/* d-0 of the version that was seen, d-1 of the one that was not. */
	ck_assert_uint_eq(index_script.dels, 4);
	ck_assert_str_eq(index_script.last_del, "d-1 ");
	ck_assert_int_eq(v1_ask(KEY, "POST", "/embed_and_store", post), 200);
	ck_assert_uint_eq(index_script.dels, 5);
	ck_assert_str_eq(index_script.last_del, "d-0 ");
	ck_assert_str_eq(script.wrong, "");
	app.store->ops->close(app.store);
}
END_TEST

START_TEST(vectors_of_this_host_go_with_the_store)
{
	put("", "b", "d");
	app.vectors->ops->close(app.vectors);
	index_script = (struct csa_vectors_script){ .remote = false };
	app.vectors = csa_vectors_script_open(&index_script);
	ck_assert_int_eq(v1_ask(KEY, "DELETE", "/documents/d?bot_id=b", NULL),
	    200);
	ck_assert_uint_eq(index_script.calls, 0);
}
END_TEST

START_TEST(reads_a_query)
{
	static const struct {
		const char	*query, *value;
		int		 rc;
	} cases[] = {
		{ "", NULL, 0 }, { "b=1", NULL, 0 }, { "ab=1", NULL, 0 },
		{ "a=1", "1", 1 }, { "a", "", 1 }, { "a=", "", 1 },
		{ "b=2&a=1", "1", 1 }, { "&&a=1&&", "1", 1 },
		{ "a=1=2", "1=2", 1 }, { "a=%41%2b+", "A+ ", 1 },
		{ "a=1&a=1", NULL, -1 }, { "a&a", NULL, -1 },
		{ "a=%", NULL, -1 }, { "a=%4", NULL, -1 },
		{ "a=%g0", NULL, -1 }, { "a=%80", NULL, -1 },
	};
	const char	*v;
	size_t		 n;

	for (size_t i = 0; i < CSA_NITEMS(cases); i++) {
		v = NULL;
		ck_assert_msg(csa_query_get(ctx.arena, cases[i].query, "a",
		    &v, &n, &err) == cases[i].rc, "%s", cases[i].query);
		if (cases[i].rc != 1)
			continue;
		ck_assert_str_eq(v, cases[i].value);
		ck_assert_uint_eq(n, strlen(v));
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("documents");
	TCase	*tc = tcase_create("documents");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, deletes_a_document);
	tcase_add_loop_test(tc, every_name_can_be_said, 0,
	    (int)CSA_NITEMS(names));
	tcase_add_loop_test(tc, what_is_not_right_deletes_nothing, 0,
	    (int)CSA_NITEMS(refused));
	tcase_add_test(tc, a_tenant_deletes_its_own);
	tcase_add_test(tc, vectors_that_stay_keep_the_document);
	tcase_add_test(tc, the_store_is_last);
	tcase_add_test(tc, a_version_in_between_leaves_nothing);
	tcase_add_test(tc, vectors_of_this_host_go_with_the_store);
	tcase_add_test(tc, reads_a_query);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
