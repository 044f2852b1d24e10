#include "config.h"

#include <strings.h>

#include "cli/advice.h"
#include "lib/base/mem.h"

static const struct {
	enum csa_problem	 problem;
	enum csa_front		 front;
	const char		*text;
} advice[] = {
#define ADVICE(problem, front, text)					\
	{ CSA_PROBLEM_##problem, CSA_FRONT_##front, text },
#include "cli/advice.def"
#undef ADVICE
};

enum csa_front
csa_front_of(const char *server)
{
	static const struct {
		const char	*name;
		size_t		 len;
		enum csa_front	 front;
	} known[] = {
		{ "lighttpd", 8, CSA_FRONT_LIGHTTPD },
		{ "nginx", 5, CSA_FRONT_NGINX },
		{ "openresty", 9, CSA_FRONT_NGINX },
		{ "Apache", 6, CSA_FRONT_APACHE },
	};

	for (size_t i = 0; i < CSA_NITEMS(known); i++)
		if (strncasecmp(server, known[i].name, known[i].len) == 0)
			return known[i].front;
	return CSA_FRONT_UNKNOWN;
}

void
csa_advise(struct csa_report *r, enum csa_problem problem,
    enum csa_front front)
{
	for (size_t i = 0; i < CSA_NITEMS(advice); i++)
		if (advice[i].problem == problem &&
		    (front == CSA_FRONT_UNKNOWN || advice[i].front == front))
			csa_report_do(r, "%s", advice[i].text);
}
