#include "config.h"

#include "lib/base/must.h"
#include "lib/provider/provider.h"

double
csa_embed_price(const struct csa_embedder *e, enum csa_embed_kind kind,
    long tokens)
{
	return e->ops->price != NULL ? e->ops->price(e, kind, tokens) : 0;
}

const char *
csa_finish_name(enum csa_finish f)
{
	switch (f) {
	case CSA_FINISH_STOP:
		return "stop";
	case CSA_FINISH_LENGTH:
		return "length";
	case CSA_FINISH_FILTER:
		return "content_filter";
	}
	csa_panic(__FILE__, __LINE__, "finish");
}
