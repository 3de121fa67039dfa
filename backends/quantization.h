/* quantization.h - what kernels are given that make the constants of quantized layers: steps, factors, bounds. These
 * are loops over channels at most, by one thread, and raise what a user is to be told (faults.def); what they make is
 * then such that the kernels behind them stay within their contracts. */
#ifndef IB_BACKENDS_QUANTIZATION_H
#define IB_BACKENDS_QUANTIZATION_H

#include "arithmetic/scales.h"
#include "backends/fault.h"
#include "backends/operands.h"

/* What an activation's codes stand for, scale (code - zero), and the range that they cover. It outlives steps. */
typedef struct ib_quantizer_state {
    float scale;
    int32_t zero;
    float lo, hi;  /* extremes of the batches so far, or their moving average */
    int64_t count; /* of batches */
} ib_quantizer_state;

/* How a step's scale and zero point come of a quantizer's state, its learned parameter and the range of a batch. */
typedef struct ib_following {
    const float *lo, *hi; /* [1] each: of the batch; NULL: the quantizer stands still */
    ib_act act;           /* clamps that range */
    ib_follows how;
    int symmetric;
    float averaging; /* of IB_FOLLOWS_AVERAGE */
    int qmin, qmax;
    ib_learned learned;
    const float *param;        /* [1], or NULL */
    ib_quantizer_state *state; /* [1] */
    float *scale;              /* [1] */
    int32_t *zero;             /* [1] */
    ib_site at, param_at;      /* of what it finds wrong with values, with the parameter */
} ib_following;

/* The codes of a result. */
typedef struct ib_result_codes {
    const float *scale;  /* [1] */
    const int32_t *zero; /* [1] */
    int qmin, qmax, profile;
    ib_act act;
    ib_learned learned;
} ib_result_codes;

/* Constants of a product of codes; or, with an area, of the means of so many codes, products with ones of step
 * 1 / area, without bias. */
typedef struct ib_product_constants {
    int64_t outputs; /* 1 with an area */
    int area;
    const float *in_scale; /* [1] */
    const float *w_scale;  /* [n_w_scales]: [1] or [outputs] */
    int n_w_scales;
    const float *bias;    /* [outputs], or NULL */
    ib_result_codes out;  /* of product_factors alone */
    float *acc_scale;     /* [outputs], by product_steps: what a step of an accumulator stands for */
    int32_t *bias_code;   /* [outputs], by product_steps */
    isobit_scale *factor; /* [outputs], by product_factors; as are */
    int32_t *lo, *hi;     /* [1] each: the codes between which results are clamped */
    int32_t *top;         /* [outputs]: the least accumulators that let no gradient pass; NULL: not wanted */
    ib_site at;
} ib_product_constants;

/* Scales of weights, which suit the accumulator of the product that they are for. */
typedef struct ib_weight_scaling {
    const float *w; /* [count][size / count] */
    int64_t size;
    int count;
    int qmax;      /* scale holds largest magnitudes, for codes -qmax .. qmax; 0: it holds scales already */
    float *scale;  /* [count] */
    float *chosen; /* of groups: [count] largest magnitudes, which become scale as quantize_groups chose it, 0 of
                              empty rows; else NULL */
    const float *in_scale; /* [1] step of the product's input, or NULL: unknown */
    const float *bias;     /* [n_bias] of the product, or NULL */
    int64_t n_bias;
    ib_act act; /* of the product */
    ib_site at;
} ib_weight_scaling;

/* A batch norm that is folded into bias (or NULL) of the product before it. */
typedef struct ib_fold {
    int64_t n;
    const float *gamma, *beta, *bias, *mean, *var; /* [n] each */
    float eps;
    const float *gain; /* [n]: gamma / sqrt(var + eps) */
} ib_fold;

#endif
