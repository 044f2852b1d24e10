/* Calls that are not emulated yet say so. */
#include "config.h"

#include "tests/emu/pinecone.h"

void
emu_pine_namespaces(struct emu_pine *p)
{
	(void)emu_pine_fail(p, 501, "not emulated yet");
}

void
emu_pine_records(struct emu_pine *p)
{
	(void)emu_pine_fail(p, 501, "not emulated yet");
}

void
emu_pine_documents(struct emu_pine *p)
{
	(void)emu_pine_fail(p, 501, "not emulated yet");
}

void
emu_pine_infer(struct emu_pine *p)
{
	(void)emu_pine_fail(p, 501, "not emulated yet");
}
