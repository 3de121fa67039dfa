/* narrow.c - products of rows with narrow weights, whatever the instruction. */
#include <omp.h>
#include <string.h>

#include "backends/cpu/narrow.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };
enum { FEW = 4 }; /* rows for which nothing is unpacked */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void ib_narrow_pack(int64_t k, int64_t out, const ib_qweights *w, int bits, int in_zero, const int32_t *bias,
                    int32_t *packed)
{
    const int64_t n = ib_narrow_quads(k, bits), step = (n + 1) * LANES;
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

/* Bytes of a raised row: an odd number of cache lines, so that rows do not fall on each other in the cache. */
static int64_t line_of(int64_t k)
{
    return ((k + 63) / 64 | 1) * 64;
}

/* Words of unpacked panels of a thread. */
static int64_t unpacked_words(int64_t k)
{
    return PANELS * ((k + 15) / 16 * 4 + 1) * LANES;
}

int64_t ib_narrow_linear_words(int64_t rows, int64_t k, int64_t out)
{
    if (k * out <= IB_NARROW_FROM)
        return 0;
    return rows * line_of(k) / 4 + (rows + 15) / 16 * 16 + omp_get_max_threads() * unpacked_words(k);
}

typedef struct product {
    const ib_narrow *how;
    const ib_qproduct *of;
    const ib_epilogue *e; /* NULL: accumulators */
    ib_finish *finish;
    int bits;
    int64_t rows, k, out;
    uint8_t *raised; /* [rows][line_of(k)], zeros behind a row, which meet no weight */
    int32_t *less;   /* [rows] */
    int32_t *unpacked;
} product;

static void raise(const product *p, int64_t i)
{
    const int64_t k = p->k;
    const int8_t *x = p->of->x;
    uint8_t *to = p->raised + i * line_of(k);
    uint32_t sum = 0;
    for (int64_t j = 0; j < k; j++)
        sum += to[j] = (uint8_t)(x[i * k + j] ^ -128);
    memset(to + k, 0, (size_t)(line_of(k) - k));
    p->less[i] = (int32_t)(sum << (p->bits - 1));
}

/* Outputs o .. of rows i .., from acc. */
static void put(const product *p, int64_t i, int64_t rows, int64_t o, int64_t panels, const int32_t *acc)
{
    for (int64_t v = 0; v < panels; v++, acc += LANES) {
        const int64_t first = o + v * LANES, count = least(LANES, p->out - first);
        isobit_scale scale[LANES] = {{0, -24}};
        uint8_t codes[IB_TILE_ROWS * LANES];
        if (p->e) {
            memcpy(scale, p->e->scale + first, (size_t)count * sizeof *scale);
            p->finish(p->e, scale, count, rows, acc, codes, LANES);
        }
        for (int64_t r = 0; r < rows; r++) {
            const int64_t at = (i + r) * p->out + first;
            if (!p->e)
                memcpy(p->of->acc + at, acc + r * IB_TILE_LD, (size_t)count * sizeof *acc);
            for (int64_t j = 0; p->e && j < count; j++)
                p->e->codes[at + j] = (int8_t)(codes[r * LANES + j] ^ 128);
        }
    }
}

/* Panels PANELS g .. of all rows, in blocks of which the last goes over again what the one before had. */
static void group(const product *p, int64_t g)
{
    const int64_t line = line_of(p->k), first = g * PANELS,
                  panels = least(PANELS, (p->out + LANES - 1) / LANES - first), n = ib_narrow_quads(p->k, p->bits),
                  quads = n * (8 / p->bits);
    const int32_t *w = (const int32_t *)p->of->packed + first * (n + 1) * LANES;
    _Alignas(64) int32_t acc[IB_TILE_ROWS * IB_TILE_LD];
    if (p->rows <= FEW) {
        for (int64_t i = 0; i < p->rows; i++) {
            p->how->row(p->bits, panels, p->k, p->raised + i * line, p->less[i], w, acc);
            put(p, i, 1, first * LANES, panels, acc);
        }
        return;
    }
    int32_t *unpacked = p->unpacked + omp_get_thread_num() * unpacked_words(p->k);
    p->how->unpack(p->bits, panels, p->k, w, unpacked);
    const int64_t rows = ib_rows_at_once(p->how->m, panels, p->rows);
    const ib_tiles tiles = {rows, panels, {1, quads, 0}, line, unpacked, (quads + 1) * LANES, acc};
    for (int64_t i = 0; i < p->rows; i += rows) {
        const int64_t from = least(i, p->rows - rows);
        const uint8_t *const x = p->raised + from * line;
        p->how->m->run(&tiles, &x, 1);
        put(p, from, rows, first * LANES, panels, acc);
    }
}

int ib_narrow_linear(const ib_narrow *how, int bits, int64_t rows, int64_t k, int64_t out, const ib_qproduct *of)
{
    const int64_t groups = (out + PANELS * LANES - 1) / (PANELS * LANES);
    const int codes = of->r && !of->r->mask;
    int32_t *const less = (int32_t *)(void *)(of->scratch + rows * line_of(k) / 4);
    const product p = {.how = how,
                       .of = of,
                       .e = codes ? of->r : NULL,
                       .finish = codes && ib_scales_are_small(of->r->scale, out, of->r->profile) ? how->m->finish
                                                                                                 : ib_finish_plainly,
                       .bits = bits,
                       .rows = rows,
                       .k = k,
                       .out = out,
                       .raised = (uint8_t *)of->scratch,
                       .less = less,
                       .unpacked = less + (rows + 15) / 16 * 16};
#pragma omp parallel if (!omp_in_parallel())
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++)
            raise(&p, i);
#pragma omp for schedule(static)
        for (int64_t g = 0; g < groups; g++)
            group(&p, g);
    }
    return codes;
}
