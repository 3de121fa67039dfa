/* frozen.c - products with frozen matrices: tiles are decoded and multiplied while they are in the cache. */
#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"

#include <string.h>

enum { FEW = 4 };

/* Output rows of a tile: 64, fewer where rows are long (256 KB of fp32). */
static int64_t tile_rows(int64_t cols)
{
    return ib_max64(8, ib_min64(64, 65536 / cols / 8 * 8));
}

/* y[n,rows] = x[n,cols] W', += if add */
void IB_K(frozen_mul)(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    const int64_t rows = w->rows, cols = w->cols, tile = n <= FEW ? 1 : tile_rows(cols), room = ib_frozen_room(w);
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < rows; o += tile) {
        float *buf = scratch + ib_cpu_thread() * room;
        const int64_t m = ib_min64(tile, rows - o);
        IB_K(decode)(dev, w, o * cols, m * cols, buf);
        if (n <= FEW)
            for (int64_t i = 0; i < n; i++)
                y[i * rows + o] = ib_dot(x + i * cols, buf, cols) + (add ? y[i * rows + o] : 0.0f);
        else
            IB_K(gemm_tile)(0, 1, n, m, cols, x, cols, buf, cols, add ? 1.0f : 0.0f, y + o, rows);
    }
}

/* dx[n,cols] += dy[n,rows] W; columns are shared out, each column's sum runs over the rows in order */
void IB_K(frozen_mul_grad)(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx, float *scratch)
{
    enum { ROWS = 64 };
    const int64_t tile = w->format->block > 64 ? w->format->block : 64;
    const int64_t rows = w->rows, cols = w->cols, room = ib_frozen_room(w), parts = (cols + tile - 1) / tile;
#pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < parts; p++) {
        float *buf = scratch + ib_cpu_thread() * room;
        const int64_t c = p * tile, k = ib_min64(tile, cols - c);
        for (int64_t o = 0; o < rows; o += ROWS) {
            const int64_t m = ib_min64(ROWS, rows - o);
            for (int64_t r = 0; r < m; r++)
                IB_K(decode)(dev, w, (o + r) * cols + c, k, buf + r * k);
            IB_K(gemm_tile)(0, 0, n, k, m, dy + o, rows, buf, k, 1.0f, dx + c, cols);
        }
    }
}

int64_t IB_K(kept_bytes)(ib_device *dev, int64_t n)
{
    return 4 * n;
}

static void copy_floats(const float *x, int64_t n, float *y)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK)
        memcpy(y + b, x + b, (size_t)ib_min64(IB_BLOCK, n - b) * sizeof *y);
}

void IB_K(keep)(ib_device *dev, float *y, int64_t n, void *kept)
{
    if (kept)
        copy_floats(y, n, kept);
}

void IB_K(recall)(ib_device *dev, const void *kept, int64_t n, float *y)
{
    copy_floats(kept, n, y);
}
