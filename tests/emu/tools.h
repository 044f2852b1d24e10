#ifndef EMU_TOOLS_H
#define EMU_TOOLS_H

#include "tests/emu/emu.h"

/*
 * Append a JSON value that fits a JSON Schema (or Google's upper-case kind of
 * it) as far as types, enums and required members go; strings become text.
 */
void	emu_schema_value(struct emu_buf *, struct json_object *schema,
	    const char *text);

#endif
