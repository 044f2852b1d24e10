#include "config.h"

#include "fcgi/worker.h"
#include "handlers/app.h"

int
main(int argc, char *argv[])
{
	return csa_worker_main("chat", CSA_POOL_CHAT, argc, argv);
}
