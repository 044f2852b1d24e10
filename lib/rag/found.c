#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/rag/retrieve_cache.h"

/* All but the text. */
static void
keep_chunk(struct csa_arena *arena, struct csa_chunk *c)
{
	c->id = csa_arena_strdup(arena, c->id);
	c->document_id = csa_arena_strdup(arena, c->document_id);
	c->title = csa_arena_strdup(arena, c->title);
	if (c->metadata != NULL)
		c->metadata = csa_arena_strdup(arena, c->metadata);
	c->vec = NULL;
}

/* The texts are most of it: one block, just as large as they are. */
static void
keep_texts(struct csa_arena *arena, struct csa_passage *p, size_t n)
{
	size_t	 size = 0, i;
	char	*at;

	for (i = 0; i < n; i++)
		size += p[i].chunk.len + 1;
	at = csa_arena_alloc(arena, size);
	for (i = 0; i < n; i++) {
		memcpy(at, p[i].chunk.text, p[i].chunk.len);
		p[i].chunk.text = at;
		at += p[i].chunk.len;
		*at++ = '\0';
	}
}

/* Of the hits, only what they say of passages that were found is needed. */
static void
keep_text(struct csa_arena *arena, struct csa_found *found)
{
	struct csa_text_result	*t = &found->text;
	struct csa_text_hit	*hits;
	struct csa_term		*terms;
	size_t			 n = 0;

	hits = csa_arena_array(arena, found->n, struct csa_text_hit);
	for (size_t i = 0; i < t->nhits; i++)
		for (size_t k = 0; k < found->n; k++)
			if (strcmp(t->hits[i].chunk.id,
			    found->passages[k].chunk.id) == 0) {
				hits[n] = t->hits[i];
				hits[n++].chunk = found->passages[k].chunk;
				break;
			}
	t->hits = hits;
	t->nhits = n;
	terms = csa_arena_array(arena, t->nterms, struct csa_term);
	for (size_t i = 0; i < t->nterms; i++) {
		terms[i] = t->terms[i];
		terms[i].text = csa_arena_strdup(arena, terms[i].text);
	}
	t->terms = terms;
}

void
csa_found_copy(struct csa_arena *arena, struct csa_found *found)
{
	struct csa_passage	*p;
	bool			*elsewhere;

	p = csa_arena_array(arena, found->n, struct csa_passage);
	for (size_t i = 0; i < found->n; i++) {
		p[i] = found->passages[i];
		keep_chunk(arena, &p[i].chunk);
	}
	keep_texts(arena, p, found->n);
	found->passages = p;
	if (found->elsewhere != NULL) {
		elsewhere = csa_arena_array(arena, found->n, bool);
		memcpy(elsewhere, found->elsewhere, found->n * sizeof(bool));
		found->elsewhere = elsewhere;
	}
	keep_text(arena, found);
}
