#include "config.h"

#include <pthread.h>
#include <string.h>

#include "tests/emu/buf.h"
#include "tests/emu/words.h"

/* Blanks at both ends of every word. */
static const char stops[] = " a an and are as at be been but by can could did "
    "do does for from had has have how i if in into is it its may me my no not "
    "of on or our shall she he should so than that the their them then there "
    "these they this to us was we were what when where which who whom whose "
    "why will with would you your please tell about ";

/* The character at s, and its length; a stray byte is a character. */
static uint32_t
character(const char *s, const char *end, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t left = (size_t)(end - s);

	*len = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (*len > left)
		*len = 1;
	switch (*len) {
	case 2:	return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
	case 3:	return (uint32_t)(p[0] & 15) << 12 |
		    (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
	case 4:	return (uint32_t)(p[0] & 7) << 18 |
		    (uint32_t)(p[1] & 63) << 12 |
		    (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
	default: return p[0];
	}
}

static bool
spaceless(uint32_t c)
{
	return (c >= 0x3040 && c <= 0x30ff) || (c >= 0x3400 && c <= 0x9fff) ||
	    (c >= 0xac00 && c <= 0xd7af);
}

static bool
letter(uint32_t c)
{
	if (c < 0x80)
		return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z');
	return !(c < 0xc0 || c == 0xd7 || c == 0xf7 ||
	    (c >= 0x2000 && c <= 0x206f) || (c >= 0x3000 && c <= 0x303f) ||
	    (c >= 0xff00 && c <= 0xff0f) || (c >= 0xff1a && c <= 0xff20));
}

static bool
ends(const struct emu_word *w, const char *tail, size_t keep)
{
	size_t n = strlen(tail);

	return w->len >= n + keep &&
	    memcmp(w->text + w->len - n, tail, n) == 0;
}

static void
stem(struct emu_word *w)
{
	if (ends(w, "ies", 2)) {
		w->len -= 2;
		w->text[w->len - 1] = 'y';
	} else if (ends(w, "ing", 4)) {
		w->len -= 3;
	} else if (ends(w, "ed", 4)) {
		w->len -= 2;
	} else if (ends(w, "s", 3) && !ends(w, "ss", 1)) {
		w->len -= 1;
	}
	w->text[w->len] = '\0';
}

/* Open addressing, a quarter full; read only once it is filled. */
#define NSTOPS	512

static uint64_t stop_table[NSTOPS];
static pthread_once_t stop_once = PTHREAD_ONCE_INIT;

static void
fill_stops(void)
{
	const char *s = stops + 1;
	uint64_t h;
	size_t n, i;

	for (; *s != '\0'; s += n + 1) {
		n = strcspn(s, " ");
		h = emu_hash(s, n, 0x57);
		for (i = h % NSTOPS; stop_table[i] != 0;
		    i = (i + 1) % NSTOPS)
			continue;
		stop_table[i] = h;
	}
}

static bool
is_stop(const struct emu_word *w)
{
	uint64_t h;
	size_t i;

	if (w->len > 6)
		return false;		/* none is longer */
	(void)pthread_once(&stop_once, fill_stops);
	h = emu_hash(w->text, w->len, 0x57);
	for (i = h % NSTOPS; stop_table[i] != 0; i = (i + 1) % NSTOPS)
		if (stop_table[i] == h)
			return true;
	return false;
}

static void
finish(struct emu_word *w)
{
	w->stop = is_stop(w);
	if (!w->stop)
		stem(w);
	w->hash = emu_hash(w->text, w->len, 0x77);
}

static void
two_characters(const char **s, const char *end, size_t len,
    struct emu_word *w)
{
	size_t second = 0;

	if (*s + len < end &&
	    !spaceless(character(*s + len, end, &second)))
		second = 0;
	w->len = len + second;
	memcpy(w->text, *s, w->len);
	w->text[w->len] = '\0';
	*s += len;
	w->stop = false;
	w->hash = emu_hash(w->text, w->len, 0x77);
}

bool
emu_word_next(const char **s, const char *end, struct emu_word *w)
{
	uint32_t c = 0;
	size_t len, i;

	w->len = 0;
	for (; *s < end; *s += len) {
		c = character(*s, end, &len);
		if (letter(c))
			break;
	}
	if (*s >= end)
		return false;
	if (spaceless(c)) {
		two_characters(s, end, len, w);
		return true;
	}
	for (; *s < end; *s += len) {
		c = character(*s, end, &len);
		if (!letter(c) || spaceless(c))
			break;
		if (w->len + len >= EMU_WORDMAX - 1)
			continue;
		for (i = 0; i < len; i++) {
			char b = (*s)[i];

			w->text[w->len++] = b >= 'A' && b <= 'Z' ?
			    (char)(b + 32) : b;
		}
	}
	w->text[w->len] = '\0';
	finish(w);
	return true;
}

size_t
emu_tokens(size_t bytes)
{
	return (bytes + 3) / 4;
}
