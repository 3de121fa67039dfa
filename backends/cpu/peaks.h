/* peaks.h - inside backends/cpu: the most products that a level makes in registers, for measurements. */
#ifndef IB_BACKENDS_CPU_PEAKS_H
#define IB_BACKENDS_CPU_PEAKS_H

#include <stdint.h>

/* Operations of a team, whose threads each run so many rounds of `chains`; products: of a round, two operations
 * each. */
static inline double ib_peak_of(void (*chains)(int64_t rounds), int64_t rounds, int64_t products)
{
    double done = 0;
#pragma omp parallel reduction(+ : done)
    {
        chains(rounds);
        done += (double)rounds * (double)products * 2;
    }
    return done;
}

#endif
