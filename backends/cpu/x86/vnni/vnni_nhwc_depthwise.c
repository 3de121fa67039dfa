/* vnni_nhwc_depthwise.c - depthwise convolution of codes on images with channels last: 64 channels at a time, four taps
 * a quad.
 *
 * Unpacking bytes, then pairs, of four taps within 128-bit lanes makes vectors j = 0..3 of quads for the channels 16
 * lane + 4 j + (0..3); weights and biases are packed in that order, and packing with saturation at the end puts the
 * channels back in theirs.
 *   block of 64 channels: [quads][4][64] int8, then [64] int32 */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/x86/vnni/vnni.h"

enum { BLOCK = 64, MAX_TAPS = 1024 };

/* The channel of lane i of vector j. */
static int64_t channel(int64_t j, int64_t i)
{
    return 16 * (i / 4) + 4 * j + i % 4;
}

int64_t ib_vnni_depthwise_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias, void *packed)
{
    const int64_t taps = (int64_t)s->kh * s->kw, quads = (taps + 3) / 4, blocks = (s->ic + BLOCK - 1) / BLOCK,
                  size = (quads + 1) * 4 * BLOCK;
    if (taps > MAX_TAPS)
        return 0;
    if (!packed)
        return blocks * size;
    memset(packed, 0, (size_t)(blocks * size));
    for (int64_t b = 0; b < blocks; b++) {
        int8_t *to = (int8_t *)packed + b * size;
        for (int64_t j = 0; j < 4; j++)
            for (int64_t i = 0; i < 16; i++) {
                const int64_t c = b * BLOCK + channel(j, i);
                if (c >= s->ic)
                    continue;
                int32_t sum = 0;
                for (int64_t t = 0; t < taps; t++) {
                    to[((t / 4 * 4 + j) * 16 + i) * 4 + t % 4] = w->codes[c * taps + t];
                    sum += w->codes[c * taps + t];
                }
                const int32_t base = ib_raised_bias(bias[c], 128 + in_zero, sum);
                memcpy(to + quads * 4 * BLOCK + (j * 16 + i) * 4, &base, 4);
            }
    }
    return blocks * size;
}

/* acc[4][16] of one pixel; offset: of each tap, quads of them */
static inline void accumulate(const uint8_t *x, const int64_t *offset, int64_t quads, const int8_t *w, __mmask64 live,
                              __m512i acc[4])
{
    for (int j = 0; j < 4; j++)
        acc[j] = _mm512_loadu_si512(w + (quads * 4 + j) * BLOCK);
    for (int64_t q = 0; q < quads; q++, offset += 4, w += 4 * BLOCK) {
        const __m512i a = _mm512_maskz_loadu_epi8(live, x + offset[0]),
                      b = _mm512_maskz_loadu_epi8(live, x + offset[1]);
        const __m512i c = _mm512_maskz_loadu_epi8(live, x + offset[2]),
                      d = _mm512_maskz_loadu_epi8(live, x + offset[3]);
        const __m512i ab0 = _mm512_unpacklo_epi8(a, b), ab1 = _mm512_unpackhi_epi8(a, b),
                      cd0 = _mm512_unpacklo_epi8(c, d), cd1 = _mm512_unpackhi_epi8(c, d);
        acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(ab0, cd0), _mm512_loadu_si512(w));
        acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(ab0, cd0), _mm512_loadu_si512(w + BLOCK));
        acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(ab1, cd1), _mm512_loadu_si512(w + 2 * BLOCK));
        acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(ab1, cd1), _mm512_loadu_si512(w + 3 * BLOCK));
    }
}

/* Codes of one pixel where factors, which are in the order of the channels, are not small. */
static void plainly(const __m512i acc[4], const ib_epilogue *r, const isobit_scale *scale, int64_t count, uint8_t *out)
{
    int32_t lane[BLOCK], sum[BLOCK];
    for (int j = 0; j < 4; j++)
        _mm512_storeu_si512(lane + 16 * j, acc[j]);
    for (int64_t j = 0; j < BLOCK; j++)
        sum[channel(j / 16, j % 16)] = lane[j];
    ib_finish_row(r, scale, count, sum, out);
}

/* Rows first .. last - 1 of sample i. */
static void rows_of(const ib_window *s, const ib_nhwc_product *p, int64_t i, int64_t first, int64_t last)
{
    const ib_nhwc *x = p->x, *y = p->y;
    const ib_epilogue *r = p->r;
    const int8_t *packed = p->packed;
    const int64_t taps = (int64_t)s->kh * s->kw, quads = (taps + 3) / 4, size = (quads + 1) * 4 * BLOCK;
    const int small = ib_scales_are_small(r->scale, s->oc, r->profile);
    const __m512i zero = _mm512_set1_epi16((int16_t)(*r->zero + 128)), least = _mm512_set1_epi32(*r->lo - *r->zero),
                  most = _mm512_set1_epi32(*r->hi - *r->zero);
    int64_t offset[MAX_TAPS + 3];
    for (int64_t t = 0; t < 4 * quads; t++) /* behind the last tap come weights of 0 */
        offset[t] = t < taps ? t / s->kw * ib_nhwc_line(x) + t % s->kw * x->c : 0;
    for (int64_t b = 0; b * BLOCK < s->ic; b++) {
        const int64_t count = s->ic - b * BLOCK < BLOCK ? s->ic - b * BLOCK : BLOCK;
        const __mmask64 live = count == BLOCK ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
        __m512i mult[4], exp[4];
        isobit_scale scale[BLOCK];
        for (int64_t j = 0; j < BLOCK; j++) {
            const int64_t c = b * BLOCK + channel(j / 16, j % 16);
            scale[j] = c < s->ic ? r->scale[c] : (isobit_scale){0, -24};
        }
        for (int64_t j = 0; j < 4; j++)
            ib_load_scales(scale + 16 * j, &mult[j], &exp[j]);
        for (int64_t oy = first; oy < last; oy++) {
            const uint8_t *in = ib_nhwc_at(x, i, oy * s->sh - s->ph, -s->pw) + b * BLOCK;
            uint8_t *out = ib_nhwc_at(y, i, oy, 0) + b * BLOCK;
            for (int64_t ox = 0; ox < s->ow; ox++, in += s->sw * x->c, out += y->c) {
                __m512i acc[4], q[4];
                accumulate(in, offset, quads, packed + b * size, live, acc);
                if (!small) {
                    plainly(acc, r, r->scale + b * BLOCK, count, out);
                    continue;
                }
                for (int j = 0; j < 4; j++)
                    q[j] = _mm512_max_epi32(least,
                                            _mm512_min_epi32(most, ib_requant16(acc[j], mult[j], exp[j], r->profile)));
                const __m512i low = _mm512_add_epi16(_mm512_packs_epi32(q[0], q[1]), zero),
                              high = _mm512_add_epi16(_mm512_packs_epi32(q[2], q[3]), zero);
                _mm512_mask_storeu_epi8(out, live, _mm512_packus_epi16(low, high));
            }
        }
    }
}

void ib_vnni_depthwise(const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    for (int64_t i = 0; i < s->n; i++)
        rows_of(s, p, i, ib_share_first(share, s->oh), ib_share_end(share, s->oh));
}
