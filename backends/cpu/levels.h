/* levels.h - inside backends/cpu: the levels of this build, as levels.def has them. */
#ifndef IB_BACKENDS_CPU_LEVELS_H
#define IB_BACKENDS_CPU_LEVELS_H

#include "backends/kernels.h"

/* IB_FOR_<processor>(...) is its arguments where the build is for that processor, else nothing. */
#define IB_FOR_plain(...) __VA_ARGS__
#ifdef __x86_64__
#define IB_FOR_x86(...) __VA_ARGS__
#else
#define IB_FOR_x86(...)
#endif
#ifdef __aarch64__
#define IB_FOR_arm(...) __VA_ARGS__
#else
#define IB_FOR_arm(...)
#endif

/* ib_kernels_<name>: what the level has for each kernel; made when a device first asks for it, never changed after.
 * ib_<name>_replace: puts the kernels of the level's own files over those of the levels that it builds on.
 * ib_<name>_is_there: where the condition is more than the compiler's question to the processor.
 * ib_checked_<name>, ib_check_level_<name>: checked.c, where contracts are looked at. */
#define LEVEL(name, processor, on, families, flags, condition)                                                         \
    IB_FOR_##processor(extern ib_kernels ib_kernels_##name; void ib_##name##_replace(ib_kernels *k);                   \
                       int ib_##name##_is_there(void); extern ib_kernels ib_checked_##name;                            \
                       void ib_check_level_##name(void);)
#include "backends/cpu/levels.def"
#undef LEVEL

typedef struct ib_level {
    const char *name; /* of a device, "cpu:vnni" */
    int (*is_there)(void);
    const ib_kernels *(*kernels)(void); /* where it is there */
} ib_level;

/* i = 0, 1, ... from the specification to the fastest; NULL behind the last. */
const ib_level *ib_level_at(int i);
/* The fastest that this machine has, of all or of the name `wanted` ("vnni"; NULL: any); NULL if there is none. */
const ib_level *ib_level_best(const char *wanted);
/* Of that name, on this machine. */
int ib_level_is_there(const char *name);

extern const ib_verbs ib_cpu_verbs; /* verbs.c */
void ib_wait_in_company(void);      /* company.c: whenever a device opens */
void ib_company_begin(void);        /* a step of the calling thread begins: with fewer threads, in company */
void ib_company_end(void);          /* ... and ends: with as many as before */
void ib_company_forget(void);       /* as many as there are have been asked for */
int ib_cpu_thread(void);            /* number of the calling thread in its team */

/* Weight gradients are sums over at most this many parts of the batch, whatever the number of threads. */
enum { IB_PARTS = 8 };
enum { IB_ATTENTION_BAND = 128 };           /* queries whose gradients are made at a time; whole tiles */
enum { IB_FROZEN_ROWS = 2048 };             /* rows of W that a gradient takes at a time; even */
int64_t ib_frozen_room(const ib_matrix *w); /* fp32 words that a thread needs for products with w */

#endif
