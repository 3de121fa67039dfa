/* avx2_nhwc_depthwise.c - depthwise convolution of codes on images with channels last: 16 channels at a time, two taps
 * a vpmaddwd.
 *
 * Unpacking the 16 bits of two taps within 128-bit lanes makes vectors j = 0, 1 of pairs for the channels
 * 8 half + 4 j + (0..3); weights and biases are packed in that order, and packing at the end puts the channels back in
 * theirs.
 *   block of 16 channels: [pairs][2][8][2] int16, then [16] int32 */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/requant8.h"

enum { BLOCK = 16, MAX_TAPS = 1024 };

/* The channel of lane i of vector j. */
static int64_t channel(int64_t j, int64_t i)
{
    return 8 * (i / 4) + 4 * j + i % 4;
}

/* Of a block: bytes. */
static int64_t size_of(const ib_window *s)
{
    return (((int64_t)s->kh * s->kw + 1) / 2 + 1) * 4 * BLOCK;
}

int64_t ib_avx2_depthwise_nhwc_pack(const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                                    void *packed)
{
    const int64_t taps = (int64_t)s->kh * s->kw, pairs = (taps + 1) / 2, blocks = (s->ic + BLOCK - 1) / BLOCK;
    if (taps > MAX_TAPS)
        return 0;
    if (!packed)
        return blocks * size_of(s);
    memset(packed, 0, (size_t)(blocks * size_of(s)));
    for (int64_t c = 0; c < s->ic; c++) {
        const int64_t j = c / 4 % 2, i = c / 8 % 2 * 4 + c % 4;
        int16_t *to = (int16_t *)packed + c / BLOCK * size_of(s) / 2;
        int32_t sum = 0;
        for (int64_t t = 0; t < taps; t++) {
            to[((t / 2 * 2 + j) * 8 + i) * 2 + t % 2] = w->codes[c * taps + t];
            sum += w->codes[c * taps + t];
        }
        const int32_t base = ib_raised_bias(bias[c], 128 + in_zero, sum);
        memcpy(to + pairs * 2 * BLOCK + (j * 8 + i) * 2, &base, 4);
    }
    return blocks * size_of(s);
}

/* acc[2][8] of one pixel; offset: of each tap, pairs of them */
static inline void accumulate(const uint8_t *x, const int64_t *offset, int64_t pairs, const int16_t *w, __m256i acc[2])
{
    acc[0] = _mm256_loadu_si256((const __m256i *)(w + pairs * 2 * BLOCK));
    acc[1] = _mm256_loadu_si256((const __m256i *)(w + pairs * 2 * BLOCK + BLOCK));
    for (int64_t q = 0; q < pairs; q++, offset += 2, w += 2 * BLOCK) {
        const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + offset[0]))),
                      b = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(x + offset[1])));
        const __m256i w0 = _mm256_loadu_si256((const __m256i *)w),
                      w1 = _mm256_loadu_si256((const __m256i *)(w + BLOCK));
        acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w0));
        acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w1));
    }
}

/* As ib_raised16, of lanes in the order of channel(). */
static inline __m128i raised(__m256i a, __m256i b, const ib_epilogue *r)
{
    const __m256i least = _mm256_set1_epi32(*r->lo - *r->zero), most = _mm256_set1_epi32(*r->hi - *r->zero);
    const __m256i both = _mm256_packs_epi32(_mm256_max_epi32(least, _mm256_min_epi32(most, a)),
                                            _mm256_max_epi32(least, _mm256_min_epi32(most, b))),
                  v = _mm256_add_epi16(both, _mm256_set1_epi16((int16_t)(*r->zero + 128)));
    return _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/* The same where factors, which are in the order of the channels, are not small. */
static void plainly(const __m256i acc[2], const ib_epilogue *r, const isobit_scale *scale, int64_t count, uint8_t *out)
{
    int32_t sum[BLOCK];
    _mm256_storeu_si256((__m256i *)sum, _mm256_permute2x128_si256(acc[0], acc[1], 0x20));
    _mm256_storeu_si256((__m256i *)(sum + 8), _mm256_permute2x128_si256(acc[0], acc[1], 0x31));
    ib_finish_row(r, scale, count, sum, out);
}

void ib_avx2_depthwise_nhwc(const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    const ib_nhwc *x = p->x, *y = p->y;
    const ib_epilogue *r = p->r;
    const int64_t taps = (int64_t)s->kh * s->kw, pairs = (taps + 1) / 2;
    const int small = ib_scales_are_small(r->scale, s->oc, r->profile);
    int64_t offset[MAX_TAPS + 1];
    for (int64_t t = 0; t < 2 * pairs; t++) /* behind the last tap come weights of 0 */
        offset[t] = t < taps ? t / s->kw * ib_nhwc_line(x) + t % s->kw * x->c : 0;
    for (int64_t b = 0; b * BLOCK < s->ic; b++) {
        const int64_t count = s->ic - b * BLOCK < BLOCK ? s->ic - b * BLOCK : BLOCK;
        const int16_t *packed = (const int16_t *)p->packed + b * size_of(s) / 2;
        isobit_scale scale[BLOCK];
        for (int64_t j = 0; j < BLOCK; j++) {
            const int64_t c = b * BLOCK + channel(j / 8, j % 8);
            scale[j] = c < s->ic ? r->scale[c] : (isobit_scale){0, -24};
        }
        const ib_scales8 first = ib_load_scales8(scale, r->profile), second = ib_load_scales8(scale + 8, r->profile);
        for (int64_t i = 0; i < s->n; i++)
            for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++) {
                const uint8_t *in = ib_nhwc_at(x, i, oy * s->sh - s->ph, -s->pw) + b * BLOCK;
                uint8_t *out = ib_nhwc_at(y, i, oy, 0) + b * BLOCK;
                for (int64_t ox = 0; ox < s->ow; ox++, in += s->sw * x->c, out += y->c) {
                    __m256i acc[2];
                    accumulate(in, offset, pairs, packed, acc);
                    if (small)
                        ib_store16(out, raised(ib_requant8(acc[0], &first), ib_requant8(acc[1], &second), r), count);
                    else
                        plainly(acc, r, r->scale + b * BLOCK, count, out);
                }
            }
    }
}
