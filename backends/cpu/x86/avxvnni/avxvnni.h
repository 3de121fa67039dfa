/* avxvnni.h - inside backends/cpu: the level's files for each other. */
#ifndef IB_BACKENDS_CPU_X86_AVXVNNI_H
#define IB_BACKENDS_CPU_X86_AVXVNNI_H

#include "backends/cpu/narrow.h"

void ib_avxvnni_coded_replace(ib_kernels *k);
void ib_avxvnni_peaks_replace(ib_kernels *k);

/* avxvnni_narrow.c: row of ib_narrow */
void ib_avxvnni_narrow_row(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t less, const int32_t *w,
                           int32_t *out);

#endif
