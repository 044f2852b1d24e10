#ifndef EMU_GEMINI_H
#define EMU_GEMINI_H

#include "tests/emu/answer.h"
#include "tests/emu/emu.h"

struct emu_model {
	const char	*id, *title;
	bool		 generates, embeds;
	bool		 thinks;
	bool		 no_minimal;	/* thinkingLevel minimal is an error */
	bool		 no_budget;	/* thinkingBudget is an error */
	bool		 signs;		/* thought signatures, and wants them */
	bool		 continues;	/* long decode */
	bool		 aggregates;	/* embeds parts as one, without task */
	const char	*routed_to;	/* retired: answers as this one */
	long		 input_limit, output_limit;
};

/* One Gemini call. */
struct emu_gem {
	struct emu_req	*rq;
	char		 version[8];	/* "v1", "v1beta", "v1alpha" */
	const char	*rest;		/* of the path, after the version */
	const struct emu_model *model, *served;
	char		 method[32];
	struct emu_prompt prompt;
	struct emu_answer answer;
	struct json_object *config;	/* generationConfig, or NULL */
	long		 max_tokens;	/* -1: none */
	long		 thoughts;
	bool		 show_thoughts;
	long		 cached_tokens;
	long		 prompt_tokens;	/* all of it, cached included */
	long		 candidates;
	bool		 tool_reply;	/* the last turn brings tool results */
	long		 hop, hops;
	size_t		 from, to;	/* this hop's part of the text */
	const char	*finish;
	char		 id[24];
};

/* A member under its camelCase name or the snake_case one; NULL if absent. */
struct json_object *emu_gem_get(struct json_object *, const char *);
const char *emu_gem_str(struct json_object *, const char *);

/* The model of the URL or of a "models/x" name; NULL if there is none. */
const struct emu_model *emu_gem_model(const char *id, size_t len);

/*
 * Each of these returns 0, or -1 after it has answered with the error.
 * emu_gem_fail formats it; status 400 is INVALID_ARGUMENT and so on.
 */
int	emu_gem_fail(struct emu_gem *, int, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
int	emu_gem_parse(struct emu_gem *);
int	emu_gem_find_model(struct emu_gem *);
int	emu_gem_check_names(struct emu_gem *, struct json_object *,
	    const char *names, const char *where);
int	emu_gem_check_generate(struct emu_gem *, struct json_object *);
int	emu_gem_check_signatures(struct emu_gem *, struct json_object *);
int	emu_gem_read_contents(struct emu_gem *, struct json_object *);
int	emu_gem_use_cache(struct emu_gem *, struct json_object *);

/* Make the answer and everything about it, for generate and stream. */
int	emu_gem_prepare(struct emu_gem *);

/* The parts of the service. */
void	emu_gem_generate(struct emu_gem *);
void	emu_gem_stream(struct emu_gem *);
void	emu_gem_count(struct emu_gem *);
void	emu_gem_embed(struct emu_gem *);
void	emu_gem_models(struct emu_gem *);
void	emu_gem_cache(struct emu_gem *);
void	emu_gem_cache_reset(void);

/*
 * Append one GenerateContentResponse with the text from..to; the last one has
 * the finish reason and the final counts.
 */
void	emu_gem_chunk(struct emu_gem *, size_t from, size_t to, bool first,
	    bool last);

/* The parts array of a tool call, and the text as the schema wants it. */
void	emu_gem_tool_parts(struct emu_gem *, struct emu_buf *);
void	emu_gem_as_json(struct emu_gem *);
bool	emu_gem_wants_tool(struct emu_gem *);

/* The answers in the body of 429; the fault says which. */
void	emu_gemini_quota(struct emu_req *, enum emu_fault, const char *delay);

#endif
