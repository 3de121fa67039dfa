/* avx2_window.h - what a convolution's window sees, as int16 less the input's zero point. */
#ifndef IB_AVX2_WINDOW_H
#define IB_AVX2_WINDOW_H

#include "backends/kernels.h"

/* What of a channel, its padding included, the windows of all outputs read */
typedef struct ib_seen {
    int64_t rows, width;
} ib_seen;

static inline ib_seen ib_seen_by(const ib_window *s)
{
    return (ib_seen){(s->oh - 1) * s->sh + s->kh, (s->ow - 1) * s->sw + s->kw};
}

/* int32 words that each thread needs behind its panel (two channels as int16) or in its scratch (one, and its taps),
 * with what a whole vector may read behind them */
static inline int64_t ib_avx2_window_words(const ib_window *s)
{
    const ib_seen p = ib_seen_by(s);
    return p.rows * p.width + (int64_t)s->kh * s->kw + 8 + 4 * s->sw;
}

/* The patches of one image and group as a panel: col[k / 2][ldb][k & 1] = x - in_zero, 0 where padding;
 * x [ic / groups][ih][iw], k = channel, then row and column of the window. ib_avx2_window_words() of work space lie
 * behind the panel. */
void ib_avx2_unfold(const ib_window *s, const int8_t *x, int in_zero, int16_t *col, int64_t ldb);

/* p->acc[n][c][oh][ow] = bias[c] + sum over the window of w[c] (x[c] - in_zero), one channel from one */
void ib_avx2_depthwise(const ib_window *s, const ib_qproduct *p);

#endif
