/* avx2_window.c - windows over planes that carry their padding.
 *
 * A channel is copied once into a plane of int16, x less its zero point, with zeros around it. Then a tap is an
 * offset into it, and eight outputs are one load without a condition. The last block of a row overlaps the one before:
 * it writes the same numbers again. */
#include "backends/cpu/x86/avx2/avx2_window.h"

#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/level.h"

/* A window of one element sees its image as one long row. */
static ib_window in_one_row(const ib_window *s)
{
    ib_window line = *s;
    if (s->kh == 1 && s->kw == 1 && s->sh == 1 && s->sw == 1 && s->ph == 0 && s->pw == 0) {
        line.iw = line.ow = s->ih * s->iw;
        line.ih = line.oh = 1;
    }
    return line;
}

/* out[rows][width] = x[ih][iw] - in_zero, zeros where the window sees padding */
static void pad(const ib_window *s, const int8_t *x, int in_zero, int16_t *out)
{
    const ib_seen p = ib_seen_by(s);
    const int64_t from = ib_min64(s->pw, p.width), to = ib_min64(p.width, s->iw + s->pw);
    const __m256i zero = _mm256_set1_epi16((int16_t)in_zero);
    for (int64_t y = 0; y < p.rows; y++, out += p.width) {
        if (y < s->ph || y - s->ph >= s->ih || from >= to) {
            memset(out, 0, (size_t)p.width * sizeof *out);
            continue;
        }
        const int8_t *row = x + (y - s->ph) * s->iw - s->pw;
        memset(out, 0, (size_t)from * sizeof *out);
        int64_t i = from;
        for (; i + 16 <= to; i += 16) {
            const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(row + i)));
            _mm256_storeu_si256((__m256i *)(out + i), _mm256_sub_epi16(wide, zero));
        }
        for (; i < to; i++)
            out[i] = (int16_t)(row[i] - in_zero);
        memset(out + to, 0, (size_t)(p.width - to) * sizeof *out);
    }
}

/* x[0], x[stride], ... x[7 stride] in the low halves of eight int32, the high ones zero */
static inline __m256i low8(const int16_t *x, int stride)
{
    if (stride == 1)
        return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)x));
    if (stride == 2)
        return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)x), _mm256_set1_epi32(0xFFFF));
    return _mm256_setr_epi32((uint16_t)x[0], (uint16_t)x[stride], (uint16_t)x[2 * stride], (uint16_t)x[3 * stride],
                             (uint16_t)x[4 * stride], (uint16_t)x[5 * stride], (uint16_t)x[6 * stride],
                             (uint16_t)x[7 * stride]);
}

/* a[0], b[0], a[stride], b[stride], ... of a row of n outputs: out[n][2]; b may be NULL */
static void interleave(const int16_t *a, const int16_t *b, int stride, int64_t n, int16_t *out)
{
    for (int64_t o = 0; n >= 8 && o < n; o += 8) {
        const int64_t at = ib_min64(o, n - 8);
        const __m256i low = low8(a + at * stride, stride);
        const __m256i high = b ? _mm256_slli_epi32(low8(b + at * stride, stride), 16) : _mm256_setzero_si256();
        _mm256_storeu_si256((__m256i *)(out + 2 * at), _mm256_or_si256(low, high));
    }
    for (int64_t o = 0; n < 8 && o < n; o++) {
        out[2 * o] = a[o * stride];
        out[2 * o + 1] = b ? b[o * stride] : 0;
    }
}

void ib_avx2_unfold(const ib_window *window, const int8_t *x, int in_zero, int16_t *col, int64_t ldb)
{
    const ib_window own = in_one_row(window), *s = &own;
    const ib_seen p = ib_seen_by(s);
    const int64_t area = (int64_t)s->kh * s->kw, k = s->ic / s->groups * area;
    int16_t *planes = col + (k + 1) / 2 * 2 * ldb; /* of the channels of a pair: c in plane c % 2 */
    int64_t padded = 0;
    for (int64_t i = 0; i < k; i += 2) {
        const int16_t *tap[2] = {NULL, NULL};
        for (int64_t j = i; j < ib_min64(k, i + 2); j++) {
            const int64_t c = j / area, t = j % area;
            int16_t *own_plane = planes + c % 2 * p.rows * p.width;
            if (c == padded) {
                pad(s, x + c * s->ih * s->iw, in_zero, own_plane);
                padded++;
            }
            tap[j - i] = own_plane + t / s->kw * p.width + t % s->kw;
        }
        for (int64_t oy = 0; oy < s->oh; oy++) {
            const int64_t row = oy * s->sh * p.width;
            interleave(tap[0] + row, tap[1] ? tap[1] + row : NULL, s->sw, s->ow, col + i * ldb + 2 * oy * s->ow);
        }
    }
}

/* The eight outputs at x: bias + sum of tap[kh][kw] x[ky][kx + stride j] */
static inline __m256i taps8(const ib_window *s, const int16_t *x, int64_t width, const int32_t *tap, int32_t bias)
{
    __m256i acc = _mm256_set1_epi32(bias);
    for (int ky = 0; ky < s->kh; ky++, x += width)
        for (int kx = 0; kx < s->kw; kx++, tap++) {
            const __m256i low = low8(x + kx, s->sw), wide = _mm256_srai_epi32(_mm256_slli_epi32(low, 16), 16);
            acc = _mm256_add_epi32(acc, _mm256_mullo_epi32(wide, _mm256_set1_epi32(*tap)));
        }
    return acc;
}

void ib_avx2_depthwise(const ib_window *s, const ib_qproduct *p)
{
    const ib_seen seen = ib_seen_by(s);
    const int64_t area = (int64_t)s->kh * s->kw, words = ib_avx2_window_words(s);
    const ib_qweights *w = p->w;
#pragma omp parallel for schedule(static) if (s->n > 1)
    for (int64_t i = 0; i < s->n * s->ic; i++) {
        const int64_t c = i % s->ic;
        int32_t *tap = (int32_t *)p->scratch + omp_get_thread_num() * words, *out = p->acc + i * s->oh * s->ow;
        int16_t *plane = (int16_t *)(tap + area);
        for (int64_t t = 0; t < area; t++)
            tap[t] =
                w->codes[c * area + t] * (w->group_size ? w->group_factor[c * w->n_groups + t / w->group_size] : 1);
        pad(s, p->x + i * s->ih * s->iw, ib_zero_of(p->in_zero), plane);
        for (int64_t oy = 0; oy < s->oh; oy++, out += s->ow)
            for (int64_t o = 0; o < s->ow; o += 8) {
                const int64_t at = s->ow < 8 ? 0 : ib_min64(o, s->ow - 8);
                int32_t line[8];
                const __m256i acc = taps8(s, plane + oy * s->sh * seen.width + at * s->sw, seen.width, tap, p->bias[c]);
                if (s->ow >= 8)
                    _mm256_storeu_si256((__m256i *)(out + at), acc);
                else {
                    _mm256_storeu_si256((__m256i *)line, acc);
                    memcpy(out, line, (size_t)s->ow * sizeof *out);
                }
            }
    }
}
