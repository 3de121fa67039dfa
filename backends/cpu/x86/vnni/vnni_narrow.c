/* vnni_narrow.c - rows times narrow weights (narrow.h), and these as panels of vnni_linear.c. */
#include <immintrin.h>
#include <string.h>

#include "backends/cpu/x86/vnni/vnni.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };

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
    const int64_t n = ib_narrow_quads(k, bits);
    tiles[bits == 2][panels - 1](n, x, (1 << (bits - 1)) * sum, w, (n + 1) * LANES, out);
}

int64_t ib_vnni_narrow_unpack(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to)
{
    const int64_t n = ib_narrow_quads(k, bits), per = 8 / bits;
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
