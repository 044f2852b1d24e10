#include "config.h"

#include "fcgi/worker.h"
#include "handlers/app.h"

int
main(int argc, char *argv[])
{
	return csa_worker_main("embed_and_store", CSA_POOL_STORE, argc, argv);
}
