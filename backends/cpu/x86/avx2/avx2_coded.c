/* avx2_coded.c - products of coded rows as AVX2 makes them. */
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/coded/coded_mul.h"

void ib_avx2_coded_replace(ib_kernels *k)
{
    k->coded_mul = coded_mul;
}
