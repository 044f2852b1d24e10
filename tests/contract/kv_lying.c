/*
 * A server that speaks the binary protocol, and lies in it, or takes its time.
 */

#include "config.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_pool.h"
#include "tests/contract/kv_fixture.h"

enum lie {
	NONE,
	OTHER_KEY,	/* as if another had been asked for */
	NO_KEY,
	SAME_KEY_TWICE,
	LONG_KEY,	/* 60,000 bytes of it */
	LONG_KEY_CUT,	/* and then nothing */
	HUGE_LENGTH,
	SHORT_LENGTH,	/* less than the key's */
	WRONG_OPCODE,	/* a reply to what nobody asked */
	NO_MAGIC,
	TOO_MANY,	/* replies after the last one */
	LATE,		/* when nobody waits any more */
	DRIPS,		/* byte by byte */
	FLIPS,		/* a bit, anywhere */
	LIE__MAX
};

#define LIAR_MS	600	/* some lies are waited for so long */

static volatile int	*lie;		/* shared with the server */

/* ---- the server ---- */

#define GETKQ	0x0d
#define NOOP	0x0a
#define QUIT	0x07

struct head {
	uint8_t		 magic, opcode;
	uint16_t	 keylen;
	uint8_t		 extlen, datatype;
	uint16_t	 status;
	uint32_t	 bodylen, opaque;
	uint64_t	 cas;
} __attribute__((packed));

static bool
read_all(int fd, void *buf, size_t n)
{
	ssize_t	 got;

	for (char *p = buf; n > 0; p += got, n -= (size_t)got)
		if ((got = read(fd, p, n)) <= 0)
			return false;
	return true;
}

static void
send_all(int fd, char *buf, size_t n)
{
	if (*lie == LATE)
		nap(2 * LIAR_MS);
	if (*lie == FLIPS)
		buf[(size_t)rand() % n] ^= (char)(1 << rand() % 8);
	for (size_t i = 0; *lie == DRIPS && i < n; i++) {
		if (send(fd, buf + i, 1, MSG_NOSIGNAL) != 1)
			return;
		nap(5);
	}
	if (*lie != DRIPS)
		(void)!send(fd, buf, n, MSG_NOSIGNAL);
}

static void
reply(int fd, const struct head *to, const char *key, size_t keylen,
    const char *val, size_t len)
{
	struct head	 h = *to;
	static char	 buf[80000];
	size_t		 n = sizeof(h), extlen = to->opcode == GETKQ ? 4 : 0;

	h.magic = *lie == NO_MAGIC ? 0x80 : 0x81;
	h.keylen = htons((uint16_t)keylen);
	h.extlen = (uint8_t)extlen;
	h.status = 0;
	h.bodylen = htonl(*lie == HUGE_LENGTH && extlen > 0 ? 0xfffffff0 :
	    *lie == SHORT_LENGTH && extlen > 0 ? 5 :
	    (uint32_t)(extlen + keylen + len));
	if (*lie == WRONG_OPCODE && extlen > 0)
		h.opcode = (uint8_t[]){ 0x01, 0x05, 0x08, 0x0c, 0x0f,
		    0x10 }[rand() % 6];
	memcpy(buf, &h, sizeof(h));
	memset(buf + n, 0, extlen);
	n += extlen;
	memcpy(buf + n, key, keylen);
	n += keylen;
	memcpy(buf + n, val, len);
	n += len;
	if (*lie == LONG_KEY_CUT && extlen > 0)
		n -= len + 1;
	send_all(fd, buf, n);
}

static void
reply_to_get(int fd, const struct head *h, char *key, size_t n)
{
	static char	 longest[60000];
	char		 val[300];
	size_t		 len = (size_t)snprintf(val, sizeof(val), "V:%.*s",
			    (int)n, key);

	memset(longest, 0xff, sizeof(longest));
	switch (*lie) {
	case OTHER_KEY:
		key[0] ^= 1;
		reply(fd, h, key, n, "V:wrong", 7);
		break;
	case NO_KEY:
		reply(fd, h, key, 0, "V:wrong", 7);
		break;
	case SAME_KEY_TWICE:
		reply(fd, h, key, n, val, len);
		reply(fd, h, key, n, "V:wrong", 7);
		break;
	case LONG_KEY:
	case LONG_KEY_CUT:
		reply(fd, h, longest, sizeof(longest), val, len);
		break;
	default:
		reply(fd, h, key, n, val, len);
	}
}

static void
serve(int fd)
{
	struct head	 h;
	static char	 body[70000];
	size_t		 n;

	while (read_all(fd, &h, sizeof(h)) && h.opcode != QUIT) {
		n = ntohl(h.bodylen);
		if (n > sizeof(body) || !read_all(fd, body, n))
			return;
		if (h.opcode == GETKQ)
			reply_to_get(fd, &h, body, ntohs(h.keylen));
		else
			reply(fd, &h, "", 0, "", 0);
		for (int i = 0; *lie == TOO_MANY && h.opcode == NOOP && i < 3;
		    i++) {
			struct head	 more = h;

			more.opcode = i == 1 ? NOOP : GETKQ;
			reply(fd, &more, "key-x", i == 1 ? 0 : 5, "V:wrong",
			    i == 1 ? 0 : 7);
		}
	}
}

static void
start_liar(void)
{
	unsigned short	 port = 0;
	int		 fd = listen_on(&port), c;

	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	lie = mmap(NULL, sizeof(*lie), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne((void *)(uintptr_t)lie, MAP_FAILED);
	ck_assert_int_ne(pids[npids] = fork(), -1);
	if (pids[npids++] > 0) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	srand(6);
	while ((c = accept(fd, NULL, NULL)) != -1) {
		serve(c);
		close(c);
	}
	_exit(1);
}

/* ---- what becomes of it ---- */

static bool	 may_differ;	/* a bit of the value itself may be wrong */
static size_t	 nright;

static void
is_right(const char *key, const char *val, size_t n)
{
	char	 want[300];

	snprintf(want, sizeof(want), "V:%s", key);
	if (n == strlen(want) && memcmp(val, want, n) == 0)
		nright++;
	else
		ck_assert_msg(may_differ, "%s: \"%.*s\"", key, (int)n, val);
}

static void
find(void *arg, size_t i, const void *val, size_t n)
{
	const char *const	*key = arg;

	is_right(key[i], val, n);
}

static void
ask_one(struct csa_kv *kv, const char *key)
{
	void	*val;
	size_t	 n;
	int64_t	 t = csa_now_ms();

	if (kv->ops->get(kv, key, &val, &n) == 1)
		is_right(key, val, n);
	free(val);
	ck_assert_int_le(csa_now_ms() - t, LIAR_MS + SLACK_MS);
}

static void
ask_many(struct csa_kv *kv, unsigned from)
{
	static char	 name[30][16];
	const char	*key[30];
	int64_t		 t = csa_now_ms();

	for (unsigned i = 0; i < 30; i++) {
		snprintf(name[i], sizeof(name[i]), "key-%u", from + i);
		key[i] = name[i];
	}
	(void)kv->ops->get_many(kv, key, 30, find, (void *)(uintptr_t)key);
	ck_assert_int_le(csa_now_ms() - t, LIAR_MS + SLACK_MS);
}

START_TEST(no_lie_is_taken_and_all_is_well_after_it)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;
	char			 key[16];

	start_liar();
	for (int round = 0; round < 2; round++) {
		/* One of its own each time: the breaker forgets nothing. */
		p = csa_kv_pool_new(servers, LIAR_MS, &err);
		kv = csa_kv_take(p);
		*lie = NONE;
		nright = 0;
		ask_one(kv, "key-1");
		ask_many(kv, 0);
		ck_assert_uint_eq(nright, 31);
		may_differ = _i == FLIPS;
		*lie = _i;
		snprintf(key, sizeof(key), "key-%d", round);
		if (round % 2 == 0)
			ask_one(kv, key);
		else
			ask_many(kv, (unsigned)round);
		/* Late ones may be under way still. */
		*lie = NONE;
		if (_i == LATE)
			nap(3 * LIAR_MS);
		may_differ = false;
		nright = 0;
		ask_one(kv, "key-7");
		ask_many(kv, 100);
		ask_one(kv, "key-8");
		/* What was left over costs one more at most. */
		ck_assert_uint_ge(nright, 30);
		csa_kv_give(p, kv);
		csa_kv_pool_free(p);
	}
}
END_TEST

/* Whatever is answered to it. */
static void
tell(struct csa_kv *kv)
{
	static const struct csa_kv_item	 item[] = { { "a", "1", 1, 0 },
		{ "b", "2", 1, 0 }, { "c", "3", 1, 0 }, { "d", "4", 1, 0 } };

	(void)kv->ops->set_many(kv, item, 4);
	(void)kv->ops->add(kv, "e", "5", 1, 0);
	(void)kv->ops->set(kv, "e", "5", 1, 0);
	(void)kv->ops->del(kv, "e");
}

/* Thousands of bits, in heads and keys and values. */
START_TEST(bits_that_flip_hurt_nobody)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;

	start_liar();
	may_differ = true;
	for (int i = 0; i < 400; i++) {
		p = csa_kv_pool_new(servers, 20, &err);
		kv = csa_kv_take(p);
		*lie = FLIPS;
		if (i % 2 == 0)
			ask_many(kv, (unsigned)i);
		else
			tell(kv);
		ask_one(kv, "key-1");
		csa_kv_give(p, kv);
		csa_kv_pool_free(p);
	}
}
END_TEST

/* It is cut short, and found out to be ill. */
START_TEST(what_comes_in_drops_is_not_waited_for)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;
	int64_t			 t;

	start_liar();
	*lie = DRIPS;
	p = csa_kv_pool_new(servers, BRIEF_MS, &err);
	kv = csa_kv_take(p);
	t = csa_now_ms();
	for (unsigned i = 0; i < 20; i++) {
		ask_many(kv, i);
		ask_one(kv, "key-1");
	}
	/* Forty that waited would take twice as long. */
	ck_assert_int_le(csa_now_ms() - t, 20 * BRIEF_MS);
	csa_kv_give(p, kv);
	csa_kv_pool_free(p);
}
END_TEST

void
add_lying_tests(TCase *t)
{
	tcase_add_loop_test(t, no_lie_is_taken_and_all_is_well_after_it, 0,
	    LIE__MAX);
	tcase_add_test(t, bits_that_flip_hurt_nobody);
	tcase_add_test(t, what_comes_in_drops_is_not_waited_for);
}
