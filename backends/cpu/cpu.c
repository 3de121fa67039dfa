/* cpu.c - which instruction set, how many threads. */
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/taps.h"
#include "backends/cpu/x86/vnni.h"
#include "backends/kernels.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"
#include "tensor/number.h"

#ifdef IB_BLAS
void openblas_set_num_threads(int n) __attribute__((weak));
#endif

void ib_avx2_fill_table(ib_kernels *k);
void ib_avx512_fill_table(ib_kernels *k);
void ib_vnni_fill_table(ib_kernels *k);
void ib_bf16_fill_table(ib_kernels *k);
void ib_amx_fill_table(ib_kernels *k);
int ib_amx_is_there(void);
int ib_neon_is_there(void);
void ib_neon_fill_table(ib_kernels *k);
void ib_fill_table_ref(ib_kernels *k);
void ib_fill_table_base(ib_kernels *k);
void ib_fill_table_avx2(ib_kernels *k);
void ib_fill_table_avx512(ib_kernels *k);
#define ib_fill_table_vnni ib_fill_table_avx512
#define ib_fill_table_bf16 ib_fill_table_avx512
#define ib_fill_table_amx ib_fill_table_avx512
#define ib_fill_table_neon ib_fill_table_base

static void nothing(ib_kernels *k)
{
    (void)k;
}

/* The best level that the machine has and `wanted` (NULL: any) allows; 0 if there is none of that name. */
static int fill(ib_device *dev, const char *wanted)
{
    int found = 0;
#define LEVEL(level, condition, override)                                                                              \
    if ((!wanted || !strcmp(wanted, #level)) && (condition)) {                                                         \
        ib_fill_table_##level(&dev->k);                                                                                \
        override(&dev->k);                                                                                             \
        ib_snprintf(dev->name, sizeof dev->name, "cpu:%s", #level);                                                    \
        found = 1;                                                                                                     \
    }
#include "backends/cpu/levels.def"
#undef LEVEL
    return found;
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

ib_device *ib_device_open(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, survive_forks);
    const char *own = name ? NULL : getenv("ISOBIT_DEVICE"), *from = own && *own ? "ISOBIT_DEVICE: " : "";
    if (!name)
        name = own;
    if (!name || !*name)
        name = "cpu";
    if (strncmp(name, "cpu", 3) || (name[3] && name[3] != ':'))
        return ib_fail_null(
            IB_EUNSUPPORTED,
            "%sdevice '%s': this build has cpu, cpu:ref, cpu:base, cpu:avx2, cpu:avx512, cpu:vnni, cpu:bf16, cpu:amx "
            "and cpu:neon",
            from, name);
    ib_device *dev = ib_alloc(sizeof *dev);
    if (!dev)
        return NULL;
    if (!fill(dev, name[3] ? name + 4 : NULL)) {
        ib_fail(IB_EUNSUPPORTED, "%sdevice '%s': this machine or build lacks that level", from, name);
        ib_device_close(dev);
        return NULL;
    }
#ifdef IB_BLAS
    if (openblas_set_num_threads) { /* gemm.c makes the tiles; inside one, BLAS must not share the work again */
        const int threads = omp_get_max_threads();
        openblas_set_num_threads(1);
        omp_set_num_threads(threads); /* OpenBLAS for OpenMP had set OpenMP's own */
    }
#endif
    return dev;
}

void ib_device_close(ib_device *dev)
{
    ib_free(dev);
}

const char *ib_device_name(const ib_device *dev)
{
    IB_NEED_OR(dev, "");
    return dev->name;
}

ib_status ib_threads_set(int threads)
{
    if (threads < 0 || threads > 1024)
        return ib_fail(IB_EINVAL, "ib_threads_set: threads is %d, 0 to 1024 are possible", threads);
    omp_set_num_threads(threads ? threads : omp_get_num_procs());
    return IB_OK;
}

int ib_threads(void)
{
    return omp_get_max_threads();
}

/* See conv.c: unfolded patches, or planes (taps.h), of each thread, and IB_PARTS weight gradients. */
int64_t ib_conv2d_scratch(const ib_window *w)
{
    const int64_t k = w->ic / w->groups * w->kh * w->kw;
    const int64_t patches = k * w->oh * w->ow, planes = ib_taps_room(w);
    return omp_get_max_threads() * (patches > planes ? patches : planes) + IB_PARTS * w->oc * k + ib_taps_shared(w);
}

/* See conv.c: dy and x of the whole batch in fp32, and the same again; and conv_taps_grads.c. */
int64_t ib_conv2d_grads_scratch(const ib_window *w)
{
    return w->n * (w->oc * w->oh * w->ow + w->ic * w->ih * w->iw) + 32 + ib_taps_parts(w) + ib_conv2d_scratch(w);
}

/* See avx2_integer.c: all weights as int16 pairs, and the panel (here) or 16 rows (below) of each thread; and vnni_*.c:
 * packed weights, and planes or raised rows. */
int64_t ib_qconv2d_scratch(const ib_window *w)
{
    const int64_t pairs = (w->ic / w->groups * w->kh * w->kw + 1) / 2, threads = omp_get_max_threads();
    const int64_t avx2 = pairs * (w->oc + threads * (w->oh * w->ow + 16)) + threads;
#ifdef IB_HAVE_AVX2
    const int64_t vnni = ib_vnni_packed_words(w) + 16 + threads * ib_vnni_conv_room(w);
    return avx2 > vnni ? avx2 : vnni;
#else
    return avx2;
#endif
}

int64_t ib_qlinear_scratch(int64_t rows, int64_t k, int64_t out)
{
    const int64_t pairs = (k + 1) / 2, avx2 = pairs * (out + 16 + 16 * omp_get_max_threads()) + omp_get_max_threads();
#ifdef IB_HAVE_AVX2
    const int64_t vnni = ib_vnni_linear_words(k, out) + ib_vnni_linear_room(rows, k);
    return avx2 > vnni ? avx2 : vnni;
#else
    /* neon.c: rows raised, results, and panels */
    return avx2 + rows * (k + out) / 4 + (k + 19) / 4 * (out + 16) + out + 16 + 64;
#endif
}

/* See frozen.c (64 rows or 8 long ones in fp32) and bf16_frozen.c (32 rows and their panel, or 256 columns' panels,
 * in bf16). */
int64_t ib_frozen_room(const ib_matrix *w)
{
    const int64_t tile = 65536 > 8 * w->cols ? 65536 : 8 * w->cols, rows = 34 * (w->cols + 1),
                  taken = w->rows < IB_FROZEN_ROWS ? w->rows : IB_FROZEN_ROWS, columns = 512 + 128 * (taken + 1);
    const int64_t room = tile > rows ? tile : rows;
    return (room > columns ? room : columns) + 64;
}

int64_t ib_frozen_scratch(const ib_matrix *w, int64_t n)
{
    const int64_t longest = w->cols > w->rows ? w->cols : w->rows;
    return omp_get_max_threads() * ib_frozen_room(w) + n * (longest + 1) / 2 + 16;
}

/* See bf16_attention.c: q and dy three times, k and v four times, in bf16, rows rounded up to 64. */
int64_t ib_attention_scratch(const ib_attention *a, int64_t rows)
{
    return (rows + 63) / 64 * 64 * a->dim / 2 * (6 * a->heads + 8 * a->groups) + 64;
}

int ib_thread(void)
{
    return omp_get_thread_num();
}
