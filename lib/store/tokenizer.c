#include "config.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/base/bytes16.h"
#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "lib/store/tokenizer.h"

/* FTS5's own, for everything but the scripts without spaces. */
static const char *const words_args[] = {
	"unicode61", "remove_diacritics", "2",
};

/*
 * Stems that were made before: text repeats its words, and porter costs ten
 * times what a look here does.  Two to a line of the processor's cache.
 */
#define STEMS		2048		/* a power of two */
#define STEMMAX		15		/* longer words are not kept */
#define WORDMAX		CSA_BYTES16	/* what is looked at for one */

/* A word of ASCII letters and digits in lower case, with zeros behind it. */
union word {
	char	 c[WORDMAX];
	uint64_t u[WORDMAX / 8];
};

struct stem {
	union word word;		/* all zero: free */
	uint8_t	 nstem;
	char	 stem[STEMMAX];
};

struct tokenizer {
	fts5_tokenizer	 words;		/* porter's functions */
	Fts5Tokenizer	*inner;
	struct tokenizer *next;		/* in the free list below */
	struct stem	 stems[STEMS];
};

/* Who gets the tokens of one call. */
struct sink {
	void	*arg;
	int	(*token)(void *, int, const char *, int, int, int);
	int	 base;			/* offset of the part in the whole */
};

/* Blocks of Unicode 15.0's Blocks.txt, less their punctuation and symbols. */
static const struct { uint32_t from, to; } spaceless[] = {
	/* Thai, Lao, Myanmar, Khmer */
	{ 0x0e01, 0x0e3a }, { 0x0e40, 0x0e4e }, { 0x0e50, 0x0e59 },
	{ 0x0e81, 0x0edf },
	{ 0x1000, 0x1049 }, { 0x1050, 0x109d },
	{ 0x1780, 0x17d3 }, { 0x17d7, 0x17d7 }, { 0x17dc, 0x17e9 },
	/* Iteration mark and zero; Hiragana; Katakana */
	{ 0x3005, 0x3007 },
	{ 0x3041, 0x309a }, { 0x309d, 0x309f },
	{ 0x30a1, 0x30fa }, { 0x30fc, 0x30ff }, { 0x31f0, 0x31ff },
	/* Han; Myanmar again; Han, compatibility; Katakana, half width */
	{ 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },
	{ 0xa9e0, 0xa9fe }, { 0xaa60, 0xaa7f },
	{ 0xf900, 0xfaff },
	{ 0xff66, 0xff9f },
	/* Kana supplement; Han, planes 2 and 3 */
	{ 0x1b000, 0x1b16f },
	{ 0x20000, 0x3ffff },
};

bool
csa_is_spaceless(uint32_t cp)
{
	size_t	 lo = 0, hi = CSA_NITEMS(spaceless), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (cp > spaceless[mid].to)
			lo = mid + 1;
		else if (cp < spaceless[mid].from)
			hi = mid;
		else
			return true;
	}
	return false;
}

/*
 * The length of the spaceless character at s, or 0: another one, or no UTF-8.
 * None of them is shorter than three bytes, which lets most text pass at a
 * glance.
 */
static int
spaceless_at(const char *s, int n)
{
	const unsigned char	*u = (const unsigned char *)s;
	uint32_t		 cp;
	int			 len;

	if (n < 3 || u[0] < 0xe0 || u[0] > 0xf4)
		return 0;
	len = u[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	cp = u[0] & (len == 3 ? 0x0f : 0x07);
	for (int i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (u[i] & 0x3f);
	}
	return csa_is_spaceless(cp) ? len : 0;
}

static int
shifted(void *arg, int flags, const char *text, int n, int start, int end)
{
	struct sink	*k = arg;

	return k->token(k->arg, flags, text, n, start + k->base,
	    end + k->base);
}

/* Overlapping pairs of the run s, and its last character alone. */
static int
run_of_pairs(struct sink *k, const char *s, int n)
{
	int	 at = 0, first, second, rc;

	while (at < n) {
		first = spaceless_at(s + at, n - at);
		CSA_MUST(first > 0);
		second = spaceless_at(s + at + first, n - at - first);
		rc = k->token(k->arg, 0, s + at, first + second, k->base + at,
		    k->base + at + first + second);
		if (rc != SQLITE_OK)
			return rc;
		at += first;
	}
	return SQLITE_OK;
}

/* How far the run at s goes that is, or is not, spaceless throughout. */
static int
run_length(const char *s, int n, bool *pairs)
{
	int	 len = spaceless_at(s, n), at;

	*pairs = len > 0;
	for (at = *pairs ? len : 1; at < n; at += *pairs ? len : 1) {
		len = spaceless_at(s + at, n - at);
		if ((len > 0) != *pairs)
			break;
	}
	return at;
}

/* ---- words of ASCII letters and digits ---- */

/* Every ASCII byte that is no letter or digit separates words in unicode61. */
static bool
is_separator(char c)
{
	return !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
	    !(c >= '0' && c <= '9') && !(c & 0x80);
}

/* The word that s begins with, as far as WORDMAX bytes show it; its length. */
static inline int
read_word(const char *s, int n, union word *w)
{
	static const uint8_t	 keep[2 * WORDMAX] = {
		255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255,
	};
	char		 tail[WORDMAX];
	csa_bytes16	 v, low;
	unsigned	 len;

	if (n < WORDMAX) {
		memset(tail, 0, sizeof(tail));	/* a separator */
		memcpy(tail, s, (size_t)n);
		s = tail;
	}
	v = csa_load_bytes16(s);
	/* Digits have that bit already; letters get it, whatever their case. */
	low = v | 0x20;
	len = csa_first16(~((csa_bytes16)(low - 'a' < 26) |
	    (csa_bytes16)(v - '0' < 10)));
	low &= csa_load_bytes16(keep + WORDMAX - len);
	memcpy(w->c, &low, sizeof(w->c));
	return (int)len;
}

static int
take_stem(void *arg, int flags, const char *text, int n, int start, int end)
{
	struct stem	*m = arg;

	(void)flags;
	(void)start;
	(void)end;
	if (n > STEMMAX)
		return SQLITE_ERROR;
	memcpy(m->stem, text, (size_t)n);
	m->nstem = (uint8_t)n;
	return SQLITE_OK;
}

/* A multiplicative hash: its high bits have seen all of the word. */
static unsigned
hash_of(const union word *w)
{
	uint64_t	 h = w->u[0] * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32 ^ w->u[1]) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(h >> 32) & (STEMS - 1);
}

/* The stem of a word of n bytes, at most STEMMAX. */
static const struct stem *
stem_of(struct tokenizer *t, const union word *w, int n)
{
	struct stem	*m = &t->stems[hash_of(w)];

	if (m->word.u[0] == w->u[0] && m->word.u[1] == w->u[1])
		return m;
	m->nstem = 0;
	memset(&m->word, 0, sizeof(m->word));
	if (t->words.xTokenize(t->inner, m, FTS5_TOKENIZE_DOCUMENT, w->c, n,
	    take_stem) != SQLITE_OK || m->nstem == 0)
		return NULL;
	m->word = *w;
	return m;
}

/* Any bytes without a separator. */
static int
any_word(struct tokenizer *t, struct sink *k, const char *s, int n)
{
	bool	 pairs;
	int	 base = k->base, at, len, rc = SQLITE_OK;

	for (at = 0; rc == SQLITE_OK && at < n; at += len) {
		k->base = base + at;
		len = run_length(s + at, n - at, &pairs);
		rc = pairs ? run_of_pairs(k, s + at, len) :
		    t->words.xTokenize(t->inner, k, FTS5_TOKENIZE_DOCUMENT,
		    s + at, len, shifted);
	}
	return rc;
}

/*
 * The word at s, where no separator is, n bytes before the text ends.  Returns
 * how many bytes it and the separator behind it have, and how it went in *rc.
 */
static inline int
one_word(struct tokenizer *t, struct sink *k, const char *s, int n, int *rc)
{
	union word		 w;
	const struct stem	*m;
	int			 len = read_word(s, n, &w);

	/* Behind it is no letter or digit, so only a byte above ASCII goes on. */
	if (len <= STEMMAX && (len == n || !(s[len] & 0x80)) &&
	    (m = stem_of(t, &w, len)) != NULL) {
		*rc = k->token(k->arg, 0, m->stem, m->nstem, k->base,
		    k->base + len);
		return len + 1;
	}
	while (len < n && !is_separator(s[len]))
		len++;
	*rc = any_word(t, k, s, len);
	return len + 1;
}

static int
cut(Fts5Tokenizer *self, void *arg, int flags, const char *s, int n,
    int (*token)(void *, int, const char *, int, int, int))
{
	struct tokenizer	*t = (struct tokenizer *)self;
	struct sink		 k = { arg, token, 0 };
	int			 len, rc = SQLITE_OK;

	/* See csa_tokenizer_register. */
	if (flags & FTS5_TOKENIZE_QUERY)
		return n > 0 ? token(arg, 0, s, n, 0, n) : SQLITE_OK;
	for (int at = 0; rc == SQLITE_OK && at < n; at += len) {
		k.base = at;
		len = is_separator(s[at]) ? 1 :
		    one_word(t, &k, s + at, n - at, &rc);
	}
	return rc;
}

static void
destroy(Fts5Tokenizer *self)
{
	struct tokenizer	*t = (struct tokenizer *)self;

	if (t->inner != NULL)
		t->words.xDelete(t->inner);
	free(t);
}

static int
create(void *arg, const char **args, int nargs, Fts5Tokenizer **out)
{
	fts5_api		*api = arg;
	struct tokenizer	*t = csa_new(struct tokenizer);
	const char		*porter_args[CSA_NITEMS(words_args)];
	void			*porter;
	int			 rc;

	(void)args;
	(void)nargs;
	memcpy(porter_args, words_args, sizeof(porter_args));
	rc = api->xFindTokenizer(api, "porter", &porter, &t->words);
	if (rc == SQLITE_OK)
		rc = t->words.xCreate(porter, porter_args,
		    CSA_NITEMS(porter_args), &t->inner);
	if (rc != SQLITE_OK) {
		free(t);
		return rc;
	}
	*out = (Fts5Tokenizer *)t;
	return SQLITE_OK;
}

/* See "Extending FTS5" in SQLite's documentation. */
fts5_api *
csa_fts5_api(sqlite3 *db)
{
	sqlite3_stmt	*st;
	fts5_api	*api = NULL;

	if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL) !=
	    SQLITE_OK)
		return NULL;
	sqlite3_bind_pointer(st, 1, &api, "fts5_api_ptr", NULL);
	(void)sqlite3_step(st);
	sqlite3_finalize(st);
	return api;
}

int
csa_tokenizer_register(sqlite3 *db)
{
	static const fts5_tokenizer	 ours = { create, destroy, cut };
	fts5_tokenizer			 copy = ours;
	fts5_api			*api = csa_fts5_api(db);

	if (api == NULL || api->iVersion < 2)
		return SQLITE_ERROR;
	return api->xCreateTokenizer(api, "csa", api, &copy, NULL);
}

/*
 * Outside of an index.  A tokenizer has buffers of its own, so one serves one
 * thread at a time; those not in use wait in a list.  The connection they stem
 * from has no file and stays for the life of the process.
 */
static pthread_once_t	 once = PTHREAD_ONCE_INIT;
static pthread_mutex_t	 idle_lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3		*memory;
static fts5_api		*memory_api;
static struct tokenizer	*idle;

static void
open_memory(void)
{
	CSA_MUST(sqlite3_open_v2(":memory:", &memory, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL) == SQLITE_OK);
	memory_api = csa_fts5_api(memory);
	CSA_MUST(memory_api != NULL);
}

static struct tokenizer *
borrow(void)
{
	struct tokenizer	*t;
	Fts5Tokenizer		*made;

	pthread_mutex_lock(&idle_lock);
	if ((t = idle) != NULL)
		idle = t->next;
	pthread_mutex_unlock(&idle_lock);
	if (t != NULL)
		return t;
	CSA_MUST(create(memory_api, NULL, 0, &made) == SQLITE_OK);
	return (struct tokenizer *)made;
}

static void
give_back(struct tokenizer *t)
{
	pthread_mutex_lock(&idle_lock);
	t->next = idle;
	idle = t;
	pthread_mutex_unlock(&idle_lock);
}

struct outside {
	csa_tokenizer_each	*each;
	void			*arg;
};

static int
without_flags(void *arg, int flags, const char *text, int n, int start,
    int end)
{
	struct outside	*o = arg;

	(void)flags;
	return o->each(o->arg, text, n, start, end) != 0 ? SQLITE_DONE :
	    SQLITE_OK;
}

void
csa_tokenizer_run(const char *s, size_t n, csa_tokenizer_each *each,
    void *arg)
{
	struct outside		 o = { each, arg };
	struct tokenizer	*t;

	CSA_MUST(n <= INT_MAX);
	CSA_MUST(pthread_once(&once, open_memory) == 0);
	t = borrow();
	(void)cut((Fts5Tokenizer *)t, &o, FTS5_TOKENIZE_DOCUMENT, s, (int)n,
	    without_flags);
	give_back(t);
}
