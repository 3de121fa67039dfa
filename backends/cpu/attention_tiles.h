/* attention_tiles.h - who sees whom in causal attention, for tiles of 64 queries by 64 keys, of a batch of rows and of
 * a cache; and the online softmax of what the queries of a batch see. */
#ifndef IB_BACKENDS_CPU_ATTENTION_TILES_H
#define IB_BACKENDS_CPU_ATTENTION_TILES_H

#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "backends/cpu/dot.h"
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

/* s[m][TILE] becomes scale s where query i0 + i sees key j0 + j, else minus infinity */
static inline void mask_scores(const ib_attention *a, int64_t i0, int64_t m, int64_t j0, float *s)
{
    for (int64_t i = 0; i < m; i++) {
        float *si = s + i * TILE;
        const int lo = (int)(first_key(a, i0 + i) - j0), hi = (int)(i0 + i - j0);
        for (int j = 0; j < TILE; j++) {
            const float x = si[j] * a->scale;
            si[j] = j < lo || j > hi ? -INFINITY : x;
        }
    }
}

/* s[TILE], scores of a query, become weights relative to the largest so far, *max, and are added to *sum; what was
 * added up before has to shrink by the result. */
static inline float weigh_scores(float *s, float *max, float *sum)
{
    float best[LANES], part[LANES] = {0}, top = *max, total = 0;
    for (int l = 0; l < LANES; l++)
        best[l] = top;
    for (int j = 0; j < TILE; j += LANES)
        for (int l = 0; l < LANES; l++)
            best[l] = s[j + l] > best[l] ? s[j + l] : best[l];
    for (int l = 0; l < LANES; l++)
        top = best[l] > top ? best[l] : top;
    if (top == -INFINITY) { /* nothing visible yet */
        memset(s, 0, TILE * sizeof *s);
        return 1.0f;
    }
    const float shrink = ib_exp(*max - top);
    for (int j = 0; j < TILE; j += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] += s[j + l] = ib_exp(s[j + l] - top);
    for (int l = 0; l < LANES; l++)
        total += part[l];
    *max = top;
    *sum = *sum * shrink + total;
    return shrink;
}

#endif
