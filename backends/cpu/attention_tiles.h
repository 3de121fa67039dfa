/* attention_tiles.h - who sees whom in causal attention, for tiles of 64 queries by 64 keys, of a batch of rows and of
 * a cache; and the online softmax of what the queries of a batch see, with its gradients. */
#ifndef IB_BACKENDS_CPU_ATTENTION_TILES_H
#define IB_BACKENDS_CPU_ATTENTION_TILES_H

#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "backends/cpu/dot.h"
#include "backends/cpu/score_bend.h"
#include "backends/kernels.h"

enum { TILE = 64 };

static inline int64_t first_key(const ib_attention *a, int64_t i)
{
    const int64_t f = a->first[i], w = a->window ? i - a->window + 1 : 0;
    return f > w ? f : w;
}

/* Where the tile of the first key begins that any of m queries sees. */
static inline int64_t tile_start(const ib_attention *a, int64_t i0, int64_t m)
{
    int64_t lo = first_key(a, i0);
    for (int64_t i = 1; i < m; i++)
        lo = first_key(a, i0 + i) < lo ? first_key(a, i0 + i) : lo;
    return lo / TILE * TILE;
}

/* The first row of a cache that query i sees; the last is before + i. */
static inline int64_t first_cached(const ib_cached_queries *a, int64_t i)
{
    const int64_t to = a->before + i + 1;
    return a->window && to > a->window ? to - a->window : 0;
}

/* About how many products the scores are: whether threads pay. */
static inline int64_t cached_products(const ib_kv_cache *c, const ib_cached_queries *a)
{
    const int64_t last = a->rows - 1;
    return (a->before + a->rows - first_cached(a, last)) * a->rows * a->heads * c->dim;
}

/* s[m][TILE] becomes scale s, bent, where query i0 + i of a head sees key j0 + j, else minus infinity; chain [m][TILE],
 * or NULL: its derivative by what s was. */
static inline void mask_scores(const ib_attention *a, int64_t head, int64_t i0, int64_t m, int64_t j0, float *s,
                               float *chain)
{
    const float slope = alibi_slope(a->heads, (int)head, a->bend.alibi);
    for (int64_t i = 0; i < m; i++) {
        float *si = s + i * TILE;
        const int lo = (int)(first_key(a, i0 + i) - j0), hi = (int)(i0 + i - j0);
        for (int j = 0; j < TILE; j++)
            si[j] *= a->scale;
        for (int j = 0; j < TILE && chain; j++)
            chain[i * TILE + j] = a->scale;
        bend_scores(&a->bend, slope, j0 - (i0 + i), 1, 0, TILE, si, chain ? chain + i * TILE : NULL);
        for (int j = 0; j < TILE; j++)
            si[j] = j < lo || j > hi ? -INFINITY : si[j];
    }
}

/* What m queries of a head have seen: their largest scores, the sums of their weights, and these times values. */
typedef struct attended {
    float max[TILE], sum[TILE], o[TILE * IB_MAX_HEAD_DIM]; /* [m], [m], [m][dim] */
} attended;
static inline void attend_nothing(attended *t, int64_t m, int dim)
{
    for (int64_t i = 0; i < m; i++) {
        t->max[i] = -INFINITY;
        t->sum[i] = 0;
    }
    memset(t->o, 0, (size_t)(m * dim) * sizeof *t->o);
}

/* s[TILE], scores of query i, become weights relative to the largest so far, which are added up; what was before
 * shrinks. */
static inline void weigh_scores(attended *t, int64_t i, int dim, float *s)
{
    float best[LANES], part[LANES] = {0}, top = t->max[i], total = 0;
    for (int l = 0; l < LANES; l++)
        best[l] = top;
    for (int j = 0; j < TILE; j += LANES)
        for (int l = 0; l < LANES; l++)
            best[l] = s[j + l] > best[l] ? s[j + l] : best[l];
    for (int l = 0; l < LANES; l++)
        top = best[l] > top ? best[l] : top;
    if (top == -INFINITY) { /* nothing visible yet */
        memset(s, 0, TILE * sizeof *s);
        return;
    }
    const float shrink = ib_exp(t->max[i] - top);
    for (int j = 0; j < TILE; j += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += s[j + l] = ib_exp(s[j + l] - top);
    for (int l = 0; l < LANES; l++)
        total += part[l];
    t->max[i] = top;
    t->sum[i] = t->sum[i] * shrink + total;
    for (int d = 0; d < dim && shrink != 1.0f; d++)
        t->o[i * dim + d] *= shrink;
}

/* y, and lse = max + ln sum, of queries i0 .. i0 + m of a head */
static inline void put_attended(const attended *t, const ib_attention *a, int64_t head, int64_t i0, int64_t m, float *y,
                                float *lse)
{
    const int dim = a->dim;
    for (int64_t i = 0; i < m; i++) {
        const float inverse = 1.0f / t->sum[i];
        float *yi = y + ((i0 + i) * a->heads + head) * dim;
        for (int d = 0; d < dim; d++)
            yi[d] = t->o[i * dim + d] * inverse;
        lse[(i0 + i) * a->heads + head] = t->max[i] + ib_log(t->sum[i]);
    }
}

/* Keys from j0 on by queries from i0 on: lse and delta of these, and the first key that each sees, less j0. */
typedef struct key_tile {
    int64_t j0, i0;
    float lse[TILE], delta[TILE], slope;
    int lo[TILE];
} key_tile;
static inline void take_queries(key_tile *t, const ib_attention *a, int64_t head, int64_t m, const float *lse,
                                const float *delta)
{
    t->slope = alibi_slope(a->heads, (int)head, a->bend.alibi);
    for (int64_t i = 0; i < TILE; i++) { /* queries behind the last see nothing */
        const int64_t at = (t->i0 + i) * a->heads + head;
        t->lo[i] = i < m ? (int)(first_key(a, t->i0 + i) - t->j0) : TILE;
        t->lse[i] = i < m ? lse[at] : 0;
        t->delta[i] = i < m ? delta[at] : 0;
    }
}
/* p[TILE], q k of key j0 + j, become weights exp(s - lse), s the score of scale p; ds[TILE], dy v', becomes weight
 * (ds - delta) ds/dp. */
static inline void weigh_key(const key_tile *t, int j, const ib_attention *a, float *p, float *ds)
{
    float chain[TILE];
    const int least = (int)(t->j0 - t->i0) + j; /* the first query that key j0 + j is not behind of */
    for (int i = 0; i < TILE; i++) {
        p[i] *= a->scale;
        chain[i] = a->scale;
    }
    bend_scores(&a->bend, t->slope, t->j0 + j - t->i0, -1, 0, TILE, p, chain);
    for (int i = 0; i < TILE; i++) {
        const float e = ib_exp(p[i] - t->lse[i]);
        const float w = i < least || t->lo[i] > j ? 0.0f : e;
        p[i] = w;
        ds[i] = w * (ds[i] - t->delta[i]) * chain[i];
    }
}

#endif
