#ifndef EMU_PINECONE_H
#define EMU_PINECONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "tests/emu/emu.h"

enum emu_metric { EMU_COSINE, EMU_DOT, EMU_EUCLIDEAN };

/* One record.  Once in a namespace it changes only under the write lock. */
struct emu_rec {
	char		*id;
	float		*values;	/* dim of the index; NULL: none */
	float		 norm;		/* length of values */
	uint32_t	*sidx;		/* ascending */
	float		*sval;
	size_t		 nsparse;
	struct json_object *meta;	/* NULL: none */
	char		*meta_text;	/* the same, printed */
};

enum emu_write_kind { EMU_PUT, EMU_PATCH, EMU_DROP, EMU_DROP_ALL };

/* A write that is acknowledged and not yet visible. */
struct emu_write {
	struct emu_write *next;
	enum emu_write_kind kind;
	int64_t		 due_ms;
	uint64_t	 lsn;
	struct emu_rec	*rec;		/* PUT, PATCH */
	char		*id;		/* DROP */
};

struct emu_ns {
	struct emu_ns	*next;
	char		*name;
	struct emu_rec	**rec;		/* by id, bytewise */
	size_t		 n, cap;
	size_t		 bytes;		/* about, for read units */
	uint64_t	 lsn, seen;	/* last given, last visible */
	struct emu_write *queue, **queue_end;
	struct json_object *schema;	/* as given at creation */
};

struct emu_index {
	struct emu_index *next;
	char		 name[48];
	size_t		 dim;		/* 0: sparse only */
	enum emu_metric	 metric;
	bool		 fixed;		/* of the command line: stays */
	bool		 guarded;	/* deletion_protection enabled */
	struct json_object *tags;	/* or NULL */
	struct json_object *embed;	/* integrated model, or NULL */
	char		 dense_field[64];	/* "_values" unless documents */
	char		 cloud[16], region[32];
	struct emu_ns	*ns;
};

/* What a query or a search looks for. */
struct emu_search {
	const float	*vec;		/* or NULL */
	const uint32_t	*sidx;		/* ascending, or NULL */
	const float	*sval;
	size_t		 nsparse;
	struct json_object *filter;	/* checked, or NULL */
	const char	*text;		/* score by words in text_field */
	const char	*text_field;	/* NULL: in all of the metadata */
	size_t		 top_k;
	bool		 foreign;	/* the fault: other namespaces */
};

struct emu_match {
	const struct emu_rec *rec;
	float		 score;
};

/* One Pinecone call. */
struct emu_pine {
	struct emu_req	*rq;
	bool		 modern;	/* API version 2026-07 or later */
	struct emu_index *ix;		/* data calls: never NULL */
	uint64_t	 store_version;	/* read before the store was */
};

/* ---- pinecone.c ---- */
/* Answers with the plane's error envelope.  Returns -1. */
int	emu_pine_fail(struct emu_pine *, int, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
int	emu_pine_parse(struct emu_pine *);
struct json_object *emu_pine_get(struct json_object *, const char *);
const char *emu_pine_str(struct json_object *, const char *);
/* "__default__" and a missing one are "". */
const char *emu_pine_namespace(const char *);
/* The namespace of the body, else of the query string. */
const char *emu_pine_request_namespace(struct emu_pine *);

/* ---- pinecone_index.c, pinecone_create.c: under the lock ---- */
struct emu_index *emu_index_find(const char *name);
struct emu_index *emu_index_first(void);
void	emu_pine_index(struct emu_pine *);
const char *emu_metric_name(enum emu_metric);
int	emu_metric_by_name(const char *, enum emu_metric *);
bool	emu_index_name_ok(const char *);
struct emu_index *emu_index_add(const char *name, size_t dim,
	    enum emu_metric);
void	emu_index_write(struct emu_pine *, const struct emu_index *);
void	emu_index_create(struct emu_pine *, bool for_model);
bool	emu_index_guards(struct json_object *req);
struct json_object *emu_json_copy(struct json_object *);

/* ---- pinecone_store.c ---- */
/* Readers look at visible state only; a writer may change it. */
void	emu_store_read(void);
void	emu_store_write(void);
void	emu_store_unlock(void);

struct emu_ns *emu_ns_find(struct emu_index *, const char *);
struct emu_ns *emu_ns_make(struct emu_index *, const char *);
void	emu_ns_drop(struct emu_index *, struct emu_ns *);
void	emu_ns_drop_all(struct emu_index *);

/* The record and its place; the place alone when it is missing (NULL). */
struct emu_rec *emu_ns_get(const struct emu_ns *, const char *, size_t *);

/* Make the write visible now or after the configured delay.  Takes rec. */
void	emu_ns_submit(struct emu_index *, struct emu_ns *,
	    enum emu_write_kind, struct emu_rec *, const char *id);
void	emu_rec_free(struct emu_rec *);

/* Grows with everything that may change what a query finds. */
uint64_t emu_store_version(void);
void	emu_store_changed(void);

/* The headers that tell how fresh: after writing, and after reading. */
void	emu_lsn_written(struct emu_pine *, const struct emu_ns *);
void	emu_lsn_read(struct emu_pine *, const struct emu_ns *);
void	emu_lsn_header(struct emu_pine *, unsigned long long);

/* ---- pinecone_record.c ---- */
/* Read a record of an upsert, checked; NULL after the error. */
struct emu_rec *emu_rec_read(struct emu_pine *, struct json_object *);
/* Sparse values; 1 read, 0 absent, -1 error.  Caller frees both. */
int	emu_sparse_read(struct emu_pine *, struct json_object *, uint32_t **,
	    float **, size_t *);
int	emu_meta_check(struct emu_pine *, struct json_object *);
void	emu_rec_meta(struct emu_rec *, struct json_object *);
/* Append {"id":..,"values":..,...} with the parts asked for. */
void	emu_rec_write(struct emu_buf *, const struct emu_rec *, size_t dim,
	    bool values, bool meta);

/* ---- pinecone_filter.c ---- */
/* 0, or -1 and a message: not a filter we know. */
int	emu_filter_check(struct json_object *, char *why, size_t whylen);
bool	emu_filter_match(struct json_object *, struct json_object *meta);

/* ---- pinecone_query.c ---- */
/* The best top_k, best first; *out is to be freed.  Returns how many. */
size_t	emu_search(struct emu_index *, struct emu_ns *,
	    const struct emu_search *, struct emu_match **out);
void	emu_pine_query(struct emu_pine *);
/* Answer a query that was answered before, while nothing has changed. */
bool	emu_pine_query_again(struct emu_pine *);
long	emu_read_units(const struct emu_ns *);

/* ---- pinecone_infer.c: the emulated models ---- */
/* Dense values of a text; input_type "query" and "passage" differ a little. */
void	emu_infer_dense(const char *model, const char *input_type,
	    const char *text, size_t dim, float *);
/* Sparse values of a text: caller frees both. */
size_t	emu_infer_sparse(const char *text, uint32_t **, float **);
/* How well a text answers a query, between 0 and 1. */
float	emu_infer_rank(const char *query, const char *text);
bool	emu_infer_is_reranker(const char *model);

/* ---- the other calls ---- */
void	emu_pine_upsert(struct emu_pine *);
void	emu_pine_fetch(struct emu_pine *);
void	emu_pine_update(struct emu_pine *);
void	emu_pine_delete(struct emu_pine *);
void	emu_pine_list(struct emu_pine *);
void	emu_pine_stats(struct emu_pine *);
void	emu_pine_namespaces(struct emu_pine *);
void	emu_pine_records(struct emu_pine *);
void	emu_pine_documents(struct emu_pine *);
void	emu_pine_infer(struct emu_pine *);

#endif
