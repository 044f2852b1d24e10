#include "config.h"

#include <string.h>

#include "lib/text/escape.h"

static unsigned
hex4(const char *s)
{
	unsigned	 v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned	 c = (unsigned char)s[i];

		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static char *
put_utf8(char *out, unsigned cp)
{
	if (cp < 0x80) {
		*out++ = (char)cp;
		return out;
	}
	if (cp < 0x800)
		*out++ = (char)(0xc0 | cp >> 6);
	else {
		if (cp < 0x10000)
			*out++ = (char)(0xe0 | cp >> 12);
		else {
			*out++ = (char)(0xf0 | cp >> 18);
			*out++ = (char)(0x80 | (cp >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (cp >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (cp & 0x3f));
	return out;
}

char *
csa_unescape(const char **s, char *out)
{
	static const char	 from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char		*p = *s + 1;
	unsigned		 cp;

	if (*p != 'u') {
		*out++ = to[strchr(from, *p) - from];
		*s = p + 1;
		return out;
	}
	cp = hex4(p + 1);
	p += 5;
	if (cp >= 0xd800 && cp < 0xdc00) {
		cp = 0x10000 + ((cp - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
		p += 6;
	}
	*s = p;
	return put_utf8(out, cp);
}
