/* quantizer.h - how an activation becomes codes, and the integer operators of the tape.
 *
 * An integer operator computes codes from codes with the arithmetic that ships and passes gradients straight through
 * to the real values behind the codes. It leaves its integer constants in its node, from where program/lower.c copies
 * them: nothing is computed a second time. */
#ifndef IB_AUTOGRAD_QUANTIZER_H
#define IB_AUTOGRAD_QUANTIZER_H

#include "autograd/op.h"
#include "runtime/isobit_types.h"

typedef enum ib_learned { IB_NOT_LEARNED, IB_LSQ, IB_PACT } ib_learned;
typedef enum ib_act { IB_ACT_NONE, IB_ACT_RELU, IB_ACT_RELU6 } ib_act;

/* real = scale * (code - zero), qmin <= code <= qmax */
typedef struct ib_quantizer {
    int bits, qmin, qmax;
    int profile; /* an ib_profile */
    float scale;
    int zero;
    ib_learned learned;
    ib_tensor *param; /* LSQ: [1] = ln(scale); PACT: [1] = alpha, the largest real value; else NULL */
    void (*see)(struct ib_quantizer *q, float lo, float hi); /* called with the range of each training batch, before
                                                                it is quantized; NULL: the quantizer stands still */
    void *observer;
} ib_quantizer;

/* The codes between which `act` clamps. */
void ib_act_bounds(const ib_quantizer *q, ib_act act, int *lo, int *hi);

/* The real value from which on `act` or PACT's level lets no gradient pass: infinity if there is none. Behind any `act`
 * nothing passes at 0 and below it either, as in PyTorch. */
float ib_passes_below(const ib_quantizer *q, ib_act act);

/* Affine (or, with `symmetric`, zero-centred) scale and zero point of the range [lo, hi], widened to hold 0.
 * Nothing but 0 gives scale 1. The source of every activation's scale; ib_quantizer_check refuses one that is no normal
 * number. */
void ib_quantizer_set_range(ib_quantizer *q, float lo, float hi, int symmetric);

/* ---- refusals of steps and factors with which codes would not say what they stand for (IB_ENUMERIC) ---- */
/* The scale is a finite normal number. */
ib_status ib_quantizer_check(const ib_quantizer *q);
/* So is the step s_a s_b of output o's accumulator at node n; -1: of all. */
ib_status ib_check_step(const ib_node *n, int64_t o, float s_a, float s_b);
/* M = s_a s_b / out's scale as node n requantizes by it. */
ib_status ib_factor_of(const ib_node *n, float s_a, float s_b, const ib_quantizer *out, isobit_scale *m);

/* ---- attributes, and what the nodes keep for lowering ---- */
typedef struct ib_q_attrs { /* quantize, qadd, qmul, qavg_pool, qconcat */
    ib_pool_opts pool;      /* the first, as in pooling of reals */
    ib_quantizer *out;
    ib_act act;
    int axis;
} ib_q_attrs;

typedef struct ib_qproduct_attrs { /* qlinear, qconv2d */
    ib_quantizer *out;
    ib_act act;
    ib_conv_opts conv;
} ib_qproduct_attrs;

typedef struct ib_qproduct_const { /* saved[1] of qlinear, qconv2d, qavg_pool (bias NULL, one scale) */
    int32_t *bias;                 /* [O] */
    float *acc_scale;              /* [O] real value of one accumulator step: s_in * s_w */
    isobit_scale *scale;           /* [O] */
    int lo, hi, rounding;
} ib_qproduct_const;

typedef struct ib_qbinary_const { /* saved[1] of qadd, qmul (only out) */
    isobit_scale a, b, out;
    int lo, hi, rounding;
} ib_qbinary_const;

typedef struct ib_lookup_attrs {
    float (*f)(float);                /* NULL: the identity (relu and changes of scale) */
    float (*slope)(float x, float y); /* df/dx, y = f(x) */
    ib_act act;
    ib_quantizer *out; /* NULL: the input's scale */
    float out_scale;   /* > 0: this fixed scale and zero point instead */
    int out_zero;
} ib_lookup_attrs;

typedef struct ib_lookup_const { /* saved[1] of lookup, one per input of qconcat */
    int8_t table[256];
    float slope[256];
} ib_lookup_const;

typedef struct ib_weight_attrs { /* quantize_weight: inputs w, ln(scale) or NULL, bias or NULL */
    int bits;
    int per_channel; /* else one scale */
    int group_size;  /* > 0: per channel and group */
    int mse;         /* scale by least squared error instead of the largest magnitude */
    float in_scale;  /* step of the product's input: with it, bias / (in_scale scale) is to fit int32 */
    ib_act act;      /* of the product */
} ib_weight_attrs;

/* ---- the operators ---- */
ib_tensor *ib_quantize(ib_graph *g, ib_tensor *x, ib_quantizer *q);
ib_tensor *ib_dequantize(ib_graph *g, ib_tensor *x);
/* w gamma / sqrt(var + eps), and beta + (bias - mean) gamma / sqrt(var + eps); bias may be NULL */
ib_tensor *ib_fold_weight(ib_graph *g, ib_tensor *w, ib_tensor *gamma, ib_tensor *var, float eps);
ib_tensor *ib_fold_bias(ib_graph *g, ib_tensor *gamma, ib_tensor *beta, ib_tensor *bias, ib_tensor *mean,
                        ib_tensor *var, float eps);
ib_tensor *ib_quantize_weight(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs);
/* The same for a product with x: a channel whose bias would exceed the accumulator takes a larger scale. */
ib_tensor *ib_quantize_weight_for(ib_graph *g, ib_tensor *w, ib_tensor *ln_scale, const ib_weight_attrs *attrs,
                                  const ib_tensor *x, ib_tensor *bias, ib_act act);
enum { IB_MAX_BIAS = 1 << 30 }; /* |bias| in steps of the accumulator; products have as much room */
ib_tensor *ib_qlinear(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, ib_act act, ib_quantizer *out);
ib_tensor *ib_qconv2d(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, const ib_conv_opts *conv, ib_act act,
                      ib_quantizer *out);
/* fp32 in, fp32 out; each row of x is quantized to int8 with its own scale when it arrives */
ib_tensor *ib_qlinear_dynamic(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b);
ib_tensor *ib_qadd(ib_graph *g, ib_tensor *a, ib_tensor *b, ib_act act, ib_quantizer *out);
ib_tensor *ib_qmul(ib_graph *g, ib_tensor *a, ib_tensor *b, ib_act act, ib_quantizer *out);
ib_tensor *ib_qmax_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts);
ib_tensor *ib_qavg_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts, ib_quantizer *out);
ib_tensor *ib_lookup(ib_graph *g, ib_tensor *x, const ib_lookup_attrs *attrs);
ib_tensor *ib_qconcat(ib_graph *g, ib_tensor *const *x, int n, int axis, ib_quantizer *out);
/* Dropout on codes: a dropped code is the zero point, and the kept ones mean more (scale / (1 - p)). */
ib_tensor *ib_qdropout(ib_graph *g, ib_tensor *x, float p);

/* ---- shared by the operators ---- */
/* The factors of an addition of codes of these scales, or a refusal as those above. */
ib_status ib_addends_of(const ib_node *n, float s_a, float s_b, const ib_quantizer *out, ib_qbinary_const *c);
/* The error that ib_error() is, with the node's layer before it. */
ib_status ib_op_refuse(const ib_node *n);
/* Makes `out` a code tensor with the quantizer's parameters; call after the quantizer is up to date. */
ib_status ib_set_codes(ib_graph *g, ib_tensor *out, const ib_quantizer *q);
/* In a training forward lets the quantizer see [lo, hi] (after the activation's clamp), then refreshes it. */
ib_status ib_see(ib_graph *g, const ib_node *n, ib_quantizer *q, ib_act act, float lo, float hi);

/* ---- learned scales (ops/quantized/learned_scale.c) ---- */
/* The first value of the quantizer's learned parameter, if it has one: that of its scale. */
void ib_quantizer_learn_from(ib_quantizer *q);
/* The quantizer's scale from its learned parameter, if it has one. */
ib_status ib_quantizer_refresh(ib_quantizer *q);
/* Adds the gradient of the quantizer's learned parameter, given the real values x[size] before `act` and quantization;
 * x becomes act(x). */
void ib_learn_scale(ib_graph *g, ib_quantizer *q, ib_act act, int64_t batch, int64_t size, float *x, const float *dy);
/* The same of weights, whose parameters are ln_scale[n_scales]: first values, scales, and gradients: dt of codes q of
 * the real weights w grows by that which dy, the gradient behind them, makes. */
void ib_weight_scales_learn_from(ib_tensor *ln_scale, const float *scale);
void ib_weight_scales(const ib_tensor *ln_scale, float *scale);
void ib_learn_weight_scales(ib_graph *g, const ib_tensor *w, const ib_qparams *q, const float *dy, float *dt);

#endif
