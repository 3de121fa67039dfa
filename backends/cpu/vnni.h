/* vnni.h - inside backends/cpu: products of codes with AVX-512 VNNI. */
#ifndef IB_BACKENDS_CPU_VNNI_H
#define IB_BACKENDS_CPU_VNNI_H

#include "backends/kernels.h"

/* ---- rows by panels (vnni_tiles.c, amx.c) ---- */

/* A row of raised codes as a product reads it: `segments` pieces of `quads` times four, `jump` bytes from one to the next. */
typedef struct ib_walk {
    int64_t segments, quads, jump;
} ib_walk;

enum { IB_TILE_ROWS = 16, IB_TILE_PANELS = 4, IB_TILE_LD = 16 * IB_TILE_PANELS };
/* How rows are multiplied by panels: between begin and end, a thread calls run with one number of rows. */
typedef struct ib_multiplier {
    int64_t unit;  /* quads of a segment are a multiple of it */
    int64_t worth; /* products that a second thread is worth */
    int blocks;    /* of rows at a time: one or two */
    int64_t (*rows)(int64_t panels); /* at most, of a block */
    void (*begin)(int64_t rows);
    void (*end)(void);
    /* out[blocks][IB_TILE_ROWS][IB_TILE_LD] = rows (from x[block] on, ldx bytes apart) x panels; w: panel [segments quads][16][4] int8, then
     * 16 biases; `step` words between panels */
    void (*run)(int64_t rows, int64_t panels, const ib_walk *k, const uint8_t *const *x, int blocks, int64_t ldx, const int32_t *w, int64_t step, int32_t *out);
} ib_multiplier;
/* Rows at a time for `count` of them: about equal pieces; the last one begins at count - rows, over again what the one before had. */
static inline int64_t ib_rows_at_once(const ib_multiplier *m, int64_t panels, int64_t count)
{
    const int64_t most = m->rows(panels), pieces = (count + most - 1) / most;
    return (count + pieces - 1) / pieces;
}
extern const ib_multiplier ib_vnni_multiplier, ib_amx_multiplier;

/* The level's qlinear by either. */
void ib_qlinear_by(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const int8_t *x, int in_zero, const ib_qweights *w, const int32_t *bias, const void *packed,
                   const ib_epilogue *r, int32_t *acc, float *scratch);

/* ---- channels last (vnni_nhwc.c, vnni_nhwc_depthwise.c, vnni_nhwc_other.c) ---- */
void ib_vnni_nhwc_fill_table(ib_kernels *k);
void ib_vnni_nhwc_other_fill_table(ib_kernels *k);

int64_t ib_nhwc_pack_by(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed); /* as nhwc_pack */
void ib_nhwc_conv2d_by(const ib_multiplier *m, const ib_window *s, const ib_nhwc *x, const void *packed, const ib_epilogue *r, const ib_nhwc *y);

int64_t ib_vnni_depthwise_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed); /* bytes */
void ib_vnni_depthwise(const ib_window *s, const ib_nhwc *x, const void *packed, const ib_epilogue *r, const ib_nhwc *y);

/* ---- convolution (vnni_conv.c) ---- */
int ib_vnni_conv_fits(const ib_window *s, const ib_qweights *w);
int64_t ib_vnni_packed_words(const ib_window *s); /* int32 words of packed weights and biases */
void ib_vnni_conv_pack(const ib_window *s, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
int64_t ib_vnni_conv_room(const ib_window *s); /* fp32 words of work space of a thread */
/* Codes, if r is given (its factors small, no mask), else accumulators. */
void ib_vnni_conv_run(const ib_window *s, const int8_t *x, int in_zero, const int32_t *packed, int32_t *acc, const ib_epilogue *r, float *scratch);

/* ---- linear (vnni_linear.c) ---- */
int64_t ib_vnni_linear_words(int64_t k, int64_t out);
void ib_vnni_linear_pack(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias, int32_t *packed);
int64_t ib_vnni_linear_room(int64_t rows, int64_t k); /* fp32 words, for all threads */
/* bits 4 or 2: packed by ib_vnni_narrow_pack */
void ib_vnni_linear_run(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const int8_t *x, const int32_t *packed, int bits, int32_t *acc, const ib_epilogue *r, float *scratch);

/* ---- narrow weights (vnni_narrow.c), bits 4 or 2 ---- */
int64_t ib_vnni_narrow_quads(int64_t k, int bits); /* words of a lane of a panel, without the bias */
int64_t ib_vnni_narrow_words(int64_t k, int64_t out, int bits);
void ib_vnni_narrow_pack(int64_t k, int64_t out, const ib_qweights *w, int bits, int in_zero, const int32_t *bias, int32_t *packed);
/* out[16 panels] of one raised row, whose codes sum up to `sum` */
void ib_vnni_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t sum, const int32_t *w, int32_t *out);
/* Panels of one code a byte, as of vnni_linear.c; returns their quads. */
int64_t ib_vnni_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to);

#endif
