/* vnni_linear.c - y = x W' of codes with vpdpbusd: inputs raised by 128 are broadcast four at a time, panels of 16
 * outputs are loaded.
 *   panel [ceil(k/4)][16][4] int8, then 16 biases that make up for the raise (vnni_conv.c)
 *   or, for narrow weights, as in narrow.h */
#include <immintrin.h>
#include <omp.h>
#include <string.h>

#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/x86/vnni/vnni.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };

static int64_t quads(int64_t k)
{
    return (k + 3) / 4;
}

int64_t ib_vnni_linear_words(int64_t k, int64_t out)
{
    return (out + LANES - 1) / LANES * LANES * (quads(k) + 1) + 16 * LANES; /* and what a whole tile reads behind the
                                                                               last panel */
}

void ib_vnni_linear_pack(int64_t k, int64_t out, const ib_qweights *w, int in_zero, const int32_t *bias,
                         int32_t *packed)
{
    const int64_t n = quads(k), step = (n + 1) * LANES, panels = (out + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) if (k * out > 65536)
    for (int64_t b = 0; b < panels; b++) {
        int32_t *to = packed + b * step;
        for (int64_t l = 0; l < LANES; l++) {
            const int64_t o = b * LANES + l;
            int32_t sum = 0;
            if (o >= out) {
                for (int64_t i = 0; i <= n; i++)
                    to[i * LANES + l] = 0;
                continue;
            }
            const int8_t *row = w->codes + o * k;
            for (int64_t i = 0; i < k; i++)
                sum += row[i];
            for (int64_t i = 0; i < k / 4; i++)
                memcpy(to + i * LANES + l, row + 4 * i, 4);
            if (k % 4) {
                int8_t four[4] = {0};
                memcpy(four, row + k / 4 * 4, (size_t)(k % 4));
                memcpy(to + k / 4 * LANES + l, four, 4);
            }
            to[n * LANES + l] = ib_raised_bias(bias[o], 128 + in_zero, sum);
        }
    }
}

/* Bytes of a raised row: an odd number of cache lines, so that rows do not fall on each other in the cache. */
static int64_t line_of(int64_t k)
{
    return ((k + 63) / 64 | 1) * 64;
}

/* Words of unpacked narrow panels of a thread. */
static int64_t unpacked_words(int64_t k)
{
    return PANELS * ((k + 15) / 16 * 4 + 1) * LANES + 16 * LANES;
}

int64_t ib_vnni_linear_room(int64_t rows, int64_t k)
{
    return rows * line_of(k) / 4 + rows + 64 + omp_get_max_threads() * unpacked_words(k);
}

static void finish(int64_t rows, int64_t panels, const int32_t *acc, int64_t row, int64_t o, int64_t out, int32_t *to,
                   const ib_epilogue *e)
{
    const int32_t zero = e ? *e->zero : 0, lo = e ? *e->lo : 0, hi = e ? *e->hi : 0;
    for (int64_t v = 0; v < panels; v++) {
        const int64_t first = o + v * LANES, count = out - first < LANES ? out - first : LANES;
        const __mmask16 live = (__mmask16)((1u << count) - 1);
        __m512i mult, exp;
        if (e && count == LANES)
            ib_load_scales(e->scale + first, &mult, &exp);
        else if (e) {
            isobit_scale own[LANES] = {{0, -24}};
            memcpy(own, e->scale + first, (size_t)count * sizeof *own);
            ib_load_scales(own, &mult, &exp);
        }
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = (row + r) * out + first;
            const __m512i a = _mm512_loadu_si512(acc + r * IB_TILE_LD + v * LANES);
            __mmask16 inside;
            if (e)
                _mm_mask_storeu_epi8(e->codes + at, live,
                                     ib_codes16(ib_requant16(a, mult, exp, e->profile), zero, lo, hi, &inside));
            else
                _mm512_mask_storeu_epi32(to + at, live, a);
        }
    }
}

/* A product. */
typedef struct product {
    const ib_multiplier *m;
    int64_t rows, k, out;
    const int8_t *x;
    const int32_t *packed;
    int bits;
    int32_t *to;
    const ib_epilogue *e;
    uint8_t *raised; /* [rows][line_of(k)] */
    int32_t *sums;   /* [rows] of raised codes */
    int32_t *unpacked;
} product;

static void raise(const product *p, int64_t i)
{
    const int8_t *x = p->x + i * p->k;
    uint8_t *to = p->raised + i * line_of(p->k);
    __m512i sum = _mm512_setzero_si512();
    for (int64_t j = 0; j < p->k; j += 64) { /* zeroes behind the row meet no weight */
        const __mmask64 live = p->k - j >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (p->k - j)) - 1;
        const __m512i v =
            _mm512_xor_si512(_mm512_maskz_loadu_epi8(live, x + j), _mm512_maskz_set1_epi8(live, (char)0x80));
        sum = _mm512_dpbusd_epi32(sum, v, _mm512_set1_epi8(1));
        _mm512_storeu_si512(to + j, v);
    }
    p->sums[i] = _mm512_reduce_add_epi32(sum);
}

/* Panels PANELS g .. of all rows, in blocks of which the last goes over again what the one before had. */
static void group(const product *p, int64_t g)
{
    enum { FEW = 4 }; /* rows for which nothing is unpacked */
    const int64_t line = line_of(p->k), all = (p->out + LANES - 1) / LANES, first = g * PANELS,
                  panels = all - first < PANELS ? all - first : PANELS, o = first * LANES;
    int64_t n = quads(p->k);
    const int32_t *w = p->packed + first * (p->bits < 8 ? ib_narrow_quads(p->k, p->bits) + 1 : n + 1) * LANES;
    _Alignas(64) int32_t acc[2 * IB_TILE_ROWS * IB_TILE_LD];
    for (int64_t i = 0; i < p->rows && p->bits < 8 && p->rows <= FEW; i++) {
        ib_vnni_narrow_row(p->bits, panels, p->k, p->raised + i * line, p->sums[i], w, acc);
        finish(1, panels, acc, i, o, p->out, p->to, p->e);
    }
    if (p->bits < 8 && p->rows <= FEW)
        return;
    if (p->bits < 8) {
        int32_t *unpacked = p->unpacked + omp_get_thread_num() * unpacked_words(p->k);
        n = ib_vnni_narrow_unpack(p->bits, panels, p->k, w, unpacked);
        w = unpacked;
    }
    const int64_t step = (n + 1) * LANES;
    const int64_t r = ib_rows_at_once(p->m, panels, p->rows);
    const ib_tiles tiles = {r, panels, {1, n, 0}, line, w, step, acc};
    if (p->m->begin)
        p->m->begin(r);
    for (int64_t i = 0; i < p->rows; i += p->m->blocks * r) {
        const int64_t last = p->rows - r, from[2] = {i < last ? i : last, i + r < last ? i + r : last};
        const uint8_t *const x[2] = {p->raised + from[0] * line, p->raised + from[1] * line};
        const int blocks = i + r < p->rows ? p->m->blocks : 1;
        p->m->run(&tiles, x, blocks);
        for (int j = 0; j < blocks; j++)
            finish(r, panels, acc + j * IB_TILE_ROWS * IB_TILE_LD, from[j], o, p->out, p->to, p->e);
    }
    if (p->m->end)
        p->m->end();
}

/* Without a parallel region for what is small: even one of a single thread takes memory. */
void ib_vnni_linear_run(const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *of, int bits)
{
    const int64_t groups = (out + PANELS * LANES - 1) / (PANELS * LANES);
    int32_t *const sums = (int32_t *)(void *)(of->scratch + rows * line_of(k) / 4);
    const product p = {.m = m,
                       .rows = rows,
                       .k = k,
                       .out = out,
                       .x = of->x,
                       .packed = of->packed,
                       .bits = bits,
                       .to = of->acc,
                       .e = of->r,
                       .raised = (uint8_t *)of->scratch,
                       .sums = sums,
                       .unpacked = sums + (rows + 15) / 16 * 16};
    if (omp_in_parallel() || rows * k * out <= 131072) {
        for (int64_t i = 0; i < rows; i++)
            raise(&p, i);
        for (int64_t g = 0; g < groups; g++)
            group(&p, g);
        return;
    }
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++)
            raise(&p, i);
#pragma omp for schedule(static)
        for (int64_t g = 0; g < groups; g++)
            group(&p, g);
    }
}
