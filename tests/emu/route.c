#include "config.h"

#include <string.h>

#include "tests/emu/control.h"
#include "tests/emu/emu.h"
#include "tests/emu/route.h"
#include "tests/emu/vendors.h"

struct route {
	const char	*path;
	bool		 prefix;
	enum emu_op	 op;
};

/* Pinecone's paths; the first that fits is taken. */
static const struct route pinecone[] = {
	{ "/vectors/upsert",		false,	EMU_OP_PINECONE_UPSERT },
	{ "/query",			false,	EMU_OP_PINECONE_QUERY },
	{ "/vectors/fetch",		false,	EMU_OP_PINECONE_FETCH },
	{ "/vectors/fetch_by_metadata",	false,	EMU_OP_PINECONE_FETCH },
	{ "/vectors/update",		false,	EMU_OP_PINECONE_UPDATE },
	{ "/vectors/delete",		false,	EMU_OP_PINECONE_DELETE },
	{ "/vectors/list",		false,	EMU_OP_PINECONE_LIST },
	{ "/describe_index_stats",	false,	EMU_OP_PINECONE_STATS },
	{ "/records/namespaces/",	true,	EMU_OP_PINECONE_RECORDS },
	{ "/namespaces",		true,	EMU_OP_PINECONE_NAMESPACE },
	{ "/indexes",			true,	EMU_OP_PINECONE_INDEX },
	{ "/rerank",			false,	EMU_OP_PINECONE_INFER },
	{ "/embed",			false,	EMU_OP_PINECONE_INFER },
	{ "/models",			true,	EMU_OP_PINECONE_INFER },
};

static enum emu_op
classify_pinecone(const char *path)
{
	size_t i, n;

	/* /namespaces/NS/documents/VERB is another API than /namespaces/NS. */
	if (strncmp(path, "/namespaces/", 12) == 0 &&
	    strstr(path + 12, "/documents/") != NULL)
		return EMU_OP_PINECONE_DOCUMENTS;
	for (i = 0; i < sizeof(pinecone) / sizeof(pinecone[0]); i++) {
		n = strlen(pinecone[i].path);
		if (strncmp(path, pinecone[i].path, n) != 0)
			continue;
		if (path[n] == '\0' || (pinecone[i].prefix &&
		    (path[n] == '/' || pinecone[i].path[n - 1] == '/')))
			return pinecone[i].op;
	}
	return EMU_OP_OTHER;
}

static enum emu_op
classify_method(const char *method)
{
	if (strcmp(method, ":generateContent") == 0)
		return EMU_OP_GEMINI_GENERATE;
	if (strcmp(method, ":streamGenerateContent") == 0)
		return EMU_OP_GEMINI_STREAM;
	if (strcmp(method, ":embedContent") == 0 ||
	    strcmp(method, ":batchEmbedContents") == 0)
		return EMU_OP_GEMINI_EMBED;
	if (strcmp(method, ":countTokens") == 0)
		return EMU_OP_GEMINI_COUNT;
	return EMU_OP_GEMINI_MODELS;
}

/* GET /v1/models is Google's and OpenAI's; the kind of key decides. */
static bool
is_google(const struct emu_req *rq, const char *version)
{
	return strcmp(version, "/v1/") != 0 ||
	    emu_header(rq, "x-goog-api-key") != NULL ||
	    emu_query(rq, "key") != NULL;
}

static enum emu_op
classify_versioned(const struct emu_req *rq, const char *version,
    const char *rest)
{
	const char *colon;

	if (strncmp(rest, "openai/", 7) == 0)
		rest += 7;
	if (strcmp(rest, "chat/completions") == 0)
		return EMU_OP_OPENAI_CHAT;
	if (strcmp(rest, "embeddings") == 0)
		return EMU_OP_OPENAI_EMBED;
	if (strncmp(rest, "cachedContents", 14) == 0)
		return EMU_OP_GEMINI_CACHE;
	if (strncmp(rest, "models", 6) != 0 ||
	    (rest[6] != '\0' && rest[6] != '/'))
		return EMU_OP_OTHER;
	if (strcmp(rq->method, "POST") == 0 &&
	    (colon = strrchr(rest, ':')) != NULL)
		return classify_method(colon);
	return is_google(rq, version) ? EMU_OP_GEMINI_MODELS :
	    EMU_OP_OPENAI_MODELS;
}

/* Every index has its own path here, as elsewhere it has its own host. */
static void
take_index(struct emu_req *rq)
{
	char *name = rq->path + 5, *slash;

	if (strncmp(rq->path, "/_ix/", 5) != 0 ||
	    (slash = strchr(name, '/')) == NULL)
		return;
	rq->index = emu_strndup(name, (size_t)(slash - name));
	memmove(rq->path, slash, strlen(slash) + 1);
}

void
emu_route_classify(struct emu_req *rq)
{
	static const char *const versions[] = { "/v1/", "/v1beta/",
	    "/v1alpha/" };
	size_t i;

	take_index(rq);
	if (strncmp(rq->path, "/_emu/", 6) == 0) {
		rq->op = EMU_OP_CONTROL;
		return;
	}
	for (i = 0; i < 3; i++) {
		size_t n = strlen(versions[i]);

		if (strncmp(rq->path, versions[i], n) == 0) {
			rq->op = classify_versioned(rq, versions[i],
			    rq->path + n);
			return;
		}
	}
	rq->op = classify_pinecone(rq->path);
}

void
emu_route_handle(struct emu_req *rq)
{
	switch (emu_op_family(rq->op)) {
	case EMU_GEMINI:
		emu_gemini(rq);
		return;
	case EMU_PINECONE:
	case EMU_PINECONE_CTL:
		emu_pinecone(rq);
		return;
	case EMU_OPENAI:
		emu_openai(rq);
		return;
	case EMU_NONE:
		break;
	}
	if (rq->op == EMU_OP_CONTROL)
		emu_control(rq);
	else
		emu_error(rq, 404, "no such route");
}
