/* blocks.c - in the plugin: which memory was taken and not yet given back, so that what is watched within a block goes
 * with it. */
#include <string.h>

#include "backends/cuda/inner.h"

void *ib_cuda_roomy(ib_cuda *d, void *of, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return of;
    const size_t more = *room ? 2 * *room : 16;
    void *all = d->library.alloc(more * size);
    if (!all)
        return NULL;
    if (n)
        memcpy(all, of, n * size);
    d->library.free(of);
    *room = more;
    return all;
}

/* The number of blocks that begin before it. */
static size_t before(const ib_cuda_blocks *b, const char *at)
{
    size_t low = 0, high = b->n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (b->of[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ib_status ib_cuda_block_came(ib_cuda *d, const void *at, size_t bytes)
{
    ib_cuda_blocks *b = &d->blocks;
    ib_cuda_block *all = ib_cuda_roomy(d, b->of, b->n, &b->room, sizeof *all);
    if (!all)
        return IB_ENOMEM;
    b->of = all;
    const size_t i = before(b, at);
    memmove(all + i + 1, all + i, (b->n++ - i) * sizeof *all);
    all[i] = (ib_cuda_block){at, bytes};
    return IB_OK;
}

ib_cuda_block ib_cuda_block_goes(ib_cuda *d, const void *at)
{
    ib_cuda_blocks *b = &d->blocks;
    const size_t i = before(b, at);
    if (i == b->n || b->of[i].at != (const char *)at) /* none, which CUDA refuses to release */
        return (ib_cuda_block){at, 0};
    const ib_cuda_block block = b->of[i];
    memmove(b->of + i, b->of + i + 1, (--b->n - i) * sizeof *b->of);
    return block;
}

void ib_cuda_blocks_close(ib_cuda *d)
{
    d->library.free(d->blocks.of);
}
