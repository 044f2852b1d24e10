#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "lib/config/config.h"
#include "lib/config/config_internal.h"
#include "tests/suite.h"

static char	*said;		/* what the last load complained of */
static size_t	 nsaid;

static void
setup(void)
{
	for (int p = 0; p < CSA_P__MAX; p++)
		if (csa_pdescs[p].env != NULL)
			unsetenv(csa_pdescs[p].env);
	unsetenv("GEMINI_API_KEY");
}

static void
teardown(void)
{
	free(said);
	said = NULL;
}

static struct csa_config *
load(const char *text)
{
	struct csa_config	*c;
	FILE			*f = NULL, *errors;

	free(said);
	ck_assert_ptr_nonnull(errors = open_memstream(&said, &nsaid));
	if (text != NULL && *text != '\0')
		ck_assert_ptr_nonnull(f = fmemopen((void *)(size_t)text,
		    strlen(text), "r"));
	c = csa_config_load_stream(f, "FILE", errors);
	if (f != NULL)
		fclose(f);
	fclose(errors);
	/* Nothing said is all well, and a failure says why. */
	if (c == NULL)
		ck_assert_uint_gt(nsaid, 0);
	return c;
}

static void
refuses(const char *text, const char *with)
{
	struct csa_config	*c = load(text);

	ck_assert_msg(c == NULL, "accepted: %s", text);
	ck_assert_msg(strstr(said, with) != NULL,
	    "for \"%s\" wanted \"%s\", got \"%s\"", text, with, said);
}

static struct csa_config *
accepts(const char *text)
{
	struct csa_config	*c = load(text);

	ck_assert_msg(c != NULL, "refused: %s: %s", text, said);
	return c;
}

START_TEST(defaults_are_a_configuration)
{
	struct csa_config	*c = accepts(NULL);

	ck_assert_str_eq(c->chat, "extractive");
	ck_assert_str_eq(c->embedding, "none");
	ck_assert_str_eq(c->vectors, "local");
	ck_assert_int_eq(c->threads, 64);
	ck_assert(c->temperature == 0.7);
	ck_assert_str_eq(c->google_api_key, "");
	ck_assert_int_eq(c->store_timeout_ms, 120000);
	csa_config_free(c);
	csa_config_free(NULL);
}
END_TEST

/* The sample with every # taken off is the defaults. */
START_TEST(sample_is_the_defaults)
{
	const char		*src = getenv("CSA_SRCDIR");
	struct csa_config	*c, *d;
	char			 path[500], line[1000], *text, *a, *b;
	size_t			 n;
	FILE			*f, *out;

	snprintf(path, sizeof(path), "%s/conf/chatsphere.conf.sample",
	    src != NULL ? src : ".");
	ck_assert_msg((f = fopen(path, "r")) != NULL, "%s", path);
	ck_assert_ptr_nonnull(out = open_memstream(&text, &n));
	while (fgets(line, sizeof(line), f) != NULL)
		fputs(line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' ?
		    line + 1 : "\n", out);
	fclose(f);
	fclose(out);
	c = accepts(text);
	free(text);
	ck_assert_ptr_nonnull(out = open_memstream(&a, &n));
	csa_config_print(c, out);
	fclose(out);
	for (int p = 0; p < CSA_P__MAX; p++)
		ck_assert_msg(((struct csa_loaded *)c)->line[p] != 0, "%s",
		    csa_pdescs[p].name);
	d = accepts(NULL);
	ck_assert_ptr_nonnull(out = open_memstream(&b, &n));
	csa_config_print(d, out);
	fclose(out);
	ck_assert_str_eq(a, b);
	free(a);
	free(b);
	csa_config_free(c);
	csa_config_free(d);
}
END_TEST

/* Every number at both limits and one beyond, from params.def itself. */
START_TEST(numbers_are_bounded)
{
	char	 text[200];

	for (int p = 0; p < CSA_P__MAX; p++) {
		const struct csa_pdesc	*d = &csa_pdescs[p];
		double	 step = d->type == CSA_INT ? 1 : 0.001;

		if (d->type != CSA_INT && d->type != CSA_DBL)
			continue;
		for (int end = 0; end < 2; end++) {
			double	 limit = end == 0 ? d->min : d->max;
			double	 beyond = limit + (end == 0 ? -step : step);

			snprintf(text, sizeof(text), "%s = %.15g\n", d->name,
			    limit);
			csa_config_free(accepts(text));
			snprintf(text, sizeof(text), "\n%s = %.15g\n",
			    d->name, beyond);
			refuses(text, "FILE:2: ");
			snprintf(text, sizeof(text), "FILE:2: %s: %.15g is not"
			    " in %.15g..%.15g\n", d->name, beyond, d->min,
			    d->max);
			ck_assert_str_eq(said, text);
		}
		snprintf(text, sizeof(text), "%s = 1x\n", d->name);
		refuses(text, "1x is not in ");
		snprintf(text, sizeof(text), "%s =\n", d->name);
		refuses(text, "is not in ");
		if (d->env == NULL)
			continue;
		snprintf(text, sizeof(text), "%.15g", d->max + 1);
		setenv(d->env, text, 1);
		refuses("", d->env);
		setenv(d->env, "", 1);
		csa_config_free(accepts(""));
		unsetenv(d->env);
	}
}
END_TEST

START_TEST(enums_take_their_values_only)
{
	char	 text[200];

	for (int p = 0; p < CSA_P__MAX; p++) {
		const struct csa_pdesc	*d = &csa_pdescs[p];

		if (d->type != CSA_ENUM)
			continue;
		snprintf(text, sizeof(text), "%s = nonsense\n", d->name);
		refuses(text, d->values);
		snprintf(text, sizeof(text), "%s = %s\n", d->name, d->values);
		refuses(text, "is not one of");
		snprintf(text, sizeof(text), "%s =\n", d->name);
		refuses(text, "is not one of");
		/* A beginning of one is none. */
		snprintf(text, sizeof(text), "%s = %.2s\n", d->name,
		    d->values);
		refuses(text, "is not one of");
	}
	csa_config_free(accepts("log_level = error\nfallback = none\n"));
}
END_TEST

/* No way to get one wrong shows it. */
START_TEST(secrets_are_never_shown)
{
	static const char	 secret[] = "canary,7f3e a";
	char			 text[200];

	for (int p = 0; p < CSA_P__MAX; p++) {
		const struct csa_pdesc	*d = &csa_pdescs[p];

		if (d->type != CSA_SECRET)
			continue;
		snprintf(text, sizeof(text), "%s = %s\n%s = %s\n", d->name,
		    secret, d->name, secret);
		refuses(text, "the key may have neither");
		ck_assert_ptr_null(strstr(said, "canary"));
		snprintf(text, sizeof(text), "%s %s\n", d->name, secret);
		refuses(text, "FILE:1: expected NAME = VALUE");
		ck_assert_ptr_null(strstr(said, "canary"));
		snprintf(text, sizeof(text), "%s Canary= \n", d->name);
		refuses(text, d->name);
		ck_assert_ptr_null(strstr(said, "anary"));
		setenv(d->env, secret, 1);
		refuses("", d->env);
		ck_assert_ptr_null(strstr(said, "canary"));
		unsetenv(d->env);
	}
	refuses("google_gemini_base_url = https://me:canary@host\n",
	    "may have no user");
	ck_assert_ptr_null(strstr(said, "canary"));
}
END_TEST

START_TEST(providers_take_several_keys)
{
	struct csa_config	*c;

	setenv("OPENAI_API_KEY", "o1,o2", 1);
	setenv("PINECONE_API_KEY", "p1,p2", 1);
	c = accepts("google_api_key = g1, g2 ,,g3\n"
	    "pinecone_index_name = docs\n");
	ck_assert_str_eq(c->google_api_key, "g1, g2 ,,g3");
	ck_assert_str_eq(c->openai_api_key, "o1,o2");
	ck_assert_str_eq(c->pinecone_api_key, "p1,p2");
	csa_config_free(c);
	refuses("google_api_key = g1 g2\n", "the key may have neither blanks");
	refuses("google_api_key = g1, g2 g3\n", "the key may have neither");
	refuses("google_api_key = g1,g\xc3\xa9\n", "the key may have neither");
	refuses("google_api_key = ,\n", "the key is none");
	refuses("internal_api_key = a,b\n", "a comma only between");
	unsetenv("OPENAI_API_KEY");
	unsetenv("PINECONE_API_KEY");
}
END_TEST

START_TEST(print_shows_all_but_secrets)
{
	struct csa_config	*c;
	char			*page, line[200];
	size_t			 n;
	FILE			*f;

	setenv("PINECONE_API_KEY", "canary-1", 1);
	c = accepts("google_api_key = canary-2\nthreads = 7\n"
	    "pinecone_index_name = docs\nsystem_prompt = a ; b # c\n");
	ck_assert_ptr_nonnull(f = open_memstream(&page, &n));
	csa_config_print(c, f);
	fclose(f);
	ck_assert_ptr_null(strstr(page, "canary"));
	ck_assert_ptr_nonnull(strstr(page, "google_api_key = (set)\n"));
	ck_assert_ptr_nonnull(strstr(page, "openai_api_key = (not set)\n"));
	ck_assert_ptr_nonnull(strstr(page, "\nthreads = 7\n"));
	ck_assert_ptr_nonnull(strstr(page, "\nsystem_prompt = a ; b # c\n"));
	ck_assert_ptr_nonnull(strstr(page, "vectors (gemini, in pinecone)"));
	for (int p = 0; p < CSA_P__MAX; p++) {
		snprintf(line, sizeof(line), "%s =", csa_pdescs[p].name);
		ck_assert_ptr_nonnull(strstr(page, line));
	}
	free(page);
	csa_config_free(c);
}
END_TEST

static const struct { const char *text, *with; } refused[] = {
	/* The file */
	{ "[server]\nthreads = 1\n", "FILE:1: there are no sections" },
	{ "  [x]\n", "there are no sections" },
	{ "threads\n", "FILE:1: expected NAME = VALUE" },
	{ "= 1\n", "expected NAME = VALUE" },
	{ "threads: 1\n", "expected NAME = VALUE" },
	{ "thread = 1\n", "no option thread; is it threads?" },
	{ "request_timeout = 1\n", "is it request_timeout_ms?" },
	{ "GOOGLE_API_KEY = x\n", "there is no option of that name" },
	{ "zzzzzz = 1\n", "FILE:1: there is no option zzzzzz\n" },
	{ "threads = 1\n\nthreads = 1\n",
	    "FILE:3: threads: given before, in line 1" },
	{ "# x\n; y\n\nthreads = 0\nqueue = -1\n",
	    "FILE:4: threads: 0 is not in 1..4096\n"
	    "FILE:5: queue: -1 is not in 0..65535\n" },
	{ "threads = 1\n  2\n", "FILE:2: expected NAME = VALUE" },
	{ "system_prompt = \xff\n", "FILE:1: not UTF-8" },
	{ "system_prompt = a\x01" "b\n", "control character" },
	/* Addresses */
	{ "openai_base_url = ftp://x\n", "begin with https:// or http://" },
	{ "openai_base_url = file:///etc/passwd\n", "begin with https://" },
	{ "openai_base_url = localhost:8080/v1\n", "begin with https://" },
	{ "openai_base_url = https://\n", "begin with" },
	{ "openai_base_url = https:///v1\n", "no host" },
	{ "openai_base_url = https://:80\n", "no host" },
	{ "openai_base_url = https://a b\n", "no user, query" },
	{ "openai_base_url = https://u@h/v1\n", "this address may have no" },
	{ "openai_base_url = https://h/v1?x=1\n", "may have no user" },
	{ "openai_base_url = https://h/#x\n", "may have no user" },
	{ "openai_base_url = https://h:0/\n", "port is not in 1..65535" },
	{ "openai_base_url = https://h:65536\n", "port is not in" },
	{ "openai_base_url = https://h:123456789\n", "port is not in" },
	{ "openai_base_url = https://h:\n", "port is not in" },
	{ "openai_base_url = https://h:8a\n", "port is not in" },
	{ "openai_base_url = https://2130706433/\n", "no IPv4 address" },
	{ "openai_base_url = https://0x7f000001/\n", "no IPv4 address" },
	{ "openai_base_url = https://0177.0.0.1/\n", "no IPv4 address" },
	{ "openai_base_url = https://127.1/\n", "no IPv4 address" },
	{ "openai_base_url = https://1.2.3.256/\n", "no IPv4 address" },
	{ "openai_base_url = http://169.254.169.254/\n", "no address of a" },
	{ "openai_base_url = https://0.0.0.0/\n", "no address of a server" },
	{ "openai_base_url = https://224.0.0.1/\n", "no address of a server" },
	{ "openai_base_url = https://[::ffff:127.0.0.1]/\n", "in disguise" },
	{ "openai_base_url = https://[fe80::1]/\n", "no address of a server" },
	{ "openai_base_url = https://[::1\n", "something odd" },
	{ "openai_base_url = https://[::1]x\n", "something odd" },
	{ "openai_base_url = https://[zz]/\n", "no IPv6 address" },
	{ "openai_base_url = https://a..b/\n", "no host name" },
	{ "openai_base_url = https://%41/\n", "no host name" },
	{ "google_gemini_base_url = http://example.org\n",
	    "plain http is allowed to a loopback address only" },
	{ "google_gemini_base_url = http://localhost.evil.org\n",
	    "plain http is allowed" },
	{ "google_gemini_base_url = http://127.0.0.1.evil.org\n",
	    "plain http is allowed" },
	{ "pinecone_controller_host = http://10.0.0.1\n", "plain http is" },
	{ "pinecone_index_host = http://10.0.0.1\n", "plain http is" },
	/* Other shapes */
	{ "embedding_query_body = [1]\n", "is not a JSON object" },
	{ "embedding_query_body = {\"a\":}\n", "is not JSON: " },
	{ "embedding_passage_body = {\"a\":1,\"a\":2}\n", "is not JSON: " },
	{ "url_prefix = agent\n", "is not a path like /agent" },
	{ "url_prefix = /\n", "is not a path like" },
	{ "url_prefix = /agent/\n", "is not a path like" },
	{ "url_prefix = /a//b\n", "is not a path like" },
	{ "url_prefix = /a/../b\n", "is not a path like" },
	{ "url_prefix = /a%20\n", "is not a path like" },
	{ "data_dir =\n", "nothing is not an absolute path" },
	{ "data_dir = data\n", "data is not an absolute path" },
	{ "run_dir = ./run\n", "is not an absolute path" },
	{ "metrics_allow = 127.0.0.1,localhost\n", "\"localhost\" is not an" },
	{ "metrics_allow = 127.0.0.1,\n", "\"\" is not an IP address" },
	{ "memcached_servers = host\n", "\"host\" is not host:port" },
	{ "memcached_servers = h:1,,h:2\n", "\"\" is not host:port" },
	{ "memcached_servers = h:0\n", "\"h:0\" is not host:port" },
	{ "gemini_api_version = ../v1\n", "is not a version like v1" },
	{ "generative_model_name = a/../b\n", "is no name of a model" },
	{ "generative_model_name = a b\n", "is no name of a model" },
	{ "pinecone_index_name = My_Index\n", "is not 1 to 45 of a-z" },
	{ "pinecone_api_version = latest\n", "is not a version like 2025-10" },
	{ "fallback_models = a,,b\n", "\"\" is not NAME, gemini:NAME" },
	{ "fallback_models = gemini:\n", "is not NAME, gemini:NAME" },
	{ "fallback_models = a b\n", "is not NAME, gemini:NAME" },
	{ "prices = x\n", "\"x\" is not MODEL=INPUT/OUTPUT" },
	{ "prices = x=1\n", "is not MODEL=INPUT/OUTPUT" },
	{ "prices = x=1/2/3/4\n", "is not MODEL=INPUT/OUTPUT" },
	{ "prices = a=1/2, b=-1/2\n", "\"b=-1/2\" is not MODEL=" },
	{ "prices = **=1/2\n", "is not MODEL=INPUT/OUTPUT" },
	/* What belongs together */
	{ "fallback_models = x\n", "there is none that they could stand in" },
	{ "google_api_key = k\nfallback_models = x, openai:y\n",
	    "openai needs openai_base_url" },
	{ "openai_api_key = k\nfallback_models = gemini:y,x\n",
	    "gemini needs google_api_key" },
	{ "chat_provider = gemini\n", "FILE:1: chat_provider: gemini needs "
	    "google_api_key (GOOGLE_API_KEY)" },
	{ "chat_provider = openai\n", "openai needs openai_base_url" },
	{ "embedding_provider = gemini\n", "gemini needs google_api_key" },
	{ "embedding_provider = openai\n", "openai needs openai_embedding" },
	{ "generative_model_name = gpt-4o\n", "names a model, but there is "
	    "no key or address for it" },
	{ "embedding_model_name = e5\n", "names a model, but" },
	{ "embedding_query_model = e5\n", "FILE:1: embedding_query_model: "
	    "names a model, but" },
	{ "google_api_key = k\ngenerative_model_name = gpt-4o\n",
	    "is OpenAI's, but gemini would be asked" },
	{ "openai_api_key = k\ngenerative_model_name = gemini-2.5-flash\n",
	    "is Google's, but OpenAI would be asked" },
	{ "google_api_key = k\nembedding_batch = 101\n", "is not in 1..100" },
	{ "vector_provider = pinecone\n", "pinecone needs an embedding" },
	{ "vector_provider = pinecone\ngoogle_api_key = k\n",
	    "pinecone needs pinecone_api_key" },
	{ "pinecone_api_key = p\ngoogle_api_key = k\n",
	    "pinecone needs pinecone_index_name" },
	{ "vector_provider = pinecone\npinecone_api_key = p\n"
	    "pinecone_index_name = x\n", "pinecone needs an embedding" },
};

START_TEST(fallbacks_and_prices_are_taken)
{
	csa_config_free(accepts("google_api_key = k\nopenai_api_key = o\n"
	    "fallback_models = gemini-3.5-flash-lite, openai:llama3:8b\n"
	    "prices = llama3:8b=0/0, gemini-9=1.5/2/0.5,x*=1/2,*=0/0\n"));
	csa_config_free(accepts("prices = /etc/chatsphere/prices\n"));
}
END_TEST

START_TEST(nonsense_is_refused)
{
	refuses(refused[_i].text, refused[_i].with);
}
END_TEST

/* Who is chosen by what is there. */
static const struct {
	const char	*text, *chat, *embedding, *vectors, *model, *base;
} chosen[] = {
	{ "", "extractive", "none", "local", "", "" },
	{ "google_api_key = k", "gemini", "gemini", "local",
	    "gemini-embedding-001", "" },
	{ "google_api_key = k\nopenai_api_key = o", "gemini", "gemini",
	    "local", "gemini-embedding-001", "https://api.openai.com/v1" },
	{ "openai_api_key = o", "openai", "openai", "local",
	    "text-embedding-3-small", "https://api.openai.com/v1" },
	{ "openai_base_url = http://127.0.0.1:8080/v1/", "openai", "none",
	    "local", "", "http://127.0.0.1:8080/v1" },
	{ "openai_base_url = http://127.0.0.1:8080/v1\n"
	    "embedding_model_name = e5", "openai", "openai", "local", "e5",
	    "http://127.0.0.1:8080/v1" },
	{ "openai_base_url = http://127.0.0.1:8080/v1\n"
	    "embedding_query_model = q", "openai", "openai", "local", "q",
	    "http://127.0.0.1:8080/v1" },
	{ "openai_base_url = http://127.0.0.1:8080/v1\n"
	    "embedding_provider = openai", "openai", "openai", "local",
	    "text-embedding-3-small", "http://127.0.0.1:8080/v1" },
	{ "openai_embedding_base_url = http://[::1]:1/v1\n"
	    "embedding_model_name = e5", "extractive", "openai", "local",
	    "e5", "" },
	{ "google_api_key = k\nopenai_embedding_base_url = http://[::1]:1\n"
	    "embedding_model_name = e5", "gemini", "openai", "local", "e5",
	    "" },
	{ "google_api_key = k\nchat_provider = extractive", "extractive",
	    "none", "local", "", "" },
	{ "google_api_key = k\nchat_provider = extractive\n"
	    "embedding_provider = gemini", "extractive", "gemini", "local",
	    "gemini-embedding-001", "" },
	{ "google_api_key = k\nchat_provider = extractive\n"
	    "embedding_model_name = text-embedding-004", "extractive",
	    "gemini", "local", "text-embedding-004", "" },
	{ "google_api_key = k\nembedding_provider = none", "gemini", "none",
	    "local", "", "" },
	{ "google_api_key = k\nopenai_api_key = o\nchat_provider = openai\n"
	    "generative_model_name = gpt-4o", "openai", "openai", "local",
	    "text-embedding-3-small", "https://api.openai.com/v1" },
	{ "google_api_key = k\npinecone_api_key = p\n"
	    "pinecone_index_name = docs", "gemini", "gemini", "pinecone",
	    "gemini-embedding-001", "" },
	{ "google_api_key = k\npinecone_api_key = p\n"
	    "vector_provider = local", "gemini", "gemini", "local",
	    "gemini-embedding-001", "" },
	{ "pinecone_api_key = p\npinecone_index_name = docs", "extractive",
	    "none", "local", "", "" },
};

START_TEST(providers_follow_from_what_is_there)
{
	struct csa_config	*c = accepts(chosen[_i].text);

	ck_assert_str_eq(c->chat, chosen[_i].chat);
	ck_assert_str_eq(c->embedding, chosen[_i].embedding);
	ck_assert_str_eq(c->vectors, chosen[_i].vectors);
	ck_assert_str_eq(c->embedding_model_name, chosen[_i].model);
	ck_assert_str_eq(c->openai_base_url, chosen[_i].base);
	csa_config_free(c);
}
END_TEST

START_TEST(environment_beats_the_file)
{
	struct csa_config	*c;

	setenv("CHATSPHERE_THREADS", "9", 1);
	setenv("GENERATIVE_MODEL_NAME", "", 1);
	setenv("GOOGLE_API_KEY", "k", 1);
	c = accepts("threads = 3\ngenerative_model_name = gemini-x\n");
	ck_assert_int_eq(c->threads, 9);
	ck_assert_str_eq(c->generative_model_name, "gemini-x");
	csa_config_free(c);
	setenv("CHATSPHERE_THREADS", "0", 1);
	refuses("threads = 3\n", "CHATSPHERE_THREADS: 0 is not in 1..4096\n");
	ck_assert_ptr_null(strstr(said, "FILE"));
}
END_TEST

START_TEST(gemini_api_key_is_an_alias)
{
	struct csa_config	*c;

	setenv("GEMINI_API_KEY", "second", 1);
	c = accepts("google_api_key = file");
	ck_assert_str_eq(c->google_api_key, "second");
	csa_config_free(c);
	setenv("GOOGLE_API_KEY", "", 1);
	c = accepts("");
	ck_assert_str_eq(c->google_api_key, "second");
	ck_assert_str_eq(c->chat, "gemini");
	csa_config_free(c);
	setenv("GOOGLE_API_KEY", "first", 1);
	c = accepts("");
	ck_assert_str_eq(c->google_api_key, "first");
	csa_config_free(c);
	setenv("GOOGLE_API_KEY", "", 1);
	setenv("GEMINI_API_KEY", "a b", 1);
	refuses("", "GEMINI_API_KEY: the key may");
}
END_TEST

START_TEST(store_timeout_follows)
{
	struct csa_config	*c = accepts("request_timeout_ms = 5000");

	ck_assert_int_eq(c->store_timeout_ms, 5000);
	csa_config_free(c);
	c = accepts("request_timeout_ms = 5000\nstore_timeout_ms = 7000");
	ck_assert_int_eq(c->store_timeout_ms, 7000);
	csa_config_free(c);
	setenv("REQUEST_TIMEOUT_MS", "800", 1);
	c = accepts("");
	ck_assert_int_eq(c->request_timeout_ms, 800);
	ck_assert_int_eq(c->store_timeout_ms, 800);
	csa_config_free(c);
}
END_TEST

START_TEST(addresses_are_put_right)
{
	struct csa_config	*c;

	c = accepts("google_api_key = k\ngemini_api_version = beta\n"
	    "google_gemini_base_url = http://127.0.0.1:1/x//\n"
	    "pinecone_api_key = p\npinecone_index_host = a-1.svc.pinecone.io\n"
	    "pinecone_controller_host = http://localhost:5080/\n");
	ck_assert_str_eq(c->gemini_api_version, "v1beta");
	ck_assert_str_eq(c->google_gemini_base_url, "http://127.0.0.1:1/x");
	ck_assert_str_eq(c->pinecone_index_host,
	    "https://a-1.svc.pinecone.io");
	ck_assert_str_eq(c->pinecone_controller_host, "http://localhost:5080");
	csa_config_free(c);
	c = accepts("openai_base_url = http://10.1.2.3:8000/v1\n"
	    "internal_api_key = k\n");
	ck_assert_str_eq(said, "warning: FILE:1: openai_base_url: "
	    "http://10.1.2.3:8000/v1: over plain http, keys and texts can be "
	    "read on the way\n");
	csa_config_free(c);
}
END_TEST

/* What inih would do to them on its own. */
START_TEST(values_are_taken_whole)
{
	static char		 text[33000] = "system_prompt = ";
	struct csa_config	*c;
	size_t			 n = strlen(text);

	c = accepts("\xef\xbb\xbfsystem_prompt = a ; b # c = d: \"e\" \r\n"
	    "\t threads =8");
	ck_assert_str_eq(c->system_prompt, "a ; b # c = d: \"e\"");
	ck_assert_int_eq(c->threads, 8);
	csa_config_free(c);
	memset(text + n, 'x', 30000);
	c = accepts(text);
	ck_assert_uint_eq(strlen(c->system_prompt), 30000);
	csa_config_free(c);
	memset(text + n, 'x', sizeof(text) - n - 11);
	strcpy(text + sizeof(text) - 11, "\nqueue = 5");
	refuses(text, "FILE:1: this line is too long");
}
END_TEST

START_TEST(a_nul_hides_nothing)
{
	char	 text[] = "threads = 1\0 junk\n";
	FILE	*f = fmemopen(text, sizeof(text) - 1, "r");

	free(said);
	FILE	*errors = open_memstream(&said, &nsaid);

	ck_assert_ptr_null(csa_config_load_stream(f, "FILE", errors));
	fclose(f);
	fclose(errors);
	ck_assert_str_eq(said, "FILE:1: a NUL byte\n");
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	char			 path[] = "/tmp/csa-config-XXXXXX";
	struct csa_config	*c;
	FILE			*errors;
	int			 fd;

	errors = open_memstream(&said, &nsaid);
	ck_assert_ptr_null(csa_config_load("/nonexistent/x", errors));
	ck_assert_ptr_null(csa_config_load("/tmp", errors));
	fflush(errors);
	ck_assert_ptr_nonnull(strstr(said, "/nonexistent/x: No such file"));
	ck_assert_ptr_nonnull(strstr(said, "/tmp:0: cannot be read"));
	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_int_eq(write(fd, "internal_api_key = k\n", 21), 21);
	fchmod(fd, 0644);
	ck_assert_ptr_nonnull(c = csa_config_load(path, errors));
	csa_config_free(c);
	fflush(errors);
	ck_assert_ptr_nonnull(strstr(said, "everybody can read this file"));
	/* The secret in the file is no less open when another one is used. */
	setenv("INTERNAL_API_KEY", "k2", 1);
	said[0] = '\0';
	rewind(errors);
	ck_assert_ptr_nonnull(c = csa_config_load(path, errors));
	csa_config_free(c);
	fflush(errors);
	ck_assert_ptr_nonnull(strstr(said, ":1: internal_api_key: everybody"));
	/* And none is no secret. */
	ck_assert_int_eq(ftruncate(fd, 18), 0);
	rewind(errors);
	ck_assert_ptr_nonnull(c = csa_config_load(path, errors));
	csa_config_free(c);
	fputc('\0', errors);
	fflush(errors);
	ck_assert_ptr_null(strstr(said, "everybody can read this file"));
	unsetenv("INTERNAL_API_KEY");
	fclose(errors);
	close(fd);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("config");
	TCase	*t = tcase_create("config");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults_are_a_configuration);
	tcase_add_test(t, sample_is_the_defaults);
	tcase_add_test(t, numbers_are_bounded);
	tcase_add_test(t, enums_take_their_values_only);
	tcase_add_test(t, secrets_are_never_shown);
	tcase_add_test(t, providers_take_several_keys);
	tcase_add_test(t, print_shows_all_but_secrets);
	tcase_add_test(t, fallbacks_and_prices_are_taken);
	tcase_add_loop_test(t, nonsense_is_refused, 0,
	    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_loop_test(t, providers_follow_from_what_is_there, 0,
	    (int)(sizeof(chosen) / sizeof(chosen[0])));
	tcase_add_test(t, environment_beats_the_file);
	tcase_add_test(t, gemini_api_key_is_an_alias);
	tcase_add_test(t, store_timeout_follows);
	tcase_add_test(t, addresses_are_put_right);
	tcase_add_test(t, values_are_taken_whole);
	tcase_add_test(t, a_nul_hides_nothing);
	tcase_add_test(t, files_that_cannot_be_read);
	suite_add_tcase(s, t);
	return run_suite(s);
}
