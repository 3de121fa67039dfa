/* avx2.h - inside backends/cpu: the level's files for each other. */
#ifndef IB_BACKENDS_CPU_X86_AVX2_H
#define IB_BACKENDS_CPU_X86_AVX2_H

#include "backends/cpu/panels.h"

void ib_avx2_codes_replace(ib_kernels *k);
void ib_avx2_panels_replace(ib_kernels *k);
void ib_avx2_requant_replace(ib_kernels *k);
void ib_avx2_nhwc_replace(ib_kernels *k);

void ib_avx2_requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r);
/* As ib_panels_linear, whose result is *codes; 0 of weights that panels cannot take (groups, -128). */
int ib_avx2_panels_linear(int64_t rows, int64_t k, int64_t out, const ib_qproduct *p, int *codes);

/* Depthwise convolution of images with channels last: bytes of packed weights (0: not these), and the product. */
int64_t ib_avx2_depthwise_nhwc_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                                    void *packed);
void ib_avx2_depthwise_nhwc(const ib_window *s, const ib_nhwc_product *p, ib_share share);

#endif
