#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/text/digest.h"
#include "lib/text/utf8.h"
#include "lib/web/req.h"

static int
not_found(struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT, NULL);
}

/*
 * "http://host/x" is "/x" (RFC 9112, 3.2.2): Apache passes it on as it came.
 * The host is not looked at; NULL where s is neither form.
 */
static const char *
origin_form(const char *s)
{
	if (*s == '/')
		return s;
	if (strncasecmp(s, "http://", 7) == 0)
		s += 7;
	else if (strncasecmp(s, "https://", 8) == 0)
		s += 8;
	else
		return NULL;
	if (*s == '/' || *s == '?' || *s == '\0')
		return NULL;
	s += strcspn(s, "/?");
	return *s == '/' ? s : NULL;
}

/*
 * Decode n bytes of s into out, which has room for them.  Returns the length,
 * -1 for a byte that has no place in a path: what a server may have read as a
 * separator or an end must not be read as anything here.
 */
static long
decode(const char *s, size_t n, char *out)
{
	size_t	 i, len = 0;
	int	 hi, lo;
	char	 c;

	for (i = 0; i < n; i++) {
		c = s[i];
		if (c == '%') {
			if (n - i < 3 || (hi = csa_hex_digit(s[i + 1])) == -1 ||
			    (lo = csa_hex_digit(s[i + 2])) == -1)
				return -1;
			c = (char)(hi << 4 | lo);
			if (c == '/')
				return -1;
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f || c == '\\')
			return -1;
		out[len++] = c;
	}
	out[len] = '\0';
	return (long)len;
}

/* Has path an empty, "." or ".." segment?  A last slash is a segment of "". */
static bool
odd_segment(const char *path)
{
	size_t	 n;

	while (*path == '/') {
		n = strcspn(++path, "/");
		if ((n == 0 && *path == '/') || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return true;
		path += n;
	}
	return false;
}

/* What follows prefix in path, NULL where path is not below it. */
static const char *
below(const char *path, const char *prefix)
{
	size_t	 n = strlen(prefix);

	while (n > 0 && prefix[n - 1] == '/')
		n--;
	if (strncmp(path, prefix, n) != 0 ||
	    (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path[n] == '\0' ? "/" : path + n;
}

int
csa_req_parse_target(struct csa_req *r, const char *prefix,
    struct csa_err *err)
{
	const char	*s, *query;
	size_t		 n;
	char		*path;
	long		 len;

	r->path = r->query = "";
	if (r->target == NULL || (s = origin_form(r->target)) == NULL)
		return not_found(err);
	/* A fragment is for browsers; a server that gets one is being tried. */
	n = strcspn(s, "?#");
	if (s[n] == '#')
		return not_found(err);
	query = s[n] == '?' ? s + n + 1 : "";
	path = csa_arena_alloc(r->ctx.arena, n + 1);
	if ((len = decode(s, n, path)) == -1 || odd_segment(path) ||
	    !csa_utf8_valid(path, (size_t)len, NULL))
		return not_found(err);
	if ((r->path = below(path, prefix)) == NULL) {
		r->path = "";
		return not_found(err);
	}
	r->query = query;
	return 0;
}
