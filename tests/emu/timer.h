#ifndef EMU_TIMER_H
#define EMU_TIMER_H

#include "tests/emu/emu.h"

#define EMU_FOREVER	(-1L)

/*
 * Suspend the request's connection, and resume it after delay_ms or, with
 * EMU_FOREVER, never; either way at once when the client hangs up, which sets
 * rq->gone and is recorded.  No thread waits.  Call it from MHD's callbacks
 * only, and touch the request no more afterwards: it may already be resumed
 * in another thread.
 */
void	emu_wait(struct emu_req *, long delay_ms);

/* What waits for a time has waited enough; what is to hang hangs on. */
void	emu_timer_release(void);

/*
 * Start the thread that resumes, before the server; end it, after which every
 * suspended request is resumed as gone.  MHD_stop_daemon wants that first.
 */
void	emu_timer_start(void);
void	emu_timer_stop(void);

#endif
