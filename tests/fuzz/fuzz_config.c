/*
 * fuzz_config: a configuration file of any bytes is taken or refused with a
 * reason, and what is taken is consistent and prints without its secrets.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/config/config.h"
#include "tests/fuzz/fuzz.h"

static void
check(const struct csa_config *c)
{
	char	*page;
	size_t	 n;
	FILE	*out = open_memstream(&page, &n);

	CSA_MUST(out != NULL);
	CSA_MUST(c->threads >= 1 && c->threads <= 4096);
	CSA_MUST(*c->chat != '\0' && strcmp(c->chat, "auto") != 0);
	CSA_MUST(strcmp(c->embedding, "auto") != 0);
	CSA_MUST(strcmp(c->vectors, "auto") != 0);
	CSA_MUST(strcmp(c->chat, "gemini") != 0 || *c->google_api_key != '\0');
	CSA_MUST(strcmp(c->embedding, "none") == 0 ||
	    *c->embedding_model_name != '\0');
	csa_config_print(c, out);
	fclose(out);
	CSA_MUST(strstr(page, "\ngoogle_api_key = (") != NULL);
	CSA_MUST(strstr(page, "\nopenai_api_key = (") != NULL);
	CSA_MUST(strstr(page, "\npinecone_api_key = (") != NULL);
	free(page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct csa_config	*c;
	char			*text, *said;
	size_t			 n;
	FILE			*in, *errors;

	if (size == 0)
		return 0;
	text = malloc(size);
	CSA_MUST(text != NULL);
	memcpy(text, data, size);
	CSA_MUST((in = fmemopen(text, size, "r")) != NULL);
	CSA_MUST((errors = open_memstream(&said, &n)) != NULL);
	c = csa_config_load_stream(in, "FILE", errors);
	fclose(in);
	fclose(errors);
	CSA_MUST(c != NULL || n > 0);
	if (c != NULL)
		check(c);
	csa_config_free(c);
	free(said);
	free(text);
	return 0;
}
