/* avx2.h - inside backends/cpu: the level's files for each other; verbs.c reads it on every processor, so that
 * instructions have headers of their own. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_H
#define IB_BACKENDS_CPU_X86_AVX2_H

#include "backends/cpu/narrow.h"
#include "backends/cpu/panels.h"

void ib_avx2_attention_replace(ib_kernels *k);
void ib_avx2_coded_replace(ib_kernels *k);
void ib_avx2_codes_replace(ib_kernels *k);
void ib_avx2_frozen_replace(ib_kernels *k);
void ib_avx2_panels_replace(ib_kernels *k);
void ib_avx2_peaks_replace(ib_kernels *k);
void ib_avx2_requant_replace(ib_kernels *k);
void ib_avx2_nhwc_replace(ib_kernels *k);
void ib_avx2_conv_replace(ib_kernels *k);
void ib_avx2_pool_replace(ib_kernels *k);
void ib_avx2_sums_replace(ib_kernels *k);
void ib_avx2_learned_replace(ib_kernels *k);

void ib_avx2_requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r);

/* What codes are multiplied by: avx2_panels.c has this level's, a level that builds on it may have its own. */
typedef struct ib_products {
    const ib_multiplier *by8, *by4; /* weights of 8 bits, of at most 4 */
    const ib_narrow *narrow;        /* of large linear layers of few bits; NULL: as the others */
} ib_products;
ib_finish ib_avx2_finish; /* see panels.h */

/* The kernels of these names (IB_PRODUCTS_BY), and what is below them. */
void ib_avx2_qlinear(const ib_products *by, ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p);
void ib_avx2_qconv2d(const ib_products *by, ib_device *dev, const ib_window *s, const ib_qproduct *p);
int64_t ib_avx2_qlinear_pack(const ib_products *by, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                             const int32_t *bias, void *packed);
int64_t ib_avx2_nhwc_pack(const ib_products *by, const ib_window *s, int in_zero, const ib_qweights *w,
                          const int32_t *bias, void *packed);
void ib_avx2_nhwc_conv2d(const ib_products *by, ib_device *dev, const ib_window *s, const ib_nhwc_product *p,
                         ib_share share);
/* As ib_panels_linear, whose result is *codes; 0 of weights that panels cannot take. */
int ib_avx2_panels_linear(const ib_products *by, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p,
                          int *codes);

/* avx2_rows.c: y[n][rows] = x w' (+ y if add) of at most four rows; 0 of those and of formats that it has not. */
int ib_avx2_few_rows(const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch);

/* avx2_conv.c: an image with channels last, and its border; fp32 words of work space of all threads (here, as plain
 * x86-64 asks for them); and the sums acc[n][oc][oh][ow], 0 of weights that panels cannot take. */
static inline ib_nhwc ib_avx2_image(const ib_window *s, uint8_t *data)
{
    return (ib_nhwc){data, s->ic, s->ih, s->iw, s->ph > s->pw ? s->ph : s->pw};
}
static inline int64_t ib_avx2_image_words(const ib_window *s)
{
    const ib_nhwc x = ib_avx2_image(s, NULL);
    return (ib_nhwc_bytes(&x) + IB_NHWC_SLACK + 63) / 64 * 16;
}
static inline int64_t ib_avx2_conv_words(const ib_window *s, int64_t threads)
{
    return ib_panels_words(s) + 16 + threads * (ib_avx2_image_words(s) + (s->oh * s->ow * s->oc + 15) / 16 * 16);
}
int ib_avx2_conv(const ib_products *by, const ib_window *s, const ib_qproduct *p);
/* What panels of these weights are multiplied by; NULL: none takes them (groups). */
const ib_multiplier *ib_avx2_multiplier(const ib_products *by, const ib_window *s, const ib_qweights *w);
/* avx2_narrow.c: row and unpack of ib_narrow */
void ib_avx2_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t less, const int32_t *w,
                        int32_t *out);
void ib_avx2_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to);
/* avx2_panels4.c: run of weights of at most 4 bits, so many rows a tile */
enum { IB_AVX2_ROWS4 = 6 };
void ib_avx2_run4(const ib_tiles *t, const uint8_t *const *x, int blocks);

/* Depthwise convolution of images with channels last: bytes of packed weights (0: not these), and the product. */
int64_t ib_avx2_depthwise_nhwc_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                                    void *packed);
void ib_avx2_depthwise_nhwc(const ib_window *s, const ib_nhwc_product *p, ib_share share);

/* A level's table entries of its products `by`. */
#define IB_PRODUCTS_BY(by)                                                                                             \
    static void qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)                    \
    {                                                                                                                  \
        ib_avx2_qlinear(&by, dev, rows, k, out, p);                                                                    \
    }                                                                                                                  \
    static void qconv2d(ib_device *dev, const ib_window *s, const ib_qproduct *p)                                      \
    {                                                                                                                  \
        ib_avx2_qconv2d(&by, dev, s, p);                                                                               \
    }                                                                                                                  \
    static int64_t qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,             \
                                const int32_t *bias, void *packed)                                                     \
    {                                                                                                                  \
        return ib_avx2_qlinear_pack(&by, k, out, in_zero, w, bias, packed);                                            \
    }                                                                                                                  \
    static int64_t nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w,                    \
                             const int32_t *bias, void *packed)                                                        \
    {                                                                                                                  \
        return ib_avx2_nhwc_pack(&by, s, in_zero, w, bias, packed);                                                    \
    }                                                                                                                  \
    static void nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)              \
    {                                                                                                                  \
        ib_avx2_nhwc_conv2d(&by, dev, s, p, share);                                                                    \
    }                                                                                                                  \
    static void put_products(ib_kernels *k)                                                                            \
    {                                                                                                                  \
        k->qlinear = qlinear;                                                                                          \
        k->qconv2d = qconv2d;                                                                                          \
        k->qlinear_pack = qlinear_pack;                                                                                \
        k->nhwc_pack = nhwc_pack;                                                                                      \
        k->nhwc_conv2d = nhwc_conv2d;                                                                                  \
    }

#endif
