#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "handlers/app.h"
#include "handlers/keys.h"
#include "lib/text/digest.h"
#include "tests/suite.h"

static char		 path[] = "/tmp/csa-keys-XXXXXX";
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

/* KEY(x) in text becomes the hash of x. */
static struct csa_keys *
load(const char *text, size_t n)
{
	struct csa_digest	 d;
	char			 hex[2 * CSA_DIGEST + 1];
	FILE			*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (const char *s = text; s < text + n; s++)
		if (strncmp(s, "KEY(", 4) == 0) {
			csa_sha256(s + 4, 1, &d);
			csa_hex(d.b, CSA_DIGEST, hex);
			fprintf(f, "sha256:%s", hex);
			s += 5;
		} else
			putc(*s, f);
	fclose(f);
	return csa_keys_load(path, "first-key", "second-key", &err);
}

static const struct csa_key *
find(struct csa_keys *k, const char *s)
{
	return csa_keys_find(k, s, strlen(s));
}

START_TEST(the_configurations_keys_may_do_everything)
{
	struct csa_keys		*k;
	const struct csa_key	*key;

	k = csa_keys_load("", "first-key", "second-key", &err);
	ck_assert_ptr_nonnull(key = find(k, "first-key"));
	ck_assert_str_eq(key->name, "internal");
	ck_assert_ptr_null(key->tenant);
	ck_assert(csa_key_allows_endpoint(key, CSA_POOL_CHAT));
	ck_assert(csa_key_allows_endpoint(key, CSA_POOL_STORE));
	ck_assert(csa_key_allows_endpoint(key, CSA_POOL_STATUS));
	ck_assert(csa_key_allows_bot(key, "b"));
	ck_assert_str_eq(find(k, "second-key")->name, "internal-previous");
	ck_assert_ptr_null(find(k, "first-ke"));
	ck_assert_ptr_null(find(k, "first-key "));
	ck_assert_ptr_null(find(k, "First-key"));
	ck_assert_ptr_null(find(k, ""));
	ck_assert_ptr_null(csa_keys_find(k, "first-key\0x", 11));
	csa_keys_free(k);
	csa_keys_free(NULL);
}
END_TEST

START_TEST(no_keys_find_nobody)
{
	struct csa_keys	*k = csa_keys_load(NULL, NULL, "", &err);

	ck_assert_ptr_nonnull(k);
	ck_assert_ptr_null(find(k, ""));
	ck_assert_ptr_null(find(k, "x"));
	ck_assert(!csa_key_allows_bot(NULL, "b"));
	ck_assert(!csa_key_allows_endpoint(NULL, CSA_POOL_CHAT));
	csa_keys_free(k);
}
END_TEST

static const char	 sample[] =
    "# who may do what\n"
    "\n"
    "web KEY(a) endpoints=chat bots=shop,faq-*,a.b\r\n"
    "  loader\tKEY(b)   endpoints=store,status  bots=*  tenant=acme \n"
    "all KEY(c) bots=x endpoints=*";

START_TEST(rights_are_those_of_the_line)
{
	struct csa_keys		*k = load(sample, strlen(sample));
	const struct csa_key	*a, *b, *c;

	ck_assert_msg(k != NULL, "%s", err.msg);
	ck_assert_ptr_nonnull(a = find(k, "a"));
	ck_assert_ptr_nonnull(b = find(k, "b"));
	ck_assert_ptr_nonnull(c = find(k, "c"));
	ck_assert_ptr_nonnull(find(k, "first-key"));
	ck_assert_str_eq(a->name, "web");
	ck_assert_ptr_null(a->tenant);
	ck_assert_str_eq(b->name, "loader");
	ck_assert_str_eq(b->tenant, "acme");
	ck_assert(csa_key_allows_endpoint(a, CSA_POOL_CHAT));
	ck_assert(!csa_key_allows_endpoint(a, CSA_POOL_STORE));
	ck_assert(!csa_key_allows_endpoint(a, CSA_POOL_STATUS));
	ck_assert(!csa_key_allows_endpoint(a, 0));
	ck_assert(!csa_key_allows_endpoint(a, CSA_POOL_ALL));
	ck_assert(!csa_key_allows_endpoint(b, CSA_POOL_CHAT));
	ck_assert(csa_key_allows_endpoint(b, CSA_POOL_STORE));
	ck_assert(csa_key_allows_endpoint(b, CSA_POOL_STATUS));
	ck_assert(csa_key_allows_endpoint(c, CSA_POOL_ALL));
	csa_keys_free(k);
}
END_TEST

static const struct { const char *bot; bool a, b, c; } bots[] = {
	{ "shop", true, true, false },
	{ "shop1", false, true, false },
	{ "sho", false, true, false },
	{ "faq-", true, true, false },
	{ "faq-de", true, true, false },
	{ "faq", false, true, false },
	{ "a.b", true, true, false },
	{ "axb", false, true, false },
	{ "x", false, true, true },
	{ "xx", false, true, false },
	{ "*", false, true, false },
	{ "faq-*,a.b", true, true, false },	/* begins with the prefix */
	{ "shop,faq-*", false, true, false },
	{ "", false, false, false },
};

static const struct { const char *bot; bool own, tenants; } dotted[] = {
	{ "shop", true, true },
	{ "shop.b", false, true },
	{ "shop.b.c", false, true },
	{ "shop.", false, true },
	{ "shopb", true, true },
	{ "shops.b", true, true },
	{ "sho.b", true, true },
	{ "other.shop.b", true, true },
	{ ".shop", true, true },
};

/* Pinecone knows the bot `b` of tenant `t` as `t.b`. */
START_TEST(a_tenants_name_is_nobody_elses_prefix)
{
	static const char	 text[] =
	    "t KEY(t) endpoints=* bots=* tenant=shop\n";
	struct csa_keys		*k = load(text, strlen(text));

	ck_assert_ptr_nonnull(k);
	ck_assert(csa_key_allows_bot(find(k, "first-key"), dotted[_i].bot) ==
	    dotted[_i].own);
	ck_assert(csa_key_allows_bot(find(k, "t"), dotted[_i].bot) ==
	    dotted[_i].tenants);
	csa_keys_free(k);
}
END_TEST

START_TEST(bots_are_matched_whole_or_by_prefix)
{
	struct csa_keys	*k = load(sample, strlen(sample));

	ck_assert_ptr_nonnull(k);
	ck_assert(csa_key_allows_bot(find(k, "a"), bots[_i].bot) == bots[_i].a);
	ck_assert(csa_key_allows_bot(find(k, "b"), bots[_i].bot) == bots[_i].b);
	ck_assert(csa_key_allows_bot(find(k, "c"), bots[_i].bot) == bots[_i].c);
	csa_keys_free(k);
}
END_TEST

/* n: 0 for the whole text. */
static const struct { const char *text; size_t n; const char *with; } bad[] = {
	{ "\nweb\n", 0, ":2: web: its second word is not sha256" },
	{ "web canary\n", 0, ":1: web: its second word" },
	{ "web sha256:12 endpoints=* bots=*\n", 0, "64 hex digits" },
	{ "web sha256:zz345678901234567890123456789012345678901234567890"
	    "12345678901234 endpoints=* bots=*\n", 0, "64 hex digits" },
	{ "w.b KEY(a) endpoints=* bots=*\n", 0, "the name is not 1 to 64" },
	{ "web KEY(a) bots=*\n", 0, "endpoints= and bots= are both" },
	{ "web KEY(a) endpoints=*\n", 0, "endpoints= and bots= are both" },
	{ "web KEY(a) endpoints= bots=*\n", 0, "\"\" is not chat, store" },
	{ "web KEY(a) endpoints=chat,x bots=*\n", 0, "\"x\" is not chat" },
	{ "web KEY(a) endpoints=* bots=\n", 0, "bots: \"\" is not a bot id" },
	{ "web KEY(a) endpoints=* bots=a,,b\n", 0, "bots: \"\" is not" },
	{ "web KEY(a) endpoints=* bots=*a\n", 0, "bots: \"*a\" is not" },
	{ "web KEY(a) endpoints=* bots=a**\n", 0, "bots: \"a**\" is not" },
	{ "web KEY(a) endpoints=* bots=a/b\n", 0, "bots: \"a/b\" is not" },
	{ "web KEY(a) endpoints=* bots=.a\n", 0, "bots: \".a\" is not" },
	{ "web KEY(a) endpoints=* bots=a tenant=\n", 0, "tenant: \"\" is" },
	{ "web KEY(a) endpoints=* bots=a tenant=a.b\n", 0, "tenant: \"a.b\"" },
	{ "web KEY(a) endpoints=* bots=a bots=b\n", 0, "given twice" },
	{ "web KEY(a) endpoints=* endpoints=* bots=b\n", 0, "given twice" },
	{ "web KEY(a) endpoints=* bots=a tenants=b\n", 0, "or not endpoints" },
	{ "web KEY(a) endpoints=* bots=a x\n", 0, "\"x\" is not NAME=VALUE" },
	{ "a KEY(a) endpoints=* bots=*\na KEY(b) endpoints=* bots=*\n", 0,
	    ":2: a: this name is taken" },
	{ "a KEY(a) endpoints=* bots=*\nb KEY(a) endpoints=* bots=*\n", 0,
	    ":2: b: a is the same key" },
	{ "internal KEY(a) endpoints=* bots=*\n", 0, "this name is taken" },
	{ "\0web\n", 5, "a NUL byte" },
	{ "# x\0", 4, "a NUL byte" },
};

START_TEST(bad_lines_are_named)
{
	size_t		 n = bad[_i].n > 0 ? bad[_i].n : strlen(bad[_i].text);
	struct csa_keys	*k = load(bad[_i].text, n);

	ck_assert_msg(k == NULL, "accepted: %s", bad[_i].text);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	ck_assert_msg(strstr(err.msg, bad[_i].with) != NULL, "%s", err.msg);
	ck_assert_msg(strncmp(err.msg, path, strlen(path)) == 0, "%s",
	    err.msg);
	ck_assert_ptr_null(strstr(err.msg, "canary"));
}
END_TEST

START_TEST(files_that_cannot_be_trusted)
{
	static char	 line[20000];

	ck_assert_ptr_null(csa_keys_load("/nonexistent/k", "a", "b", &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/k:0: No such"));
	ck_assert_ptr_null(csa_keys_load("/tmp", "a", "b", &err));
	memset(line, '#', sizeof(line) - 1);
	ck_assert_ptr_null(load(line, sizeof(line) - 1));
	ck_assert_ptr_nonnull(strstr(err.msg, ":1: a NUL byte, or a line of"));
	chmod(path, 0666);
	ck_assert_ptr_null(csa_keys_load(path, "a", "b", &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "everybody can write"));
}
END_TEST

START_TEST(a_thousand_keys)
{
	struct csa_keys		*k;
	const struct csa_key	*key;
	struct csa_digest	 d;
	char			 hex[65], name[20];
	FILE			*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "key-%d", i);
		csa_sha256(name, strlen(name), &d);
		csa_hex(d.b, CSA_DIGEST, hex);
		fprintf(f, "n%d sha256:%s endpoints=chat bots=b%d\n", i, hex,
		    i);
	}
	fclose(f);
	ck_assert_ptr_nonnull(k = csa_keys_load(path, "key", "", &err));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "key-%d", i);
		ck_assert_ptr_nonnull(key = find(k, name));
		snprintf(name, sizeof(name), "b%d", i);
		ck_assert(csa_key_allows_bot(key, name));
		ck_assert(i == 7 || !csa_key_allows_bot(key, "b7"));
	}
	ck_assert_ptr_null(find(k, "key-1000"));
	csa_keys_free(k);
}
END_TEST

START_TEST(one_key_twice_is_one)
{
	struct csa_keys	*k = csa_keys_load("", "same", "same", &err);

	ck_assert_str_eq(find(k, "same")->name, "internal");
	csa_keys_free(k);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("keys");
	TCase	*t = tcase_create("keys");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_configurations_keys_may_do_everything);
	tcase_add_test(t, no_keys_find_nobody);
	tcase_add_test(t, rights_are_those_of_the_line);
	tcase_add_loop_test(t, bots_are_matched_whole_or_by_prefix, 0,
	    (int)(sizeof(bots) / sizeof(bots[0])));
	tcase_add_loop_test(t, a_tenants_name_is_nobody_elses_prefix, 0,
	    sizeof(dotted) / sizeof(dotted[0]));
	tcase_add_loop_test(t, bad_lines_are_named, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, files_that_cannot_be_trusted);
	tcase_add_test(t, a_thousand_keys);
	tcase_add_test(t, one_key_twice_is_one);
	suite_add_tcase(s, t);
	return run_suite(s);
}
