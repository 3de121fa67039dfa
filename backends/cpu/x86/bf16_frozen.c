/* bf16_frozen.c - products with frozen matrices in bfloat16: activations and decoded weights are rounded, sums are
 * fp32. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/bf16_panel.h"

void ib_bf16_attention_replace(ib_kernels *k); /* bf16_attention.c */
void ib_bf16_peaks_replace(ib_kernels *k);     /* bf16_peaks.c */

enum { FEW = 4 };

/* y[n][even(k)] = bf16 of x[n][k] */
static void round_rows(const float *x, int64_t n, int64_t k, bf16 *y)
{
    const int64_t ld = even(k);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        round_row(x + i * k, k, y + i * ld);
        if (ld > k)
            y[i * ld + k] = 0;
    }
}

/* Rows o .. o + m (m <= 32) of W as a panel over k; rows: bf16 [32][even(k)], zeroed behind m. */
static void pack_rows(ib_device *dev, const ib_matrix *w, int64_t o, int64_t m, float *row, bf16 *rows, bf16 *panel)
{
    const int64_t k = w->cols, ld = even(k);
    for (int64_t i = 0; i < m; i++) {
        IB_BELOW(decode)(dev, w, (o + i) * k, k, row);
        round_row(row, k, rows + i * ld);
        if (ld > k)
            rows[i * ld + k] = 0;
    }
    memset(rows + m * ld, 0, (size_t)((NR - m) * ld) * sizeof *rows);
    panel_of_rows(rows, ld, ld / 2, panel);
}

/* Into how many parts of the rows of x a product is cut besides its tiles: thin matrices (adapters) have few tiles, and
 * packing theirs again costs little. No result changes with it. */
static int64_t parts_of(int64_t tiles, int64_t n)
{
    return tiles >= 8 ? 1 : min64(8, (n + 4 * MR - 1) / (4 * MR));
}

/* Rows of part p of `parts`: whole blocks of MR. */
static int64_t part_start(int64_t n, int64_t parts, int64_t p)
{
    return min64(n, (n + MR * parts - 1) / (MR * parts) * MR * p);
}

/* y[n,rows] = x[n,cols] W', += if add */
void ib_bf16_frozen_mul(ib_device *dev, ib_by_panel *by_panel, const ib_matrix *w, int64_t n, const float *x, int add,
                        float *y, float *scratch)
{
    if (n <= FEW) {
        IB_BELOW(frozen_mul)(dev, w, n, x, add, y, scratch);
        return;
    }
    const int64_t k = w->cols, ld = even(k), room = ib_frozen_room(w), tiles = (w->rows + NR - 1) / NR,
                  parts = parts_of(tiles, n);
    bf16 *a = (bf16 *)scratch;
    float *work = scratch + (n * ld / 2 + 15) / 16 * 16;
    round_rows(x, n, k, a);
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < tiles * parts; t++) {
        float *row = work + ib_cpu_thread() * room;
        bf16 *rows = (bf16 *)(row + (k + 15) / 16 * 16), *panel = rows + NR * ld;
        const int64_t o = t / parts * NR, m = min64(NR, w->rows - o), from = part_start(n, parts, t % parts),
                      to = part_start(n, parts, t % parts + 1);
        if (from == to)
            continue;
        pack_rows(dev, w, o, m, row, rows, panel);
        by_panel(a + from * ld, ld, to - from, panel, ld / 2, y + from * w->rows + o, w->rows, m, add);
    }
}

/* Columns c .. c + width (a multiple of 32, zeroed behind the matrix) of rows o .. o + m of W as panels over the
 * rows. */
static void pack_columns(ib_device *dev, const ib_matrix *w, int64_t c, int64_t width, int64_t o, int64_t m, float *two,
                         bf16 *panels)
{
    const int64_t valid = min64(width, w->cols - c), pairs = even(m) / 2;
    memset(two, 0, (size_t)(2 * width) * sizeof *two);
    for (int64_t p = 0; p < pairs; p++) {
        IB_BELOW(decode)(dev, w, (o + 2 * p) * w->cols + c, valid, two);
        if (2 * p + 1 < m)
            IB_BELOW(decode)(dev, w, (o + 2 * p + 1) * w->cols + c, valid, two + width);
        else
            memset(two + width, 0, (size_t)width * sizeof *two);
        for (int64_t j = 0; j < width; j += NR)
            panel_of_two(two + j, two + width + j, panels + (j / NR) * pairs * 64 + p * 64);
    }
}

/* dx[n,cols] += dy[n,rows] W */
void ib_bf16_frozen_mul_grad(ib_device *dev, ib_by_panel *by_panel, const ib_matrix *w, int64_t n, const float *dy,
                             float *dx, float *scratch)
{
    if (n <= FEW) {
        IB_BELOW(frozen_mul_grad)(dev, w, n, dy, dx, scratch);
        return;
    }
    const int64_t o = w->rows, ld = even(o), room = ib_frozen_room(w),
                  width = w->format->block > 64 ? w->format->block : 64;
    const int64_t tiles = (w->cols + width - 1) / width, parts = parts_of(tiles, n);
    bf16 *a = (bf16 *)scratch;
    float *work = scratch + (n * ld / 2 + 15) / 16 * 16;
    round_rows(dy, n, o, a);
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < tiles * parts; t++) {
        float *two = work + ib_cpu_thread() * room;
        bf16 *panels = (bf16 *)(two + 2 * width);
        const int64_t c = t / parts * width, from = part_start(n, parts, t % parts),
                      to = part_start(n, parts, t % parts + 1);
        for (int64_t r = 0; r < o && from < to; r += IB_FROZEN_ROWS) { /* panels that stay in the cache */
            const int64_t m = min64(IB_FROZEN_ROWS, o - r);
            pack_columns(dev, w, c, width, r, m, two, panels);
            for (int64_t j = 0; j < width && c + j < w->cols; j += NR)
                by_panel(a + from * ld + r, ld, to - from, panels + (j / NR) * even(m) * NR, even(m) / 2,
                         dx + from * w->cols + c + j, w->cols, min64(NR, w->cols - c - j), 1);
        }
    }
}

static void frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    ib_bf16_frozen_mul(dev, rows_by_panel, w, n, x, add, y, scratch);
}
static void frozen_mul_grad(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx, float *scratch)
{
    ib_bf16_frozen_mul_grad(dev, rows_by_panel, w, n, dy, dx, scratch);
}

/* ---- kept values are bf16, and so are the values themselves from then on: remembering loses nothing ---- */

static int64_t kept_bytes(ib_device *dev, int64_t n)
{
    return 2 * n;
}

static __m512 widen(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

static void keep(ib_device *dev, float *y, int64_t n, void *kept)
{
    bf16 *to = kept;
#pragma omp parallel for schedule(static) if (n > 16384)
    for (int64_t b = 0; b < n; b += 4096) {
        const int64_t end = min64(b + 4096, n);
        int64_t i = b;
        for (; i + 16 <= end; i += 16) {
            const __m256i h = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(y + i));
            _mm512_storeu_ps(y + i, widen(h));
            if (to)
                _mm256_storeu_si256((__m256i *)(void *)(to + i), h);
        }
        for (; i < end; i++) {
            const bf16 h = ib_float_to_bf16(y[i]);
            y[i] = ib_bf16_to_float(h);
            if (to)
                to[i] = h;
        }
    }
}

static void recall(ib_device *dev, const void *kept, int64_t n, float *y)
{
    const bf16 *from = kept;
#pragma omp parallel for schedule(static) if (n > 16384)
    for (int64_t b = 0; b < n; b += 4096) {
        const int64_t end = min64(b + 4096, n);
        int64_t i = b;
        for (; i + 16 <= end; i += 16)
            _mm512_storeu_ps(y + i, widen(_mm256_loadu_si256((const __m256i *)(const void *)(from + i))));
        for (; i < end; i++)
            y[i] = ib_bf16_to_float(from[i]);
    }
}

void ib_bf16_replace(ib_kernels *k)
{
    k->frozen_mul = frozen_mul;
    k->frozen_mul_grad = frozen_mul_grad;
    k->kept_bytes = kept_bytes;
    k->keep = keep;
    k->recall = recall;
    ib_bf16_attention_replace(k);
    ib_bf16_peaks_replace(k);
}
