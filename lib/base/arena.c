#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"

/*
 * The many small things of a chat fit in the first block (they are 3.6 kB), whose
 * size is what an idle thread keeps; its few large ones have blocks of their own,
 * and what does not fit gets smaller ones.
 */
#define FIRST	4096
#define BLOCK	2048
#define ALIGN	_Alignof(max_align_t)

struct block {
	struct block	*next;
	size_t		 size, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct csa_arena {
	struct block	*head;		/* the one being filled */
	struct block	*first;		/* kept by reset */
	struct block	*large;		/* each has one thing in it */
};

static struct block *
block_new(size_t size)
{
	struct block	*b = csa_malloc(sizeof(*b) + size);

	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

struct csa_arena *
csa_arena_new(void)
{
	struct csa_arena	*a = csa_new(struct csa_arena);

	a->first = a->head = block_new(FIRST - sizeof(struct block));
	return a;
}

/* Free the list up to `end`, which becomes its head. */
static void
blocks_free(struct block **head, const struct block *end)
{
	struct block	*b;

	while ((b = *head) != end) {
		*head = b->next;
		free(b);
	}
}

void
csa_arena_reset(struct csa_arena *a)
{
	blocks_free(&a->large, NULL);
	blocks_free(&a->head, a->first);
	a->first->used = 0;
}

void
csa_arena_free(struct csa_arena *a)
{
	if (a == NULL)
		return;
	csa_arena_reset(a);
	free(a->first);
	free(a);
}

void *
csa_arena_alloc(struct csa_arena *a, size_t n)
{
	struct block	*b = a->head, **list = &a->head;
	void		*p;

	CSA_MUST(n < SIZE_MAX / 2);
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (n > b->size - b->used) {
		/* What the block has left is not lost to a large thing. */
		if (n > BLOCK / 2) {
			list = &a->large;
			b = block_new(n);
		} else
			b = block_new(BLOCK - sizeof(*b));
		b->next = *list;
		*list = b;
	}
	p = b->data + b->used;
	b->used += n;
	return p;
}

void *
csa_arena_zalloc(struct csa_arena *a, size_t n, size_t size)
{
	void	*p;

	CSA_MUST(size == 0 || n < SIZE_MAX / 2 / size);
	p = csa_arena_alloc(a, n * size);
	memset(p, 0, n * size);
	return p;
}

char *
csa_arena_strndup(struct csa_arena *a, const char *s, size_t n)
{
	char	*copy = csa_arena_alloc(a, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
csa_arena_strdup(struct csa_arena *a, const char *s)
{
	return csa_arena_strndup(a, s, strlen(s));
}

char *
csa_arena_printf(struct csa_arena *a, const char *fmt, ...)
{
	va_list	 ap;
	char	*s, text[256];
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CSA_MUST(n >= 0);
	if ((size_t)n < sizeof(text))
		return csa_arena_strndup(a, text, (size_t)n);
	s = csa_arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}
