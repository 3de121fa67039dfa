/* cpu.c - a device of the host's processor: its level (levels.c chooses), how many threads. */
#include <omp.h>
#include <pthread.h>
#include <string.h>

#include "backends/cpu/levels.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"

#ifdef IB_BLAS
void openblas_set_num_threads(int n) __attribute__((weak));
#endif

const char *ib_cpu_name_at(int i)
{
    const ib_level *l = ib_level_at(i);
    return l ? l->name : NULL;
}

/* A child process has none of the threads that wait in the parent for the next parallel region, though its OpenMP
 * believes so and would wait for them for ever. So they are sent home before a fork; parent and child make new ones
 * when they need them. */
static void before_fork(void)
{
    if (!omp_in_parallel())
        omp_pause_resource_all(omp_pause_soft);
}

static void survive_forks(void)
{
    pthread_atfork(before_fork, NULL, NULL);
}

/* Of this build, whatever the processor. */
static int is_level(const char *variant)
{
    const ib_level *l = ib_level_at(0);
    for (int i = 1; l && strcmp(l->name + strlen("cpu:"), variant); i++)
        l = ib_level_at(i);
    return l != NULL;
}

ib_device *ib_cpu_open(const char *variant, const char *asked)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, survive_forks);
    ib_wait_in_company();
    const ib_level *level = ib_level_best(variant);
    if (!level && !is_level(variant))
        return ib_device_unknown(asked);
    if (!level)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: this processor lacks what it needs", asked);
    ib_device *dev = ib_alloc(sizeof *dev);
    if (!dev)
        return NULL;
    ib_snprintf(dev->name, sizeof dev->name, "%s", level->name);
    dev->is_host = 1;
    dev->v = ib_cpu_verbs;
    dev->k = *level->kernels();
#ifdef IB_BLAS
    if (openblas_set_num_threads) { /* gemm.c makes the tiles; inside one, BLAS must not share the work again */
        const int threads = omp_get_max_threads();
        openblas_set_num_threads(1);
        omp_set_num_threads(threads); /* OpenBLAS for OpenMP had set OpenMP's own */
    }
#endif
    return dev;
}

void ib_cpu_close(ib_device *dev)
{
    ib_free(dev);
}

ib_status ib_threads_set(int threads)
{
    if (threads < 0 || threads > 1024)
        return ib_fail(IB_EINVAL, "ib_threads_set: threads is %d, 0 to 1024 are possible", threads);
    omp_set_num_threads(threads ? threads : omp_get_num_procs());
    ib_company_forget();
    return IB_OK;
}

int ib_threads(void)
{
    return omp_get_max_threads();
}

int ib_cpu_thread(void)
{
    return omp_get_thread_num();
}
