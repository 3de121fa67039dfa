/* poison.h - the device test:poison, on which forgetting a rule of kernels.h shows.
 *
 * It computes what cpu:ref computes. Its memory is closed to all code but kernels and verbs (PROT_NONE: who touches it
 * dies); kernels, copies and uploads run late, when somebody synchronizes or downloads; memory that nothing has written
 * is full of NaN. A kernel or verb that is given a pointer to other memory where the device's is due does not run, and
 * the device's failure names both; not so on test:late, for cases of kernels, whose buffers are the host's. What it was
 * asked is counted. */
#ifndef IB_BACKENDS_TEST_POISON_H
#define IB_BACKENDS_TEST_POISON_H

#include "backends/kernels.h"

typedef struct ib_poison_counts {
    int64_t kernels, uploads, downloads, synchronizations, allocations;
} ib_poison_counts;

/* Of the device of this kind that the thread has opened last. */
ib_poison_counts ib_poison_counted(void);

/* ---- inside backends/test ---- */

typedef struct ib_poison ib_poison;
typedef struct ib_late {
    struct ib_late *next;
    void (*run)(ib_poison *p, void *arguments);
} ib_late;

struct ib_poison {
    ib_device dev;
    ib_device *plain;             /* cpu:ref, whose kernels run */
    int takes_any;                /* it is test:late */
    unsigned char *memory, *room; /* reserved: the numbers, and what is queued */
    size_t used, queued;          /* bytes of them from their beginnings */
    int opened;                   /* how often the memory is to be shut */
    struct ib_poison_hole *holes; /* [n_holes], reserved: what was released of the memory, by address */
    size_t n_holes;
    ib_late *first, **last; /* the queue */
    ib_poison_counts counts;
};

/* poison_memory.c: blocks, and the memory's state */
void *ib_poison_take(ib_poison *p, size_t bytes);
void ib_poison_drop(ib_poison *p, void *at);
void ib_poison_open(ib_poison *p); /* all of it, as often as it is shut */
void ib_poison_shut(ib_poison *p);
void ib_poison_look(ib_poison *p, void *to, const void *from, size_t bytes);
int ib_poison_has(const ib_poison *p, const void *at); /* it may be given: NULL, memory of the device */
void ib_poison_refuse(ib_poison *p, const char *what, const char *given);
/* poison_late.c: room for the arguments of what is to run, and for what they point to; running it all */
void *ib_poison_later(ib_poison *p, void (*run)(ib_poison *p, void *arguments), size_t bytes);
void *ib_poison_keep(ib_poison *p, const void *from, size_t bytes);
void ib_poison_run(ib_poison *p);
/* poison_kernels.c: the table */
void ib_poison_fill_table(ib_kernels *k);

#endif
