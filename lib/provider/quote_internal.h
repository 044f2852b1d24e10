/*
 * quote_internal: what quote.c and quote_confidence.c work on.
 */

#ifndef CSA_PROVIDER_QUOTE_INTERNAL_H
#define CSA_PROVIDER_QUOTE_INTERNAL_H

#include "lib/provider/quote.h"

/* More passages than these give no better answer. */
#define CSA_QPASSAGES	10

struct csa_qsentence {
	size_t		 passage;
	const char	*s;
	size_t		 len;
	unsigned	 tokens, terms, pairs;
	uint8_t		 tf[CSA_QTERMS];
	bool		 announces;	/* a question or a heading */
	double		 score;
};

struct csa_qpassage {
	size_t		 first, n;	/* of the sentences */
	unsigned	 tokens;
	unsigned	 tf[CSA_QTERMS];
	bool		 titled[CSA_QTERMS];
	double		 ratio;		/* BM25 / ideal */
};

struct csa_quote_work {
	struct csa_arena *arena;
	struct csa_qterms q;
	const struct csa_passage *in;
	struct csa_qpassage	 p[CSA_QPASSAGES];
	size_t		 npassages;
	struct csa_qsentence	*s;
	size_t		 n, size;
};

/* How much of the question the best passage has, 0..1. */
double	csa_quote_confidence(const struct csa_quote_work *);

#endif
