/* vnni_narrow.c - 4-bit and 2-bit weights of large linear layers, where reading them is what takes time: several a
 * byte, unpacked in registers for few rows, and into panels of vnni_linear.c for many.
 *   panel [ceil(k / 4 per)][16][4] bytes, per = 8 / bits; weight k + 4 j in bits `bits j` .. of a byte, raised by half
 *   = 2^(bits - 1):
 *     sum (w + half - half) (x + 128) = sum (w + half) (x + 128) - half sum (x + 128),  the last sum once for each row
 *   then 16 biases, as there */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/vnni/vnni.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };

int64_t ib_vnni_narrow_quads(int64_t k, int bits)
{
    const int64_t per = 8 / bits;
    return (k + 4 * per - 1) / (4 * per);
}

int64_t ib_vnni_narrow_words(int64_t k, int64_t out, int bits)
{
    return (out + LANES - 1) / LANES * LANES * (ib_vnni_narrow_quads(k, bits) + 1);
}

void ib_vnni_narrow_pack(int64_t k, int64_t out, const ib_qweights *w, int bits, int in_zero, const int32_t *bias,
                         int32_t *packed)
{
    const int64_t n = ib_vnni_narrow_quads(k, bits), step = (n + 1) * LANES;
    const int per = 8 / bits, half = 1 << (bits - 1);
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < (out + LANES - 1) / LANES * LANES; o++) {
        int32_t *to = packed + o / LANES * step + o % LANES, sum = 0;
        for (int64_t i = 0; i < n; i++) {
            uint8_t four[4] = {0}; /* 0: nothing, and met by inputs of 0 */
            for (int j = 0; j < 4 * per; j++) {
                const int64_t at = 4 * per * i + j;
                if (o >= out || at >= k)
                    continue;
                const int v = w->codes[o * k + at];
                sum += v;
                four[j % 4] = (uint8_t)(four[j % 4] | (v + half) << j / 4 * bits);
            }
            memcpy(to + i * LANES, four, 4);
        }
        to[n * LANES] = o < out ? ib_raised_bias(bias[o], 128 + in_zero, sum) : 0;
    }
}

/* One row; less: half times the sum of its raised inputs. */
#define TILE(bits, panels)                                                                                             \
    static __attribute__((noinline)) void tile_##bits##_##panels(int64_t n, const uint8_t *x, int32_t less,            \
                                                                 const int32_t *w, int64_t step, int32_t *out)         \
    {                                                                                                                  \
        enum { PER = 8 / bits };                                                                                       \
        const __m512i low = _mm512_set1_epi8((1 << bits) - 1);                                                         \
        __m512i acc[PER][panels];                                                                                      \
        _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++) _Pragma("GCC unroll 4") for (int j = 0; j < PER; j++) \
            acc[j][v] = j ? _mm512_setzero_si512()                                                                     \
                          : _mm512_sub_epi32(_mm512_loadu_si512(w + v * step + n * LANES), _mm512_set1_epi32(less));   \
        for (int64_t i = 0; i < n; i++, w += LANES, x += 4 * PER) {                                                    \
            int32_t quad[PER];                                                                                         \
            memcpy(quad, x, sizeof quad);                                                                              \
            _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                   \
            {                                                                                                          \
                const __m512i all = _mm512_loadu_si512(w + v * step);                                                  \
                _Pragma("GCC unroll 4") for (int j = 0; j < PER; j++) acc[j][v] = _mm512_dpbusd_epi32(                 \
                    acc[j][v], _mm512_set1_epi32(quad[j]), _mm512_and_si512(_mm512_srli_epi16(all, j * bits), low));   \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 4") for (int v = 0; v < panels; v++)                                                       \
        {                                                                                                              \
            _Pragma("GCC unroll 4") for (int j = 1; j < PER; j++) acc[0][v] = _mm512_add_epi32(acc[0][v], acc[j][v]);  \
            _mm512_storeu_si512(out + v * LANES, acc[0][v]);                                                           \
        }                                                                                                              \
    }
#define TILES(bits) TILE(bits, 1) TILE(bits, 2) TILE(bits, 3) TILE(bits, 4)
TILES(4)
TILES(2)

void ib_vnni_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t sum, const int32_t *w,
                        int32_t *out)
{
    static void (*const tiles[2][PANELS])(int64_t, const uint8_t *, int32_t, const int32_t *, int64_t, int32_t *) = {
        {tile_4_1, tile_4_2, tile_4_3, tile_4_4}, {tile_2_1, tile_2_2, tile_2_3, tile_2_4}};
    const int64_t n = ib_vnni_narrow_quads(k, bits);
    tiles[bits == 2][panels - 1](n, x, (1 << (bits - 1)) * sum, w, (n + 1) * LANES, out);
}

int64_t ib_vnni_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to)
{
    const int64_t n = ib_vnni_narrow_quads(k, bits), per = 8 / bits;
    const __m512i low = _mm512_set1_epi8((char)((1 << bits) - 1)), half = _mm512_set1_epi8((char)(1 << (bits - 1)));
    for (int64_t v = 0; v < panels; v++) {
        for (int64_t i = 0; i < n; i++, w += LANES) {
            __m512i all = _mm512_loadu_si512(w);
            for (int64_t j = 0; j < per; j++, to += LANES, all = _mm512_srli_epi16(all, (unsigned)bits))
                _mm512_storeu_si512(to, _mm512_sub_epi8(_mm512_and_si512(all, low), half));
        }
        _mm512_storeu_si512(to, _mm512_loadu_si512(w));
        w += LANES;
        to += LANES;
    }
    return n * per;
}
