/*
 * Names of what is cached: golden ones, worked out by another program from what
 * key.h says; and that no two lists of fields have the same.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/unit/cache_fake.h"

static const struct {
	enum csa_cache_kind	 kind;
	const char		*name;
} golden[] = {
	{ CSA_CACHE_EMBEDDING, "csa:e:8b0585edab62cbf610c6b8c85bc3bab9"
	    "81e243f94e37ea096a21a00069c78a9e" },
	{ CSA_CACHE_RETRIEVAL, "csa:r:925eb76e7c5bc4e3c4d8cbafa57bf86b"
	    "cadc8f1c78005e0f863dd5bb11c83000" },
	{ CSA_CACHE_ANSWER, "csa:a:4bbf0579db31cf35cfc0f6f78a25b9a7"
	    "ddb9e02499c65d89c34fbecc07ec8a4f" },
	{ CSA_CACHE_SIMILAR, "csa:s:0d840b09340223c1f2dbc599e25e863a"
	    "70191224d9caa938ce127759bd281711" },
	{ CSA_CACHE_GENERATION, "csa:g:bbe5c7d32bcd970fb3f282974571fc20"
	    "2a5c0f8df54a101063c7d03bbbecb7c0" },
	{ CSA_CACHE_FLIGHT, "csa:f:4929c0a0789038544a3827d1db5f9b8e"
	    "7538d19595c14f87c0be3d027efadc0c" },
};

START_TEST(names_are_the_golden_ones)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;

	ck_assert_uint_eq(CSA_NITEMS(golden), CSA_CACHE__MAX);
	csa_key_begin(&b, golden[_i].kind);
	csa_key_str(&b, "text-embedding-3-small");
	csa_key_str(&b, NULL);
	csa_key_str(&b, "");
	csa_key_bytes(&b, "b\0c", 3);
	csa_key_int(&b, -2);
	csa_key_dbl(&b, 0.7);
	csa_key_end(&b, golden[_i].kind, &key);
	ck_assert_str_eq(key.name, golden[_i].name);
	ck_assert_int_eq(key.kind, golden[_i].kind);
	ck_assert(csa_kv_key_good(key.name));
}
END_TEST

START_TEST(a_flight_has_the_golden_name_of_what_it_is_for)
{
	struct csa_cache_key	 a = key_of(CSA_CACHE_ANSWER, "x");
	struct csa_cache_key	 e = key_of(CSA_CACHE_EMBEDDING, "x"), f, g;

	csa_key_derive(&a, CSA_CACHE_FLIGHT, &f);
	ck_assert_str_eq(f.name, "csa:f:66eb49a22270e9bf75fe7079d031ff4f"
	    "32164b7247e1723947efe5040c043f78");
	/* Two kinds of the same fields are not one flight. */
	csa_key_derive(&e, CSA_CACHE_FLIGHT, &g);
	ck_assert_str_ne(f.name, g.name);
}
END_TEST

START_TEST(a_generation_is_four_fields)
{
	const struct csa_scope		 scope = { "", "bot" };
	const struct csa_generation	 g = { .store = 7,
		.token = "0123456789abcdef0123456789abcdef", .changed = 99 };
	struct csa_cache_key		 key;
	struct csa_buf			 b;

	csa_key_begin(&b, CSA_CACHE_RETRIEVAL);
	csa_generation_key(&b, &scope, &g);
	csa_key_end(&b, CSA_CACHE_RETRIEVAL, &key);
	ck_assert_str_eq(key.name, "csa:r:e4e95ad90d6bfd2d425253c1e0c7161f"
	    "f33a5d677c29fd50b0a1cc77e39c7daf");
}
END_TEST

START_TEST(a_key_that_cannot_be_held_is_nobodys)
{
	struct csa_cache_key	 key[2];
	struct csa_buf		 b;

	for (int i = 0; i < 2; i++) {
		csa_key_begin(&b, CSA_CACHE_ANSWER);
		b.max = 100;
		csa_key_str(&b, "this is more than what the buffer may hold, "
		    "so that it is failed when the key is wanted, and empty");
		ck_assert(b.failed);
		csa_key_end(&b, CSA_CACHE_ANSWER, &key[i]);
	}
	ck_assert_str_ne(key[0].name, key[1].name);
}
END_TEST

/* ---- no two lists have the same name ---- */

#define FIELDS	4
#define LISTS	60000

/* 'n' null, 's' string, 'b' bytes, 'i' number, 'd' double. */
struct field {
	char	 type;
	char	 text[12];
	size_t	 len;
	int64_t	 number;
};

struct list {
	enum csa_cache_kind	 kind;
	size_t			 n;
	struct field		 field[FIELDS];
	char			 name[80];
};

/* Few of each, so that almost all differ by little: lengths above all. */
static struct field
some_field(void)
{
	static const char	 types[] = "nsssbbid";
	struct field		 f;

	memset(&f, 0, sizeof(f));
	f.type = types[(size_t)rand() % strlen(types)];
	switch (f.type) {
	case 's':
	case 'b':
		f.len = (size_t)rand() % 4;
		for (size_t i = 0; i < f.len; i++)
			f.text[i] = "ab"[rand() % 2];
		break;
	case 'i':
		f.number = rand() % 4 - 1;
		break;
	case 'd':
		/* Its bits are those of a number, at times. */
		f.number = rand() % 2;
		break;
	}
	return f;
}

static void
name_it(struct list *l)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;
	double			 d;

	csa_key_begin(&b, l->kind);
	for (size_t i = 0; i < l->n; i++) {
		const struct field	*f = &l->field[i];

		memcpy(&d, &f->number, sizeof(d));
		if (f->type == 'b')
			csa_key_bytes(&b, f->text, f->len);
		else if (f->type == 'i')
			csa_key_int(&b, f->number);
		else if (f->type == 'd')
			csa_key_dbl(&b, d);
		else
			csa_key_str(&b, f->type == 's' ? f->text : NULL);
	}
	csa_key_end(&b, l->kind, &key);
	memcpy(l->name, key.name, sizeof(l->name));
}

static int
by_fields(const void *a, const void *b)
{
	const struct list	*x = a, *y = b;

	return memcmp(x, y, offsetof(struct list, name));
}

static int
by_name(const void *a, const void *b)
{
	const struct list	*x = a, *y = b;

	/* But for the letter of the kind. */
	return strcmp(x->name + 6, y->name + 6);
}

static size_t
distinct(struct list *l, int (*order)(const void *, const void *))
{
	size_t	 n = 1;

	qsort(l, LISTS, sizeof(*l), order);
	for (size_t i = 1; i < LISTS; i++)
		n += order(&l[i - 1], &l[i]) != 0;
	return n;
}

START_TEST(no_two_lists_of_fields_have_one_name)
{
	struct list	*l = csa_new_array(LISTS, struct list);
	size_t		 lists;

	srand(1);
	for (size_t i = 0; i < LISTS; i++) {
		l[i].kind = (enum csa_cache_kind)(rand() % CSA_CACHE__MAX);
		l[i].n = (size_t)rand() % (FIELDS + 1);
		for (size_t k = 0; k < l[i].n; k++)
			l[i].field[k] = some_field();
		name_it(&l[i]);
	}
	lists = distinct(l, by_fields);
	ck_assert_uint_gt(lists, LISTS / 3);
	ck_assert_uint_eq(distinct(l, by_name), lists);
	free(l);
}
END_TEST

/* Each field of a list in turn becomes another one, and nothing else. */
START_TEST(each_field_alone_changes_the_name)
{
	struct list	 l, changed;
	struct field	 f;

	srand(2);
	for (int i = 0; i < 5000; i++) {
		memset(&l, 0, sizeof(l));
		l.kind = CSA_CACHE_ANSWER;
		l.n = FIELDS;
		for (size_t k = 0; k < FIELDS; k++)
			l.field[k] = some_field();
		name_it(&l);
		for (size_t k = 0; k < FIELDS; k++) {
			do
				f = some_field();
			while (memcmp(&f, &l.field[k], sizeof(f)) == 0);
			changed = l;
			changed.field[k] = f;
			name_it(&changed);
			ck_assert_str_ne(changed.name, l.name);
		}
		changed = l;
		changed.n--;
		name_it(&changed);
		ck_assert_str_ne(changed.name, l.name);
		changed = l;
		changed.kind = CSA_CACHE_SIMILAR;
		name_it(&changed);
		ck_assert_int_ne(by_name(&changed, &l), 0);
	}
}
END_TEST

TCase *
key_tests(void)
{
	TCase	*t = tcase_create("keys");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, names_are_the_golden_ones, 0,
	    (int)CSA_NITEMS(golden));
	tcase_add_test(t, a_flight_has_the_golden_name_of_what_it_is_for);
	tcase_add_test(t, a_generation_is_four_fields);
	tcase_add_test(t, a_key_that_cannot_be_held_is_nobodys);
	tcase_add_test(t, no_two_lists_of_fields_have_one_name);
	tcase_add_test(t, each_field_alone_changes_the_name);
	return t;
}
