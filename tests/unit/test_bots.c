#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/mem.h"
#include "lib/config/bots.h"
#include "tests/suite.h"

static char		 path[] = "/tmp/csa-bots-XXXXXX";
static struct csa_err	 err;

static void
setup(void)
{
	int	 fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	ck_assert_int_ne(fd = mkstemp(path), -1);
	close(fd);
}

static void
teardown(void)
{
	unlink(path);
}

static struct csa_bots *
load_bytes(const char *text, size_t n)
{
	FILE	*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	fclose(f);
	return csa_bots_load(path, &err);
}

static struct csa_bots *
load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static enum csa_reuse
of(const struct csa_bots *b, const char *tenant, const char *bot)
{
	return csa_bots_cache(b, &(struct csa_scope){ tenant, bot });
}

START_TEST(no_file_says_nothing)
{
	struct csa_bots	*b = csa_bots_load("", &err);

	ck_assert_ptr_nonnull(b);
	ck_assert_int_eq(of(b, "", "x"), CSA_REUSE_UNSAID);
	csa_bots_free(b);
	ck_assert_ptr_nonnull(b = csa_bots_load(NULL, &err));
	csa_bots_free(b);
	ck_assert_ptr_nonnull(b = load("# nothing\n\n   \n"));
	ck_assert_int_eq(of(b, "", "x"), CSA_REUSE_UNSAID);
	csa_bots_free(b);
	csa_bots_free(NULL);
	ck_assert_int_eq(of(NULL, "", "x"), CSA_REUSE_UNSAID);
}
END_TEST

START_TEST(the_line_that_says_most_counts)
{
	/* In no order. */
	struct csa_bots	*b = load("\tfaq  cache=exact\r\n"
			    "* cache=off tenant=acme\n"
			    "faq tenant=acme cache=semantic\n"
			    "# faq cache=off\n"
			    "* cache=exact\n"
			    "shop cache=off");

	ck_assert_msg(b != NULL, "%s", err.msg);
	ck_assert_int_eq(of(b, "", "faq"), CSA_REUSE_EXACT);
	ck_assert_int_eq(of(b, "acme", "faq"), CSA_REUSE_SEMANTIC);
	ck_assert_int_eq(of(b, "other", "faq"), CSA_REUSE_EXACT);
	ck_assert_int_eq(of(b, "", "shop"), CSA_REUSE_OFF);
	ck_assert_int_eq(of(b, "acme", "shop"), CSA_REUSE_OFF);
	ck_assert_int_eq(of(b, "acme", "more"), CSA_REUSE_OFF);
	ck_assert_int_eq(of(b, "", "more"), CSA_REUSE_EXACT);
	ck_assert_int_eq(of(b, "acm", "more"), CSA_REUSE_EXACT);
	csa_bots_free(b);
}
END_TEST

START_TEST(many_bots)
{
	char		*text = csa_malloc(3000 * 40);
	size_t		 n = 0;
	struct csa_bots	*b;
	char		 name[16];

	for (int i = 0; i < 3000; i++)
		n += (size_t)sprintf(text + n, "bot-%d cache=%s\n",
		    i * 7919 % 3000, i * 7919 % 3000 % 2 == 0 ? "exact" :
		    "off");
	ck_assert_msg((b = load(text)) != NULL, "%s", err.msg);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "bot-%d", i);
		ck_assert_int_eq(of(b, "", name), i % 2 == 0 ?
		    CSA_REUSE_EXACT : CSA_REUSE_OFF);
	}
	ck_assert_int_eq(of(b, "", "bot-3000"), CSA_REUSE_UNSAID);
	csa_bots_free(b);
	free(text);
}
END_TEST

static const struct {
	const char	*text;
	unsigned	 line;
	const char	*says;
} faults[] = {
	{ "faq\n", 1, "faq: cache= is needed" },
	{ "# c\nfaq cache=on\n", 2, "\"on\" is not off, exact or semantic" },
	{ "faq cache=\n", 1, "\"\" is not off" },
	{ "faq cache=off cache=off\n", 1, "given twice" },
	{ "faq cache=off tenant=a tenant=b\n", 1, "given twice" },
	{ "faq cache=off colour=red\n", 1, "not cache or tenant" },
	{ "faq off\n", 1, "\"off\" is not NAME=VALUE" },
	{ "faq cache=off tenant=\n", 1, "tenant: \"\"" },
	{ "faq cache=off tenant=a.b\n", 1, "tenant: \"a.b\"" },
	{ ".faq cache=off\n", 1, "\".faq\" is not a bot id" },
	{ "a..b cache=off\n", 1, "is not a bot id" },
	{ "a/b cache=off\n", 1, "is not a bot id" },
	{ "faq* cache=off\n", 1, "is not a bot id" },
	{ "a cache=off\nb cache=off\na cache=exact\n", 3, "line 1" },
	{ "* cache=off\n\n* cache=off\n", 3, "line 1" },
	{ "a cache=off tenant=t\na tenant=t cache=off\n", 2, "line 1" },
};

START_TEST(says_what_is_wrong_and_where)
{
	char	 where[80];

	ck_assert_ptr_null(load(faults[_i].text));
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	snprintf(where, sizeof(where), "%s:%u: ", path, faults[_i].line);
	ck_assert_msg(strncmp(err.msg, where, strlen(where)) == 0, "%s",
	    err.msg);
	ck_assert_msg(strstr(err.msg, faults[_i].says) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(a_file_that_is_none)
{
	char	 line[20000];

	ck_assert_ptr_null(load_bytes("a cache=\0off\n", 13));
	ck_assert_ptr_nonnull(strstr(err.msg, ":1: a NUL byte"));
	memset(line, 'a', sizeof(line));
	ck_assert_ptr_null(load_bytes(line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(err.msg, "a line of more than"));
	ck_assert_ptr_null(csa_bots_load("/nonexistent/bots", &err));
	ck_assert_str_eq(err.msg, "/nonexistent/bots:0: "
	    "No such file or directory");
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_ptr_null(csa_bots_load(path, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "everybody can write"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bots");
	TCase	*t = tcase_create("bots");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, no_file_says_nothing);
	tcase_add_test(t, the_line_that_says_most_counts);
	tcase_add_test(t, many_bots);
	tcase_add_loop_test(t, says_what_is_wrong_and_where, 0,
	    (int)CSA_NITEMS(faults));
	tcase_add_test(t, a_file_that_is_none);
	suite_add_tcase(s, t);
	return run_suite(s);
}
