/*
 * ready: which dependencies are there, asked for at most every few seconds.
 */

#ifndef CSA_HANDLERS_READY_H
#define CSA_HANDLERS_READY_H

struct csa_app;
struct csa_ready;

struct csa_ready *csa_ready_new(void);
void	csa_ready_free(struct csa_ready *);

#endif
