#include "config.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/store/store_script.h"
#include "tests/contract/store_fixture.h"
#include "tests/suite.h"

/* ---- what every driver does, as far as its nature lets it ---- */

static const struct csa_chunk	 canned_chunk = {
	.id = "d-chunk-0", .document_id = "d", .text = "a red lamp 0",
	.len = 12, .title = "",
};
static struct csa_text_hit	 canned_hit = { { 0 }, 1, 1 };
static const struct csa_text_result canned = { .hits = &canned_hit,
	.nhits = 1, .ideal = 2 };
static const char		*canned_names[] = { "one" };
static const struct csa_ids	 canned_bots = { canned_names, 1 };
static const char		*canned_ids[] = { "d-chunk-0" };
static const struct csa_ids	 canned_gone = { canned_ids, 1 };
static const struct csa_store_step steps[] = {
	{ .op = "put_document", .bot = "one", .arg = "d" },
	{ .op = "search", .arg = "lamp", .text = &canned },
	{ .op = "chunks", .chunks = &canned_chunk, .nchunks = 1 },
	{ .op = "generation", .generation = 7 },
	{ .op = "bots", .arg = "", .ids = &canned_bots },
	{ .op = "bot", .bot = "one", .generation = 7 },
	{ .op = "bot", .bot = "two" },
	{ .op = "touch", .bot = "one", .generation = 8 },
	{ .op = "touch", .bot = "two" },
	{ .op = "delete_document", .bot = "one", .arg = "nobody" },
	{ .op = "delete_document", .bot = "one", .arg = "d",
	    .generation = 8, .ids = &canned_gone },
};
static struct csa_store_script	 script = { .steps = steps,
	.nsteps = CSA_NITEMS(steps) };

static struct csa_store *
open_sqlite(void)
{
	return csa_store_sqlite_open(dir, 4, &err);
}

static struct csa_store *
open_script(void)
{
	canned_hit.chunk = canned_chunk;
	return csa_store_script_open(&script);
}

static const struct {
	const char	*name;
	struct csa_store *(*open)(void);
	int		 rc;		/* of every call */
} drivers[] = {
	{ "sqlite", open_sqlite, 0 },
	{ "script", open_script, 0 },
	{ "fail", csa_store_fail_open, -1 },
};

static void
assert_failed(int rc)
{
	if (rc == 0)
		return;
	ck_assert_int_eq(err.code, CSA_ERR_STORE_UNAVAILABLE);
	ck_assert_int_eq(err.source, CSA_SRC_STORE);
	ck_assert_str_ne(err.msg, "");
	memset(&err, 0, sizeof(err));
}

START_TEST(stores_finds_and_reads)
{
	const char *const	 ids[] = { "d-chunk-0", "nobody" };
	const struct csa_scope	 two = { "", "two" };
	struct csa_chunk	 got[2];
	struct csa_text_result	 r;
	struct csa_ids		 names;
	struct csa_taken	 taken;
	int64_t			 since = 0;
	uint64_t		 v;
	int			 rc = drivers[_i].rc;

	store->ops->close(store);
	store = drivers[_i].open();
	ck_assert_str_eq(store->ops->name, drivers[_i].name);
	ck_assert_int_eq(fx_put(&one, "d", 1, "a red lamp"), rc);
	assert_failed(rc);
	ck_assert_int_eq(store->ops->search(store, &ctx, &one, "lamp", 5, &r,
	    &err), rc);
	assert_failed(rc);
	if (rc == 0) {
		ck_assert_uint_eq(r.nhits, 1);
		ck_assert_str_eq(r.hits[0].chunk.id, "d-chunk-0");
		ck_assert(r.ideal >= r.hits[0].bm25);
	}
	ck_assert_int_eq(store->ops->chunks(store, &ctx, &one, ids, 2, got,
	    &err), rc);
	assert_failed(rc);
	if (rc == 0) {
		ck_assert_str_eq(got[0].text, "a red lamp 0");
		ck_assert_ptr_null(got[1].id);
	}
	ck_assert_int_eq(store->ops->generation(store, &ctx, &one, &v, &err),
	    rc);
	assert_failed(rc);
	if (rc == 0)
		ck_assert_uint_gt(v, 0);
	ck_assert_int_eq(store->ops->bots(store, &ctx, "", &names, &err), rc);
	assert_failed(rc);
	if (rc == 0) {
		ck_assert_uint_eq(names.n, 1);
		ck_assert_str_eq(names.id[0], "one");
	}
	ck_assert_int_eq(store->ops->bot(store, &ctx, &one, &since, &err),
	    rc == 0 ? 1 : -1);
	assert_failed(rc);
	if (rc == 0)
		ck_assert_int_gt(since, 0);
	ck_assert_int_eq(store->ops->bot(store, &ctx, &two, &since, &err), rc);
	assert_failed(rc);
	ck_assert_int_eq(store->ops->touch(store, &ctx, &one, &err),
	    rc == 0 ? 1 : -1);
	assert_failed(rc);
	ck_assert_int_eq(store->ops->touch(store, &ctx, &two, &err), rc);
	assert_failed(rc);
	ck_assert_int_eq(store->ops->delete_document(store, &ctx, &one,
	    "nobody", &taken, &err), rc);
	assert_failed(rc);
	ck_assert_int_eq(store->ops->delete_document(store, &ctx, &one, "d",
	    &taken, &err), rc == 0 ? 1 : -1);
	assert_failed(rc);
	if (rc == 0) {
		ck_assert_uint_eq(taken.ids.n, 1);
		ck_assert_str_eq(taken.ids.id[0], "d-chunk-0");
		ck_assert_uint_gt(taken.generation, 0);
	}
}
END_TEST

START_TEST(a_script_tells_what_it_did_not_expect)
{
	struct csa_text_result	 r;

	store->ops->close(store);
	store = open_script();
	ck_assert_int_eq(store->ops->search(store, &ctx, &one, "lamp", 5, &r,
	    &err), -1);
	ck_assert_ptr_nonnull(strstr(script.wrong, "search(one, lamp)"));
	ck_assert_int_eq(fx_put(&one, "d", 1, "x"), -1);
	ck_assert_uint_eq(script.at, 0);
}
END_TEST

START_TEST(the_failing_one_fails_in_everything)
{
	int64_t			*rows, row = 1;
	const float		*v;
	struct csa_chunk	 got;
	struct csa_ids		 ids;
	size_t			 n;

	store->ops->close(store);
	store = csa_store_fail_open();
	ck_assert_int_eq(store->ops->check_document(store, &ctx, &one, "d",
	    NULL, 0, &ids, &err), -1);
	assert_failed(-1);
	ck_assert_int_eq(store->ops->chunks_by_row(store, &ctx, &one, &row, 1,
	    &got, &err), -1);
	assert_failed(-1);
	ck_assert_int_eq(store->ops->scan_vectors(store, &ctx, &one, "m", 0,
	    NULL, NULL, &err), -1);
	assert_failed(-1);
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &one, "m",
	    &rows, &n, &err), -1);
	assert_failed(-1);
	ck_assert_int_eq(store->ops->vectors_by_row(store, &ctx, &one, &row, 1,
	    &v, 4, &err), -1);
	assert_failed(-1);
	ck_assert_int_eq(store->ops->ping(store, &err), -1);
	assert_failed(-1);
}
END_TEST

/* ---- sqlite ---- */

START_TEST(keeps_all_of_a_chunk)
{
	struct csa_chunk	 c = { .id = "x", .text = "the text\nof it",
	    .len = 14, .title = "A title", .metadata = "{\"page\":3}" }, got;
	const char *const	 ids[] = { "x" };

	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "doc",
	    "{\"lang\":\"en\"}", "", &c, 1, NULL, &err), 0);
	ck_assert_int_eq(store->ops->chunks(store, &ctx, &one, ids, 1, &got,
	    &err), 0);
	ck_assert_str_eq(got.id, "x");
	ck_assert_str_eq(got.document_id, "doc");
	ck_assert_str_eq(got.text, "the text\nof it");
	ck_assert_uint_eq(got.len, 14);
	ck_assert_str_eq(got.title, "A title");
	ck_assert_str_eq(got.metadata, "{\"page\":3}");
	ck_assert_ptr_null(got.vec);
}
END_TEST

START_TEST(replacing_leaves_no_old_chunk)
{
	struct csa_chunk	 c[2] = { { .id = "d-chunk-1", .text = "kiwi",
	    .len = 4, .title = "" }, { .id = "new", .text = "fig", .len = 3,
	    .title = "" } };
	struct csa_taken	 taken;
	uint64_t		 before;

	fx_store(&one, "d", 3, "plum");
	fx_store(&one, "other", 1, "plum");
	before = fx_generation(&one);
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "", c, 2, &taken, &err), 0);
	ck_assert_uint_eq(taken.generation, before);
	ck_assert_uint_eq(taken.ids.n, 2);
	ck_assert_str_eq(taken.ids.id[0], "d-chunk-0");
	ck_assert_str_eq(taken.ids.id[1], "d-chunk-2");
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	ck_assert_uint_eq(fx_count(&one, "kiwi"), 1);
	ck_assert_uint_eq(fx_count(&one, "fig"), 1);
	/* And by nothing at all. */
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "", NULL, 0, &taken, &err), 0);
	ck_assert_uint_eq(taken.ids.n, 2);
	ck_assert_uint_eq(fx_count(&one, "kiwi fig plum"), 1);
	fx_assert_sound("one");
}
END_TEST

START_TEST(bots_and_tenants_never_meet)
{
	const struct csa_scope	 s[] = { { "", "one" }, { "", "two" },
	    { "one", "one" }, { "acme", "one" }, { NULL, "acme" } };
	const char *const	 words[] = { "apple", "pear", "cherry",
	    "grape", "lemon" };
	const char *const	 ids[] = { "same-chunk-0" };
	struct csa_chunk	 got;

	for (size_t i = 0; i < CSA_NITEMS(s); i++)
		fx_store(&s[i], "same", 2, words[i]);
	for (size_t i = 0; i < CSA_NITEMS(s); i++) {
		for (size_t j = 0; j < CSA_NITEMS(s); j++)
			ck_assert_uint_eq(fx_count(&s[i], words[j]),
			    i == j ? 2 : 0);
		ck_assert_int_eq(store->ops->chunks(store, &ctx, &s[i], ids, 1,
		    &got, &err), 0);
		ck_assert_int_eq(strncmp(got.text, words[i],
		    strlen(words[i])), 0);
		/* Another's words do not count either. */
		ck_assert_uint_eq(fx_ask(&s[i], words[i], 1).terms[0].df, 2);
	}
}
END_TEST

static void
assert_bots(const char *tenant, const char *expected)
{
	struct csa_ids	 l;
	char		 text[128] = "";

	ck_assert_int_eq(store->ops->bots(store, &ctx, tenant, &l, &err), 0);
	for (size_t i = 0; i < l.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s ", l.id[i]);
	ck_assert_str_eq(text, expected);
}

static void
make_file(const char *name)
{
	char	 path[128];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/bots/%s", dir, name);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fclose(f);
}

START_TEST(lists_the_bots_of_a_tenant)
{
	const struct csa_scope	 s[] = { { "", "zoe" }, { "", "a.db" },
	    { "acme", "bob" }, { NULL, "acme" } };
	char			 path[128];

	assert_bots("", "");
	assert_bots("nobody", "");
	for (size_t i = 0; i < CSA_NITEMS(s); i++)
		fx_store(&s[i], "d", 1, "x");
	/* What is not a bot's file. */
	make_file("not a bot.db");
	make_file("notes.txt");
	make_file(".hidden.db");
	make_file(".db");
	snprintf(path, sizeof(path), "%s/bots/tenant.db", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	assert_bots("", "a.db acme zoe ");
	assert_bots(NULL, "a.db acme zoe ");
	assert_bots("acme", "bob ");
}
END_TEST

START_TEST(a_bot_has_documents_or_not)
{
	const struct csa_scope	 ten = { "ten", "one" };
	int64_t			 before = csa_wall_ms(), since = 0, again;

	ck_assert_int_eq(store->ops->bot(store, &ctx, &one, &since, &err), 0);
	fx_store(&one, "d", 2, "plum");
	ck_assert_int_eq(store->ops->bot(store, &ctx, &one, &since, &err), 1);
	ck_assert_int_ge(since, before);
	ck_assert_int_le(since, csa_wall_ms());
	fx_store(&one, "later", 2, "plum");
	ck_assert_int_eq(store->ops->bot(store, &ctx, &one, &again, &err), 1);
	ck_assert_int_eq(again, since);
	ck_assert_int_eq(store->ops->bot(store, &ctx, &ten, &since, &err), 0);
	/* Made, and the process died before anything was in it. */
	make_file("two.db");
	ck_assert_int_eq(store->ops->bot(store, &ctx,
	    &(struct csa_scope){ "", "two" }, &since, &err), 0);
	/* A document of nothing is none to talk about. */
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &ten, "d", NULL,
	    "", NULL, 0, NULL, &err), 0);
	ck_assert_int_eq(store->ops->bot(store, &ctx, &ten, &since, &err), 0);
}
END_TEST

START_TEST(a_conflict_changes_nothing)
{
	struct csa_chunk	 c[2] = { { .id = "fresh", .text = "peach",
	    .len = 5, .title = "" }, { .id = "a-chunk-0", .text = "peach",
	    .len = 5, .title = "" } };
	struct csa_ids		 ids;
	uint64_t		 before;

	fx_store(&one, "a", 1, "plum");
	fx_store(&one, "b", 1, "plum");
	before = fx_generation(&one);
	ck_assert_int_eq(store->ops->check_document(store, &ctx, &one, "b", c,
	    2, &ids, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_CONFLICT);
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "b", NULL,
	    "", c, 2, NULL, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_CONFLICT);
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "a-chunk-0"));
	ck_assert_uint_eq(fx_generation(&one), before);
	ck_assert_uint_eq(fx_count(&one, "plum"), 2);
	ck_assert_uint_eq(fx_count(&one, "peach"), 0);
	/* One id twice. */
	c[1].id = "fresh";
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "b", NULL,
	    "", c, 2, NULL, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_CONFLICT);
	ck_assert_uint_eq(fx_count(&one, "plum"), 2);
	/* Its own ids are no conflict. */
	ck_assert_int_eq(store->ops->check_document(store, &ctx, &one, "a",
	    &c[0], 1, &ids, &err), 0);
	ck_assert_uint_eq(ids.n, 1);
	ck_assert_str_eq(ids.id[0], "a-chunk-0");
	fx_assert_sound("one");
}
END_TEST

START_TEST(generation_rises_with_every_change)
{
	uint64_t	 last = fx_generation(&one), now;

	ck_assert_uint_eq(last, 0);
	for (int i = 0; i < 20; i++, last = now) {
		fx_store(&one, "d", 1, "the same");
		ck_assert_uint_gt(now = fx_generation(&one), last);
	}
	fx_reopen();
	ck_assert_uint_eq(fx_generation(&one), last);
	/* A file that is made anew does not begin where it was before: it takes
	 * the time, once that has moved on. */
	while ((uint64_t)csa_wall_ms() <= last)
		continue;
	unlink(fx_path("one", ""));
	unlink(fx_path("one", "-wal"));
	unlink(fx_path("one", "-shm"));
	ck_assert_uint_eq(fx_generation(&one), 0);
	ck_assert_uint_eq(fx_count(&one, "same"), 0);
	fx_store(&one, "d", 1, "other");
	ck_assert_uint_gt(fx_generation(&one), last);
	ck_assert_uint_eq(fx_count(&one, "same"), 0);
	ck_assert_uint_eq(fx_count(&one, "other"), 1);
}
END_TEST

START_TEST(reading_makes_nothing)
{
	const struct csa_scope	 nobody = { "ten", "nobody" };
	const char *const	 ids[] = { "x" };
	const int64_t		 row = 1;
	struct csa_chunk	 got;
	struct csa_ids		 old;
	struct csa_text_result	 r;
	const float		*v;
	int64_t			*rows;
	size_t			 n;
	char			 path[128];

	r = fx_ask(&nobody, "anything there?", 5);
	ck_assert_uint_eq(r.nhits, 0);
	ck_assert_int_eq(store->ops->chunks(store, &ctx, &nobody, ids, 1, &got,
	    &err), 0);
	ck_assert_ptr_null(got.id);
	ck_assert_int_eq(store->ops->check_document(store, &ctx, &nobody, "d",
	    NULL, 0, &old, &err), 0);
	ck_assert_uint_eq(old.n, 0);
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &nobody, "m",
	    &rows, &n, &err), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(store->ops->vectors_by_row(store, &ctx, &nobody, &row,
	    1, &v, 3, &err), 0);
	ck_assert_ptr_null(v);
	ck_assert_uint_eq(fx_generation(&nobody), 0);
	snprintf(path, sizeof(path), "%s/bots", dir);
	ck_assert_int_eq(rmdir(path), 0);	/* it is empty */
	ck_assert_int_eq(mkdir(path, 0700), 0);
}
END_TEST

START_TEST(others_may_not_read_it)
{
	static const char *const tails[] = { "", "-lock", "-wal", "-shm" };
	const struct csa_scope	 s = { "ten", "bot" };
	struct stat		 sb;
	mode_t			 mask = umask(0);
	char			 path[128];

	fx_store(&s, "d", 1, "secret");
	umask(mask);
	for (size_t i = 0; i < CSA_NITEMS(tails); i++) {
		ck_assert_int_eq(stat(fx_path("ten/bot", tails[i]), &sb), 0);
		ck_assert_uint_eq(sb.st_mode & 0777, 0600);
	}
	snprintf(path, sizeof(path), "%s/bots/ten", dir);
	ck_assert_int_eq(stat(path, &sb), 0);
	ck_assert_uint_eq(sb.st_mode & 0777, 0700);
}
END_TEST

static size_t
open_files(void)
{
	DIR	*d = opendir("/proc/self/fd");
	size_t	 n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

START_TEST(keeps_only_so_many_files_open)
{
	char			 name[16];
	struct csa_scope	 s = { "", name };
	size_t			 before = open_files();

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "bot%d", i);
		fx_store(&s, "d", 1, "word");
	}
	/* Four idle ones of a file, a WAL, an index and a lock each. */
	ck_assert_uint_le(open_files(), before + 4 * 4);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "bot%d", i);
		ck_assert_uint_eq(fx_count(&s, "word"), 1);
	}
}
END_TEST

static bool
count_vec(void *arg, const struct csa_stored_vec *v)
{
	int64_t	*last = arg;

	ck_assert_int_gt(v->row, *last);
	ck_assert_uint_eq(v->dim, 3);
	*last = v->row;
	return true;
}

START_TEST(keeps_the_vectors_of_each_model)
{
	const float		 v[2][3] = { { 1, 2, 3 }, { -1, .5f, 0 } };
	struct csa_chunk	 c[3] = { { .id = "a", .text = "a", .len = 1,
	    .vec = v[0], .dim = 3 }, { .id = "b", .text = "b", .len = 1 },
	    { .id = "c", .text = "c", .len = 1, .vec = v[1], .dim = 3 } }, got;
	const float		*out[3];
	int64_t			*rows, all[3], last = 0;
	size_t			 n;

	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "m", c, 3, NULL, &err), 0);
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &one, "m", &rows,
	    &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	memcpy(all, rows, 2 * sizeof(*all));
	all[2] = 999;
	free(rows);
	ck_assert_int_eq(store->ops->vectors_by_row(store, &ctx, &one, all, 3,
	    out, 3, &err), 0);
	ck_assert_mem_eq(out[0], v[0], sizeof(v[0]));
	ck_assert_mem_eq(out[1], v[1], sizeof(v[1]));
	ck_assert_ptr_null(out[2]);
	ck_assert_int_eq(store->ops->vectors_by_row(store, &ctx, &one, all, 1,
	    out, 4, &err), 0);
	ck_assert_ptr_null(out[0]);
	ck_assert_int_eq(store->ops->chunks_by_row(store, &ctx, &one, &all[1],
	    1, &got, &err), 0);
	ck_assert_str_eq(got.id, "c");
	ck_assert_int_eq(store->ops->scan_vectors(store, &ctx, &one, "m", 0,
	    count_vec, &last, &err), 0);
	ck_assert_int_eq(last, all[1]);
	/* Another model sees none; a new version of the text has new rows. */
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &one, "n", &rows,
	    &n, &err), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "m", c, 1, NULL, &err), 0);
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &one, "m", &rows,
	    &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_gt(rows[0], last);
	free(rows);
	fx_assert_sound("one");
}
END_TEST

struct worker {
	pthread_t	 thread;
	int		 number, failed;
};

static void *
write_and_read(void *arg)
{
	struct worker		*w = arg;
	struct csa_ctx		 c = { csa_arena_new(), NULL,
				    csa_now_ms() + 60000, "", NULL };
	struct csa_text_result	 r;
	struct csa_err		 e;
	char			 doc[16], id[24], text[32];
	struct csa_chunk	 chunk = { .id = id, .text = text,
				    .title = "" };

	for (int i = 0; i < 10; i++) {
		snprintf(doc, sizeof(doc), "d%d", w->number);
		snprintf(id, sizeof(id), "%s-%d", doc, i);
		chunk.len = (size_t)snprintf(text, sizeof(text),
		    "common word%dx", w->number);
		if (store->ops->put_document(store, &c, &one, doc, NULL, "",
		    &chunk, 1, NULL, &e) == -1 || store->ops->search(store,
		    &c, &one, text + 7, 5, &r, &e) == -1 || r.nhits != 1 ||
		    strcmp(r.hits[0].chunk.id, id) != 0)
			w->failed++;
		csa_arena_reset(c.arena);
	}
	csa_arena_free(c.arena);
	return NULL;
}

START_TEST(serves_many_threads)
{
	struct worker	 w[8];

	for (int i = 0; i < 8; i++) {
		w[i] = (struct worker){ .number = i };
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL,
		    write_and_read, &w[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert_int_eq(w[i].failed, 0);
	}
	ck_assert_uint_eq(fx_count(&one, "common"), 8);
	fx_assert_sound("one");
}
END_TEST

TCase *
fx_basics(void)
{
	TCase	*tc = tcase_create("basics");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, stores_finds_and_reads, 0,
	    CSA_NITEMS(drivers));
	tcase_add_test(tc, a_script_tells_what_it_did_not_expect);
	tcase_add_test(tc, the_failing_one_fails_in_everything);
	tcase_add_test(tc, keeps_all_of_a_chunk);
	tcase_add_test(tc, replacing_leaves_no_old_chunk);
	tcase_add_test(tc, bots_and_tenants_never_meet);
	tcase_add_test(tc, lists_the_bots_of_a_tenant);
	tcase_add_test(tc, a_bot_has_documents_or_not);
	tcase_add_test(tc, a_conflict_changes_nothing);
	tcase_add_test(tc, generation_rises_with_every_change);
	tcase_add_test(tc, reading_makes_nothing);
	tcase_add_test(tc, others_may_not_read_it);
	tcase_add_test(tc, keeps_only_so_many_files_open);
	tcase_add_test(tc, keeps_the_vectors_of_each_model);
	tcase_add_test(tc, serves_many_threads);
	return tc;
}

int
main(void)
{
	Suite	*s = suite_create("store");

	suite_add_tcase(s, fx_basics());
	suite_add_tcase(s, fx_delete());
	suite_add_tcase(s, fx_search());
	suite_add_tcase(s, fx_faults());
	return run_suite(s);
}
