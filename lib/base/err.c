#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"

static const struct csa_errinfo infos[CSA_ERR__MAX] = {
	[CSA_OK] = { "ok", 200, false, 0, "" },
#define ERR(name, code, status, retryable, after, text)			\
	[CSA_ERR_##name] = { code, status, retryable, after, text },
#include "lib/base/errs.def"
#undef ERR
};

static const char *const source_names[CSA_SRC__MAX] = {
	[CSA_SRC_AGENT] = "agent",
	[CSA_SRC_CLIENT] = "client",
	[CSA_SRC_STORE] = "store",
	[CSA_SRC_MEMCACHED] = "memcached",
	[CSA_SRC_GEMINI] = "gemini",
	[CSA_SRC_OPENAI] = "openai",
	[CSA_SRC_PINECONE] = "pinecone",
};

const struct csa_errinfo *
csa_errinfo(enum csa_errcode code)
{
	CSA_MUST(code >= 0 && code < CSA_ERR__MAX);
	return &infos[code];
}

const char *
csa_source_name(enum csa_source source)
{
	CSA_MUST(source >= 0 && source < CSA_SRC__MAX);
	return source_names[source];
}

static size_t
character_length(unsigned char first)
{
	if (first < 0xc0)
		return 1;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/*
 * A message may be cut in a character, at its end and wherever a precision, as
 * in %.100s, has cut a name; take what is left of such a character off.
 */
static void
whole_characters(char *s)
{
	char	*to = s;
	size_t	 n, have;

	for (; *s != '\0'; s += have) {
		n = character_length((unsigned char)*s);
		for (have = 1; have < n; have++)
			if (((unsigned char)s[have] & 0xc0) != 0x80)
				break;
		if (have == n) {
			memmove(to, s, n);
			to += n;
		}
	}
	*to = '\0';
}

int
csa_fail(struct csa_err *e, enum csa_errcode code, enum csa_source source,
    const char *fmt, ...)
{
	va_list	 ap;

	e->code = code;
	e->source = source;
	e->retry_after = 0;
	e->detail[0] = '\0';
	if (fmt == NULL) {
		snprintf(e->msg, sizeof(e->msg), "%s",
		    csa_errinfo(code)->text);
		return -1;
	}
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	whole_characters(e->msg);
	return -1;
}

int
csa_fail_detail(struct csa_err *e, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->detail, sizeof(e->detail), fmt, ap);
	va_end(ap);
	/* It may quote bytes of any kind; the log is JSON. */
	for (char *p = e->detail; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return -1;
}
