/*
 * Gives a fuzz target what libFuzzer would: the files named, or else all of the
 * seed corpus of its name, tests/fuzz/corpus/X for fuzz_X.  Fails where there is
 * nothing to give.
 */

#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "tests/fuzz/fuzz.h"

#define MAXSIZE	(1024 * 1024)

static void
replay(const char *path)
{
	static uint8_t	 whole[MAXSIZE];
	uint8_t		*data;
	size_t		 n;
	FILE		*f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(whole, 1, sizeof(whole), f);
	fclose(f);
	/* Not a byte more than there is, for ASan's and valgrind's sake. */
	data = csa_malloc(n);
	memcpy(data, whole, n);
	if (getenv("VERBOSE") != NULL)
		printf("%s\n", path);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
}

static int
replay_all(const char *dir)
{
	struct dirent	*e;
	DIR		*d;
	int		 n = 0;

	if (chdir(dir) == -1 || (d = opendir(".")) == NULL) {
		perror(dir);
		return 0;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		replay(e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	const char	*src = getenv("CSA_SRCDIR"), *name;
	char		 dir[4096];
	int		 n;

	for (n = 1; n < argc; n++)
		replay(argv[n]);
	if (argc > 1)
		return 0;
	name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 :
	    argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s",
	    src != NULL ? src : ".", name);
	n = replay_all(dir);
	printf("%s: %d inputs\n", name, n);
	return n > 0 ? 0 : 1;
}
