/* avx2_attention.c - causal attention of a batch, and over a cache, with AVX2. */
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/cached_tiles.h"
#include "backends/cpu/x86/fp32_attention.h"

void ib_avx2_attention_replace(ib_kernels *k)
{
    k->attention_cached = attention_cached;
    k->attention = attention;
    k->attention_grad = attention_grad;
}
