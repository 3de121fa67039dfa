/* vnni.h - inside backends/cpu: products of codes with AVX-512 VNNI. */
#ifndef IB_BACKENDS_CPU_VNNI_H
#define IB_BACKENDS_CPU_VNNI_H

#include "backends/kernels.h"

/* ---- convolution (vnni_conv.c) ---- */
int ib_vnni_conv_fits(const ib_window *s, const ib_qweights *w);
int64_t ib_vnni_packed_words(const ib_window *s); /* int32 words of packed weights and biases */
void ib_vnni_conv_pack(const ib_window *s, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
int64_t ib_vnni_conv_room(const ib_window *s); /* fp32 words of work space of a thread */
/* Codes, if r is given (its factors small, no mask), else accumulators. */
void ib_vnni_conv_run(const ib_window *s, const int8_t *x, int in_zero, const int32_t *packed, int32_t *acc, const ib_epilogue *r, float *scratch);

/* ---- linear (vnni_linear.c) ---- */
int64_t ib_vnni_linear_words(int64_t k, int64_t out);
/* 4-bit codes, two a byte: for few rows, where reading the weights is what takes time. No longer than the other. */
void ib_vnni_linear_pack4(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
void ib_vnni_linear_pack(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
int64_t ib_vnni_linear_room(int64_t rows, int64_t k); /* fp32 words, for all threads */
/* bits 4: packed by pack4 */
void ib_vnni_linear_run(int64_t rows, int64_t k, int64_t out, const int8_t *x, const int32_t *packed, int bits, int32_t *acc, const ib_epilogue *r, float *scratch);

#endif
