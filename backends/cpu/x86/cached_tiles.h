/* cached_tiles.h - attention of many queries over a cache, as a prompt has them, for AVX2 and AVX-512: equal in every
 * bit to kernels/attention_cached.c. A block of keys and values is widened once for a tile of queries of a head. Keys
 * are turned, so that a vector holds a dimension of WIDTH keys: then the sixteen parts of a score are whole vectors,
 * which are added in the order of ib_add_lanes. */
#ifndef IB_BACKENDS_CPU_X86_CACHED_TILES_H
#define IB_BACKENDS_CPU_X86_CACHED_TILES_H

#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/cached_row.h"

enum { AT_ONCE = 4 }; /* queries that meet two vectors in registers */

/* Queries i0 .. i0 + n of a head, and keys j0 .. j0 + TILE of its group. */
typedef struct cached_tile {
    const ib_kv_cache *c;
    const ib_cached_queries *a;
    int group;
    float slope;
    int64_t i0, n, j0;
    const float *q;                                                  /* of query i0 */
    float keys[IB_MAX_HEAD_DIM * TILE] __attribute__((aligned(64))); /* [dim][TILE] */
    float values[TILE * IB_MAX_HEAD_DIM];                            /* [TILE][dim] */
    float s[TILE * TILE], o[TILE * IB_MAX_HEAD_DIM];                 /* [n][TILE], [n][dim] */
    int lo[TILE], hi[TILE];                                          /* what each query sees of the block */
    running r[TILE];
} cached_tile;

/* The block's keys, turned, zeros behind the last, and its values. */
static void widen_block(cached_tile *t, int64_t end)
{
    const ib_kv_cache *c = t->c;
    const int dim = c->dim, n = (int)ib_min64(end - t->j0, TILE);
    float row[8 * IB_MAX_HEAD_DIM];
    for (int j = 0; j < n; j += 8) {
        const int m = n - j < 8 ? n - j : 8;
        for (int k = 0; k < m; k++) {
            const int64_t at = ((t->j0 + j + k) * c->groups + t->group) * dim;
            const vec key_scale = scale_of(c, c->k_scale, t->j0 + j + k, t->group),
                      value_scale = scale_of(c, c->v_scale, t->j0 + j + k, t->group);
            for (int d = 0; d < dim; d += WIDTH) {
                VEC(storeu_ps)(row + k * dim + d, cached(c, c->k, at + d, key_scale));
                VEC(storeu_ps)(t->values + (j + k) * dim + d, cached(c, c->v, at + d, value_scale));
            }
        }
        memset(row + m * dim, 0, (size_t)((8 - m) * dim) * sizeof *row);
        for (int d = 0; d < dim; d += 8)
            transpose8(row + d, dim, t->keys + d * TILE + j, TILE);
    }
}

/* Scores of AT_ONCE queries from r0 on and 2 WIDTH keys from j on. Sixteen parts of a score are made in the order that
 * lets each be added as soon as the tree of ib_add_lanes has its partner: part l holds dimensions l, l + 16, ... */
static inline void score(cached_tile *t, int r0, int j)
{
    static const int leaf[LANES] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    const int dim = t->c->dim;
    const int64_t ld = (int64_t)t->a->heads * dim;
    const vec scale = VEC(set1_ps)(t->a->scale);
    const float *q[AT_ONCE];
    vec open[4][AT_ONCE][2]; /* sums that wait for their partner */
    for (int r = 0; r < AT_ONCE; r++)
        q[r] = t->q + ib_min64(r0 + r, t->n - 1) * ld;
    int depth = 0;
    for (int i = 0; i < LANES; i++) {
        const float *key = t->keys + leaf[i] * TILE + j;
        vec acc[AT_ONCE][2];
#pragma GCC unroll 4
        for (int r = 0; r < AT_ONCE; r++) {
            const vec x = VEC(set1_ps)(q[r][leaf[i]]);
            acc[r][0] = VEC(mul_ps)(x, VEC(load_ps)(key));
            acc[r][1] = VEC(mul_ps)(x, VEC(load_ps)(key + WIDTH));
        }
        for (int d = LANES; d < dim; d += LANES) {
            const vec k0 = VEC(load_ps)(key + d * TILE), k1 = VEC(load_ps)(key + d * TILE + WIDTH);
#pragma GCC unroll 4
            for (int r = 0; r < AT_ONCE; r++) {
                const vec x = VEC(set1_ps)(q[r][leaf[i] + d]);
                acc[r][0] = plus(acc[r][0], x, k0);
                acc[r][1] = plus(acc[r][1], x, k1);
            }
        }
        for (int done = i; done & 1; done >>= 1) {
            depth--;
#pragma GCC unroll 4
            for (int r = 0; r < AT_ONCE; r++) {
                acc[r][0] = VEC(add_ps)(open[depth][r][0], acc[r][0]);
                acc[r][1] = VEC(add_ps)(open[depth][r][1], acc[r][1]);
            }
        }
        if (i == LANES - 1) {
#pragma GCC unroll 4
            for (int r = 0; r < AT_ONCE; r++) {
                VEC(storeu_ps)(t->s + (r0 + r) * TILE + j, VEC(mul_ps)(acc[r][0], scale));
                VEC(storeu_ps)(t->s + (r0 + r) * TILE + j + WIDTH, VEC(mul_ps)(acc[r][1], scale));
            }
            break;
        }
        memcpy(open[depth++], acc, sizeof acc);
    }
}

/* o[rows][dim] += weights of keys from .. to times their values, for `rows` queries from r0 on */
static inline __attribute__((always_inline)) void add_values(cached_tile *t, int rows, int r0, int from, int to)
{
    const int dim = t->c->dim;
    for (int d = 0; d < dim && from < to; d += LANES) {
        float *o = t->o + r0 * dim + d;
        const float *v = t->values + from * dim + d, *s = t->s + r0 * TILE;
        vec acc[AT_ONCE][LANES / WIDTH];
        for (int r = 0; r < rows; r++)
            for (int p = 0; p < LANES / WIDTH; p++)
                acc[r][p] = VEC(loadu_ps)(o + r * dim + WIDTH * p);
        for (int j = from; j < to; j++, v += dim)
            for (int r = 0; r < rows; r++)
                for (int p = 0; p < LANES / WIDTH; p++)
                    acc[r][p] = plus(acc[r][p], VEC(set1_ps)(s[r * TILE + j]), VEC(loadu_ps)(v + WIDTH * p));
        for (int r = 0; r < rows; r++)
            for (int p = 0; p < LANES / WIDTH; p++)
                VEC(storeu_ps)(o + r * dim + WIDTH * p, acc[r][p]);
    }
}

/* The block's values for AT_ONCE queries: keys that all see together, what else one sees before and behind them. */
static void mix(cached_tile *t, int r0)
{
    const int dim = t->c->dim, *lo = t->lo + r0, *hi = t->hi + r0;
    int from = 0, to = TILE;
    for (int r = 0; r < AT_ONCE; r++) {
        from = lo[r] > from ? lo[r] : from;
        to = hi[r] < to ? hi[r] : to;
        const vec shrink = VEC(set1_ps)(t->r[r0 + r].shrink);
        for (int d = 0; d < dim && lo[r] < hi[r]; d += WIDTH) {
            float *o = t->o + (r0 + r) * dim + d;
            VEC(storeu_ps)(o, VEC(mul_ps)(VEC(loadu_ps)(o), shrink));
        }
    }
    const int together = from < to;
    for (int r = 0; r < AT_ONCE; r++)
        add_values(t, 1, r0 + r, lo[r], together ? from : hi[r]);
    if (together)
        add_values(t, AT_ONCE, r0, from, to);
    for (int r = 0; r < AT_ONCE && together; r++)
        add_values(t, 1, r0 + r, to, hi[r]);
}

static void attend_tile(cached_tile *t, float *y)
{
    const ib_cached_queries *a = t->a;
    const int dim = t->c->dim,
              padded = (int)(t->n + AT_ONCE - 1) / AT_ONCE * AT_ONCE; /* by queries that are the last */
    const int64_t end = a->before + t->i0 + t->n;
    memset(t->o, 0, (size_t)(padded * dim) * sizeof *t->o);
    for (int r = 0; r < padded; r++)
        t->r[r] = (running){-INFINITY, 0, 0};
    for (t->j0 = first_cached(a, t->i0) / TILE * TILE; t->j0 < end; t->j0 += TILE) {
        widen_block(t, end);
        for (int r = 0; r < padded; r++) {
            const int64_t i = t->i0 + ib_min64(r, t->n - 1);
            t->lo[r] = (int)ib_min64(ib_max64(first_cached(a, i) - t->j0, 0), TILE);
            t->hi[r] = (int)ib_min64(ib_max64(a->before + i + 1 - t->j0, 0), TILE);
        }
        for (int r = 0; r < padded; r += AT_ONCE) {
            for (int j = t->lo[r] / (2 * WIDTH) * 2 * WIDTH; j < t->hi[r + AT_ONCE - 1]; j += 2 * WIDTH)
                score(t, r, j);
            for (int k = r; k < r + AT_ONCE; k++)
                if (t->lo[k] < t->hi[k]) {
                    const int64_t query = a->before + t->i0 + ib_min64(k, t->n - 1);
                    bend_scores(&a->bend, t->slope, t->j0 - query, 1, t->lo[k], t->hi[k], t->s + k * TILE, NULL);
                    soften(t->s + k * TILE, t->lo[k], t->hi[k], &t->r[k]);
                }
        }
        for (int r = 0; r < padded; r += AT_ONCE)
            mix(t, r);
    }
    for (int r = 0; r < t->n; r++)
        for (int d = 0; d < dim; d += WIDTH)
            VEC(storeu_ps)
    (y + (int64_t)r * a->heads * dim + d, VEC(div_ps)(VEC(loadu_ps)(t->o + r * dim + d), VEC(set1_ps)(t->r[r].sum)));
}

static void one_query(const ib_kv_cache *c, const ib_cached_queries *a, int64_t i, int h, const float *q, float *y)
{
    switch (c->dim) {
    case 32: attend_row(c, a, i, h, 32 / WIDTH, q, y); break;
    case 64: attend_row(c, a, i, h, 64 / WIDTH, q, y); break;
    case 128: attend_row(c, a, i, h, 128 / WIDTH, q, y); break;
    default: attend_row(c, a, i, h, c->dim / WIDTH, q, y);
    }
}

/* Of heads that are whole vectors of LANES. */
static void attention_cached(ib_device *dev, const ib_kv_cache *c, const ib_cached_queries *a, const float *q, float *y)
{
    const int heads = a->heads, dim = c->dim;
    const int64_t tiles = (a->rows + TILE - 1) / TILE, ld = (int64_t)heads * dim;
    if (dim % LANES) {
        IB_K(attention_cached)(dev, c, a, q, y);
        return;
    }
    if (a->rows == 1) {
#pragma omp parallel for schedule(static) if (cached_products(c, a) > 32768)
        for (int h = 0; h < heads; h++)
            one_query(c, a, 0, h, q + (int64_t)h * dim, y + (int64_t)h * dim);
        return;
    }
#pragma omp parallel for schedule(dynamic) if (cached_products(c, a) > 32768)
    for (int64_t t = tiles * heads - 1; t >= 0; t--) { /* the longest first */
        const int64_t h = t % heads, i0 = t / heads * TILE, at = i0 * ld + h * dim;
        cached_tile tile;
        tile.c = c;
        tile.a = a;
        tile.group = (int)h / (heads / c->groups);
        tile.slope = alibi_slope(heads, (int)h, a->bend.alibi);
        tile.i0 = i0;
        tile.n = ib_min64(TILE, a->rows - i0);
        tile.q = q + at;
        attend_tile(&tile, y + at);
    }
}

#endif
