/* attention_tiles.h - who sees whom in causal attention, for tiles of 64 queries by 64 keys. */
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

#endif
