/*
 * same: are these two questions the same?  Reads lines of two texts with a tab
 * between them, and prints 1 or 0 for each: csa_same_question, for
 * bench/paraphrases.py.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/rag/paraphrase.h"

int
main(void)
{
	struct csa_arena	*arena = csa_arena_new();
	char			*line = NULL, *tab;
	size_t			 size = 0;
	ssize_t			 n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[--n] = '\0';
		if ((tab = strchr(line, '\t')) == NULL) {
			fprintf(stderr, "same: no tab in: %s\n", line);
			return 1;
		}
		printf("%d\n", csa_same_question(arena, line,
		    (size_t)(tab - line), tab + 1,
		    (size_t)(line + n - tab - 1)));
		csa_arena_reset(arena);
	}
	free(line);
	csa_arena_free(arena);
	return 0;
}
