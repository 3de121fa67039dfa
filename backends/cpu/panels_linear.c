/* panels_linear.c - a linear layer as a convolution of images of one pixel (panels_nhwc.c). */
#include <omp.h>

#include "backends/cpu/panels.h"

enum { WORTH = 1 << 20 /* products that a second thread is worth */ };

static int64_t up64(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

int64_t ib_panels_linear_words(int64_t rows, int64_t k, int64_t out)
{
    const ib_window one = ib_window_of_rows(1, k, out);
    return (up64(rows * k + IB_NHWC_SLACK) + up64(rows * out)) / 4 + ib_panels_words(&one);
}

int ib_panels_linear(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    const ib_window s = ib_window_of_rows(rows, k, out), one = ib_window_of_rows(1, k, out);
    const ib_epilogue *r = p->r;
    const int8_t *x = p->x;
    uint8_t *room = (uint8_t *)p->scratch;
    const ib_nhwc in = {room, k, 1, 1, 0}, to = {room + up64(rows * k + IB_NHWC_SLACK), out, 1, 1, 0};
    const int codes = r && !r->mask;
    ib_nhwc_product of = {.x = &in, .y = codes ? &to : NULL, .packed = p->packed, .r = codes ? r : NULL};
    void *own = p->packed ? NULL : to.data + up64(rows * out);
    if (own)
        of.packed = own;
#pragma omp parallel if (rows * k * out > WORTH && !omp_in_parallel())
    {
        const ib_share share = {omp_get_thread_num(), omp_get_num_threads()};
        const int64_t raised = ib_share_end(share, rows * k), put = codes ? ib_share_end(share, rows * out) : 0;
        for (int64_t i = ib_share_first(share, rows * k); i < raised; i++)
            room[i] = (uint8_t)(x[i] ^ -128);
        if (own)
            ib_panels_pack(m, &one, ib_zero_of(p->in_zero), p->w, p->bias, own, share);
#pragma omp barrier
        ib_panels_conv2d(m, &s, &of, p->acc, share);
#pragma omp barrier
        for (int64_t i = ib_share_first(share, rows * out); i < put; i++)
            r->codes[i] = (int8_t)(to.data[i] ^ 128);
    }
    return codes;
}
