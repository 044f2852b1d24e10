#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include "tests/emu/emu.h"

/* /_emu/faults, /_emu/stats, /_emu/log, /_emu/config, /_emu/reset. */
void	emu_control(struct emu_req *);

/* Put every setting of /_emu/config at its default. */
void	emu_control_defaults(void);

#endif
