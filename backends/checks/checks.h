/* checks.h - contracts of the kernels (kernels.h), looked at where IB_CHECKED is defined (base/assert.h).
 *
 * ib_check_<kernel> is called with what the kernel is given, just before it. It names the memory that the kernel reads
 * and writes with the sizes that follow from the shape, and what else its line in kernels.def takes for granted. A
 * kernel without one is held to what its arguments' types say alone (cmake/checked_kernels.cmake): pointers aligned,
 * and no output that is another argument too. */
#ifndef IB_BACKENDS_CHECKS_H
#define IB_BACKENDS_CHECKS_H

#include "backends/kernels.h"
#include "base/assert.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* checks are given all that the kernel is */

#define KERNEL(result, name, args) void ib_check_##name args;
#include "backends/kernels.def"
#undef KERNEL

/* Memory of an argument; at NULL: not given. */
typedef struct ib_span {
    const char *name;
    const void *at;
    int64_t bytes;
    int align, written;
} ib_span;

/* Where the check of a kernel stands. */
typedef struct ib_check_place {
    const char *file;
    int line;
    const char *function;
} ib_check_place;

/* Sizes are not negative, pointers aligned, and what is written overlaps with nothing else of the list. */
void ib_check_spans(const ib_span *spans, int n, ib_check_place at);

/* clang-format off */
#define IN(p, n) {#p, p, (int64_t)sizeof *(p) * (n), _Alignof(__typeof__(*(p))), 0}
#define OUT(p, n) {#p, p, (int64_t)sizeof *(p) * (n), _Alignof(__typeof__(*(p))), 1}
#define IN_BITS(p, n) {#p, p, ((n) + 7) / 8, 1, 0}
#define OUT_BITS(p, n) {#p, p, ((n) + 7) / 8, 1, 1}
#define ROOM(p, n) {#p, p, (int64_t)sizeof *(p) * (n), 64, 1}
#define PACKED(p) {#p, p, 1, 64, 0}
/* clang-format on */
#define SPANS(...)                                                                                                     \
    ib_check_spans((ib_span[]){__VA_ARGS__}, (int)(sizeof((ib_span[]){__VA_ARGS__}) / sizeof(ib_span)),                \
                   (ib_check_place){__FILE__, __LINE__, __func__})

/* Elements of a window's input, output and one output's weights. */
static inline int64_t ib_window_in(const ib_window *s)
{
    return s->n * s->ic * s->ih * s->iw;
}
static inline int64_t ib_window_out(const ib_window *s)
{
    return s->n * s->oc * s->oh * s->ow;
}
static inline int64_t ib_window_taps(const ib_window *s)
{
    return s->ic / s->groups * s->kh * s->kw;
}
static inline int64_t ib_planes_size(const ib_planes *s)
{
    return s->n * s->c * s->hw;
}

int ib_window_agrees(const ib_window *s);                               /* with itself */
int ib_window_pools(const ib_window *s);                                /* and outputs are inputs' channels */
int ib_weights_agree(const ib_qweights *w, int64_t rows, int64_t cols); /* groups cover the rows, codes their width */
int ib_factors_are_normal(const isobit_scale *s, int64_t n, int profile);
int ib_is_code(int zero);
/* Bounds and zero point are codes, factors normal. */
int ib_epilogue_agrees(const ib_epilogue *r, int64_t channels);

#define WINDOW(s) IB_ASSERT(ib_window_agrees(s), "a window's sizes agree")
#define POOL(s) IB_ASSERT(ib_window_pools(s), "a pool's sizes agree")
#define WEIGHTS(w, rows, cols)                                                                                         \
    IB_ASSERT(ib_weights_agree(w, rows, cols), "groups cover the weights' rows, and codes are within their bits")
#define EPILOGUE(r, channels) IB_ASSERT(ib_epilogue_agrees(r, channels), "bounds are codes, and factors normal")
#define ZERO(zero) IB_ASSERT(ib_is_code(zero), "a zero point is a code")

#endif
