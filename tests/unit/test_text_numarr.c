#include "config.h"

#include <check.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/numarr.h"
#include "lib/text/numarr_marks.h"
#include "lib/text/number.h"
#include "lib/text/vec.h"
#include "tests/suite.h"

#define MAX	100000

/* A copy with not a byte more, for ASan's sake; freed by the next call. */
static char *
exact(const char *s, size_t n)
{
	static char	*copy;

	free(copy);
	copy = csa_malloc(n);
	memcpy(copy, s, n);
	return copy;
}

/* Scan such a copy, which a is part of until the next one. */
static int
scan(const char *s, size_t n, size_t max, struct csa_numarr *a, size_t *used)
{
	return csa_numarr_scan(exact(s, n), n, max, a, used);
}

/* Repeatable noise (Marsaglia's xorshift64). */
static uint64_t
noise(void)
{
	static uint64_t	 x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static float
any_float(void)
{
	uint32_t	 bits;
	float		 f;

	do {
		bits = (uint32_t)noise();
		memcpy(&f, &bits, sizeof(f));
	} while (!isfinite(f));
	return f;
}

static const struct {
	const char	*text;
	size_t		 used, count;
	const char	*copy;
} good[] = {
	{ "[]", 2, 0, "[]" },
	{ "[ \n\t\r ]", 7, 0, "[]" },
	{ "[1]", 3, 1, "[1]" },
	{ "[-0]", 4, 1, "[-0]" },
	{ "[1,2]", 5, 2, "[1,2]" },
	{ "[ 1 , 2 ]", 9, 2, "[1,2]" },
	{ "[1,2],\"x\":[3]", 5, 2, "[1,2]" },	/* what follows is not ours */
	{ "[1]]", 3, 1, "[1]" },
	{ "[0.5,-0.25e0,1E3,1e+3,1e-3]", 27, 5,
	    "[0.5,-0.25e0,1E3,1e+3,1e-3]" },
	{ "[\n        0.0123456789,\n        -0.1\n      ]", 44, 2,
	    "[0.0123456789,-0.1]" },
	{ "[\r\n\t-0.1,\r\n\t0.2\r\n]", 18, 2, "[-0.1,0.2]" },
	{ "[3.4028235e38,-3.4028235677973366e38]", 37, 2,
	    "[3.4028235e38,-3.4028235677973366e38]" },
	{ "[1e-999]", 8, 1, "[1e-999]" },	/* rounds to 0 */
	{ "[0.000000000000000000000000000000000000000000000001]", 52, 1,
	    "[0.000000000000000000000000000000000000000000000001]" },
	{ "[12345678901234567890123456789012345678]", 40, 1,
	    "[12345678901234567890123456789012345678]" },
};

START_TEST(finds_the_end_of_an_array_and_counts)
{
	size_t			 n = strlen(good[_i].text), used;
	struct csa_numarr	 a;
	char			*s = exact(good[_i].text, n);

	ck_assert_int_eq(csa_numarr_scan(s, n, MAX, &a, &used), 0);
	ck_assert_ptr_eq(a.s, s);
	ck_assert_uint_eq(used, good[_i].used);
	ck_assert_uint_eq(a.count, good[_i].count);
}
END_TEST

START_TEST(takes_the_white_space_out)
{
	size_t			 n = strlen(good[_i].text), used;
	struct csa_numarr	 a, again;
	struct csa_buf		 b;

	csa_buf_init(&b, n);
	ck_assert_int_eq(scan(good[_i].text, n, MAX, &a, &used), 0);
	csa_buf_add(&b, a.s, a.n);
	ck_assert_str_eq(b.data, good[_i].copy);
	/* Once more, and it is the same. */
	ck_assert_int_eq(scan(b.data, b.len, MAX, &again, &used), 0);
	ck_assert_uint_eq(used, b.len);
	ck_assert_uint_eq(again.n, b.len);
	ck_assert_mem_eq(again.s, b.data, b.len);
	csa_buf_fini(&b);
}
END_TEST

static const char *const bad[] = {
	"", "1", "{}", "x[1]",
	"[", "[1", "[1,", "[1,2", "[ ", "[1 ",		/* no end */
	"[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1;2]",
	"[01]", "[-01]", "[00]", "[-]", "[+1]", "[.5]", "[1.]", "[1.e1]",
	"[1e]", "[1e+]", "[1e1.5]", "[0x1]", "[1f]", "[1_0]", "[--1]",
	"[NaN]", "[nan]", "[Infinity]", "[-Infinity]", "[inf]", "[null]",
	"[true]", "[\"1\"]", "[[1]]", "[{}]", "[1}", "[1\v]", "[1,\f2]",
	"[1e999]", "[-1e999]", "[1e39]", "[3.4028236e38]",
	"[340282356779733661637539395458142568448]",	/* rounds to inf */
	"[1000000000000000000000000000000000000000]",	/* 1e39 */
	"[\302\2401]", "[\xd9\xa1]",			/* other digits */
};

START_TEST(refuses_what_is_no_array_of_finite_numbers)
{
	size_t			 n = strlen(bad[_i]), used;
	struct csa_numarr	 a;

	ck_assert_int_eq(scan(bad[_i], n, MAX, &a, &used), -1);
}
END_TEST

/* Number by number and byte by byte: what the quick way must agree with. */
static const char *
past_space(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++;
	return p;
}

static int
scan_slowly(const char *s, size_t n, size_t *count, size_t *used)
{
	const char		*p = past_space(s + 1, s + n), *end = s + n;
	struct csa_number_text	 t;

	*count = 0;
	for (; p < end && (*p != ']' || *count > 0);
	    p = past_space(p + 1, end)) {
		if (csa_number_scan(p, (size_t)(end - p), &t) !=
		    CSA_NUMBER_OK || csa_number_exceeds_float(p, t.len))
			return -1;
		(*count)++;
		p = past_space(p + t.len, end);
		if (p == end || *p != ',')
			break;
	}
	if (p == end || *p != ']')
		return -1;
	*used = (size_t)(p + 1 - s);
	return 0;
}

/* Is a what s is without white space? */
static void
is_dense(const struct csa_numarr *a, const char *s, size_t n)
{
	size_t	 at = 0;

	for (size_t i = 0; i < n; i++)
		if (strchr(" \t\r\n", s[i]) == NULL) {
			ck_assert_uint_lt(at, a->n);
			ck_assert(a->s[at++] == s[i]);
		}
	ck_assert_uint_eq(at, a->n);
}

static void
scans_alike(const char *s, size_t n)
{
	struct csa_numarr	 a = { 0 };
	size_t			 count, used, want_used = 0;
	int			 want = scan_slowly(s, n, &count, &want_used);

	ck_assert_msg(scan(s, n, MAX, &a, &used) == want, "%.*s", (int)n, s);
	if (want == -1)
		return;
	ck_assert_uint_eq(used, want_used);
	ck_assert_uint_eq(a.count, count);
	is_dense(&a, s, used);
}

/* How a vector comes: indented, dense, as doubles, with what is not usual. */
static const struct {
	const char	*between;
	int		 digits;
	bool		 odd;			/* 1e-05, 12.5, 0, 1.0 too */
} styles[] = {
	{ ",\n        ", 9, false }, { ",", 8, false }, { ", ", 17, false },
	{ ",\r\n\t", 9, false }, { " ,\n ", 1, true }, { ",", 9, true },
};

static int
make_number(char *s, size_t size, int style)
{
	double	 d = (double)((int)(noise() % 1999) - 999) / 1000;

	switch (styles[style].odd ? noise() % 6 : 5) {
	case 0:
		return snprintf(s, size, "%.1e", d);
	case 1:
		return snprintf(s, size, "%f", 100 * d);
	case 2:
		return snprintf(s, size, "%.0f", 5 * d);
	default:
		return snprintf(s, size, "%.*f", styles[style].digits, d);
	}
}

static size_t
make_vector(char *s, size_t size, int style, int count)
{
	size_t	 n = 0;

	s[n++] = '[';
	for (int i = 0; i < count; i++) {
		n += (size_t)snprintf(s + n, size - n, "%s", i > 0 ?
		    styles[style].between : "\n  ");
		n += (size_t)make_number(s + n, size - n, style);
	}
	n += (size_t)snprintf(s + n, size - n, "\n ], \"x\": [1,2]}");
	return n;
}

START_TEST(scans_the_usual_as_byte_by_byte)
{
	static const char	 misfits[] = "0179-+.,eE \t\n]x\"";
	char			 text[2048], was;
	size_t			 n = make_vector(text, sizeof(text), _i, 24);

	scans_alike(text, n);
	for (size_t i = 1; i < n; i++) {
		was = text[i];
		for (const char *m = misfits; *m != '\0'; m++) {
			text[i] = *m;
			scans_alike(text, n);
		}
		text[i] = (char)noise();
		scans_alike(text, n);
		text[i] = was;
		scans_alike(text, i);		/* ends here */
	}
}
END_TEST

START_TEST(reads_every_style)
{
	char			 text[2048], *own, *at;
	size_t			 n = make_vector(text, sizeof(text), _i, 48);
	size_t			 used;
	float			 f[48], want;
	struct csa_numarr	 a;

	for (int first = 0; first < 2; first++) {
		ck_assert_int_eq(scan(text, n, 48, &a, &used), 0);
		ck_assert_uint_eq(a.count, 48);
		is_dense(&a, text, used);
		own = at = csa_malloc(a.n);
		memcpy(own, a.s, a.n);
		a.s = own;
		csa_numarr_floats(&a, f);
		for (int i = 0; i < 48; i++) {
			want = strtof(at + 1, &at);
			ck_assert(memcmp(&f[i], &want, sizeof(want)) == 0);
		}
		free(own);
		/* Again with nothing between the bracket and the first. */
		memmove(text + 1, text + 4, n - 4);
		n -= 3;
	}
}
END_TEST

static void
marked_by_hand(const char *p, struct csa_marks *m)
{
	*m = (struct csa_marks){ 0 };
	for (unsigned i = 0; i < CSA_WINDOW; i++) {
		m->digit |= (uint64_t)(p[i] >= '0' && p[i] <= '9') << i;
		m->point |= (uint64_t)(p[i] == '.') << i;
		m->minus |= (uint64_t)(p[i] == '-') << i;
		m->comma |= (uint64_t)(p[i] == ',') << i;
		m->blank |= (uint64_t)(p[i] == ' ' || p[i] == '\n') << i;
	}
}

START_TEST(marks_are_the_same_however_they_are_made)
{
	static const char	 usual[] = "0123456789 \n,-.eE+\t\r/:[]";
	char			 text[CSA_WINDOW];
	struct csa_marks	 want, got;

	for (int i = 0; i < 20000; i++) {
		for (int k = 0; k < CSA_WINDOW; k++)
			text[k] = i % 2 == 0 ? (char)noise() :
			    usual[noise() % (sizeof(usual) - 1)];
		marked_by_hand(text, &want);
		csa_marks_plain(text, &got);
		ck_assert_mem_eq(&got, &want, sizeof(got));
#ifdef __x86_64__
		csa_marks_sse2(text, &got);
		ck_assert_mem_eq(&got, &want, sizeof(got));
		if (csa_has_avx2()) {
			csa_marks_avx2(text, &got);
			ck_assert_mem_eq(&got, &want, sizeof(got));
		}
#endif
	}
}
END_TEST

START_TEST(takes_the_largest_float_and_not_the_next_number)
{
	static const char	 largest[] =
	    "[340282356779733661637539395458142568447]";
	struct csa_numarr	 a;
	size_t			 used;
	float			 f;

	ck_assert_int_eq(scan(largest, sizeof(largest) - 1, 1, &a, &used), 0);
	csa_numarr_floats(&a, &f);
	ck_assert(f == FLT_MAX);
}
END_TEST

START_TEST(counts_no_further_than_max)
{
	struct csa_numarr	 a;
	struct csa_buf		 b;
	size_t			 used;

	ck_assert_int_eq(scan("[1,2,3]", 7, 3, &a, &used), 0);
	ck_assert_int_eq(scan("[1,2,3]", 7, 2, &a, &used), -1);
	ck_assert_int_eq(scan("[]", 2, 0, &a, &used), 0);
	csa_buf_init(&b, 1000);
	csa_buf_puts(&b, "[0.1");
	for (int i = 1; i < 50; i++)
		csa_buf_puts(&b, ",-0.25");
	csa_buf_puts(&b, "]");
	for (size_t max = 0; max < 60; max++)
		ck_assert_int_eq(scan(b.data, b.len, max, &a, &used),
		    max < 50 ? -1 : 0);
	csa_buf_fini(&b);
}
END_TEST

/* A number of 512 bytes is the longest; strtof's copy has room for it. */
START_TEST(bounds_the_length_of_a_number)
{
	struct csa_numarr	 a;
	char			 text[600];
	size_t			 used;
	float			 f;

	for (size_t n = 500; n < 530; n++) {
		text[0] = '[';
		memset(text + 1, '1', n);
		text[2] = '.';
		text[n + 1] = ']';
		ck_assert_int_eq(scan(text, n + 2, 1, &a, &used),
		    n <= CSA_NUMBER_MAX ? 0 : -1);
		if (n > CSA_NUMBER_MAX)
			continue;
		csa_numarr_floats(&a, &f);
		ck_assert(f == 1.11111116f);
	}
}
END_TEST

static void
reads_like_strtof(const char *number)
{
	struct csa_numarr	 a;
	char			 text[CSA_NUMBER_MAX + 32];
	float			 f, want = strtof(number, NULL);
	size_t			 used;
	int			 n;

	/* At every distance from the end, near which the slow loops work. */
	for (int pad = 0; pad < 12; pad++) {
		n = snprintf(text, sizeof(text), "[%s%*s]", number, pad, "");
		ck_assert_msg(scan(text, (size_t)n, 1, &a, &used) == 0, "%s",
		    number);
		csa_numarr_floats(&a, &f);
		ck_assert_msg(memcmp(&f, &want, sizeof(f)) == 0,
		    "%s: %.9g instead of %.9g", number, f, want);
	}
}

static const char *const hard[] = {
	"0", "-0", "0.0", "-0.0e5", "0e-999", "1", "-1", "10", "100000000",
	"16777216", "16777217", "16777218", "16777219",	/* 2^24: ties */
	"16777217.0000000000000001",			/* just above one */
	"16777216.9999999999999999",
	"33554433", "33554434", "33554435",
	"0.1", "0.2", "0.3", "1e10", "1e11", "1e22", "1e23", "1e38",
	"3.4028234e38", "3.4028235677973365e38",
	"1.17549435e-38", "1.1754943e-38", "1.17549421e-38", /* subnormal */
	"1.4e-45", "7.1e-46", "7.0e-46", "7.006492321624085e-46", "1e-46",
	"5.877471754111438e-39",
	"12345678901234567890", "0.12345678901234567890",
	"1234567890123456789012345678901234567",
	"0.00000000000000000000000000000000000001",
	"0.000012345678901234567", "0.0000000000000000000000123456789",
	"99999999", "999999999", "9999999999999999999", "18446744073709551615",
	"18446744073709551616", "1.00000017881393432617187499",
	"1.00000017881393432617187500", "1.00000017881393432617187501",
	"1.000000059604644775390625", "1.000000059604644775390626",
	"0.5000000298023223876953125", "0.50000002980232238769531251",
	"8388609.5", "8388608.5", "1e-5", "1E5", "1e+05", "1e0000000000005",
	"-0.021339611", "0.0023064255", "-0.006929283495992422",
};

START_TEST(reads_hard_numbers_like_strtof)
{
	reads_like_strtof(hard[_i]);
}
END_TEST

START_TEST(reads_every_length_of_number_like_strtof)
{
	char	 text[80];

	for (int whole = 1; whole <= 24; whole++)
		for (int frac = 0; frac <= 24; frac++) {
			int	 n = 0;

			for (int i = 0; i < whole; i++)
				text[n++] = (char)('1' + noise() % 9);
			if (frac > 0)
				text[n++] = '.';
			for (int i = 0; i < frac; i++)
				text[n++] = (char)('0' + noise() % 10);
			text[n] = '\0';
			reads_like_strtof(text);
		}
}
END_TEST

/* All kinds: any bits, what models send, middles between two floats. */
START_TEST(reads_random_numbers_like_strtof)
{
	char	 text[100];
	float	 f;

	for (int i = 0; i < 8000; i++) {
		f = any_float();
		snprintf(text, sizeof(text), "%.*g", (int)(noise() % 19) + 1,
		    (double)f);
		if (!isfinite(strtof(text, NULL)))
			continue;
		reads_like_strtof(text);
		snprintf(text, sizeof(text), "%.*f", (int)(noise() % 20) + 1,
		    (double)(int64_t)noise() / 9.3e18);
		reads_like_strtof(text);
		/* The exact middle between f and the next, and beside it. */
		f = ldexpf((float)(noise() % 8388608 + 8388608),
		    (int)(noise() % 60) - 40);
		snprintf(text, sizeof(text), "%.*g",
		    (int)(noise() % 8) + 14,
		    ((double)f + (double)nextafterf(f, INFINITY)) / 2);
		reads_like_strtof(text);
	}
}
END_TEST

START_TEST(what_is_written_reads_back_the_same)
{
	float			*f = csa_new_array(MAX, float), *back;
	struct csa_numarr	 a;
	struct csa_buf		 b;
	size_t			 used;

	back = csa_new_array(MAX, float);
	csa_buf_init(&b, 32 * MAX);
	for (size_t i = 0; i < MAX; i++)
		f[i] = i % 2 == 0 ? any_float() :
		    (float)((double)(int64_t)noise() / 9.3e18);
	csa_numarr_write(&b, f, MAX);
	ck_assert(!b.failed);
	ck_assert_int_eq(csa_numarr_scan(b.data, b.len, MAX, &a, &used),
	    0);
	ck_assert_uint_eq(a.count, MAX);
	ck_assert_uint_eq(a.n, b.len);
	ck_assert_ptr_null(strpbrk(b.data, " \n"));
	csa_numarr_floats(&a, back);
	for (size_t i = 0; i < MAX; i++)
		ck_assert_msg(f[i] == back[i], "%.9g became %.9g", f[i],
		    back[i]);
	csa_buf_fini(&b);
	free(back);
	free(f);
}
END_TEST

static const struct { float f; const char *text; } written[] = {
	{ 0, "[0]" }, { -0.0f, "[0]" }, { 1, "[1]" }, { -1, "[-1]" },
	{ 0.5f, "[0.5]" }, { 0.1f, "[0.100000001]" },
	{ 123456.789f, "[123456.789]" }, { 123456792, "[123456792]" },
	{ 1e8f, "[100000000]" }, { 1e9f, "[1e+09]" },
	{ 9999999, "[9999999]" }, { 1e-4f, "[9.99999975e-05]" },
	{ 0.00025f, "[0.000250000012]" }, { 1e-5f, "[9.99999975e-06]" },
	{ FLT_MAX, "[3.40282347e+38]" }, { -FLT_MIN, "[-1.17549435e-38]" },
	{ 1.4e-45f, "[1.40129846e-45]" },
	{ INFINITY, "[0]" }, { NAN, "[0]" },	/* JSON has no such thing */
};

START_TEST(writes_like_percent_9g)
{
	struct csa_buf	 b;
	char		 text[40];

	csa_buf_init(&b, 100);
	csa_numarr_write(&b, &written[_i].f, 1);
	ck_assert_str_eq(b.data, written[_i].text);
	if (isfinite(written[_i].f) && written[_i].f != 0) {
		snprintf(text, sizeof(text), "[%.9g]", (double)written[_i].f);
		ck_assert_str_eq(b.data, text);
	}
	csa_buf_fini(&b);
}
END_TEST

/* Each power of two and of ten, where a guessed exponent would be wrong. */
START_TEST(writes_every_magnitude)
{
	struct csa_buf	 b;
	char		 text[40];
	float		 f[6];

	csa_buf_init(&b, 100);
	for (int e = -149; e < 128; e++) {
		f[0] = ldexpf(1, e);
		f[1] = nextafterf(f[0], INFINITY);
		f[2] = nextafterf(f[0], 0);
		snprintf(text, sizeof(text), "1e%d", e < -45 ? e / 4 : e % 39);
		f[3] = strtof(text, NULL);
		f[4] = nextafterf(f[3], INFINITY);
		f[5] = nextafterf(f[3], 0);
		for (int i = 0; i < 6; i++) {
			if (f[i] == 0)
				continue;
			csa_buf_reset(&b);
			csa_numarr_write(&b, &f[i], 1);
			/* As near as printf's; a tie may go either way. */
			snprintf(text, sizeof(text), "%.9g", (double)f[i]);
			ck_assert(strtof(b.data + 1, NULL) == f[i]);
			ck_assert_uint_le(b.len, strlen(text) + 2);
			ck_assert(fabs(strtod(b.data + 1, NULL) - f[i]) <=
			    fabs(strtod(text, NULL) - f[i]) * 1.000001);
		}
	}
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_full_buffer_fails_and_a_fitting_one_does_not)
{
	static const char	 text[] = "[ 1.5,\n        2.5 ]";
	float			 f[2] = { 1.5f, 2.5f };
	struct csa_vec		 v = { .dim = 2 };
	struct csa_buf		 b;
	size_t			 used;

	ck_assert_int_eq(scan(text, sizeof(text) - 1, 2, &v.json, &used), 0);
	/* "[1.5,2.5]" is 9 bytes; that the text is longer does not matter. */
	for (size_t max = 0; max < 12; max++) {
		csa_buf_init(&b, max);
		csa_vec_json(&b, &v);
		ck_assert(b.failed == (max < 9));
		csa_buf_fini(&b);
		csa_buf_init(&b, max);
		csa_numarr_write(&b, f, 2);
		ck_assert(b.failed == (max < 9));
		csa_buf_fini(&b);
	}
}
END_TEST

START_TEST(takes_gaps_of_every_length_out)
{
	struct csa_buf		 in, want;
	struct csa_numarr	 a;
	size_t			 used;

	csa_buf_init(&in, 1 << 20);
	csa_buf_init(&want, 1 << 20);
	csa_buf_putc(&in, '[');
	csa_buf_putc(&want, '[');
	for (int i = 0; i < 3072; i++) {
		csa_buf_addf(&in, "%s\n%*s%d.%d", i > 0 ? "," : "",
		    (int)(noise() % 90), "", i % 12, i);
		csa_buf_addf(&want, "%s%d.%d", i > 0 ? "," : "", i % 12, i);
	}
	csa_buf_puts(&in, "\n]");
	csa_buf_puts(&want, "]");
	ck_assert_int_eq(scan(in.data, in.len, MAX, &a, &used), 0);
	ck_assert_uint_eq(a.count, 3072);
	ck_assert_uint_eq(used, in.len);
	ck_assert_uint_eq(a.n, want.len);
	ck_assert_mem_eq(a.s, want.data, a.n);
	csa_buf_fini(&in);
	csa_buf_fini(&want);
}
END_TEST

/* The decimal sign is a point even where people write a comma. */
START_TEST(knows_no_locale)
{
	struct csa_numarr	 a;
	struct csa_buf		 b;
	size_t			 used;
	float			 f;

	if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
		fprintf(stderr, "knows_no_locale: no de_DE.UTF-8 here\n");
	csa_buf_init(&b, 100);
	ck_assert_int_eq(scan("[1.5e-40]", 9, 1, &a, &used), 0);
	csa_numarr_floats(&a, &f);
	ck_assert(f == 1.5e-40f);
	csa_numarr_write(&b, &f, 1);
	ck_assert_ptr_nonnull(strchr(b.data, '.'));
	csa_buf_fini(&b);
}
END_TEST

static const struct {
	const char	*text, *name;
	int		 nth;			/* which find, from 1 */
	const char	*value;			/* begins so; NULL: none */
} finds[] = {
	{ "{\"values\":[1]}", "values", 1, "[1]" },
	{ "{ \"values\" :\n [1]}", "values", 1, "[1]" },
	{ "{\"a\":{\"values\":[1]},\"values\":[2]}", "values", 1, "[1]" },
	{ "{\"a\":{\"values\":[1]},\"values\":[2]}", "values", 2, "[2]" },
	{ "{\"a\":{\"values\":[1]},\"values\":[2]}", "values", 3, NULL },
	{ "{\"x\":\"values\",\"values\":[3]}", "values", 1, "[3]" },
	{ "{\"x\":\"\\\"values\\\":[9]\",\"values\":[4]}", "values", 1,
	    "[4]" },				/* in a string it is text */
	{ "{\"x\":\"\\\\\",\"values\":[5]}", "values", 1, "[5]" },
	{ "{\"x\":\"\\\\\\\"values\\\":1\",\"values\":[6]}", "values", 1,
	    "[6]" },
	{ "{\"x\":\"a\\\"b\",\"values\":[7]}", "values", 1, "[7]" },
	{ "[\"values\",[1]]", "values", 1, NULL },
	{ "{\"value\":1,\"valuess\":2,\"Values\":3}", "values", 1, NULL },
	{ "{\"\":7}", "", 1, "7" },
	{ "{\"values\"", "values", 1, NULL },	/* cut short */
	{ "{\"values\":", "values", 1, NULL },
	{ "{\"values\": ", "values", 1, NULL },
	{ "{\"values", "values", 1, NULL },
	{ "{\"x\\", "values", 1, NULL },
	{ "{\"x\\\"", "values", 1, NULL },
	{ "", "values", 1, NULL },
};

START_TEST(finds_members_by_name)
{
	size_t		 n = strlen(finds[_i].text), pos = 0;
	const char	*s = exact(finds[_i].text, n), *v = NULL;

	for (int i = 0; i < finds[_i].nth; i++)
		v = csa_json_find(s, n, finds[_i].name, &pos);
	if (finds[_i].value == NULL)
		ck_assert_ptr_null(v);
	else {
		ck_assert_ptr_nonnull(v);
		ck_assert_uint_le(pos, (size_t)(v - s));
		ck_assert(memcmp(v, finds[_i].value,
		    strlen(finds[_i].value)) == 0);
	}
}
END_TEST

START_TEST(a_vector_becomes_floats_once_and_unit_copies)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_vec		 v = { .dim = 2 };
	const float		*f, *unit;
	struct csa_buf		 b;
	size_t			 used;

	ck_assert_int_eq(scan("[3, 4.0]", 8, 2, &v.json, &used), 0);
	f = csa_vec_floats(arena, &v, 0);
	ck_assert(f[0] == 3 && f[1] == 4);
	ck_assert_ptr_eq(csa_vec_floats(arena, &v, 0), f);
	unit = csa_vec_floats(arena, &v, 1);
	ck_assert(unit[0] == 0.6f && unit[1] == 0.8f);
	ck_assert(v.f[0] == 3);
	csa_buf_init(&b, 100);
	csa_vec_json(&b, &v);
	ck_assert_str_eq(b.data, "[3,4.0]");	/* its own text, untouched */
	csa_buf_reset(&b);
	v.json.s = NULL;
	csa_vec_json(&b, &v);
	ck_assert_str_eq(b.data, "[3,4]");
	csa_buf_fini(&b);
	csa_arena_free(arena);
}
END_TEST

START_TEST(a_vector_of_any_size_gets_length_1_and_zero_none)
{
	static const float	 rows[][2] = {
		{ 3e38f, 3e38f }, { 1e-45f, 0 }, { -1e-30f, 1e-30f },
	};
	struct csa_arena	*arena = csa_arena_new();
	static const float	 zero[2], bad_[2] = { 1, INFINITY };
	struct csa_vec		 v = { .dim = 2 };
	const float		*f;

	for (size_t i = 0; i < CSA_NITEMS(rows); i++) {
		v.f = rows[i];
		f = csa_vec_floats(arena, &v, 1);
		ck_assert(fabs(hypot(f[0], f[1]) - 1) < 1e-6);
	}
	v.f = zero;
	ck_assert_ptr_null(csa_vec_floats(arena, &v, 1));
	ck_assert_ptr_eq(csa_vec_floats(arena, &v, 0), zero);
	v.f = bad_;
	ck_assert_ptr_null(csa_vec_floats(arena, &v, 1));
	csa_arena_free(arena);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text/numarr");
	TCase	*tc = tcase_create("numarr");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, finds_the_end_of_an_array_and_counts, 0,
	    CSA_NITEMS(good));
	tcase_add_loop_test(tc, takes_the_white_space_out, 0,
	    CSA_NITEMS(good));
	tcase_add_loop_test(tc, refuses_what_is_no_array_of_finite_numbers, 0,
	    CSA_NITEMS(bad));
	tcase_add_loop_test(tc, scans_the_usual_as_byte_by_byte, 0,
	    CSA_NITEMS(styles));
	tcase_add_loop_test(tc, reads_every_style, 0,
	    CSA_NITEMS(styles));
	tcase_add_test(tc, marks_are_the_same_however_they_are_made);
	tcase_add_test(tc, takes_the_largest_float_and_not_the_next_number);
	tcase_add_test(tc, counts_no_further_than_max);
	tcase_add_test(tc, bounds_the_length_of_a_number);
	tcase_add_loop_test(tc, reads_hard_numbers_like_strtof, 0,
	    CSA_NITEMS(hard));
	tcase_add_test(tc, reads_every_length_of_number_like_strtof);
	tcase_add_test(tc, reads_random_numbers_like_strtof);
	tcase_add_test(tc, what_is_written_reads_back_the_same);
	tcase_add_loop_test(tc, writes_like_percent_9g, 0,
	    CSA_NITEMS(written));
	tcase_add_test(tc, writes_every_magnitude);
	tcase_add_test(tc, a_full_buffer_fails_and_a_fitting_one_does_not);
	tcase_add_test(tc, takes_gaps_of_every_length_out);
	tcase_add_test(tc, knows_no_locale);
	tcase_add_loop_test(tc, finds_members_by_name, 0, CSA_NITEMS(finds));
	tcase_add_test(tc, a_vector_becomes_floats_once_and_unit_copies);
	tcase_add_test(tc, a_vector_of_any_size_gets_length_1_and_zero_none);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
