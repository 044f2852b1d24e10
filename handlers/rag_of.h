/*
 * rag_of: the agent of lib/rag with this application's parts.
 */

#ifndef CSA_HANDLERS_RAG_OF_H
#define CSA_HANDLERS_RAG_OF_H

#include "handlers/app.h"
#include "lib/config/config.h"
#include "lib/rag/rag.h"

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
		.retrieve_ms = app->config->retrieve_timeout_ms,
	};
}

#endif
