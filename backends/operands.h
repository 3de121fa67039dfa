/* operands.h - what kernels are given: shapes, views of memory, and the constants of a computation.
 *
 * The shape stands beside each pointer. A kernel reads what it needs into locals before its loops, so that the compiler
 * sees them as it would see arguments. */
#ifndef IB_BACKENDS_OPERANDS_H
#define IB_BACKENDS_OPERANDS_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/tensor.h>

#include "arithmetic/real.h"
#include "backends/fault.h"
#include "runtime/isobit_types.h"

/* A sliding window over N,C,H,W: convolution (groups, oc) and pooling (oc = ic). */
typedef struct ib_window {
    int64_t n, ic, ih, iw, oc, oh, ow;
    int kh, kw, sh, sw, ph, pw, groups;
} ib_window;

/* A linear layer is the window of images of one pixel. */
static inline ib_window ib_window_of_rows(int64_t rows, int64_t k, int64_t out)
{
    return (ib_window){.n = rows,
                       .ic = k,
                       .ih = 1,
                       .iw = 1,
                       .oc = out,
                       .oh = 1,
                       .ow = 1,
                       .kh = 1,
                       .kw = 1,
                       .sh = 1,
                       .sw = 1,
                       .groups = 1};
}

/* An array [n][c][hw] with something for each channel: images; rows of c numbers (hw 1); or all as one channel. */
typedef struct ib_planes {
    int64_t n, c, hw;
} ib_planes;

/* y[i] = f(a[.], b[.]) over `shape`, with the element strides of a and b (0 = broadcast along this dimension). */
typedef struct ib_bcast {
    int64_t shape[IB_MAX_DIMS], a[IB_MAX_DIMS], b[IB_MAX_DIMS];
    int flat; /* a, b and y have one shape */
} ib_bcast;

/* y[i to0 + j to1 + k to2] = or += x[i from0 + j from1 + k from2] over `shape`; no two places of y are one. */
typedef struct ib_strides {
    int64_t shape[3], from[3], to[3];
} ib_strides;

/* y = (x - mean) rstd gamma + beta: of each channel of [n][c][hw] (bn_apply), or of each row of [rows][cols]
 * (layer_norm; rms_norm, which has neither mean nor beta). */
typedef struct ib_norm {
    const float *x;            /* [n][c][hw], [rows][cols] */
    const float *gamma, *beta; /* [c], [cols] */
    float eps;                 /* of rows: rstd = 1 / sqrt(variance + eps) */
    int relu;                  /* of channels: y is not below 0 */
    float *mean, *rstd;        /* [c], which are given; [rows], which are made */
    float *y;                  /* as x */
} ib_norm;

/* The gradients of a normalization, each added to what is there, or NULL: not wanted. */
typedef struct ib_norm_grads {
    const float *x;           /* [n][c][hw], [rows][cols] */
    float *dy;                /* as x */
    const float *mean, *rstd; /* [c], [rows] */
    const float *gamma;       /* [c], [cols] */
    float *dx;                /* as x */
    float *dgamma, *dbeta;    /* as gamma */
    /* of channels: */
    const float *relu; /* y of a bn_apply with ReLU, or NULL; then dy is set to 0 where y is not positive */
    int batch;         /* mean and rstd are of x itself */
    int sets_dx;       /* dx holds nothing yet: it is set, not added to */
} ib_norm_grads;

/* Classes of rows and what they weigh; the loss is the sum over rows of -sum_j weight_j t_j log p_j with
 * t = (1 - smooth) onehot + smooth / cols, divided by `divisor`. */
typedef struct ib_class_loss {
    int64_t rows, cols;
    const int32_t *label; /* [rows] */
    const float *weight;  /* [cols], or NULL: 1 each */
    float smooth;
    double divisor;
} ib_class_loss;

/* Codes of real numbers: q = clamp(round(x / scale) + zero, qmin, qmax), ties to even or away from zero. */
typedef struct ib_affine {
    const float *scale;  /* [1] */
    const int32_t *zero; /* [1], or NULL: 0 */
    int qmin, qmax, half_away;
} ib_affine;

/* The gradients through codes of x with learned scales. */
typedef struct ib_lsq_grads {
    const float *x, *dy; /* [rows][cols] */
    int64_t values;      /* of each scale, which its gradient is weighed by */
    float *dt;           /* [rows], of ln(scale), added; or NULL */
    float *dx;           /* [rows][cols]: dy where x is inside the range, added; or NULL */
} ib_lsq_grads;

/* Codes and what they stand for: scale (codes - zero). */
typedef struct ib_coded {
    const int8_t *codes; /* [n] */
    const float *scale;  /* [1] */
    const int32_t *zero; /* [1], or NULL: 0 */
} ib_coded;

/* In kernels. */
IB_DEVICE_FN static inline int32_t ib_zero_of(const int32_t *zero)
{
    return zero ? *zero : 0;
}

/* Quantized weights of a linear or convolution layer. */
typedef struct ib_qweights {
    const int8_t *codes;         /* [oc][k] */
    const uint8_t *group_factor; /* [oc][n_groups], or NULL when group_size is 0 */
    int group_size, n_groups;
    int bits; /* the codes fit so many; 0 means 8 */
} ib_qweights;

/* Weights [rows][cols] that become codes -qmax .. qmax. */
typedef struct ib_weight_codes {
    const float *w; /* [rows][cols] */
    int qmax;
    float *scale; /* [n_scales], which are given to quantize_rows; [rows], which quantize_groups makes */
    int n_scales;
    int group_size;  /* of quantize_groups: columns */
    uint8_t *factor; /* of quantize_groups: [rows][groups] */
    int8_t *q;       /* [rows][cols] */
    uint8_t *mask;   /* bits of where the gradient passes, or NULL */
} ib_weight_codes;

/* Rows of codes [n][cols], x = scale[block] multiple[group of 16] code, as backends/formulas/row_codes.h makes and
 * multiplies them. */
typedef struct ib_row_codes {
    int block;         /* columns that share a scale: 32, 64 or 256 */
    int8_t *codes;     /* [n][cols] */
    float *scale;      /* [n][cols / block] */
    int16_t *multiple; /* [n][cols / 16], 1 .. 15 */
    int16_t *sums;     /* [n][cols / 16], of 16 codes each, times the group's multiple */
} ib_row_codes;

/* The gradients of y = w (*) x + b, each added to what is there, or NULL: not wanted. */
typedef struct ib_conv_grads {
    const float *x;      /* the input, or */
    const int8_t *codes; /* x_scale (codes - x_zero), if x is NULL */
    const float *x_scale;
    const int32_t *x_zero;
    const float *w, *dy;
    const uint8_t *mask; /* bits of dy that count, or NULL: all */
    float *dx, *dw, *db;
    int sets_dx; /* dx holds nothing yet: it is set, not added to */
} ib_conv_grads;

/* The gradients of y = c z + bias with c = m / norm, the norm taken as a constant. */
typedef struct ib_magnitude_grads {
    const float *y, *dy; /* [rows][cols] */
    const float *m, *c;  /* [cols] */
    const float *bias;   /* [cols] or NULL */
    float *dm;           /* [cols], added to what is there, or NULL: not wanted */
    float *dz;           /* [rows][cols], set */
} ib_magnitude_grads;

/* What becomes of accumulators: codes = clamp(requant(acc, scale[channel]) + zero, lo, hi). */
typedef struct ib_epilogue {
    const isobit_scale *scale; /* [channels] */
    int profile;
    const int32_t *zero, *lo, *hi; /* [1] each */
    int8_t *codes;
    uint8_t *mask;      /* bits of where the gradient passes (kernels.def), or NULL */
    const int32_t *top; /* [channels] for the mask, or NULL */
} ib_epilogue;

/* A product of codes: acc = sum w (x - in_zero) + bias. */
typedef struct ib_qproduct {
    const int8_t *x;        /* [n][ic][ih][iw], of qlinear [rows][k] */
    const int32_t *in_zero; /* [1], or NULL: 0 */
    const ib_qweights *w;
    const int32_t *bias;  /* [oc] */
    const void *packed;   /* what the level's q..._pack made of in_zero, w and bias, or NULL */
    const ib_epilogue *r; /* codes are the result, and acc is work space; NULL: accumulators are the result */
    int32_t *acc;         /* [n][oc][oh][ow], of qlinear [rows][out] */
    float *scratch;       /* qconv2d_words or qlinear_words */
} ib_qproduct;

/* What becomes of a score s = scale q k of query i and key j <= i: cap tanh(s / cap) where there is a cap, then s +
 * slope (j - i), whose slope falls from head to head as ALiBi has it (alibi_slope in backends/cpu/score_bend.h). */
typedef struct ib_score_bend {
    float cap;   /* 0: none */
    float alibi; /* slopes are 2^-(alibi / heads) and smaller, down to 2^-alibi; 0: none */
} ib_score_bend;

/* Causal attention with grouped keys; query row i sees keys max(first[i], i - window + 1) .. i. */
typedef struct ib_attention {
    int heads, groups, dim; /* groups: of keys and values; dim <= IB_MAX_HEAD_DIM */
    float scale;
    int64_t window;       /* 0: unlimited */
    const int32_t *first; /* [rows] the row where each row's sequence begins */
    ib_score_bend bend;
} ib_attention;
enum { IB_MAX_HEAD_DIM = 256 };

/* What attention reads. */
typedef struct ib_qkv {
    const float *q;     /* [rows][heads][dim] */
    const float *k, *v; /* [rows][groups][dim] */
} ib_qkv;

/* Its gradients, each added to what is there, or NULL: not wanted. */
typedef struct ib_attention_grads {
    const float *y, *dy; /* [rows][heads][dim] */
    const float *lse;    /* [rows][heads], as attention wrote it */
    float *dq;           /* [rows][heads][dim] */
    float *dk, *dv;      /* [rows][groups][dim] */
    float *delta;        /* [rows][heads], work space: <dy, y> */
} ib_attention_grads;

/* Rotary positions: pairs of each head, (2i, 2i+1) if `pairs`, else (i, i + rotated/2), turn by the angles of the row's
 * position. */
typedef struct ib_rotation {
    int heads, dim;
    int rotated; /* of dim; even */
    int pairs;
    const int32_t *pos; /* [rows] */
    const float *table; /* [positions][rotated/2][cos, sin] */
} ib_rotation;

/* Keys and values of one layer, [positions][groups][dim] in half precision, or int8 with a scale per position and
 * group. */
typedef struct ib_kv_cache {
    int groups, dim, int8;
    void *k, *v;
    float *k_scale, *v_scale;
} ib_kv_cache;

/* Queries [rows][heads][dim] of the last `rows` positions of a cache: query i sees its rows max(0, before + i + 1 -
 * window) .. before + i. */
typedef struct ib_cached_queries {
    int heads; /* a multiple of the cache's groups */
    float scale;
    int64_t before, rows;
    int64_t window; /* 0: unlimited */
    ib_score_bend bend;
} ib_cached_queries;

/* Images of codes, channels last (NHWC), as the integer runtime keeps them from layer to layer where a level has
 * products for that order: data[n][h + 2 border][w + 2 border][c], each byte a code + 128; the border holds the zero
 * point, so that a window needs no test for padding. Reading may pass the end by IB_NHWC_SLACK bytes. */
typedef struct ib_nhwc {
    uint8_t *data;
    int64_t c, h, w;
    int border; /* pixels */
} ib_nhwc;
enum { IB_NHWC_SLACK = 64 };

static inline int64_t ib_nhwc_line(const ib_nhwc *x) /* bytes from a pixel to the one below */
{
    return (x->w + 2 * x->border) * x->c;
}
static inline int64_t ib_nhwc_bytes(const ib_nhwc *x) /* of a sample */
{
    return (x->h + 2 * x->border) * ib_nhwc_line(x);
}
/* pixel of sample i; y, x >= -border */
static inline uint8_t *ib_nhwc_at(const ib_nhwc *v, int64_t i, int64_t y, int64_t x)
{
    return v->data + i * ib_nhwc_bytes(v) + (y + v->border) * ib_nhwc_line(v) + (x + v->border) * v->c;
}

/* A product of codes on such images. */
typedef struct ib_nhwc_product {
    const ib_nhwc *x, *y;   /* [n][ih][iw][ic], [n][oh][ow][oc] */
    const int32_t *in_zero; /* [1], or NULL: 0 */
    const ib_qweights *w;
    const int32_t *bias;  /* [oc] */
    const void *packed;   /* what the level's nhwc_pack made of in_zero, w and bias, or NULL */
    const ib_epilogue *r; /* its codes and mask are not used */
} ib_nhwc_product;

/* Which part of a result a kernel makes, of equal parts: rows of every sample, or outputs of a product whose result has
 * one pixel. */
typedef struct ib_share {
    int part, parts;
} ib_share;
static inline int64_t ib_share_first(ib_share s, int64_t n) /* of n rows; the next part's first is this part's end */
{
    return n * s.part / s.parts;
}
static inline int64_t ib_share_end(ib_share s, int64_t n)
{
    return n * (s.part + 1) / s.parts;
}

/* Addition and multiplication of codes: the operand is runtime/isobit_rt.h's isobit_add or isobit_mul. */
struct isobit_add;
struct isobit_mul;

/* How far a parameter has come with its optimizer. Steps that are refused are not counted, and where kernels run late
 * the host does not know of them: so it is the device that counts. */
typedef struct ib_progress {
    int64_t steps;
    int32_t rests;                  /* it takes none now: what was frozen */
    float correction1, correction2; /* of AdamW's last: 1 - b^steps */
    float root2;                    /* the square root of correction2 */
} ib_progress;

/* What an optimizer step needs besides the pointers. */
typedef struct ib_adamw_step {
    float lr, beta1, beta2, eps, decay, grad_scale;
} ib_adamw_step;
typedef struct ib_sgd_step {
    float lr, momentum, decay, grad_scale;
    int nesterov;
} ib_sgd_step;

/* The parameter that it is taken for: where values that are not finite are reported, and what keeps it from being
 * taken, which is then reported there instead. */
typedef struct ib_update {
    ib_site at;
    const ib_fault *refused;     /* device memory, as */
    const ib_progress *progress; /* which counts this step */
    float rate;                  /* the optimizer's, for the report */
} ib_update;

/* States of AdamW in 8 bits: codes of a map, times the largest of each block. */
enum { IB_ADAMW8_BLOCK = 256 };
typedef struct ib_states8 {
    uint8_t *m, *v;             /* [n] */
    float *m_top, *v_top;       /* [blocks] */
    const float *m_map, *v_map; /* [256], ascending: signed, unsigned */
} ib_states8;

/* What the steps of an epoch, or the batches of an evaluation, come to. */
typedef struct ib_tally {
    double loss;   /* the sum of their losses */
    int64_t steps; /* how many they are */
    int64_t right; /* samples whose largest output is their class's */
} ib_tally;

#endif
