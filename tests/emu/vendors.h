#ifndef EMU_VENDORS_H
#define EMU_VENDORS_H

#include "tests/emu/emu.h"

/* Each answers a request of its family and never fails. */
void	emu_gemini(struct emu_req *);
void	emu_pinecone(struct emu_req *);
void	emu_openai(struct emu_req *);

/* Each writes its family's error body for an HTTP status. */
void	emu_gemini_error(struct emu_req *, int, const char *);
void	emu_pinecone_error(struct emu_req *, int, const char *);
void	emu_openai_error(struct emu_req *, int, const char *);

/* Throw away what clients have stored. */
void	emu_pinecone_reset(void);
void	emu_gemini_reset(void);

/* At the end of the process: all memory back, so that a leak is one. */
void	emu_pinecone_finish(void);

/* NAME:DIM:METRIC of the command line; exits on a bad one. */
void	emu_pinecone_index_option(const char *);

#endif
