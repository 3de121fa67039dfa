/* vnni_coded.c - products of coded rows with vpdpbusd and vpdpwssd of 32 bytes. */
#include "backends/cpu/x86/coded/coded_mul.h"
#include "backends/cpu/x86/vnni/vnni.h"

void ib_vnni_coded_replace(ib_kernels *k)
{
    k->coded_mul = coded_mul;
}
