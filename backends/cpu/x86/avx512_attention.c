/* avx512_attention.c - causal attention of a batch, and over a cache, with AVX-512. */
#include "backends/cpu/level.h"
#include "backends/cpu/x86/cached_tiles.h"
#include "backends/cpu/x86/fp32_attention.h"

void ib_avx512_attention_replace(ib_kernels *k);

static void attention_cached(ib_device *dev, const ib_kv_cache *c, const ib_cached_queries *a, const float *q, float *y)
{
    if (!attend_cached(c, a, q, y))
        IB_K(attention_cached)(dev, c, a, q, y);
}

void ib_avx512_attention_replace(ib_kernels *k)
{
    k->attention_cached = attention_cached;
    k->attention = attention;
    k->attention_grad = attention_grad;
}
