/* fill.c - the table of one level. */
#include "backends/cpu/level.h"

void IB_K(fill_table)(ib_kernels *k);

void IB_K(fill_table)(ib_kernels *k)
{
#define KERNEL(result, name, args) k->name = IB_K(name);
#include "backends/kernels.def"
#undef KERNEL
}
