/* quantizer.h - how an activation becomes codes, and the integer operators of the tape.
 *
 * An integer operator computes codes from codes with the arithmetic that ships and passes gradients straight through
 * to the real values behind the codes. It leaves its integer constants in its node, from where program/lower.c copies
 * them: nothing is computed a second time. */
#ifndef IB_AUTOGRAD_QUANTIZER_H
#define IB_AUTOGRAD_QUANTIZER_H

#include "arithmetic/scales.h"
#include "autograd/op.h"

/* real = scale * (code - zero), qmin <= code <= qmax */
typedef struct ib_quantizer {
    int bits, qmin, qmax;
    int profile;               /* an ib_profile */
    ib_quantizer_state *state; /* [1] scale, zero point and range, which kernels read and move */
    ib_learned learned;
    ib_tensor *param;   /* LSQ: [1] = ln(scale); PACT: [1] = alpha, the largest real value; else NULL */
    ib_follows follows; /* what the state does with the range of each training batch, before that is quantized */
    int symmetric;
    float averaging;
} ib_quantizer;

/* What a state holds, by a copy: of a device (behind all that was begun, which it waits for), or of the host (NULL). */
ib_quantizer_state ib_quantizer_read(ib_device *dev, const ib_quantizer *q);
void ib_quantizer_write(ib_device *dev, const ib_quantizer *q, const ib_quantizer_state *s);
/* IB_ENUMERIC unless the scale is a finite normal number: with another, codes would not say what they stand for. */
ib_status ib_scale_check(float scale);

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

/* The constants of qlinear, qconv2d and qavg_pool are an ib_product_constants in saved[1]; those of qadd an isobit_add,
 * those of qmul an isobit_mul, of the device's memory. */

typedef struct ib_lookup_attrs {
    ib_function f; /* the identity: relu and changes of scale */
    ib_act act;
    float out_scale; /* > 0: this fixed scale and zero point; else the input's */
    int out_zero;
} ib_lookup_attrs;

typedef struct ib_lookup_const { /* saved[1] of lookup, one per input of qconcat: device memory */
    int8_t table[256];
    float slope[256];
} ib_lookup_const;

typedef struct ib_weight_attrs { /* quantize_weight: inputs w, ln(scale) or NULL, bias or NULL */
    int bits;
    int per_channel;       /* else one scale */
    int group_size;        /* > 0: per channel and group */
    int mse;               /* scale by least squared error instead of the largest magnitude */
    const float *in_scale; /* [1] step of the product's input: with it, bias / (in_scale scale) is to fit int32 */
    ib_act act;            /* of the product */
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
/* Whether q's range follows that of this step's values. */
static inline int ib_watches(const ib_graph *g, const ib_quantizer *q)
{
    return g->mode == IB_TRAIN && q->follows != IB_STANDS_STILL;
}
/* Makes n's result codes of the quantizer. Returns room for the range lo, hi of their values; NULL with ib_error(). */
float *ib_set_codes(ib_graph *g, const ib_node *n, const ib_quantizer *q);
/* Gives them this step's scale and zero point; if q watches, its range takes `range`, clamped by `act`, first. */
ib_status ib_see(ib_graph *g, const ib_node *n, const ib_quantizer *q, ib_act act, const float *range);
/* Of n's result, for the kernels that make constants. */
ib_result_codes ib_result_of(const ib_node *n, const ib_quantizer *q, ib_act act);
/* A scale and a zero point of the step, given by the host. */
ib_status ib_put_scale(ib_graph *g, float scale, int zero, const float **put_scale, const int32_t **put_zero);
static inline ib_coded ib_coded_of(const ib_tensor *x)
{
    return (ib_coded){ib_codes(x), x->q.scale, x->q.zero};
}

/* ---- learned scales (ops/quantized/lsq_pact.c) ---- */
/* The first value of the quantizer's learned parameter, if it has one: that of its scale. */
void ib_quantizer_learn_from(ib_device *dev, const ib_quantizer *q);
/* Adds the gradient of the learned parameter, if it has one, of the quantizer of n's result, given the real values
 * x[size] before `act` and quantization, which are changed. */
void ib_learn_scale(ib_graph *g, const ib_node *n, const ib_quantizer *q, ib_act act, float *x);
/* The same of weights, whose parameters are ln(scale)[n_scales]: dt grows by that which the gradient behind n's codes
 * makes, dw by what of it passes. Either may be NULL. */
void ib_learn_weight_scales(ib_graph *g, const ib_node *n, float *dw, float *dt);

#endif
