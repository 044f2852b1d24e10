#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define LINEMAX	8192
#define TEXTMAX	4096

static const char *const level_names[] = {
	[CSA_DEBUG] = "debug",
	[CSA_INFO] = "info",
	[CSA_WARN] = "warn",
	[CSA_ERROR] = "error",
};

static struct {
	_Atomic int	 fd;
	enum csa_level	 level;
	char		*file, *program;
} lg = { STDERR_FILENO, CSA_INFO, NULL, NULL };

static _Thread_local const char	*request;

void	(*csa_on_panic)(void);

static int
open_file(const char *file)
{
	return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

int
csa_log_open(const char *program, const char *file, enum csa_level level)
{
	int	 fd;

	free(lg.program);
	lg.program = csa_strdup(program);
	lg.level = level;
	if (file == NULL || *file == '\0')
		return 0;
	if ((fd = open_file(file)) == -1)
		return -1;
	free(lg.file);
	lg.file = csa_strdup(file);
	lg.fd = fd;
	return 0;
}

void
csa_log_reopen(void)
{
	int	 fd;

	if (lg.file == NULL || (fd = open_file(lg.file)) == -1)
		return;
	/* dup3 swaps the file under threads that are writing right now. */
	(void)dup3(fd, lg.fd, O_CLOEXEC);
	close(fd);
}

void
csa_log_request(const char *request_id)
{
	request = request_id;
}

bool
csa_log_wants(enum csa_level level)
{
	return level >= lg.level;
}

static void
stamp(struct csa_buf *b)
{
	int64_t		 ms = csa_wall_ms();
	time_t		 t = ms / 1000;
	struct tm	 tm;
	char		 text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	csa_buf_addf(b, "{\"ts\":\"%s.%03dZ\"", text, (int)(ms % 1000));
}

void
csa_log_json(enum csa_level level, const char *msg, const char *json)
{
	struct csa_buf	 b;

	if (!csa_log_wants(level))
		return;
	csa_buf_init(&b, LINEMAX);
	stamp(&b);
	csa_buf_addf(&b, ",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d",
	    level_names[level], lg.program != NULL ? lg.program : "-",
	    (int)getpid());
	if (request != NULL) {
		csa_buf_puts(&b, ",\"request_id\":");
		csa_buf_jsonz(&b, request);
	}
	csa_buf_puts(&b, ",\"msg\":");
	csa_buf_jsonz(&b, msg);
	if (json != NULL && *json != '\0')
		csa_buf_addf(&b, ",%s", json);
	csa_buf_puts(&b, "}\n");
	/* A full disk must not stop a request. */
	if (!b.failed && write(lg.fd, b.data, b.len) == -1)
		errno = 0;
	csa_buf_fini(&b);
}

/* Make what a fault put together printable UTF-8: log readers parse the line. */
static void
only_ascii(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			*s = '?';
}

void
csa_log(enum csa_level level, const char *fmt, ...)
{
	char	 text[TEXTMAX / 4];
	va_list	 ap;

	if (!csa_log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	only_ascii(text);
	csa_log_json(level, text, NULL);
}

void
csa_panic(const char *file, int line, const char *what)
{
	csa_error("panic at %s:%d: %s", file, line, what);
	if (csa_on_panic != NULL)
		csa_on_panic();
	abort();
}
