#ifndef EMU_OPENAI_H
#define EMU_OPENAI_H

#include "tests/emu/answer.h"
#include "tests/emu/emu.h"

/* Whose error bodies to write; README.md has the table. */
enum emu_shape { EMU_SHAPE_OPENAI, EMU_SHAPE_VLLM, EMU_SHAPE_LLAMA,
    EMU_SHAPE_OLLAMA, EMU_SHAPE_TEI, EMU_SHAPE__MAX };

/* By name; 0, or -1 if there is no such. */
int	emu_openai_shape(const char *, _Atomic int *);
const char *emu_openai_shape_name(int);

/* The shape for this request: X-Emu-Error-Shape, else the setting. */
enum emu_shape emu_openai_shape_of(const struct emu_req *);

/* An error with the code OpenAI has for it (may be NULL).  Returns -1. */
int	emu_openai_fail(struct emu_req *, int, const char *code,
	    const char *param, const char *, ...)
	    __attribute__((format(printf, 5, 6)));

/* The member of an object, or NULL also for JSON null. */
struct json_object *emu_oai_get(struct json_object *, const char *);
const char *emu_oai_str(struct json_object *, const char *);

/* 0 if the model is served, else -1 and the error is written. */
int	emu_oai_model(struct emu_req *, const char *);

void	emu_oai_chat(struct emu_req *);
void	emu_oai_embed(struct emu_req *);
void	emu_oai_models(struct emu_req *);

#endif
