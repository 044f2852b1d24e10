#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/rag/answer_key.h"
#include "lib/rag/rag.h"
#include "lib/text/utf8.h"

/* Longer ones say something else as well. */
#define UNKNOWN_MAX	400

/* tests/unit/test_answer_cache.c changes each of them in turn. */
static void
add_fields(struct csa_buf *b, const struct csa_answer_ask *a)
{
	csa_generation_key(b, a->scope, a->generation);
	csa_key_int(b, a->second);
	csa_key_int(b, CSA_PROMPT_FORMAT);
	csa_key_int(b, (int64_t)a->nhistory);
	for (size_t i = 0; i < a->nhistory; i++) {
		csa_key_int(b, (int64_t)a->history[i].role);
		csa_key_bytes(b, a->history[i].text, a->history[i].len);
	}
	csa_key_str(b, a->system_prompt);
	csa_key_str(b, a->provider);
	csa_key_str(b, a->address);
	csa_key_str(b, a->model);
	csa_key_str(b, a->fallback_models);
	csa_key_int(b, a->may_degrade);
	csa_key_dbl(b, a->temperature);
	csa_key_dbl(b, a->answer_threshold);
	csa_key_int(b, a->max_output_tokens);
	csa_key_int(b, (int64_t)a->k);
	csa_key_int(b, a->rag->context_tokens);
	csa_rag_key(b, a->rag);
}

/* Without the white space around it, which nobody reads a meaning into. */
static void
add_question(struct csa_buf *b, const char *s)
{
	size_t	 n = strlen(s), skip;

	skip = csa_utf8_skip(s, n);
	s += skip;
	n -= skip;
	while (n > 0 && (s[n - 1] == ' ' || (s[n - 1] >= '\t' &&
	    s[n - 1] <= '\r')))
		n--;
	csa_key_bytes(b, s, n);
}

void
csa_answer_key(const struct csa_answer_ask *a, struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_ANSWER);
	add_fields(&b, a);
	add_question(&b, a->question);
	csa_key_end(&b, CSA_CACHE_ANSWER, key);
}

void
csa_similar_key(const struct csa_answer_ask *a, struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_SIMILAR);
	add_fields(&b, a);
	csa_key_end(&b, CSA_CACHE_SIMILAR, key);
}

bool
csa_says_unknown(const char *text, size_t len)
{
	static const char *const	 phrases[] = {
		"don't know", "don\xe2\x80\x99t know", "do not know",
		"wei\xc3\x9f ich nicht", "wei\xc3\x9f nicht",
		"wei\xc3\x9f es nicht", "wei\xc3\x9f das nicht",
		"ne sais pas", "ne le sais pas", "l'ignore",
		"no lo s\xc3\xa9", "no s\xc3\xa9", "non lo so", "non so",
		"n\xc3\xa3o sei", "weet het niet", "weet ik niet",
	};
	char				 s[UNKNOWN_MAX + 1];

	if (len > UNKNOWN_MAX)
		return false;
	memcpy(s, text, len);
	s[len] = '\0';
	for (size_t i = 0; i < CSA_NITEMS(phrases); i++)
		if (strcasestr(s, phrases[i]) != NULL)
			return true;
	return false;
}
