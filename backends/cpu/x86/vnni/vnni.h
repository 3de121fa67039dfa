/* vnni.h - inside backends/cpu: products of codes with AVX-512 VNNI. */
#ifndef IB_BACKENDS_CPU_X86_VNNI_H
#define IB_BACKENDS_CPU_X86_VNNI_H

#include "backends/cpu/narrow.h"
#include "backends/cpu/panels.h"

extern const ib_multiplier ib_vnni_multiplier, ib_amx_multiplier;

/* The level's qlinear by either. */
void ib_qlinear_by(ib_device *dev, const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p);

void ib_vnni_coded_replace(ib_kernels *k); /* vnni_coded.c */

/* ---- channels last (vnni_nhwc.c, vnni_nhwc_depthwise.c, vnni_nhwc_other.c) ---- */
void ib_vnni_nhwc_replace(ib_kernels *k);
void ib_vnni_nhwc_other_replace(ib_kernels *k);

/* As nhwc_pack and nhwc_conv2d. */
int64_t ib_vnni_nhwc_pack(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w,
                          const int32_t *bias, void *packed);
void ib_vnni_nhwc_conv2d(const ib_multiplier *m, const ib_window *s, const ib_nhwc_product *p, ib_share share);
ib_finish ib_vnni_finish; /* see panels.h */

/* bytes */
int64_t ib_vnni_depthwise_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                               void *packed);
void ib_vnni_depthwise(const ib_window *s, const ib_nhwc_product *p, ib_share share);

/* ---- convolution (vnni_conv.c) ---- */
int ib_vnni_conv_fits(const ib_window *s, const ib_qweights *w);
int64_t ib_vnni_packed_words(const ib_window *s); /* int32 words of packed weights and biases */
void ib_vnni_conv_pack(const ib_window *s, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
int64_t ib_vnni_conv_room(const ib_window *s); /* fp32 words of work space of a thread */
/* Of packed weights. Codes, if r is given (its factors small, no mask), else accumulators. */
void ib_vnni_conv_run(const ib_window *s, const ib_qproduct *p);

/* ---- linear (vnni_linear.c) ---- */
int64_t ib_vnni_linear_words(int64_t k, int64_t out);
void ib_vnni_linear_pack(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias,
                         int32_t *packed);
int64_t ib_vnni_linear_room(int64_t rows, int64_t k); /* fp32 words, for all threads */
/* As ib_vnni_conv_run; bits 4 or 2: packed by ib_narrow_pack */
void ib_vnni_linear_run(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p, int bits);

/* ---- narrow weights (vnni_narrow.c), bits 4 or 2 ---- */
/* out[16 panels] of one raised row, whose codes sum up to `sum` */
void ib_vnni_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t sum, const int32_t *w,
                        int32_t *out);
/* Panels of one code a byte, as of vnni_linear.c; returns their quads. */
int64_t ib_vnni_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to);

#endif
