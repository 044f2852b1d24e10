#include "config.h"

#include <stdarg.h>
#include <string.h>

#include "cli/report.h"
#include "lib/text/utf8.h"

#define LISTMAX	(1u << 20)

static const char *const words[CSA_VERDICT__MAX] = {
	[CSA_VERDICT_OK] = "ok",
	[CSA_VERDICT_WARN] = "warn",
	[CSA_VERDICT_FAIL] = "FAIL",
	[CSA_VERDICT_SKIP] = "skip",
};

static const char *const json_words[CSA_VERDICT__MAX] = {
	[CSA_VERDICT_OK] = "ok",
	[CSA_VERDICT_WARN] = "warn",
	[CSA_VERDICT_FAIL] = "fail",
	[CSA_VERDICT_SKIP] = "skip",
};

void
csa_report_init(struct csa_report *r, FILE *out, bool json)
{
	memset(r, 0, sizeof(*r));
	r->out = out;
	r->json = json;
	csa_buf_init(&r->list, LISTMAX);
}

/* A server's own header could otherwise write to somebody's terminal. */
static void
make_printable(char *s)
{
	bool	 valid = csa_utf8_valid(s, strlen(s), NULL);

	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f ||
		    (!valid && (unsigned char)*s > 0x7f))
			*s = '?';
}

/* Cut on a character: half of one would spoil the whole line. */
static void CSA_PRINTF(3, 0)
format(char *text, size_t size, const char *fmt, va_list ap)
{
	int	 n = vsnprintf(text, size, fmt, ap);

	if (n >= (int)size)
		text[csa_utf8_cut(text, size - 1, size - 2)] = '\0';
	make_printable(text);
}

static void
end_advice(struct csa_report *r)
{
	if (r->list.len > 0)
		csa_buf_puts(&r->list, r->advised ? "]}" : "}");
	r->advised = false;
}

void
csa_report(struct csa_report *r, enum csa_verdict verdict, const char *check,
    const char *fmt, ...)
{
	char	 text[1024];
	va_list	 ap;

	va_start(ap, fmt);
	format(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->n[verdict]++;
	if (!r->json) {
		fprintf(r->out, "%-5s %-22s %s\n", words[verdict], check, text);
		fflush(r->out);
		return;
	}
	end_advice(r);
	csa_buf_addf(&r->list, "%s{\"check\":\"%s\",\"verdict\":\"%s\","
	    "\"text\":", r->list.len > 0 ? "," : "", check,
	    json_words[verdict]);
	csa_buf_jsonz(&r->list, text);
}

void
csa_report_do(struct csa_report *r, const char *fmt, ...)
{
	char	 text[1024];
	va_list	 ap;

	va_start(ap, fmt);
	format(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!r->json) {
		fprintf(r->out, "      do: %s\n", text);
		fflush(r->out);
		return;
	}
	csa_buf_puts(&r->list, r->advised ? "," : ",\"do\":[");
	r->advised = true;
	csa_buf_jsonz(&r->list, text);
}

int
csa_report_end(struct csa_report *r)
{
	int	 rc = r->n[CSA_VERDICT_FAIL] > 0;

	if (r->json) {
		end_advice(r);
		fprintf(r->out, "{\"status\":\"%s\",\"ok\":%u,\"warn\":%u,"
		    "\"fail\":%u,\"skip\":%u,\"checks\":[%s]}\n",
		    rc == 0 ? "ok" : "fail", r->n[CSA_VERDICT_OK],
		    r->n[CSA_VERDICT_WARN], r->n[CSA_VERDICT_FAIL],
		    r->n[CSA_VERDICT_SKIP],
		    r->list.len > 0 ? r->list.data : "");
	} else
		fprintf(r->out, "%u ok, %u to look at, %u failed, %u not "
		    "checked\n", r->n[CSA_VERDICT_OK], r->n[CSA_VERDICT_WARN],
		    r->n[CSA_VERDICT_FAIL], r->n[CSA_VERDICT_SKIP]);
	csa_buf_fini(&r->list);
	return rc;
}
