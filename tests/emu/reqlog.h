#ifndef EMU_REQLOG_H
#define EMU_REQLOG_H

#include "tests/emu/emu.h"

/*
 * The last 512 requests as they came, bodies cut at 256 KiB each and the older
 * ones dropped so that all together stay below 64 MiB.
 */
void	emu_reqlog_add(struct emu_req *);

/*
 * The requests whose operation matches op (NULL: all; "gemini.*" works), at
 * most limit (0: all), oldest first, as a JSON array.
 */
void	emu_reqlog_json(struct emu_buf *, const char *op, size_t limit);
void	emu_reqlog_reset(void);

#endif
