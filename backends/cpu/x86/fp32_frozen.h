/* fp32_frozen.h - products with frozen matrices in fp32, for AVX2 and AVX-512: tiles are decoded into panels
 * (fp32_panel.h) that stay in the cache.
 *
 * Sums run over blocks of STEP in order, within a block over its elements, and what y holds comes first: an order that
 * follows from the shape alone. */
#ifndef IB_BACKENDS_CPU_X86_FP32_FROZEN_H
#define IB_BACKENDS_CPU_X86_FP32_FROZEN_H

#include <omp.h>

#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"
#include "backends/cpu/x86/decode_runs.h"
#include "backends/cpu/x86/fp32_panel.h"

enum {
    FEW = 4,              /* rows of x for which no panel is packed */
    SHORT = 16,           /* terms of sums that are stores above all: BLAS is as fast (frozen.c) */
    STEP = 256,           /* of a sum, at a time: whole blocks of every format; a panel is half of L1 or all of it */
    TILE = 64,            /* outputs at a time */
    FAR = 4096,           /* from one row of x to the next, from where on reading them again costs what packing does */
    FAR_TILE = 3 * TILE,  /* outputs at a time of such */
    ROWS = 8 * 12,        /* of x that stay in L2 while panels go by */
    STORED = STEP + WIDTH /* from one decoded row to the next */
};

/* Into how many parts of the rows of x a product is cut besides its tiles, which are then decoded again, for a thread
 * to have `each` pieces: thin matrices (adapters) have few. No result changes with it. */
static int64_t parts_of(int64_t tiles, int64_t n, int64_t each)
{
    const int64_t threads = omp_get_max_threads(), wanted = (each * threads + tiles - 1) / tiles;
    return threads == 1 ? 1 : ib_max64(1, ib_min64(ib_min64(wanted, 2 * threads), n / 64));
}

/* First row of part p of `parts`: whole blocks of MR. */
static int64_t part_start(int64_t n, int64_t parts, int64_t p)
{
    return ib_min64(n, (n + MR * parts - 1) / (MR * parts) * MR * p);
}

/* A thread's work space. */
static float *own_room(float *scratch, const ib_matrix *w)
{
    return (float *)(((uintptr_t)(scratch + ib_cpu_thread() * ib_frozen_room(w)) + 63) / 64 * 64);
}

/* c[n][s->cols] (+)= a[n][k] panels */
static void rows_by_panels(const strip *all, int64_t n)
{
    for (int64_t i = 0; i < n; i += ROWS)
        for (int64_t j = 0; j < all->cols; j += NR) {
            strip s = *all;
            s.panel += j * s.k;
            s.c += j;
            s.cols = ib_min64(NR, all->cols - j);
            rows_by_panel(&s, i, ib_min64(n, i + ROWS));
        }
}

/* Rows o .. o + m of W, columns c .. c + k, as panels over k. */
static void pack_rows(ib_device *dev, const ib_matrix *w, int64_t o, int64_t m, int64_t c, int64_t k, float *row,
                      float *panels)
{
    const int at_once = k == w->cols && (w->format->decode || w->format->code);
    const int64_t ld = at_once ? k : STORED;
    for (int64_t j = 0; j < m; j += NR, panels += NR * k) {
        const int64_t n = ib_min64(NR, m - j), eights = (n + WIDTH - 1) / WIDTH * WIDTH;
        if (at_once)
            decode_runs(dev, w, (o + j) * w->cols, n * k, row);
        else
            for (int64_t i = 0; i < n; i++)
                decode_runs(dev, w, (o + j + i) * w->cols + c, k, row + i * ld);
        memset(row + n * ld, 0, (size_t)((eights - n) * ld) * sizeof *row);
        for (int64_t i = 0; i < eights; i += 8) {
            int64_t l = 0;
            for (; l + 8 <= k; l += 8)
                transpose8(row + i * ld + l, ld, panels + l * NR + i, NR);
            for (; l < k; l++)
                for (int64_t r = i; r < i + 8; r++)
                    panels[l * NR + r] = row[r * ld + l];
        }
    }
}

/* y[n,rows] = x[n,cols] W', += if add */
static void mul_by_panels(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                          float *scratch)
{
    const int64_t k = w->cols, rows = w->rows, tiles = (rows + TILE - 1) / TILE, parts = parts_of(tiles, n, 8);
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < tiles * parts; t++) {
        float *panels = own_room(scratch, w), *row = panels + TILE * STEP;
        const int64_t o = t / parts * TILE, m = ib_min64(TILE, rows - o), from = part_start(n, parts, t % parts),
                      to = part_start(n, parts, t % parts + 1);
        for (int64_t c = 0; c < k && from < to; c += STEP) {
            const int64_t step = ib_min64(STEP, k - c);
            pack_rows(dev, w, o, m, c, step, row, panels);
            rows_by_panels(&(strip){x + from * k + c, k, panels, NR, step, y + from * rows + o, rows, m, add || c},
                           to - from);
        }
    }
}

/* The same for few rows of x: each row of W is decoded and multiplied at once. */
static void mul_by_rows(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                        float *scratch)
{
    const int64_t rows = w->rows, cols = w->cols;
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < rows; o++) {
        float *row = own_room(scratch, w);
        decode_runs(dev, w, o * cols, cols, row);
        for (int64_t i = 0; i < n; i++)
            y[i * rows + o] = ib_dot(x + i * cols, row, cols) + (add ? y[i * rows + o] : 0.0f);
    }
}

/* Columns c .. c + k of rows o .. o + m of W as panels over the rows. */
static void pack_columns(ib_device *dev, const ib_matrix *w, int64_t c, int64_t k, int64_t o, int64_t m, float *row,
                         float *panels)
{
    const int64_t taken = k == w->cols && (w->format->decode || w->format->code) ? ib_max64(1, 4 * TILE / k) : 1;
    for (int64_t r = 0; r < m; r += taken) {
        const int64_t n = ib_min64(taken, m - r);
        decode_runs(dev, w, (o + r) * w->cols + c, n * k, row);
        memset(row + n * k, 0, NR * sizeof *row);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k; j += WIDTH) {
                vec v = VEC(loadu_ps)(row + i * k + j);
                VEC(store_ps)(panels + (j / NR * m + r + i) * NR + j % NR, v);
            }
    }
}

/* dx[n,cols] += dy[n,rows] W */
static void mul_back_by_panels(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx,
                               float *scratch)
{
    const int64_t rows = w->rows, cols = w->cols, tile = rows < FAR ? TILE : FAR_TILE,
                  width = ib_max64(w->format->block, tile), step = width > FAR_TILE ? STEP / 2 : STEP,
                  tiles = (cols + width - 1) / width, parts = parts_of(tiles, n, rows < FAR ? 8 : 2);
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < tiles * parts; t++) {
        float *panels = own_room(scratch, w), *row = panels + width * step;
        const int64_t c = t / parts * width, k = ib_min64(width, cols - c), from = part_start(n, parts, t % parts),
                      to = part_start(n, parts, t % parts + 1);
        for (int64_t o = 0; o < rows && from < to; o += step) {
            const int64_t m = ib_min64(step, rows - o);
            pack_columns(dev, w, c, k, o, m, row, panels);
            rows_by_panels(&(strip){dy + from * rows + o, rows, panels, NR, m, dx + from * cols + c, cols, k, 1},
                           to - from);
        }
    }
}

/* Where half a vector would hold the outputs, or the columns, the level below has vectors that they fill. */
static int is_thin(int64_t n)
{
    return WIDTH > 8 && n <= WIDTH / 2;
}

/* y[n,rows] = x[n,cols] W', += if add */
static void mul_frozen(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y, float *scratch)
{
    if (n <= FEW)
        mul_by_rows(dev, w, n, x, add, y, scratch);
    else if (is_thin(w->rows))
        IB_BELOW(frozen_mul)(dev, w, n, x, add, y, scratch);
    else
        mul_by_panels(dev, w, n, x, add, y, scratch);
}

/* dx[n,cols] += dy[n,rows] W */
static void mul_frozen_grad(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx, float *scratch)
{
    if (w->rows <= SHORT)
        IB_K(frozen_mul_grad)(dev, w, n, dy, dx, scratch);
    else if (is_thin(w->cols))
        IB_BELOW(frozen_mul_grad)(dev, w, n, dy, dx, scratch);
    else
        mul_back_by_panels(dev, w, n, dy, dx, scratch);
}

#endif
