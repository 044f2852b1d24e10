#include "config.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/buf.h"
#include "tests/emu/memo.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

typedef float lanes __attribute__((vector_size(16), aligned(4)));

/* Weights of the parts; tried on short texts until likes were near. */
#define W_WORD		1.0f
#define W_STOP		0.12f
#define W_PAIR		0.35f
#define W_TRIGRAM	0.18f
#define W_NOISE		0.04f		/* of the length of the rest */
#define W_TASK		0.25f

static uint64_t
next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Add a feature at eight places in each of four nested ranges. */
static void
feature(float *v, size_t full, uint64_t hash, float weight)
{
	static const size_t range[4] = { 128, 768, 1536, SIZE_MAX };
	uint64_t state = hash, r;
	size_t i, k, n;

	for (i = 0; i < 4; i++) {
		n = range[i] < full ? range[i] : full;
		for (k = 0; k < 8; k++) {
			r = next_random(&state);
			v[(r >> 8) % n] += r & 1 ? weight : -weight;
		}
	}
}

static void
trigrams(float *v, size_t full, const struct emu_word *w, uint64_t space)
{
	char t[EMU_WORDMAX + 2];
	size_t i;

	t[0] = '^';
	memcpy(t + 1, w->text, w->len);
	t[w->len + 1] = '$';
	for (i = 0; i + 3 <= w->len + 2; i++)
		feature(v, full, emu_hash(t + i, 3, space), W_TRIGRAM);
}

/* Longer words say more, as a rule. */
static float
length_factor(size_t len)
{
	return 0.6f + 0.1f * (float)(len < 10 ? len : 10);
}

static void
text_features(float *v, size_t full, const char *text, size_t len,
    uint64_t space)
{
	const char *s = text;
	struct emu_word w;
	uint64_t last = 0;

	while (emu_word_next(&s, text + len, &w)) {
		feature(v, full, w.hash ^ space, w.stop ? W_STOP :
		    W_WORD * length_factor(w.len));
		if (w.stop)
			continue;
		trigrams(v, full, &w, space);
		if (last != 0)
			feature(v, full, (last * 31 + w.hash) ^ space, W_PAIR);
		last = w.hash;
	}
}

/* Add a random direction of the given length. */
static void
direction(float *v, size_t n, uint64_t seed, float length)
{
	float scale = length * sqrtf(3.0f / (float)n);
	size_t i;

	for (i = 0; i < n; i++) {
		int32_t r = (int32_t)(next_random(&seed) >> 32);

		v[i] += scale * (float)r / 2147483648.0f;
	}
}

float
emu_dot(const float *a, const float *b, size_t n)
{
	lanes s0 = { 0 }, s1 = { 0 }, x, y;
	float sum;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		s0 += x * y;
		memcpy(&x, a + i + 4, sizeof(x));
		memcpy(&y, b + i + 4, sizeof(y));
		s1 += x * y;
	}
	s0 += s1;
	sum = s0[0] + s0[1] + s0[2] + s0[3];
	for (; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void
emu_normalize(float *v, size_t n)
{
	float len = sqrtf(emu_dot(v, v, n));
	size_t i;

	for (i = 0; len > 0 && i < n; i++)
		v[i] /= len;
}

void
emu_embed(const struct emu_embedder *e, const char *text, size_t len,
    float *out)
{
	uint64_t space = emu_hash(e->space, strlen(e->space), 1);
	float *v, norm;

	v = emu_calloc(e->full, sizeof(*v));
	text_features(v, e->full, text, len, space);
	norm = sqrtf(emu_dot(v, v, e->full));
	direction(v, e->full, emu_hash(text, len, space),
	    norm > 0 ? norm * W_NOISE : 1);
	if (e->task != NULL && e->task[0] != '\0')
		direction(v, e->full, emu_hash(e->task, strlen(e->task), space),
		    norm > 0 ? norm * W_TASK : 1);
	emu_normalize(v, e->full);
	memcpy(out, v, e->dims * sizeof(*v));
	if (e->normalize && e->dims < e->full)
		emu_normalize(out, e->dims);
	free(v);
}

static struct emu_key
key_of(const struct emu_embedder *e, const char *text, size_t len,
    enum emu_format fmt)
{
	uint64_t seed = emu_hash(e->space, strlen(e->space), (uint64_t)fmt);

	if (e->task != NULL)
		seed = emu_hash(e->task, strlen(e->task), seed);
	seed ^= (uint64_t)e->dims << 32 ^ (uint64_t)e->normalize << 63;
	return emu_memo_key(text, len, seed);
}

void
emu_embed_text(const struct emu_embedder *e, const char *text, size_t len,
    enum emu_format fmt, struct emu_buf *out)
{
	struct emu_key key = key_of(e, text, len, fmt);
	size_t from = out->len;
	float *v;

	if (emu_memo_get(key, out))
		return;
	v = emu_alloc(e->dims * sizeof(*v));
	emu_embed(e, text, len, v);
	if (fmt == EMU_JSON) {
		emu_buf_floats(out, v, e->dims);
	} else {
		/* Little-endian floats, as this machine has them. */
		emu_buf_adds(out, "\"");
		emu_buf_base64(out, v, e->dims * sizeof(*v));
		emu_buf_adds(out, "\"");
	}
	free(v);
	emu_memo_put(key, out->p + from, out->len - from);
}
