#ifndef EMU_SEND_H
#define EMU_SEND_H

#include <microhttpd.h>

#include "tests/emu/emu.h"

/* Queue the finished answer.  Returns what MHD's handler must return. */
enum MHD_Result	emu_send(struct emu_req *);

/* Break the connection with an RST now. */
void	emu_send_reset(struct emu_req *);

/* Send bytes past MHD, for what is not HTTP.  Plain TCP only. */
void	emu_send_raw(struct emu_req *, const char *);

#endif
