/* panels.h - inside backends/cpu: products of codes as rows times panels of 16 outputs, whatever the instruction. */
#ifndef IB_BACKENDS_CPU_PANELS_H
#define IB_BACKENDS_CPU_PANELS_H

#include "arithmetic/runtime.h"
#include "backends/kernels.h"

/* A row of raised codes as a product reads it: `segments` pieces of `quads` times four, `jump` bytes from one to the
 * next. */
typedef struct ib_walk {
    int64_t segments, quads, jump;
} ib_walk;

enum { IB_TILE_ROWS = 16, IB_TILE_PANELS = 4, IB_TILE_LD = 16 * IB_TILE_PANELS };
/* What runs of one number of rows have in common. */
typedef struct ib_tiles {
    int64_t rows, panels; /* of a block; at once */
    ib_walk k;            /* along a row, and along a panel */
    int64_t ldx;          /* bytes between rows */
    const int32_t *w; /* panel [segments quads][16][4] int8 (wide: [2 segments quads][16][2] int16), then 16 biases */
    int64_t step;     /* words between panels */
    int32_t *out;     /* [blocks][IB_TILE_ROWS][IB_TILE_LD] */
} ib_tiles;

/* y[rows] (ldy bytes apart) of `count` raised codes = clamp(requant(acc[rows][IB_TILE_LD], scale[16]) + zero, lo, hi) +
 * 128; acc has whole fours of rows, y may overlap with nothing. */
typedef void ib_finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                       uint8_t *y, int64_t ldy);
ib_finish ib_finish_plainly; /* of any factors and rows, by ib_finish_row (panels_nhwc.c) */

/* How rows are multiplied by panels: between begin and end (NULL: nothing is to be done), a thread calls run with one
 * number of rows. */
typedef struct ib_multiplier {
    int64_t unit;                    /* quads of a segment are a multiple of it */
    int raise;                       /* what is on the codes when they meet the weights; the bias makes up for it */
    int blocks;                      /* of rows at a time: one or two */
    int64_t (*rows)(int64_t panels); /* at most, of a block */
    void (*begin)(int64_t rows);
    void (*end)(void);
    void (*run)(const ib_tiles *t, const uint8_t *const *x, int blocks); /* out = rows, from x[block] on, x panels */
    ib_finish *finish; /* of factors that are small (ib_scale_is_small) */
    int wide;          /* panels are of int16 */
} ib_multiplier;

/* int32 words of a panel without its biases */
static inline int64_t ib_panel_words(const ib_multiplier *m, const ib_walk *k)
{
    return k->segments * k->quads * 16 * (m->wide ? 2 : 1);
}

/* The codes of a row, of any factors. Inline: a call beside a loop over pixels, however seldom, takes the registers of
 * the loop's constants. */
static inline void ib_finish_row(const ib_epilogue *e, const isobit_scale *scale, int64_t count, const int32_t *acc,
                                 uint8_t *y)
{
    const int32_t zero = *e->zero, lo = *e->lo, hi = *e->hi;
    const int profile = e->profile;
    for (int64_t j = 0; j < count; j++)
        y[j] = (uint8_t)(isobit_clamp(isobit_requant(acc[j], scale[j], profile), zero, lo, hi) + 128);
}

/* bias - zero sum, which need not fit: accumulators are sums modulo 2^32, as the instructions add, and only the last
 * one fits. */
static inline int32_t ib_raised_bias(int32_t bias, int32_t zero, int32_t sum)
{
    return (int32_t)((uint32_t)bias - (uint32_t)zero * (uint32_t)sum);
}

/* Rows at a time for `count` of them: about equal pieces; the last one begins at count - rows, over again what the
 * one before had. */
static inline int64_t ib_rows_at_once(const ib_multiplier *m, int64_t panels, int64_t count)
{
    const int64_t most = m->rows(panels), pieces = (count + most - 1) / most;
    return count ? (count + pieces - 1) / pieces : most;
}

enum { IB_MOST_UNIT = 4 };
/* Convolution on images with channels last (panels_nhwc.c), of one group: int32 words of packed panels, at most; the
 * bytes that they are, of which a thread packs its share; and the product. */
int64_t ib_panels_words(const ib_window *s);
int64_t ib_panels_pack(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w,
                       const int32_t *bias, void *packed, ib_share share);
/* Accumulators acc[n][oh][ow][oc] instead of codes, where there is no epilogue. */
void ib_panels_conv2d(const ib_multiplier *m, const ib_window *s, const ib_nhwc_product *p, int32_t *acc,
                      ib_share share);

/* y[rows][out] = x W' as a convolution of images of one pixel (panels_linear.c): fp32 words of work space; and the
 * product of weights without groups, packed by ib_panels_pack or not yet. Codes where the epilogue wants them without a
 * mask, and 1; else accumulators, and 0. */
int64_t ib_panels_linear_words(int64_t rows, int64_t k, int64_t out);
int ib_panels_linear(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p);

/* Factors below 1 and, for fp32_rne, normal numbers after which no |v| reaches 2^31. */
static inline int ib_scale_is_small(isobit_scale s, int profile)
{
    return profile == ISOBIT_FP32_RNE ? s.exp <= -24 && s.exp >= -100 : s.exp <= 0 && s.exp > -31;
}

static inline int ib_scales_are_small(const isobit_scale *s, int64_t n, int profile)
{
    for (int64_t i = 0; i < n; i++)
        if (!ib_scale_is_small(s[i], profile))
            return 0;
    return 1;
}

#endif
