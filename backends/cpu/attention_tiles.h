/* attention_tiles.h - who sees whom in causal attention, for tiles of 64 queries by 64 keys: of a batch of rows, and
 * of a cache. */
#ifndef IB_BACKENDS_CPU_ATTENTION_TILES_H
#define IB_BACKENDS_CPU_ATTENTION_TILES_H

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

#endif
