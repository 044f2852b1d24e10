#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/lines.h"

#define LINEMAX		16384
#define NAMEMAX		64
#define FILEMAX		100	/* bytes of a path in a complaint */

bool
csa_is_name(const char *s)
{
	size_t	 n = strlen(s);

	return n >= 1 && n <= NAMEMAX && strspn(s, CSA_NAMECHARS) == n;
}

int
csa_wrong(const struct csa_place *at, const char *fmt, ...)
{
	char	 text[200];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* The end of a long path says more than its begin. */
	return csa_fail(at->err, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "%s:%u: %s",
	    strlen(at->file) > FILEMAX ?
	    at->file + strlen(at->file) - FILEMAX : at->file, at->line, text);
}

static int
read_all(struct csa_place *at, FILE *f,
    int (*take)(void *, const struct csa_place *, char *), void *arg)
{
	char	*line = NULL, *s;
	size_t	 size = 0;
	ssize_t	 n;
	int	 rc = 0;

	while (rc == 0 && (n = getline(&line, &size, f)) != -1) {
		at->line++;
		if ((size_t)n != strlen(line) || n > LINEMAX) {
			rc = csa_wrong(at, "a NUL byte, or a line of more "
			    "than %d bytes", LINEMAX);
			break;
		}
		line[strcspn(line, "\r\n")] = '\0';
		s = line + strspn(line, " \t");
		if (*s != '\0' && *s != '#')
			rc = take(arg, at, s);
	}
	free(line);
	if (rc == 0 && ferror(f))
		rc = csa_wrong(at, "cannot be read");
	return rc;
}

int
csa_lines_read(struct csa_place *at,
    int (*take)(void *arg, const struct csa_place *, char *line), void *arg)
{
	struct stat	 st;
	FILE		*f;
	int		 rc;

	if ((f = fopen(at->file, "re")) == NULL)
		return csa_wrong(at, "%s", strerror(errno));
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & S_IWOTH) != 0)
		rc = csa_wrong(at, "everybody can write this file");
	else
		rc = read_all(at, f, take, arg);
	fclose(f);
	return rc;
}
