/* calibrate.h - the calibration pass: windows of a text go through a decoder block by block. */
#ifndef IB_PTQ_CALIBRATE_H
#define IB_PTQ_CALIBRATE_H

#include "ptq/fold_scales.h"
#include "ptq/hidden.h"
#include "ptq/ptq.h"

typedef struct ib_calibration {
    ib_lm *m;
    ib_graph *g;
    const ib_ptq_opts *o;
    int context;
    int64_t windows, done, total; /* windows through a block */
    ib_hidden hidden;
    int32_t *row, *pos, *first; /* [context] of one window */
    float *out;                 /* [context][width] */
    unsigned needs;
    ib_statistics input[IB_N_INPUTS];
} ib_calibration;

/* Without a text nothing is to be done: windows 0. passes: how often a block is run for each window. */
ib_status ib_calibration_start(ib_calibration *c, ib_lm *m, ib_graph *g, const ib_ptq_opts *o, unsigned needs);
void ib_calibration_end(ib_calibration *c);
/* What the embedding makes of the text. */
ib_status ib_calibration_embed(ib_calibration *c);
/* What goes into the products of a block, anew. */
ib_status ib_calibration_see(ib_calibration *c, int layer);
/* The same of a block whose codes are there already: nothing, but the count of what is done. */
void ib_calibration_skip(ib_calibration *c);
/* The block as it is now takes all windows on to the next. */
ib_status ib_calibration_pass(ib_calibration *c, int layer);

#endif
