/* transform.h - inside ptq/: what is done to a block before its matrices are quantized, that floats do not notice. */
#ifndef IB_PTQ_TRANSFORM_H
#define IB_PTQ_TRANSFORM_H

#include "ptq/fold_scales.h"
#include "ptq/ptq.h"

enum { IB_PTQ_NOTE = 120 };

typedef struct ib_transforming {
    ib_lm *m;
    ib_graph *g;
    const ib_ptq_opts *o;
    int layer;
    const ib_storage *to[IB_N_ROLES];    /* that its matrices will have */
    ib_statistics *input;                /* [IB_N_INPUTS] of what goes into them: those of the block as it will be */
    ib_swaps *swaps;                     /* of what is replaced */
    char note[IB_N_INPUTS][IB_PTQ_NOTE]; /* what was done to each input */
} ib_transforming;

typedef struct ib_transform {
    ib_ptq_name name;
    unsigned needs;
    ib_status (*block)(ib_transforming *t);
} ib_transform;
const ib_transform *ib_transform_find(const char *name); /* NULL with ib_error() */

#define TRANSFORM(name, needs, summary) ib_status ib_transform_##name(ib_transforming *t);
#include "ptq/transforms.def"
#undef TRANSFORM

/* ---- scales of channels ---- */

/* The products that read the same rows. */
enum { IB_MOST_READERS = 3 };
typedef struct ib_readers {
    ib_graph *g;
    const ib_ptq_opts *o;
    int n;
    struct {
        float *w; /* [rows][cols] */
        int64_t rows;
        const ib_storage *to;
    } of[IB_MOST_READERS];
    int64_t cols, channels;
    int32_t *channel; /* [cols] whose scale a column has */
    const ib_statistics *x;
} ib_readers;

/* W S of a reader in its format, yours to ib_matrix_free; NULL with ib_error(): IB_ENUMERIC where the format cannot
 * hold a value. w [rows][cols] is work space, and W S afterwards. */
ib_matrix *ib_reader_scaled(const ib_readers *r, int i, const float *s, float *w);

/* For each input of the block that can be scaled: `choose` gives s [channels], above 0, and a note; 0 where they are
 * all to stay 1; -1 with ib_error(). Then it is done, to matrices and statistics. */
typedef int (*ib_choose_scales)(const ib_readers *r, float *s, char *note);
ib_status ib_transform_scales(ib_transforming *t, ib_choose_scales choose);

/* The least loss of the scales of candidates 0 .. n - 1 and of 1, by whose loss it is divided; the candidate is in
 * *best, -1: none is better than 1. -1 with ib_error(). */
typedef struct ib_scale_search {
    const ib_readers *r;
    int n;
    void (*candidate)(const struct ib_scale_search *of, int i, float *s);
    double (*loss)(const struct ib_scale_search *of, const float *s); /* INFINITY: cannot be; -1 with ib_error() */
    const void *context;
} ib_scale_search;
double ib_scale_search_run(const ib_scale_search *of, float *s, int *best);

#endif
