/*
 * bare: a FastCGI responder that does nothing, for what a web server and the
 * protocol cost by themselves.
 *
 *	spawn-fcgi -n -s SOCKET -- bare BYTES
 *
 * One thread; each answer is 200 with so many bytes of JSON.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcgiapp.h>

static void
answer(FCGX_Request *r, const char *body, size_t n)
{
	char	 buf[65536];

	while (FCGX_GetStr(buf, sizeof(buf), r->in) == (int)sizeof(buf))
		continue;
	FCGX_FPrintF(r->out, "Status: 200 OK\r\n"
	    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
	    (int)n);
	FCGX_PutStr(body, (int)n, r->out);
	FCGX_Finish_r(r);
}

int
main(int argc, char *argv[])
{
	size_t		 n = argc == 2 ? (size_t)atol(argv[1]) : 0;
	char		*body;
	FCGX_Request	 r;

	if (n < 2 || (body = malloc(n)) == NULL) {
		fprintf(stderr, "usage: bare BYTES\n");
		return 2;
	}
	memset(body, ' ', n);
	body[0] = '{';
	body[n - 1] = '}';
	if (FCGX_Init() != 0 || FCGX_InitRequest(&r, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&r) == 0)
		answer(&r, body, n);
	free(body);
	return 0;
}
