/*
 * rag_of: the agent of lib/rag with this application's parts.
 */

#ifndef CSA_HANDLERS_RAG_OF_H
#define CSA_HANDLERS_RAG_OF_H

#include <stdint.h>
#include <string.h>

#include "handlers/app.h"
#include "lib/config/config.h"
#include "lib/rag/rag.h"

/* What of the configuration decides which vectors come of a question. */
static inline struct csa_space
csa_space_of(const struct csa_config *config)
{
	return (struct csa_space){
		.embedding_url = strcmp(config->embedding, "gemini") == 0 ?
		    config->google_gemini_base_url :
		    config->openai_embedding_base_url,
		.query_model = config->embedding_query_model,
		.query_prefix = config->embedding_query_prefix,
		.passage_prefix = config->embedding_passage_prefix,
		.query_body = config->embedding_query_body,
		.passage_body = config->embedding_passage_body,
		.index = config->pinecone_index_name,
		.index_host = config->pinecone_index_host,
		.controller = config->pinecone_controller_host,
	};
}

static inline struct csa_rag
csa_rag_of(const struct csa_app *app)
{
	return (struct csa_rag){
		.store = app->store,
		.embedder = app->embedder,
		.vectors = app->vectors,
		.model = app->model,
		.text_weight = app->config->hybrid_text_weight,
		.context_tokens = app->config->context_tokens,
		.cache = app->cache,
		.retrieval_ttl = (uint32_t)app->config->retrieval_ttl_s,
		.space = csa_space_of(app->config),
		.retrieve_ms = app->config->retrieve_timeout_ms,
	};
}

#endif
