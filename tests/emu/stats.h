#ifndef EMU_STATS_H
#define EMU_STATS_H

#include "tests/emu/emu.h"

/* A connection was accepted (+1) or closed (-1). */
void	emu_stat_connection(int);

/* The request was read whole; its answer is made; it is over. */
void	emu_stat_begin(struct emu_req *);
void	emu_stat_answer(struct emu_req *);
void	emu_stat_end(struct emu_req *);

/* The client left before the end; counted once per request. */
void	emu_stat_disconnect(struct emu_req *);

/* Everything as JSON; everything back to zero, except what is open now. */
void	emu_stat_json(struct emu_buf *);
void	emu_stat_reset(void);

#endif
