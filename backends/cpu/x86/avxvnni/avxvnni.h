/* avxvnni.h - inside backends/cpu: the level's files for each other. */
#ifndef IB_BACKENDS_CPU_X86_AVXVNNI_H
#define IB_BACKENDS_CPU_X86_AVXVNNI_H

#include "backends/kernels.h"

void ib_avxvnni_coded_replace(ib_kernels *k);
void ib_avxvnni_peaks_replace(ib_kernels *k);

#endif
