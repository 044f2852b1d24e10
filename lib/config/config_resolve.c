#include "config.h"

#include <string.h>

#include "lib/config/config_internal.h"

#define OPENAI		"https://api.openai.com/v1"
#define GEMINI_MODEL	"gemini-embedding-001"
#define OPENAI_MODEL	"text-embedding-3-small"

static bool
set(const char *s)
{
	return *s != '\0';
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static bool
openai_chat(const struct csa_config *c)
{
	return set(c->openai_base_url) || set(c->openai_api_key);
}

static bool
openai_embedding(const struct csa_config *c)
{
	return openai_chat(c) || set(c->openai_embedding_base_url);
}

static bool
names_embedder(const struct csa_config *c)
{
	return set(c->embedding_model_name) || set(c->embedding_query_model);
}

/* Whoever names a model, a place or a size for vectors means to have some. */
static bool
wants_vectors(const struct csa_config *c)
{
	return names_embedder(c) || set(c->pinecone_api_key) ||
	    !is(c->vector_provider, "auto") || c->embedding_dimensions > 0;
}

static const char *
choose_chat(const struct csa_config *c)
{
	if (!is(c->chat_provider, "auto"))
		return c->chat_provider;
	if (set(c->google_api_key))
		return "gemini";
	return openai_chat(c) ? "openai" : "extractive";
}

/* OpenAI itself, whichever way it is written. */
static bool
at_openai(const char *base)
{
	struct csa_url	 u;

	return csa_config_url(base, &u) == NULL && is(u.host, "api.openai.com");
}

/*
 * As the chat model, but a server of one's own has embeddings only if something
 * says so: a llama-server that chats answers embedding calls with an error.
 */
static const char *
choose_embedding(const struct csa_config *c)
{
	if (!is(c->embedding_provider, "auto"))
		return c->embedding_provider;
	if (set(c->openai_embedding_base_url))
		return "openai";
	if (is(c->chat, "gemini"))
		return "gemini";
	if (is(c->chat, "openai"))
		return at_openai(c->openai_base_url) || wants_vectors(c) ?
		    "openai" : "none";
	/* Extractive over vectors: they must be made by somebody. */
	if (!wants_vectors(c))
		return "none";
	if (set(c->google_api_key))
		return "gemini";
	return openai_chat(c) ? "openai" : "none";
}

/* A key or an address for everything that was chosen outright. */
static void
check_access(struct csa_loaded *l)
{
	const struct csa_config	*c = &l->config;
	static const char	 google[] = "gemini needs google_api_key "
	    "(GOOGLE_API_KEY)";

	if (is(c->chat, "gemini") && !set(c->google_api_key))
		csa_config_blame(l, CSA_P_chat_provider, "%s", google);
	if (is(c->chat, "openai") && !openai_chat(c))
		csa_config_blame(l, CSA_P_chat_provider, "openai needs "
		    "openai_base_url (OPENAI_BASE_URL) or openai_api_key "
		    "(OPENAI_API_KEY)");
	if (is(c->embedding, "gemini") && !set(c->google_api_key))
		csa_config_blame(l, CSA_P_embedding_provider, "%s", google);
	if (is(c->embedding, "openai") && !openai_embedding(c))
		csa_config_blame(l, CSA_P_embedding_provider, "openai needs "
		    "openai_embedding_base_url, openai_base_url "
		    "(OPENAI_BASE_URL) or openai_api_key (OPENAI_API_KEY)");
}

/* A name that only another vendor can know, sent to this one, never works. */
static void
check_vendor(struct csa_loaded *l, enum csa_param p, const char *name,
    const char *provider, const char *base)
{
	const char	*bare = begins(name, "models/") ? name + 7 : name;
	char		 shown[84];

	if (is(provider, "gemini") && (begins(bare, "gpt-") ||
	    begins(bare, "text-embedding-3-") ||
	    begins(bare, "text-embedding-ada-")))
		csa_config_blame(l, p, "%s is OpenAI's, but gemini would be "
		    "asked: choose openai outright, with openai_api_key or "
		    "openai_base_url", csa_config_shown(name, shown));
	if (is(provider, "openai") && begins(bare, "gemini-") &&
	    at_openai(base))
		csa_config_blame(l, p, "%s is Google's, but OpenAI would be "
		    "asked: it needs google_api_key (GOOGLE_API_KEY)",
		    csa_config_shown(name, shown));
}

/* A model that was named, and nobody to ask for it. */
static void
check_models(struct csa_loaded *l)
{
	const struct csa_config	*c = &l->config;
	static const char	 nobody[] = "names a model, but there is no "
	    "key or address for it: set google_api_key (GOOGLE_API_KEY), "
	    "openai_api_key or openai_base_url (OPENAI_BASE_URL)";

	if (set(c->generative_model_name) && is(c->chat_provider, "auto") &&
	    is(c->chat, "extractive"))
		csa_config_blame(l, CSA_P_generative_model_name, "%s", nobody);
	if (names_embedder(c) && is(c->embedding_provider, "auto") &&
	    is(c->embedding, "none"))
		csa_config_blame(l, set(c->embedding_model_name) ?
		    CSA_P_embedding_model_name : CSA_P_embedding_query_model,
		    "%s", nobody);
	check_vendor(l, CSA_P_generative_model_name, c->generative_model_name,
	    c->chat, c->openai_base_url);
	check_vendor(l, CSA_P_embedding_model_name, c->embedding_model_name,
	    c->embedding, c->openai_embedding_base_url);
}

/* Whoever is to be asked instead must be there. */
static void
check_fallbacks(struct csa_loaded *l)
{
	const struct csa_config	*c = &l->config;
	const char		*s = c->fallback_models;

	if (set(s) && is(c->chat, "extractive")) {
		csa_config_blame(l, CSA_P_fallback_models, "names models, but "
		    "there is none that they could stand in for");
		return;
	}
	for (; set(s); s += strcspn(s, ","), s += *s == ',') {
		s += strspn(s, " ");
		if (begins(s, "gemini:") && !set(c->google_api_key))
			csa_config_blame(l, CSA_P_fallback_models, "gemini "
			    "needs google_api_key (GOOGLE_API_KEY)");
		if (begins(s, "openai:") && !openai_chat(c))
			csa_config_blame(l, CSA_P_fallback_models, "openai "
			    "needs openai_base_url (OPENAI_BASE_URL) or "
			    "openai_api_key (OPENAI_API_KEY)");
	}
}

/* What was left open about the embedder that was chosen. */
static void
settle_embedder(struct csa_loaded *l)
{
	const struct csa_config	*c = &l->config;

	if (is(c->embedding, "gemini") && c->embedding_batch > 100)
		csa_config_blame(l, CSA_P_embedding_batch,
		    "%ld is not in 1..100, which is what gemini takes",
		    c->embedding_batch);
	if (is(c->embedding, "none") || set(c->embedding_model_name))
		return;
	if (is(c->embedding, "gemini"))
		csa_config_settle(l, CSA_P_embedding_model_name, GEMINI_MODEL);
	else if (set(c->embedding_query_model))
		csa_config_settle(l, CSA_P_embedding_model_name,
		    c->embedding_query_model);
	else {
		csa_config_settle(l, CSA_P_embedding_model_name, OPENAI_MODEL);
		if (!at_openai(c->openai_embedding_base_url))
			csa_config_warn(l, CSA_P_embedding_model_name,
			    "not set: the server will be asked for "
			    OPENAI_MODEL);
	}
}

/* Auto passes over a Pinecone key that nothing could make vectors for. */
static void
choose_vectors(struct csa_loaded *l)
{
	struct csa_config	*c = &l->config;
	bool			 none = is(c->embedding, "none");

	c->vectors = c->vector_provider;
	if (is(c->vectors, "auto"))
		c->vectors = set(c->pinecone_api_key) && !none ?
		    "pinecone" : "local";
	if (is(c->vector_provider, "auto") && set(c->pinecone_api_key) && none)
		csa_config_warn(l, CSA_P_pinecone_api_key, "not used: there "
		    "is no embedding provider to make vectors");
	if (!is(c->vectors, "pinecone"))
		return;
	if (none)
		csa_config_blame(l, CSA_P_vector_provider, "pinecone needs an "
		    "embedding provider: set google_api_key (GOOGLE_API_KEY) "
		    "or an OpenAI-compatible server");
	if (!set(c->pinecone_api_key))
		csa_config_blame(l, CSA_P_vector_provider, "pinecone needs "
		    "pinecone_api_key (PINECONE_API_KEY)");
	if (!set(c->pinecone_index_name) && !set(c->pinecone_index_host))
		csa_config_blame(l, set(c->pinecone_api_key) ?
		    CSA_P_pinecone_api_key : CSA_P_vector_provider,
		    "pinecone needs pinecone_index_name (PINECONE_INDEX_NAME) "
		    "or pinecone_index_host (PINECONE_INDEX_HOST)");
}

void
csa_config_resolve(struct csa_loaded *l)
{
	struct csa_config	*c = &l->config;

	if (!set(c->openai_base_url) && set(c->openai_api_key))
		csa_config_settle(l, CSA_P_openai_base_url, OPENAI);
	c->chat = choose_chat(c);
	c->embedding = choose_embedding(c);
	if (!set(c->openai_embedding_base_url))
		csa_config_settle(l, CSA_P_openai_embedding_base_url,
		    c->openai_base_url);
	check_access(l);
	check_models(l);
	check_fallbacks(l);
	settle_embedder(l);
	choose_vectors(l);
	if (!set(c->internal_api_key) && !set(c->internal_api_key_previous) &&
	    !set(c->keys_file))
		csa_config_warn(l, CSA_P_internal_api_key, "not set, nor is "
		    "keys_file: every call will be refused");
}
