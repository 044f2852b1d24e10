#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "lib/config/config_internal.h"
#include "lib/text/num.h"

/* [::1]: what stands between the brackets is in host. */
static const char *
check_v6(struct csa_url *u)
{
	struct in6_addr	 a;

	if (inet_pton(AF_INET6, u->host, &a) != 1)
		return "its host is no IPv6 address";
	if (IN6_IS_ADDR_V4MAPPED(&a) || IN6_IS_ADDR_V4COMPAT(&a))
		if (!IN6_IS_ADDR_LOOPBACK(&a))
			return "its host is an IPv4 address in disguise";
	if (IN6_IS_ADDR_LINKLOCAL(&a) || IN6_IS_ADDR_UNSPECIFIED(&a) ||
	    IN6_IS_ADDR_MULTICAST(&a))
		return "its host is no address of a server";
	u->loopback = IN6_IS_ADDR_LOOPBACK(&a);
	return NULL;
}

static const char *
check_v4(struct csa_url *u)
{
	struct in_addr	 a;
	uint32_t	 ip;

	/* 2130706433, 0x7f.1 and 0177.0.0.1 are refused by inet_pton. */
	if (inet_pton(AF_INET, u->host, &a) != 1)
		return "its host is no IPv4 address";
	ip = ntohl(a.s_addr);
	if (ip >> 16 == 0xa9fe || ip >> 24 == 0 || ip >> 28 >= 0xe)
		return "its host is no address of a server";
	u->loopback = ip >> 24 == 127;
	return NULL;
}

static const char *
check_name(struct csa_url *u)
{
	const char	*last = strrchr(u->host, '.');

	if (strspn(u->host, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != strlen(u->host) ||
	    u->host[0] == '.' || u->host[0] == '-' ||
	    strstr(u->host, "..") != NULL)
		return "its host is no host name";
	last = last != NULL ? last + 1 : u->host;
	/* As the URL standard has it: a number at the end is an address. */
	if (isdigit((unsigned char)*last) && (strspn(last, "0123456789") ==
	    strlen(last) || strncmp(last, "0x", 2) == 0 ||
	    strncmp(last, "0X", 2) == 0))
		return check_v4(u);
	u->loopback = strcmp(u->host, "localhost") == 0;
	return NULL;
}

static const char *
check_port(const char *s, size_t n)
{
	char	 port[6];
	int64_t	 v;

	snprintf(port, sizeof(port), "%.*s", (int)(n < 6 ? n : 0), s);
	return csa_parse_int(port, 1, 65535, &v) == -1 ?
	    "its port is not in 1..65535" : NULL;
}

const char *
csa_config_url(const char *s, struct csa_url *u)
{
	const char	*wrong;
	size_t		 n, host;
	bool		 v6;

	memset(u, 0, sizeof(*u));
	if (strncmp(s, "https://", 8) == 0)
		u->https = true;
	else if (strncmp(s, "http://", 7) != 0)
		return "does not begin with https:// or http://";
	s += u->https ? 8 : 7;
	for (const char *p = s; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("@#?\\\"<>^`{|}", *p))
			return "may have no user, query, fragment or blank";
	n = strcspn(s, "/");
	v6 = *s == '[';
	host = v6 ? strcspn(s, "]") : strcspn(s, ":/");
	if (host - v6 == 0 || host - v6 >= sizeof(u->host) || host > n)
		return "has no host";
	memcpy(u->host, s + v6, host - v6);
	if ((wrong = v6 ? check_v6(u) : check_name(u)) != NULL)
		return wrong;
	host += v6;
	if (host > n || (host < n && s[host] != ':'))
		return "has something odd behind its host";
	return host < n ? check_port(s + host + 1, n - host - 1) : NULL;
}
