#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/base/clock.h"
#include "tests/contract/store_fixture.h"

/*
 * Children are forked before the parent has opened a connection: SQLite's do
 * not survive a fork.
 */

#define CHUNKS	20			/* in a document of these tests */

static void
wait_for(pid_t pid, int signal)
{
	int	 status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (signal != 0)
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	else
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		    "a child ended with %x", (unsigned)status);
}

static void
sleep_ms(long ms)
{
	struct timespec	 ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* ---- killed in the middle ---- */

/* Store one document after the other, and tell each that is acknowledged. */
static void
write_forever(int out)
{
	char	 doc[16], ack;

	fx_reopen();
	for (unsigned char i = 0;; i = (i + 1) % 100) {
		snprintf(doc, sizeof(doc), "d%d", i);
		if (fx_put(&one, doc, CHUNKS, "ripe plum") == -1)
			_exit(1);
		ack = (char)i;
		if (write(out, &ack, 1) != 1)
			_exit(1);
		csa_arena_reset(ctx.arena);
	}
}

static void
collect_acks(int in, bool *acked)
{
	unsigned char	 ack;

	while (read(in, &ack, 1) == 1)
		acked[ack] = true;
}

START_TEST(a_killed_writer_loses_nothing_it_acknowledged)
{
	bool		 acked[256] = { false };
	unsigned char	 first;
	char		 id[32];
	pid_t		 pid;
	int		 fd[2];

	for (int round = 0; round < 10; round++) {
		ck_assert_int_eq(pipe(fd), 0);
		if ((pid = fork()) == 0)
			write_forever(fd[1]);
		close(fd[1]);
		/* Not before it is in the midst of it, however slow. */
		ck_assert_int_eq(read(fd[0], &first, 1), 1);
		acked[first] = true;
		sleep_ms(round * 7);
		kill(pid, SIGKILL);
		wait_for(pid, SIGKILL);
		collect_acks(fd[0], acked);
		close(fd[0]);
	}
	for (int i = 0; i < 100; i++) {
		const char		*ids[CHUNKS];
		struct csa_chunk	 got[CHUNKS];
		size_t			 n = 0;

		for (int j = 0; j < CHUNKS; j++) {
			snprintf(id, sizeof(id), "d%d-chunk-%d", i, j);
			ids[j] = csa_arena_strdup(ctx.arena, id);
		}
		ck_assert_int_eq(store->ops->chunks(store, &ctx, &one, ids,
		    CHUNKS, got, &err), 0);
		for (int j = 0; j < CHUNKS; j++)
			n += got[j].id != NULL;
		/* All of it or nothing; all of it where it was said so. */
		ck_assert(n == CHUNKS || (n == 0 && !acked[i]));
	}
	ck_assert(acked[0]);
	fx_assert_sound("one");
	fx_store(&one, "after", 1, "quince");
	ck_assert_uint_eq(fx_count(&one, "quince"), 1);
}
END_TEST

/* ---- many at once ---- */

/* How many documents each of eight processes stores; more for a long run. */
static int
writes(void)
{
	const char	*s = getenv("CSA_TEST_WRITES");

	return s != NULL ? atoi(s) : 12;
}

static void
write_some(int number)
{
	char	 doc[32];

	fx_reopen();
	for (int i = 0; i < writes(); i++) {
		snprintf(doc, sizeof(doc), "p%d-%d", number, i % 5);
		if (fx_put(&one, doc, CHUNKS, "common plum") == -1) {
			fprintf(stderr, "%s: %s\n", err.msg, err.detail);
			_exit(1);
		}
		csa_arena_reset(ctx.arena);
	}
	store->ops->close(store);
	csa_arena_free(ctx.arena);
	_exit(0);
}

static volatile sig_atomic_t	 told_to_end;

static void
on_term(int signal)
{
	(void)signal;
	told_to_end = 1;
}

/* A document is never seen in part: counts are multiples of its size. */
static void
read_until_told(void)
{
	struct csa_text_result	 r;

	signal(SIGTERM, on_term);
	fx_reopen();
	while (!told_to_end) {
		if (store->ops->search(store, &ctx, &one, "plum", 10000, &r,
		    &err) == -1) {
			fprintf(stderr, "%s: %s\n", err.msg, err.detail);
			_exit(1);
		}
		if (r.nhits % CHUNKS != 0)
			_exit(2);
		csa_arena_reset(ctx.arena);
	}
	store->ops->close(store);
	csa_arena_free(ctx.arena);
	_exit(0);
}

START_TEST(eight_processes_write_while_others_read)
{
	pid_t		 writer[8], reader[2];
	struct stat	 sb;

	for (int i = 0; i < 2; i++)
		if ((reader[i] = fork()) == 0)
			read_until_told();
	for (int i = 0; i < 8; i++)
		if ((writer[i] = fork()) == 0)
			write_some(i);
	for (int i = 0; i < 8; i++)
		wait_for(writer[i], 0);
	for (int i = 0; i < 2; i++) {
		kill(reader[i], SIGTERM);
		wait_for(reader[i], 0);
	}
	ck_assert_uint_eq(fx_count(&one, "plum"),
	    8 * CHUNKS * (size_t)(writes() < 5 ? writes() : 5));
	ck_assert_int_eq(stat(fx_path("one", "-wal"), &sb), 0);
	ck_assert_int_le(sb.st_size, 64 << 20);
	fx_assert_sound("one");
}
END_TEST

START_TEST(the_wal_does_not_grow_for_ever)
{
	struct stat	 sb;
	char		 text[4001];

	memset(text, 'x', sizeof(text) - 1);
	text[4000] = '\0';
	for (int i = 0; i < 60; i++)
		fx_store(&one, "d", 100, text);
	ck_assert_int_eq(stat(fx_path("one", "-wal"), &sb), 0);
	ck_assert_int_le(sb.st_size, 24 << 20);
	fx_assert_sound("one");
}
END_TEST

/* ---- files that are not as they should be ---- */

static void
assert_unavailable(int rc)
{
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(err.code, CSA_ERR_STORE_UNAVAILABLE);
	ck_assert_int_eq(err.source, CSA_SRC_STORE);
	/* What is wrong is for the log. */
	ck_assert_ptr_null(strstr(err.msg, dir));
	ck_assert_str_ne(err.detail, "");
}

static void
run_sql(const char *sql)
{
	sqlite3	*db;
	char	*msg = NULL;

	ck_assert_int_eq(sqlite3_open(fx_path("one", ""), &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &msg) == SQLITE_OK,
	    "%s", msg);
	sqlite3_close(db);
}

/* A good file with all of it in the file itself, and closed. */
static void
make_file(void)
{
	fx_store(&one, "d", 200, "ripe plum with a long text around it");
	fx_reopen();
	run_sql("PRAGMA wal_checkpoint(TRUNCATE)");
}

static int
size_of_pages(void)
{
	unsigned char	 head[18];
	FILE		*f = fopen(fx_path("one", ""), "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(head, 1, sizeof(head), f), sizeof(head));
	fclose(f);
	return head[16] << 8 | head[17];
}

/* What was made with pages of 4 KiB goes on with them. */
START_TEST(reads_and_writes_a_file_of_smaller_pages)
{
	struct stat	 sb;
	char		 text[4001];

	make_file();
	ck_assert_int_eq(size_of_pages(), 16384);
	run_sql("PRAGMA journal_mode = DELETE; PRAGMA page_size = 4096;"
	    "VACUUM; PRAGMA journal_mode = WAL");
	ck_assert_int_eq(size_of_pages(), 4096);
	fx_store(&one, "d", 2, "ripe plum");
	fx_store(&one, "e", 2, "ripe kiwi");
	ck_assert_uint_eq(fx_count(&one, "ripe"), 4);
	/* And its WAL is kept short, counted in its own pages. */
	memset(text, 'x', sizeof(text) - 1);
	text[4000] = '\0';
	for (int i = 0; i < 60; i++)
		fx_store(&one, "e", 100, text);
	ck_assert_int_eq(stat(fx_path("one", "-wal"), &sb), 0);
	ck_assert_int_le(sb.st_size, 24 << 20);
	ck_assert_int_eq(size_of_pages(), 4096);
	fx_assert_sound("one");
}
END_TEST

START_TEST(refuses_a_newer_schema)
{
	struct csa_text_result	 r;

	make_file();
	run_sql("PRAGMA user_version = 99");
	assert_unavailable(store->ops->search(store, &ctx, &one, "plum", 5, &r,
	    &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "newer"));
	assert_unavailable(fx_put(&one, "e", 1, "x"));
	run_sql("PRAGMA user_version = 1");
	ck_assert_uint_eq(fx_count(&one, "plum"), 200);
}
END_TEST

START_TEST(refuses_a_stranger_s_file)
{
	make_file();
	run_sql("PRAGMA application_id = 7");
	assert_unavailable(fx_put(&one, "e", 1, "x"));
}
END_TEST

static void
put_file(const void *data, size_t n)
{
	FILE	*f = fopen(fx_path("one", ""), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static char *
get_file(size_t *n)
{
	FILE	*f = fopen(fx_path("one", ""), "r");
	char	*data = csa_malloc(4 << 20);

	ck_assert_ptr_nonnull(f);
	*n = fread(data, 1, 4 << 20, f);
	fclose(f);
	return data;
}

/* Ask it everything: whatever comes of it, nobody dies, nothing goes away. */
static void
use_damaged(void)
{
	const struct csa_scope	 other = { "", "other" };
	const char *const	 ids[] = { "d-chunk-7" };
	struct csa_text_result	 r;
	struct csa_chunk	 got;
	uint64_t		 v;
	struct stat		 before, after;

	ck_assert_int_eq(stat(fx_path("one", ""), &before), 0);
	if (store->ops->search(store, &ctx, &one, "ripe plum", 5, &r,
	    &err) == -1)
		assert_unavailable(-1);
	if (store->ops->chunks(store, &ctx, &one, ids, 1, &got, &err) == -1)
		assert_unavailable(-1);
	if (store->ops->generation(store, &ctx, &one, &v, &err) == -1)
		assert_unavailable(-1);
	if (fx_put(&one, "d", 3, "plum") == -1 && err.code != CSA_ERR_CONFLICT)
		assert_unavailable(-1);
	ck_assert_int_eq(stat(fx_path("one", ""), &after), 0);
	ck_assert(before.st_ino == after.st_ino);
	/* Another bot's file is another's. */
	fx_store(&other, "d", 1, "plum");
}

START_TEST(bears_a_file_cut_short)
{
	char	*data;
	size_t	 n;

	make_file();
	data = get_file(&n);
	for (size_t cut = 1; cut < n; cut += n / 23) {
		put_file(data, cut);
		use_damaged();
		fx_reopen();
		unlink(fx_path("one", "-wal"));
		unlink(fx_path("one", "-shm"));
	}
	put_file("this is no database at all, but long enough for one", 51);
	assert_unavailable(fx_put(&one, "d", 1, "x"));
	/* Whole again, and all of it is there. */
	fx_reopen();
	put_file(data, n);
	ck_assert_uint_eq(fx_count(&one, "plum"), 200);
	free(data);
}
END_TEST

START_TEST(bears_flipped_bytes)
{
	const char	*s = getenv("CSA_TEST_IMAGES");
	int		 images = s != NULL ? atoi(s) : 150;
	char		*data, *copy;
	size_t		 n;

	make_file();
	data = get_file(&n);
	copy = csa_malloc(n);
	srand(20261);
	for (int i = 0; i < images; i++) {
		memcpy(copy, data, n);
		for (int j = 0; j < 1 + i % 40; j++)
			copy[(size_t)rand() % n] ^= (char)(1 << rand() % 8);
		put_file(copy, n);
		use_damaged();
		fx_reopen();
		unlink(fx_path("one", "-wal"));
		unlink(fx_path("one", "-shm"));
		csa_arena_reset(ctx.arena);
	}
	free(copy);
	free(data);
}
END_TEST

/* What no client could have stored. */
START_TEST(believes_no_text_that_is_not_utf8)
{
	const char *const	 ids[] = { "d-chunk-7" };
	struct csa_chunk	 got;
	struct csa_ids		 old;

	make_file();
	run_sql("UPDATE chunks SET text = CAST(x'ff41' AS TEXT)"
	    " WHERE id = 'd-chunk-7'");
	assert_unavailable(store->ops->chunks(store, &ctx, &one, ids, 1, &got,
	    &err));
	ck_assert_ptr_nonnull(strstr(err.detail, "damaged"));
	run_sql("UPDATE chunks SET text = 'ok', id = CAST(x'ff' AS TEXT)"
	    " WHERE id = 'd-chunk-7'");
	assert_unavailable(store->ops->check_document(store, &ctx, &one, "d",
	    NULL, 0, &old, &err));
	assert_unavailable(fx_put(&one, "d", 1, "plum"));
}
END_TEST

START_TEST(an_empty_file_is_no_store_yet)
{
	put_file("", 0);
	ck_assert_uint_eq(fx_count(&one, "plum"), 0);
	ck_assert_uint_eq(fx_generation(&one), 0);
	fx_store(&one, "d", 1, "plum");
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
}
END_TEST

/* As somebody whom permissions hold back, which root is not. */
static bool
become_nobody(void)
{
	char	 path[128];

	if (geteuid() != 0)
		return true;
	snprintf(path, sizeof(path), "%s/bots", dir);
	if (chown(dir, 65534, 65534) == -1 || chown(path, 65534, 65534) == -1)
		return false;
	return seteuid(65534) == 0;
}

START_TEST(says_so_where_it_may_not_write)
{
	const struct csa_scope	 fresh = { "", "fresh" };
	char			 path[128];

	ck_assert(become_nobody());
	fx_store(&one, "d", 1, "plum");
	ck_assert_int_eq(store->ops->ping(store, &err), 0);
	snprintf(path, sizeof(path), "%s/bots", dir);
	ck_assert_int_eq(chmod(path, 0500), 0);
	fx_reopen();
	assert_unavailable(store->ops->ping(store, &err));
	assert_unavailable(fx_put(&fresh, "d", 1, "plum"));
	ck_assert_uint_eq(fx_generation(&fresh), 0);
	ck_assert_int_eq(chmod(path, 0700), 0);
	/* A file of which only reading is allowed. */
	ck_assert_int_eq(chmod(fx_path("one", ""), 0400), 0);
	fx_reopen();
	assert_unavailable(fx_put(&one, "e", 1, "plum"));
	ck_assert_int_eq(chmod(fx_path("one", ""), 0600), 0);
	fx_store(&one, "e", 1, "plum");
	ck_assert_uint_eq(fx_count(&one, "plum"), 2);
	/* LeakSanitizer looks at the end, and needs its rights back. */
	ck_assert_int_eq(seteuid(getuid()), 0);
}
END_TEST

START_TEST(a_directory_that_is_away_is_no_empty_one)
{
	const struct csa_scope	 never = { "acme", "never" };
	char			 path[128], away[128];
	struct csa_ids		 bots;
	uint64_t		 g;

	fx_store(&one, "d", 1, "plum");
	snprintf(path, sizeof(path), "%s/bots", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	ck_assert_int_eq(rename(path, away), 0);
	for (int i = 0; i < 2; i++) {
		assert_unavailable(store->ops->generation(store, &ctx, &one,
		    &g, &err));
		assert_unavailable(store->ops->generation(store, &ctx, &never,
		    &g, &err));
		assert_unavailable(store->ops->bots(store, &ctx, "", &bots,
		    &err));
		assert_unavailable(store->ops->bots(store, &ctx, "acme", &bots,
		    &err));
		/* And then something else of that name. */
		fclose(fopen(path, "w"));
	}
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rename(away, path), 0);
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	ck_assert_int_eq(store->ops->bots(store, &ctx, "acme", &bots, &err), 0);
	ck_assert_uint_eq(bots.n, 0);
}
END_TEST

/* The directory was looked at a moment ago: it is looked at again in a second. */
START_TEST(a_directory_that_goes_away_is_noticed)
{
	const struct csa_scope	 never = { "", "never" };
	char			 path[128], away[128];
	int64_t			 end = csa_now_ms() + 10000;
	uint64_t		 g;
	int			 rc;

	ck_assert_int_eq(store->ops->generation(store, &ctx, &never, &g, &err),
	    0);
	snprintf(path, sizeof(path), "%s/bots", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	ck_assert_int_eq(rename(path, away), 0);
	while ((rc = store->ops->generation(store, &ctx, &never, &g,
	    &err)) == 0 && csa_now_ms() < end)
		poll(NULL, 0, 50);
	assert_unavailable(rc);
	ck_assert_int_eq(rename(away, path), 0);
	ck_assert_int_eq(store->ops->generation(store, &ctx, &never, &g, &err),
	    0);
}
END_TEST

START_TEST(refuses_a_directory_it_cannot_use)
{
	char	 path[128], *long_path = csa_calloc(1, 5000);

	snprintf(path, sizeof(path), "%s/file", dir);
	fclose(fopen(path, "w"));
	ck_assert_ptr_null(csa_store_sqlite_open(path, 1, &err));
	assert_unavailable(-1);
	ck_assert_ptr_null(csa_store_sqlite_open("", 1, &err));
	memset(long_path, 'x', 4999);
	ck_assert_ptr_null(csa_store_sqlite_open(long_path, 1, &err));
	free(long_path);
}
END_TEST

/* Signs that mean something in a URI. */
START_TEST(takes_any_name_of_a_directory)
{
	char	 path[128];

	store->ops->close(store);
	snprintf(path, sizeof(path), "%s/a?b=c#d%%41 \xc3\xa9", dir);
	store = csa_store_sqlite_open(path, 1, &err);
	ck_assert_ptr_nonnull(store);
	fx_store(&one, "d", 1, "plum");
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	strcat(path, "/bots/one.db");
	ck_assert_int_eq(access(path, R_OK), 0);
}
END_TEST

/* ---- in time ---- */

START_TEST(does_not_wait_beyond_the_deadline)
{
	int64_t	 start;
	int	 fd;

	fx_store(&one, "d", 1, "plum");
	/* Somebody else is writing, and does not end. */
	fd = open(fx_path("one", "-lock"), O_RDWR);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	start = csa_now_ms();
	ctx.deadline = start + 150;
	ck_assert_int_eq(fx_put(&one, "e", 1, "plum"), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_int_eq(err.source, CSA_SRC_STORE);
	ck_assert_int_ge(csa_now_ms() - start, 150);
	ck_assert_int_lt(csa_now_ms() - start, 10000);
	/* Readers do not wait for writers. */
	ctx.deadline = csa_now_ms() + 60000;
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	close(fd);
	fx_store(&one, "e", 1, "plum");
}
END_TEST

START_TEST(breaks_off_what_takes_too_long)
{
	struct csa_text_result	 r;
	uint64_t		 before;
	char			*text = csa_malloc(600000);
	int			 n = 0;

	fx_store(&one, "d", 3000, "plum");
	before = fx_generation(&one);
	ctx.deadline = csa_now_ms();
	ck_assert_int_eq(store->ops->search(store, &ctx, &one, "plum", 5, &r,
	    &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	/* A store that can't be done in time is not done at all. */
	for (int i = 0; i < 50000; i++)
		n += sprintf(text + n, "w%d ", i);
	ctx.deadline = csa_now_ms() + 30;
	ck_assert_int_eq(fx_put(&one, "e", 200, text), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ctx.deadline = csa_now_ms() + 60000;
	ck_assert_uint_eq(fx_generation(&one), before);
	ck_assert_uint_eq(fx_count(&one, "plum"), 3000);
	fx_assert_sound("one");
	free(text);
}
END_TEST

/* ---- what must never come as far as here ---- */

static const struct csa_scope	 impossible[] = {
	{ "", "" }, { "", ".." }, { "", ".x" }, { "", "a/b" }, { "..", "a" },
	{ "a/b", "c" }, { "", "a b" }, { "", "a\nb" },
};

#define PANICKED	99

static void
leave(void)
{
	fx_remove();
	_exit(PANICKED);
}

START_TEST(stops_at_a_name_that_was_not_checked)
{
	csa_on_panic = leave;
	(void)fx_put(&impossible[_i], "d", 1, "x");
}
END_TEST

START_TEST(a_tenant_is_no_bot_s_file)
{
	const struct csa_scope	 bot = { "", "x" }, tenant = { "x.db", "y" };

	ck_assert_int_eq(fx_put(&tenant, "d", 1, "plum"), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	fx_store(&bot, "d", 1, "plum");
	ck_assert_int_eq(fx_put(&tenant, "d", 1, "plum"), -1);
}
END_TEST

TCase *
fx_faults(void)
{
	TCase	*tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, a_killed_writer_loses_nothing_it_acknowledged);
	tcase_add_test(tc, eight_processes_write_while_others_read);
	tcase_add_test(tc, the_wal_does_not_grow_for_ever);
	tcase_add_test(tc, reads_and_writes_a_file_of_smaller_pages);
	tcase_add_test(tc, refuses_a_newer_schema);
	tcase_add_test(tc, refuses_a_stranger_s_file);
	tcase_add_test(tc, bears_a_file_cut_short);
	tcase_add_test(tc, bears_flipped_bytes);
	tcase_add_test(tc, believes_no_text_that_is_not_utf8);
	tcase_add_test(tc, an_empty_file_is_no_store_yet);
	tcase_add_test(tc, says_so_where_it_may_not_write);
	tcase_add_test(tc, a_directory_that_is_away_is_no_empty_one);
	tcase_add_test(tc, a_directory_that_goes_away_is_noticed);
	tcase_add_test(tc, refuses_a_directory_it_cannot_use);
	tcase_add_test(tc, takes_any_name_of_a_directory);
	tcase_add_test(tc, does_not_wait_beyond_the_deadline);
	tcase_add_test(tc, breaks_off_what_takes_too_long);
	tcase_add_test(tc, a_tenant_is_no_bot_s_file);
	/* Under valgrind all tests share one process: none may end it. */
	if (getenv("CK_FORK") == NULL)
		tcase_add_loop_exit_test(tc,
		    stops_at_a_name_that_was_not_checked, PANICKED, 0,
		    CSA_NITEMS(impossible));
	return tc;
}
