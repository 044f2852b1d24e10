#ifndef EMU_ROUTE_H
#define EMU_ROUTE_H

#include "tests/emu/emu.h"

/* Find out which operation the request is, setting rq->op and rq->index. */
void	emu_route_classify(struct emu_req *);

/* Let the operation's own code answer it. */
void	emu_route_handle(struct emu_req *);

#endif
