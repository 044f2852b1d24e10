/*
 * paraphrase: do two texts ask the same?
 *
 * Vectors are near for a question and its opposite as well, so this is what
 * decides; they only choose what it is asked about.  It is no understanding of
 * language but a list of what may differ, and everything else must be equal:
 *
 * - case, white space, punctuation, contractions (don't), and in English the s
 *   at the end of words in small letters (opens, hours): other inflection turns
 *   "does it chase" into "is it chased";
 * - articles, and other words that say nothing ("actually", "any");
 * - a polite opening ("can you please tell me"), and the verbs that a way to ask
 *   brings along ("how do I", "how can I", "how to");
 * - the place of what begins with a preposition ("in Paris, what ..."), and
 *   "B's A" or "B A" for "A of B", as long as what stands together stays so;
 * - a few English words of one meaning, and numbers in words for digits.
 *
 * So all else agrees, and in this order: negations, numbers with their units,
 * ordinals, names, quoted words, codes, the kind of question (who, when, where,
 * why, how, whether), tense, what is possible, allowed or needed, and every word
 * that has a meaning, with the preposition before it.  "From A to B" is not "from
 * B to A", nor "does A cause B" "does B cause A".  The price is that most human
 * paraphrases are not seen as such.
 *
 * Measured (bench/paraphrases.py: emanual, squad2-tune and cranfield, with the
 * vectors of multilingual-e5-small, cosine .92 or more): of 720 questions that
 * were put in other words by rules 88 % are the same, of 192 pairs to which people
 * gave one answer 5 %. Of 2,511 that were made to ask something else none is,
 * where vectors alone take 94 % for the same; of 10,132 pairs on one paragraph
 * with different answers two are, both the same question to a reader, where
 * vectors alone take 16 %. At any threshold from .80 on the figures of the second
 * kind are these; above .94 they cost hits.
 *
 * The lists (paraphrase.def) are for English, German, French, Spanish, Italian,
 * Portuguese and Dutch.  Of texts that seem to be in no or in two of these, only
 * case, white space and punctuation may differ.
 */

#ifndef CSA_RAG_PARAPHRASE_H
#define CSA_RAG_PARAPHRASE_H

#include <stdbool.h>
#include <stddef.h>

struct csa_arena;

/* Of more words than this nothing is said: false, unless they are equal. */
#define CSA_PARAPHRASE_WORDS	96

/* a and b are valid UTF-8.  It takes some ten microseconds. */
bool	csa_same_question(struct csa_arena *, const char *a, size_t na,
	    const char *b, size_t nb);

#endif
