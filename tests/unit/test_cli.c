/*
 * The parts of chatsphere that judge: arrivals, rights, FastCGI, the report.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/advice.h"
#include "cli/arrivals.h"
#include "cli/cache.h"
#include "cli/fcgi_client.h"
#include "cli/report.h"
#include "cli/rights.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/text/json.h"
#include "tests/path_int.h"
#include "tests/suite.h"

#define MS	1000000LL

/* ---- arrivals ---- */

static const char	text[] = ": stream\n\n"
    "id: a.1\nevent: delta\ndata: {\"text\":\"event: delta\"}\n\n"
    "data: no name\n\n"
    "event: deltas\ndata: another\n\n"
    "event:delta\r\ndata: {}\r\n\r\n"
    "event: delta\ndata: x\n"		/* no end of it yet */
    "\n"
    "event: done\ndata: {}\n\n";

START_TEST(split_at_every_offset)
{
	size_t	 n = sizeof(text) - 1;

	for (size_t i = 0; i <= n; i++) {
		struct csa_arrivals	 a = { 0 };

		csa_arrivals_feed(&a, text, i, 1 * MS);
		csa_arrivals_feed(&a, text + i, n - i, 2 * MS);
		ck_assert_uint_eq(a.n, 3);
		ck_assert(a.done);
	}
}
END_TEST

START_TEST(an_event_counts_when_its_blank_line_has_come)
{
	static const char	 event[] = "event: delta\ndata: 1\n";
	struct csa_arrivals	 a = { 0 };

	csa_arrivals_feed(&a, event, sizeof(event) - 1, 5 * MS);
	ck_assert_uint_eq(a.n, 0);
	csa_arrivals_feed(&a, "\n", 1, 7 * MS);
	ck_assert_uint_eq(a.n, 1);
	ck_assert_int_eq(a.at[0], 7 * MS);
	ck_assert(!a.done);
}
END_TEST

START_TEST(more_events_than_there_is_room_for)
{
	struct csa_arrivals	 a = { 0 };

	for (int i = 0; i < 1000; i++)
		csa_arrivals_feed(&a, "event: delta\n\n", 14, i * MS);
	ck_assert_uint_eq(a.n, CSA_ARRIVALS_MAX);
}
END_TEST

/* When 8 events of a 150 ms cadence came, in ms, and what that is. */
static const struct {
	long		 at[8];
	unsigned	 n;
	bool		 done;
	enum csa_flow	 flow;
} flows[] = {
	{ { 0, 150, 300, 450, 600, 750, 900, 1050 }, 8, true, CSA_FLOW_EVEN },
	/* One late, and the next on time. */
	{ { 0, 150, 449, 450, 600, 750, 900, 1050 }, 8, true, CSA_FLOW_EVEN },
	{ { 0, 200, 350, 501, 600, 850, 900, 1099 }, 8, true, CSA_FLOW_EVEN },
	{ { 0, 0, 1, 1, 1, 2, 2, 2 }, 8, true, CSA_FLOW_ONE_PIECE },
	{ { 0, 0, 0, 0, 0, 0, 0, 0 }, 8, true, CSA_FLOW_ONE_PIECE },
	{ { 0, 0, 0, 0, 600, 600, 600, 600 }, 8, true, CSA_FLOW_LUMPS },
	{ { 0, 0, 300, 300, 600, 600, 900, 900 }, 8, true, CSA_FLOW_LUMPS },
	{ { 0, 150, 300, 900, 950, 1000, 1050, 1100 }, 8, true,
	    CSA_FLOW_LUMPS },
	{ { 0, 150, 300, 450 }, 4, false, CSA_FLOW_CUT },
	{ { 0, 150, 300, 450, 600, 750, 900, 1050 }, 8, false, CSA_FLOW_CUT },
	{ { 0 }, 0, true, CSA_FLOW_CUT },
};

START_TEST(the_flow_is_judged)
{
	struct csa_arrivals	 a = { 0 };
	double			 spread, longest;

	a.n = flows[_i].n;
	a.done = flows[_i].done;
	for (unsigned i = 0; i < a.n; i++)
		a.at[i] = 77 * MS + flows[_i].at[i] * MS;
	ck_assert_int_eq(csa_arrivals_judge(&a, 8, 150, &spread, &longest),
	    flows[_i].flow);
	if (a.n > 0)
		ck_assert(spread == (double)flows[_i].at[a.n - 1]);
}
END_TEST

/* ---- rights ---- */

static const struct {
	uid_t	 uid;
	gid_t	 gid, other;
	mode_t	 mode;		/* of a file of 1000:2000 */
	int	 want;
	bool	 may;
} rights[] = {
	{ 1000, 9, 9, 0600, CSA_MAY_READ | CSA_MAY_WRITE, true },
	{ 1000, 9, 9, 0400, CSA_MAY_WRITE, false },
	{ 33, 33, 33, 0600, CSA_MAY_READ, false },
	{ 33, 33, 33, 0666, CSA_MAY_READ | CSA_MAY_WRITE, true },
	{ 33, 2000, 9, 0660, CSA_MAY_WRITE, true },
	{ 33, 33, 2000, 0660, CSA_MAY_WRITE, true },
	{ 33, 33, 2000, 0640, CSA_MAY_WRITE, false },
	/* The owner's and the group's part rule even where others get more. */
	{ 1000, 2000, 9, 0077, CSA_MAY_READ, false },
	{ 33, 2000, 9, 0707, CSA_MAY_READ, false },
	{ 0, 0, 0, 0000, CSA_MAY_WRITE, true },
	{ 33, 33, 33, 0711, CSA_MAY_ENTER, true },
	{ 33, 33, 33, 0710, CSA_MAY_ENTER, false },
};

START_TEST(modes_say_who_may)
{
	struct csa_who	 w = {
		.known = true, .uid = rights[_i].uid, .gid = rights[_i].gid,
		.groups = { 7, rights[_i].other }, .ngroups = 2
	};

	ck_assert(csa_may_mode(&w, 1000, 2000, rights[_i].mode,
	    rights[_i].want) == rights[_i].may);
}
END_TEST

START_TEST(a_directory_on_the_way_stops)
{
	struct csa_who	 w = { .known = true, .uid = 64999, .gid = 64999 };
	char		 dir[] = "/tmp/csa-cli-XXXXXX", path[64], stops[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/inner", dir);
	ck_assert_int_eq(mkdir(path, 0777), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
	ck_assert(!csa_may(&w, path, CSA_MAY_WRITE, stops, sizeof(stops)));
	ck_assert_str_eq(stops, dir);
	ck_assert_int_eq(chmod(dir, 0711), 0);
	ck_assert(csa_may(&w, path, CSA_MAY_WRITE, stops, sizeof(stops)));
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert(!csa_may(&w, path, CSA_MAY_WRITE, stops, sizeof(stops)));
	ck_assert_str_eq(stops, path);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert(!csa_may(&w, path, CSA_MAY_READ, stops, sizeof(stops)));
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(who_serves_a_socket)
{
	struct sockaddr_un	 sa = { .sun_family = AF_UNIX };
	struct csa_who		 w, self;
	int			 fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/csa-cli-%d.sock",
	    (int)getpid());
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert(!csa_who_unix(sa.sun_path, &w));	/* it doesn't listen */
	ck_assert_int_eq(listen(fd, 1), 0);
	csa_who_self(&self);
	ck_assert(csa_who_unix(sa.sun_path, &w));
	ck_assert(w.known && w.uid == self.uid);
	ck_assert_str_eq(w.name, self.name);
	ck_assert_str_ne(w.program, "");
	close(fd);
	unlink(sa.sun_path);
	ck_assert(!csa_who_unix(sa.sun_path, &w) && !w.known);
	ck_assert(csa_who_user("root", &w) && w.uid == 0);
	ck_assert(!csa_who_user("nobody-has-this-name", &w));
}
END_TEST

/* ---- FastCGI ---- */

#define OUT(n)	"\1\6\0\1\0" n "\0\0"
#define END3	"\1\3\0\1\0\10\0\0" "\0\0\0\0\0\0\0\0"

static const char	whole[] =
    "\1\7\0\1\0\3\1\0" "err" "\0"		/* stderr, padded */
    OUT("\36") "Status: 405 Method Not Allowed"
    "\1\6\0\1\0\11\2\0" "\r\nA: b\r\n\r" "\0\0"
    OUT("\5") "\nbody"
    OUT("\0") END3;

START_TEST(a_reply_is_taken_apart_at_every_length)
{
	struct csa_fcgi_reply	 r = { .status = 0 };
	size_t			 n = sizeof(whole) - 1;

	csa_buf_init(&r.out, 4096);
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(csa_fcgi_parse(whole, i, &r), 0);
	ck_assert_int_eq(csa_fcgi_parse(whole, n, &r), 1);
	ck_assert_int_eq(r.status, 405);
	ck_assert_str_eq(r.body, "body");
	csa_fcgi_fini(&r);
}
END_TEST

START_TEST(what_is_no_fastcgi_is_told_apart)
{
	static const char *const	 foreign[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n", "220 smtp ready\r\n",
		"-ERR unknown command\r\n", "2"
	};
	struct csa_fcgi_reply		 r = { .status = 0 };

	csa_buf_init(&r.out, 4096);
	for (size_t i = 0; i < CSA_NITEMS(foreign); i++)
		ck_assert_int_eq(csa_fcgi_parse(foreign[i],
		    strlen(foreign[i]), &r), -1);
	ck_assert_int_eq(csa_fcgi_parse("\1\77\0\1\0\0\0\0", 8, &r), -1);
	/* No head at all, and one without a status. */
	ck_assert_int_eq(csa_fcgi_parse(END3, sizeof(END3) - 1, &r), 1);
	ck_assert_int_eq(r.status, 200);
	ck_assert_str_eq(r.body, "");
	ck_assert_int_eq(csa_fcgi_parse(OUT("\10") "A: b\r\n\r\n" END3,
	    8 + 8 + sizeof(END3) - 1, &r), 1);
	ck_assert_int_eq(r.status, 200);
	csa_fcgi_fini(&r);
}
END_TEST

START_TEST(a_socket_that_is_not_there)
{
	struct csa_fcgi_reply	 r;
	char			 path[300];

	csa_fcgi_get("/nonexistent/chat.sock", "/chat", NULL, 100, &r);
	ck_assert_int_eq(r.end, CSA_FCGI_CONNECT);
	ck_assert_int_ne(r.error, 0);
	csa_fcgi_fini(&r);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	csa_fcgi_get(path, "/chat", NULL, 100, &r);
	ck_assert_int_eq(r.end, CSA_FCGI_CONNECT);
	csa_fcgi_fini(&r);
}
END_TEST

/* ---- the report ---- */

static char *
write_report(bool json, void (*fill)(struct csa_report *), int *rc)
{
	struct csa_report	 r;
	char			*out = NULL;
	size_t			 n = 0;
	FILE			*f = open_memstream(&out, &n);

	csa_report_init(&r, f, json);
	fill(&r);
	*rc = csa_report_end(&r);
	fclose(f);
	return out;
}

static void
fill_nothing(struct csa_report *r)
{
	(void)r;
}

static void
fill_bad(struct csa_report *r)
{
	char	 longer[3000];

	csa_report(r, CSA_VERDICT_OK, "one", "fine");
	csa_report(r, CSA_VERDICT_FAIL, "two", "Server: \033[2J\x9b%s\n",
	    "\"quoted\"");
	csa_report_do(r, "first");
	csa_report_do(r, "second");
	csa_report(r, CSA_VERDICT_SKIP, "three", "\xc3\xa4");
	/* Two bytes a letter, so that a cut could fall inside of one. */
	for (size_t i = 0; i + 2 < sizeof(longer); i += 2)
		memcpy(longer + i, "\xc3\xa4", 3);
	csa_report(r, CSA_VERDICT_WARN, "four", "%s", longer);
	csa_report(r, CSA_VERDICT_WARN, "five", "x%s", longer);
	csa_report_do(r, "third");
}

START_TEST(lines_for_people)
{
	int	 rc;
	char	*out = write_report(false, fill_bad, &rc);

	ck_assert_int_eq(rc, 1);
	ck_assert_ptr_nonnull(strstr(out, "ok    one                    "
	    "fine\nFAIL  two                    Server: ?[2J?\"quoted\"?\n"
	    "      do: first\n      do: second\nskip  three"));
	ck_assert_ptr_nonnull(strstr(out, "1 ok, 2 to look at, 1 failed, 1 "
	    "not checked\n"));
	ck_assert_ptr_null(strchr(out, '\033'));
	free(out);
	out = write_report(false, fill_nothing, &rc);
	ck_assert_int_eq(rc, 0);
	free(out);
}
END_TEST

START_TEST(json_for_programs)
{
	int			 rc;
	char			*out = write_report(true, fill_bad, &rc);
	struct json_object	*o = csa_json_reply(out, strlen(out));

	ck_assert_int_eq(rc, 1);
	ck_assert_ptr_nonnull(o);
	ck_assert_str_eq(csa_json_path_str(o, "status", ""), "fail");
	ck_assert_int_eq(path_int(o, "warn"), 2);
	ck_assert_str_eq(csa_json_path_str(o, "checks[1].do[1]", ""),
	    "second");
	ck_assert_str_eq(csa_json_path_str(o, "checks[2].text", ""),
	    "\xc3\xa4");
	ck_assert_ptr_null(csa_json_path(o, "checks[2].do"));
	ck_assert_str_eq(csa_json_path_str(o, "checks[4].do[0]", ""),
	    "third");
	csa_json_free(o);
	free(out);
	out = write_report(true, fill_nothing, &rc);
	o = csa_json_reply(out, strlen(out));
	ck_assert_str_eq(csa_json_path_str(o, "status", ""), "ok");
	csa_json_free(o);
	free(out);
}
END_TEST

START_TEST(advice_is_for_the_server_that_answered)
{
	struct csa_report	 r;
	char			*out = NULL;
	size_t			 n = 0;
	FILE			*f = open_memstream(&out, &n);

	csa_report_init(&r, f, false);
	csa_advise(&r, CSA_PROBLEM_BUFFERED, csa_front_of("nginx/1.22.1"));
	fflush(f);
	ck_assert_ptr_nonnull(strstr(out, "fastcgi_buffering off;"));
	ck_assert_ptr_null(strstr(out, "flushpackets"));
	/* Unknown: all of them. */
	csa_advise(&r, CSA_PROBLEM_BUFFERED, csa_front_of("Caddy"));
	fflush(f);
	ck_assert_ptr_nonnull(strstr(out, "flushpackets=on"));
	ck_assert_ptr_nonnull(strstr(out, "FcgidOutputBufferSize 0"));
	ck_assert_ptr_nonnull(strstr(out, "server.stream-response-body = 1"));
	fclose(f);
	free(out);
	csa_buf_fini(&r.list);
	ck_assert_int_eq(csa_front_of("lighttpd/1.4.69"), CSA_FRONT_LIGHTTPD);
	ck_assert_int_eq(csa_front_of("Apache"), CSA_FRONT_APACHE);
	ck_assert_int_eq(csa_front_of(""), CSA_FRONT_UNKNOWN);
	/* Every problem has something for every server. */
	for (int p = CSA_PROBLEM_BUFFERED; p <= CSA_PROBLEM_GATEWAY; p++)
		for (int s = CSA_FRONT_LIGHTTPD; s <= CSA_FRONT_APACHE; s++) {
			f = open_memstream(&out, &n);
			csa_report_init(&r, f, false);
			csa_advise(&r, (enum csa_problem)p, (enum csa_front)s);
			fclose(f);
			ck_assert_uint_gt(n, 20);
			free(out);
		}
}
END_TEST

/* ---- cache stats ---- */

/* What csa_cache_table says of the metrics as they are; from malloc. */
static char *
table(void)
{
	struct csa_buf	 page;
	char		*out = NULL;
	size_t		 n = 0;
	FILE		*f = open_memstream(&out, &n);

	csa_buf_init(&page, 1 << 20);
	csa_metrics_expose(&page);
	csa_cache_table(page.data, f);
	fclose(f);
	csa_buf_fini(&page);
	return out;
}

static void
assert_has(const char *said, const char *line)
{
	ck_assert_msg(strstr(said, line) != NULL, "no \"%s\" in:\n%s", line,
	    said);
}

START_TEST(what_the_caches_have_done)
{
	struct csa_err	 err;
	char		*out;

	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	csa_count(CSA_M_cache_requests, "embedding|hit", 300);
	csa_count(CSA_M_cache_requests, "embedding|miss", 99);
	csa_count(CSA_M_cache_requests, "embedding|odd", 1);
	csa_count(CSA_M_cache_requests, "embedding|error", 2);
	csa_count(CSA_M_cache_requests, "embedding|skipped", 5);
	csa_count(CSA_M_cache_requests, "answer|hit", 10);
	csa_count(CSA_M_cache_bytes, "embedding|read", 300 * 1024);
	csa_count(CSA_M_cache_bytes, "embedding|written", 1023);
	csa_count(CSA_M_cache_saved_usd, "answer", 1234500000);
	csa_count(CSA_M_cache_saved_tokens, "answer", 4321);
	csa_observe(CSA_M_cache_duration, "get", .0005);
	csa_observe(CSA_M_cache_duration, "get", .0015);
	csa_count(CSA_M_flights, "lead", 4);
	csa_count(CSA_M_flights, "follow", 49);
	csa_observe(CSA_M_upstream_duration, "gemini|generate", 1);
	csa_observe(CSA_M_upstream_duration, "openai|generate", 3);
	csa_observe(CSA_M_upstream_duration, "gemini|embed", .5);
	csa_observe(CSA_M_upstream_duration, "pinecone|delete", 100);
	out = table();
	assert_has(out, "embedding         300        100   75.0 %         7"
	    "   300.0 KiB      1023 B            0     0.0000\n");
	assert_has(out, "answer             10          0  100.0 %         0"
	    "         0 B         0 B         4321     1.2345\n");
	assert_has(out, "retrieval           0          0        -");
	assert_has(out, "get                 2 times, 1.000 ms each\n");
	assert_has(out, "4 worked out, 49 waited for another, 0 took over");
	/* Ten times two seconds and a half. */
	assert_has(out, "about 25.0 s of waiting");
	free(out);
	csa_metrics_close();
}
END_TEST

START_TEST(nothing_done_is_a_table_too)
{
	struct csa_err	 err;
	char		*out;

	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	out = table();
	assert_has(out, "embedding           0          0        -");
	assert_has(out, "about 0.0 s");
	free(out);
	csa_metrics_close();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("cli");
	TCase	*tc = tcase_create("arrivals");

	tcase_add_test(tc, split_at_every_offset);
	tcase_add_test(tc, an_event_counts_when_its_blank_line_has_come);
	tcase_add_test(tc, more_events_than_there_is_room_for);
	tcase_add_loop_test(tc, the_flow_is_judged, 0,
	    (int)CSA_NITEMS(flows));
	suite_add_tcase(s, tc);
	tc = tcase_create("rights");
	tcase_add_loop_test(tc, modes_say_who_may, 0,
	    (int)CSA_NITEMS(rights));
	tcase_add_test(tc, a_directory_on_the_way_stops);
	tcase_add_test(tc, who_serves_a_socket);
	suite_add_tcase(s, tc);
	tc = tcase_create("fastcgi");
	tcase_add_test(tc, a_reply_is_taken_apart_at_every_length);
	tcase_add_test(tc, what_is_no_fastcgi_is_told_apart);
	tcase_add_test(tc, a_socket_that_is_not_there);
	suite_add_tcase(s, tc);
	tc = tcase_create("report");
	tcase_add_test(tc, lines_for_people);
	tcase_add_test(tc, json_for_programs);
	tcase_add_test(tc, advice_is_for_the_server_that_answered);
	suite_add_tcase(s, tc);
	tc = tcase_create("cache");
	tcase_add_test(tc, what_the_caches_have_done);
	tcase_add_test(tc, nothing_done_is_a_table_too);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
