/* fp32_attention.h - attention.c's tiles with products on panels of fp32 (fp32_panel.h), for AVX2 and AVX-512. What is
 * multiplied as columns is packed once a call. The backward pass makes scores once, transposed, as K q' and V dy': for
 * bands of queries it first adds to keys and values and keeps ds, then adds to the band's queries. */
#ifndef IB_BACKENDS_CPU_X86_FP32_ATTENTION_H
#define IB_BACKENDS_CPU_X86_FP32_ATTENTION_H

#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/level.h"
#include "backends/cpu/x86/fp32_panel.h"

/* One factor of all heads or groups: x[row][head][dim] as it is, and as panels over dim, [head][length/NR][dim][NR],
 * zeros behind the last row. */
typedef struct factor {
    const float *x;
    float *panels;
    int64_t ld, length;
    int dim;
} factor;

/* Takes its panels from *at. */
static factor packed(const float *x, int heads, int dim, int64_t rows, float **at)
{
    const int64_t length = (rows + TILE - 1) / TILE * TILE, ld = (int64_t)heads * dim;
    const factor f = {x, *at, ld, length, dim};
    *at += heads * length * dim;
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < heads * (length / 8); t++) {
        const int64_t h = t / (length / 8), r = t % (length / 8) * 8;
        const float *from = x + r * ld + h * dim;
        float *to = f.panels + (h * length + r / NR * NR) * dim + r % NR;
        for (int64_t d = 0; r + 8 <= rows && d < dim; d += 8)
            transpose8(from + d, ld, to + d * NR, NR);
        for (int64_t d = 0; r + 8 > rows && d < dim; d++)
            for (int64_t i = 0; i < 8; i++)
                to[d * NR + i] = r + i < rows ? from[i * ld + d] : 0.0f;
    }
    return f;
}

static inline const float *row_of(const factor *f, int64_t head, int64_t row)
{
    return f->x + row * f->ld + head * f->dim;
}

/* Of rows j0 .. j0 + TILE. */
static inline const float *panels_of(const factor *f, int64_t head, int64_t j0)
{
    return f->panels + (head * f->length + j0) * f->dim;
}

/* c[m][TILE] = rows[m][dim], ld apart, times the rows of panels */
static void by_dim(const float *rows, int64_t ld, int64_t m, const float *panels, int dim, float *c)
{
    for (int64_t j = 0; j < TILE; j += NR)
        rows_by_panel(&(strip){rows, ld, panels + j * dim, NR, dim, c + j, TILE, NR, 0}, 0, m);
}

/* c[m][dim] += w[m][n] rows[n][dim], w's rows TILE apart, b's as they are */
static void by_rows(const float *w, int64_t m, int64_t n, const factor *b, const float *rows, float *c, int64_t ldc)
{
    for (int64_t d = 0; d < b->dim; d += NR)
        rows_by_panel(&(strip){w, TILE, rows + d, b->ld, n, c + d, ldc, NR, 1}, 0, m);
}

/* What passes read. */
typedef struct passes {
    const ib_attention *a;
    factor q, k, v, dy;
    int64_t rows;
    const float *lse, *delta; /* [rows][heads], of the backward pass */
    float *ds;                /* [heads][IB_ATTENTION_BAND][length], of the queries of a band */
} passes;

/* All keys that the queries of a head from i0 on see. */
static void forward_tile(const passes *f, int64_t head, int64_t i0, float *y, float *lse)
{
    const ib_attention *a = f->a;
    float s[TILE * TILE];
    attended seen;
    const int64_t m = ib_min64(TILE, f->rows - i0), g = head / (a->heads / a->groups);
    const int dim = a->dim;
    attend_nothing(&seen, m, dim);
    for (int64_t j0 = tile_start(a, i0, m); j0 < i0 + m; j0 += TILE) {
        by_dim(row_of(&f->q, head, i0), f->q.ld, m, panels_of(&f->k, g, j0), dim, s);
        mask_scores(a, head, i0, m, j0, s, NULL);
        for (int64_t i = 0; i < m; i++)
            weigh_scores(&seen, i, dim, s + i * TILE);
        by_rows(s, m, ib_min64(TILE, i0 + m - j0), &f->v, row_of(&f->v, g, j0), seen.o, dim);
    }
    put_attended(&seen, a, head, i0, m, y, lse);
}

static void attention(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x, float *y, float *lse,
                      float *scratch)
{
    if (a->dim % NR) {
        IB_K(attention)(dev, a, rows, x, y, lse, scratch);
        return;
    }
    float *at = (float *)(((uintptr_t)scratch + 63) / 64 * 64);
    const int64_t ld = (int64_t)a->heads * a->dim, ldk = (int64_t)a->groups * a->dim;
    const passes f = {.a = a,
                      .q = {.x = x->q, .ld = ld, .dim = a->dim},
                      .k = packed(x->k, a->groups, a->dim, rows, &at),
                      .v = {.x = x->v, .ld = ldk, .dim = a->dim},
                      .rows = rows};
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = f.k.length / TILE * a->heads - 1; t >= 0; t--) /* the longest first */
        forward_tile(&f, t % a->heads, t / a->heads * TILE, y, lse);
}

/* dv += p' dy    dk += ds' q, p = exp(s - lse), ds = p (dy v' - delta) chain, for the keys of tile j0 and the queries
 * from .. to; rows of the tiles are keys, columns are queries. */
static void keys(const passes *b, int64_t g, int64_t j0, int64_t from, int64_t to, float *dk, float *dv)
{
    const ib_attention *a = b->a;
    const int64_t n = ib_min64(TILE, b->rows - j0), share = a->heads / a->groups, ld = b->k.ld,
                  at = j0 * ld + g * a->dim, length = b->q.length;
    float p[TILE * TILE], ds[TILE * TILE] __attribute__((aligned(64))) = {0};
    key_tile t = {.j0 = j0};
    for (int64_t head = g * share; head < (g + 1) * share; head++)
        for (int64_t i0 = ib_max64(from, j0); i0 < to; i0 += TILE) {
            const int64_t m = ib_min64(TILE, to - i0);
            if (tile_start(a, i0, m) > j0)
                continue;
            t.i0 = i0;
            take_queries(&t, a, head, m, b->lse, b->delta);
            by_dim(row_of(&b->k, g, j0), ld, n, panels_of(&b->q, head, i0), a->dim, p);
            by_dim(row_of(&b->v, g, j0), ld, n, panels_of(&b->dy, head, i0), a->dim, ds);
            for (int j = 0; j < n; j++)
                weigh_key(&t, j, a, p + j * TILE, ds + j * TILE);
            if (dv)
                by_rows(p, n, m, &b->dy, row_of(&b->dy, head, i0), dv + at, ld);
            if (dk)
                by_rows(ds, n, m, &b->q, row_of(&b->q, head, i0), dk + at, ld);
            float *kept = b->ds + (head * IB_ATTENTION_BAND + i0 - from) * length + j0;
            for (int i = 0; i < TILE; i += 8)
                for (int j = 0; j < TILE; j += 8)
                    transpose8(ds + j * TILE + i, TILE, kept + i * length + j, length);
        }
}

/* dq += ds k, for the queries from i0 on of the band that begins at `from` */
static void queries(const passes *b, int64_t head, int64_t i0, int64_t from, float *dq)
{
    const ib_attention *a = b->a;
    const int64_t m = ib_min64(TILE, b->rows - i0), j0 = tile_start(a, i0, m), length = b->q.length;
    const float *ds = b->ds + (head * IB_ATTENTION_BAND + i0 - from) * length + j0,
                *k = row_of(&b->k, head / (a->heads / a->groups), j0);
    for (int d = 0; d < a->dim; d += NR)
        rows_by_panel(
            &(strip){ds, length, k + d, b->k.ld, i0 + m - j0, dq + i0 * b->q.ld + head * a->dim + d, b->q.ld, NR, 1}, 0,
            m);
}

static void attention_grad(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x,
                           const ib_attention_grads *g, float *scratch)
{
    if (a->dim % NR) {
        IB_K(attention_grad)(dev, a, rows, x, g, scratch);
        return;
    }
    const int dim = a->dim;
    const int64_t heads = a->heads, groups = a->groups;
    const float *y = g->y, *dy = g->dy;
    float *dq = g->dq, *dk = g->dk, *dv = g->dv, *delta = g->delta,
          *at = (float *)(((uintptr_t)scratch + 63) / 64 * 64);
    const passes b = {.a = a,
                      .q = packed(x->q, a->heads, dim, rows, &at),
                      .k = {.x = x->k, .ld = groups * dim, .dim = dim},
                      .v = {.x = x->v, .ld = groups * dim, .dim = dim},
                      .dy = packed(dy, a->heads, dim, rows, &at),
                      .rows = rows,
                      .lse = g->lse,
                      .delta = delta,
                      .ds = at};
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows * heads; i++)
        delta[i] = ib_dot(dy + i * dim, y + i * dim, dim);
    for (int64_t from = 0; from < rows; from += IB_ATTENTION_BAND) {
        const int64_t to = ib_min64(rows, from + IB_ATTENTION_BAND), tiles = (to + TILE - 1) / TILE;
#pragma omp parallel for schedule(dynamic)
        for (int64_t t = 0; t < tiles * groups; t++)
            keys(&b, t % groups, t / groups * TILE, from, to, dk, dv);
        const int64_t own = dq ? tiles - from / TILE : 0;
#pragma omp parallel for schedule(dynamic)
        for (int64_t t = 0; t < own * heads; t++)
            queries(&b, t % heads, from + t / heads * TILE, from, dq);
    }
}

#endif
