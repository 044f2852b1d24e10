#ifndef EMU_FAULT_H
#define EMU_FAULT_H

#include "tests/emu/emu.h"

/* Does the operation's name match "*", "gemini.*" or "gemini.embed"? */
bool	emu_op_matches(enum emu_op, const char *);

/*
 * Choose what goes wrong: the headers X-Emu-Fault ("kind; status=503; at=10")
 * and X-Emu-Delay-Ms first, else the first rule that matches and is not used
 * up.  Header and rule delays add up.
 */
void	emu_fault_plan(struct emu_req *);

/* False if the plan has answered the request and nothing must happen. */
bool	emu_fault_before(struct emu_req *);

/* Spoil the answer that the operation has made. */
void	emu_fault_after(struct emu_req *);

/*
 * Add a rule, or an array of them, from JSON; 0, or -1 with a message in why.
 * List them as JSON; drop them.
 */
int	emu_fault_add(struct json_object *, char *why, size_t whylen);
void	emu_fault_json(struct emu_buf *);
void	emu_fault_clear(void);

#endif
