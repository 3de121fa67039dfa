/* rounding.h - inside ptq/networks/: a layer that is to be rounded, and the methods that do it. */
#ifndef IB_PTQ_NETWORKS_ROUNDING_H
#define IB_PTQ_NETWORKS_ROUNDING_H

#include <isobit/rounding.h>

#include "qat/plan.h"

/* ---- a network's values (net_values.c) ---- */

/* A copy of all parameters. */
typedef struct ib_net_values {
    ib_layer *net;
    float **values; /* [net->n_all] */
} ib_net_values;
ib_status ib_net_values_take(ib_net_values *v, ib_layer *net);
ib_status ib_net_values_put(const ib_net_values *v);
void ib_net_values_release(ib_net_values *v);

/* ---- what goes through a layer (layer_rows.c) ---- */

/* Rows of a product's inputs, of a convolution one for each place of its window; the inputs of its groups apart. */
typedef struct ib_layer_rows {
    int64_t groups, cols, outs; /* cols, outs: of a group */
    int64_t all, rows;          /* of all samples; that are kept, evenly from these */
    float *x;                   /* [groups][rows][cols] what the rounded layers before it give */
    float *z;                   /* [groups][rows][outs] what it gives in fp32, behind layers in fp32, before its ReLU */
} ib_layer_rows;

/* How a layer's weights are rounded, as the network stands. */
typedef struct ib_layer_weights {
    int64_t outs, cols; /* of all groups; of one */
    float *w;           /* [outs][cols] folded */
    float *bias;        /* [outs] folded; zeros without one */
    float *scale;       /* [outs] of its codes */
    int8_t *code;       /* [outs][cols] */
    int qmax;
} ib_layer_weights;

typedef struct ib_rounding {
    ib_layer *net;
    ib_plan *plan;
    ib_graph *g;
    ib_loader *loader;
    const ib_rounding_opts *o;
    ib_net_values real; /* as it came */
    int64_t samples;    /* of the loader's epoch */
    double done, total; /* weights that were seen to, and of all layers */
} ib_rounding;

/* Reads both from the network; rows need `real` to be what the fp32 network is. */
ib_status ib_layer_rows_read(ib_layer_rows *r, const ib_rounding *k, const ib_step *s);
void ib_layer_rows_release(ib_layer_rows *r);
ib_status ib_layer_weights_read(ib_layer_weights *w, const ib_rounding *k, const ib_step *s);
void ib_layer_weights_release(ib_layer_weights *w);
/* Makes `code` the nearest codes of the step's weights. */
ib_status ib_layer_weights_write(const ib_layer_weights *w, const ib_rounding *k, const ib_step *s);
/* The product of a step in the trace that g holds, with a copy of its node; IB_EINVAL if none ran. */
ib_status ib_product_node(const ib_graph *g, const ib_step *s, ib_node *out);

/* ---- methods ---- */

/* A group: x [rows][cols], z [rows][outs], w and code [outs][cols]. */
typedef struct ib_rounding_task {
    const ib_rounding *k;
    ib_graph *g;
    const ib_rounding_opts *o;
    int64_t group, groups, rows, cols, outs;
    const float *x, *z, *w, *bias, *scale;
    int qmax;
    ib_act act;
    int8_t *code; /* the nearest ones; to be chosen */
} ib_rounding_task;

/* Of all groups of a layer, for its note. */
typedef struct ib_rounding_notes {
    int64_t dead;   /* columns that are 0 in all rows */
    double damping; /* the largest that was needed, beyond what was asked for; 0: none */
} ib_rounding_notes;

typedef struct ib_rounding_method {
    const char *name, *summary;
    int chooses;
    ib_status (*round)(const ib_rounding_task *t, ib_rounding_notes *notes);
} ib_rounding_method;
#define ROUNDING(name, chooses, summary) ib_status ib_round_##name(const ib_rounding_task *t, ib_rounding_notes *notes);
#include "ptq/networks/rounding.def"
#undef ROUNDING
/* For long ones: how much of the group is done, from 0 to 1. IB_ESTOPPED: stop. */
ib_status ib_rounding_tell(const ib_rounding_task *t, double share);
const ib_rounding_method *ib_rounding_method_find(const char *name); /* NULL with ib_error() */

/* H = X'X / rows of a task with this share of its mean diagonal added to the diagonal, [cols][cols], yours to ib_free.
 * Columns of zeros alone are counted, and have that share alone. NULL with ib_error(). */
double *ib_rows_hessian(const ib_rounding_task *t, double share, int64_t *dead);
/* q = X W' + b of a task with weights w [outs][cols], into y [rows][outs]. */
ib_status ib_rows_product(const ib_rounding_task *t, const float *w, float *y);
/* Adds to *error and *power: sums of (f(z) - f(q))^2 and f(z)^2 with the codes of the task. y: [rows][outs], q. */
ib_status ib_rows_error(const ib_rounding_task *t, float *y, double *error, double *power);
static inline float ib_act_of(ib_act act, float x)
{
    const float lo = act != IB_ACT_NONE && x < 0 ? 0 : x;
    return act == IB_ACT_RELU6 && lo > 6 ? 6 : lo;
}

ib_rounding_task ib_rounding_group(const ib_rounding *k, const ib_step *s, const ib_layer_rows *r,
                                   const ib_layer_weights *w, int64_t group);

/* First scales of a step's weights, as the options have them. */
ib_status ib_round_scales(const ib_rounding *k, const ib_step *s, const ib_layer_rows *rows);
ib_status ib_round_check_scales(const ib_rounding_opts *o);

#endif
