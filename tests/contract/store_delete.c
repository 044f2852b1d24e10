/*
 * Deleting a document, and raising the generation by hand.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/contract/store_fixture.h"

static uint64_t	 was;		/* the generation before */

static int
delete(const struct csa_scope *scope, const char *document,
    struct csa_ids *gone)
{
	struct csa_taken	 taken;
	int			 rc;

	memset(&taken, 0xee, sizeof(taken));
	rc = store->ops->delete_document(store, &ctx, scope, document, &taken,
	    &err);
	*gone = taken.ids;
	was = taken.generation;
	return rc;
}

START_TEST(nothing_of_it_is_left)
{
	const char *const	 ids[] = { "d-chunk-0", "d-chunk-2" };
	struct csa_chunk	 got[2];
	struct csa_ids		 gone;

	fx_store(&one, "d", 3, "plum");
	fx_store(&one, "other", 1, "plum");
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
	ck_assert_uint_eq(gone.n, 3);
	ck_assert_str_eq(gone.id[0], "d-chunk-0");
	ck_assert_str_eq(gone.id[2], "d-chunk-2");
	ck_assert_int_eq(store->ops->chunks(store, &ctx, &one, ids, 2, got,
	    &err), 0);
	ck_assert(got[0].id == NULL && got[1].id == NULL);
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	/* Its words do not count in the ranking either. */
	ck_assert_uint_eq(fx_ask(&one, "plum", 5).terms[0].df, 1);
	fx_assert_sound("one");
	/* Its ids are free for another document. */
	ck_assert_int_eq(store->ops->check_document(store, &ctx, &one, "e",
	    &(struct csa_chunk){ .id = "d-chunk-0" }, 1, &gone, &err), 0);
	fx_store(&one, "d", 2, "kiwi");
	ck_assert_uint_eq(fx_count(&one, "kiwi"), 2);
	fx_assert_sound("one");
}
END_TEST

START_TEST(its_vectors_go_with_it)
{
	const float		 v[2][2] = { { 1, 2 }, { 3, 4 } };
	struct csa_chunk	 c = { .id = "a", .text = "a", .len = 1,
				    .vec = v[0], .dim = 2 };
	struct csa_ids		 gone;
	int64_t			*rows;
	size_t			 n;

	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "m", &c, 1, NULL, &err), 0);
	c = (struct csa_chunk){ .id = "b", .text = "b", .len = 1, .vec = v[1],
	    .dim = 2 };
	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "e", NULL,
	    "m", &c, 1, NULL, &err), 0);
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
	ck_assert_int_eq(store->ops->vector_rows(store, &ctx, &one, "m", &rows,
	    &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	free(rows);
	fx_assert_sound("one");
}
END_TEST

START_TEST(what_is_not_there_is_no_change)
{
	const struct csa_scope	 ten = { "ten", "one" };
	struct csa_ids		 gone = { NULL, 7 };
	struct stat		 sb;
	uint64_t		 before;

	fx_store(&one, "d", 1, "plum");
	before = fx_generation(&one);
	ck_assert_int_eq(delete(&one, "e", &gone), 0);
	ck_assert_uint_eq(gone.n, 0);
	ck_assert_uint_eq(fx_generation(&one), before);
	/* A bot that stores nothing, of a tenant: no file is made. */
	ck_assert_int_eq(delete(&ten, "d", &gone), 0);
	ck_assert_int_eq(stat(fx_path("ten/one", ""), &sb), -1);
	ck_assert_uint_eq(fx_count(&one, "plum"), 1);
	/* Twice. */
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
	ck_assert_int_eq(delete(&one, "d", &gone), 0);
}
END_TEST

START_TEST(bots_and_tenants_keep_theirs)
{
	const struct csa_scope	 s[] = { { "", "one" }, { "", "two" },
	    { "ten", "one" }, { "ten", "two" } };
	struct csa_ids		 gone;

	for (size_t i = 0; i < CSA_NITEMS(s); i++)
		fx_store(&s[i], "d", 2, "plum");
	ck_assert_int_eq(delete(&s[2], "d", &gone), 1);
	for (size_t i = 0; i < CSA_NITEMS(s); i++)
		ck_assert_uint_eq(fx_count(&s[i], "plum"), i == 2 ? 0 : 2);
}
END_TEST

/* A document of nothing is one all the same. */
START_TEST(one_without_chunks_can_be_deleted)
{
	struct csa_ids	 gone;

	ck_assert_int_eq(store->ops->put_document(store, &ctx, &one, "d", NULL,
	    "", NULL, 0, NULL, &err), 0);
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
	ck_assert_uint_eq(gone.n, 0);
	ck_assert_int_eq(delete(&one, "d", &gone), 0);
	fx_assert_sound("one");
}
END_TEST

START_TEST(the_generation_rises)
{
	struct csa_ids	 gone;
	uint64_t	 last, now;
	int64_t		 since;

	fx_store(&one, "d", 1, "plum");
	last = fx_generation(&one);
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
	ck_assert_uint_eq(was, last);
	ck_assert_uint_gt(now = fx_generation(&one), last);
	fx_reopen();
	ck_assert_uint_eq(fx_generation(&one), now);
	ck_assert_int_eq(store->ops->bot(store, &ctx, &one, &since, &err), 0);
}
END_TEST

START_TEST(touching_raises_the_generation_alone)
{
	const struct csa_scope	 nobody = { "ten", "nobody" };
	struct stat		 sb;
	uint64_t		 last, now;

	fx_store(&one, "d", 2, "plum");
	last = fx_generation(&one);
	for (int i = 0; i < 20; i++, last = now) {
		ck_assert_int_eq(store->ops->touch(store, &ctx, &one, &err),
		    1);
		ck_assert_uint_gt(now = fx_generation(&one), last);
	}
	ck_assert_uint_eq(fx_count(&one, "plum"), 2);
	fx_reopen();
	ck_assert_uint_eq(fx_generation(&one), last);
	fx_assert_sound("one");
	/* Where there is nothing, nothing is made. */
	ck_assert_int_eq(store->ops->touch(store, &ctx, &nobody, &err), 0);
	ck_assert_int_eq(stat(fx_path("ten/nobody", ""), &sb), -1);
	ck_assert_uint_eq(fx_generation(&nobody), 0);
}
END_TEST

START_TEST(no_time_is_no_deletion)
{
	struct csa_ids	 gone;
	int		 fd;

	fx_store(&one, "d", 2, "plum");
	/* Somebody else has the lock. */
	ck_assert_int_ne(fd = open(fx_path("one", "-lock"), O_RDWR), -1);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ctx.deadline = csa_now_ms() + 50;
	ck_assert_int_eq(delete(&one, "d", &gone), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_int_eq(store->ops->touch(store, &ctx, &one, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	close(fd);
	ctx.deadline = csa_now_ms() + 600000;
	ck_assert_uint_eq(fx_count(&one, "plum"), 2);
	ck_assert_int_eq(delete(&one, "d", &gone), 1);
}
END_TEST

/* ---- killed in the middle: children are forked before a file is open ---- */

#define CHUNKS	20

/* Store one document after the other and delete it, and tell each that went. */
static void
delete_forever(int out)
{
	struct csa_ids	 gone;
	char		 doc[16], ack;

	fx_reopen();
	for (int i = 0; i < 120; i++) {
		snprintf(doc, sizeof(doc), "d%d", i);
		ack = (char)i;
		if (fx_put(&one, doc, CHUNKS, "ripe plum") == -1 ||
		    delete(&one, doc, &gone) != 1 || gone.n != CHUNKS ||
		    write(out, &ack, 1) != 1)
			_exit(1);
		csa_arena_reset(ctx.arena);
	}
	for (;;)
		pause();
}

/* How many are acknowledged; at least one is. */
static int
acknowledged(int in)
{
	char	 ack = -1, c;

	while (read(in, &c, 1) == 1)
		ack = c;
	return ack + 1;
}

START_TEST(killed_it_is_gone_or_whole)
{
	struct timespec	 ts = { 0, 0 };
	struct csa_ids	 gone;
	char		 doc[16], first;
	size_t		 n;
	pid_t		 pid;
	int		 fd[2], status, acks;

	store->ops->close(store);
	store = NULL;
	for (int round = 0; round < 10; round++) {
		ck_assert_int_eq(pipe(fd), 0);
		if ((pid = fork()) == 0)
			delete_forever(fd[1]);
		close(fd[1]);
		ck_assert_int_eq(read(fd[0], &first, 1), 1);
		ts.tv_nsec = round * 3100000L;
		nanosleep(&ts, NULL);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		if ((acks = acknowledged(fd[0])) == 0)
			acks = first + 1;
		close(fd[0]);
		fx_reopen();
		/* One may be on its way; of the others nothing is there. */
		n = fx_count(&one, "plum");
		ck_assert_msg(n == 0 || n == CHUNKS, "%zu chunks", n);
		for (int i = 0; i < acks; i++) {
			snprintf(doc, sizeof(doc), "d%d", i);
			ck_assert_int_eq(delete(&one, doc, &gone), 0);
		}
		fx_assert_sound("one");
		snprintf(doc, sizeof(doc), "d%d", acks);
		ck_assert_int_eq(delete(&one, doc, &gone), n > 0 ? 1 : 0);
		store->ops->close(store);
		store = NULL;
	}
	fx_reopen();
}
END_TEST

TCase *
fx_delete(void)
{
	TCase	*tc = tcase_create("delete");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing_of_it_is_left);
	tcase_add_test(tc, its_vectors_go_with_it);
	tcase_add_test(tc, what_is_not_there_is_no_change);
	tcase_add_test(tc, bots_and_tenants_keep_theirs);
	tcase_add_test(tc, one_without_chunks_can_be_deleted);
	tcase_add_test(tc, the_generation_rises);
	tcase_add_test(tc, touching_raises_the_generation_alone);
	tcase_add_test(tc, no_time_is_no_deletion);
	tcase_add_test(tc, killed_it_is_gone_or_whole);
	return tc;
}
