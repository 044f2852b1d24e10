#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"

/* Most requests fit in one block; its size is what an idle thread keeps. */
#define BLOCK	8192
#define ALIGN	_Alignof(max_align_t)

struct block {
	struct block	*next;
	size_t		 size, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct csa_arena {
	struct block	*head;		/* the one being filled */
	struct block	*first;		/* kept by reset */
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

	a->first = a->head = block_new(BLOCK - sizeof(struct block));
	return a;
}

void
csa_arena_reset(struct csa_arena *a)
{
	struct block	*b;

	while ((b = a->head) != a->first) {
		a->head = b->next;
		free(b);
	}
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
	struct block	*b = a->head;
	void		*p;

	CSA_MUST(n < SIZE_MAX / 2);
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (n > b->size - b->used) {
		b = block_new(n > BLOCK / 2 ? n : BLOCK - sizeof(*b));
		b->next = a->head;
		a->head = b;
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
	char	*s;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CSA_MUST(n >= 0);
	s = csa_arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}
