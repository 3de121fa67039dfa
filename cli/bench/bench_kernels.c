/* bench_kernels.c - isobit bench: products of codes beside what the machine can do in the same run. */
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "backends/kernels.h"
#include "cli/bench/bench.h"

/* Rows x K times [K, out], codes with `bits` wide weights, packed ahead; seconds of the fastest of `repeats` runs. */
static double product_seconds(ib_device *dev, int64_t rows, int64_t k, int64_t out, int bits, int64_t repeats)
{
    enum { PERIOD = 1000003 }; /* of the weights: random numbers are slow */
    int8_t *x = malloc((size_t)(rows * k)), *w = malloc((size_t)(k * out)), *y = malloc((size_t)(rows * out));
    int32_t *bias = calloc((size_t)out, sizeof *bias), *acc = malloc((size_t)(rows * out) * sizeof *acc);
    isobit_scale *scale = malloc((size_t)out * sizeof *scale);
    float *scratch = aligned_alloc(64, ((size_t)dev->v.qlinear_words(dev, rows, k, out) + 15) / 16 * 64);
    double best = -1;
    if (x && w && y && bias && acc && scale && scratch) {
        const ib_rng rng = {1, 3};
        for (int64_t i = 0; i < rows * k; i++)
            x[i] = (int8_t)ib_rng_u32(rng, (uint64_t)i);
        for (int64_t i = 0; i < k * out && i < PERIOD; i++)
            w[i] = (int8_t)((int)(ib_rng_u32(rng, (uint64_t)i) % (bits == 4 ? 15 : 255)) - (bits == 4 ? 7 : 127));
        for (int64_t i = PERIOD; i < k * out; i += PERIOD)
            memcpy(w + i, w, (size_t)(k * out - i < PERIOD ? k * out - i : PERIOD));
        for (int64_t i = 0; i < out; i++)
            scale[i] = (isobit_scale){1 << 23, -36};
        const ib_qweights q = {w, NULL, 0, 0, bits};
        const int64_t bytes = dev->k.qlinear_pack(dev, k, out, 0, &q, bias, NULL);
        void *packed = bytes ? aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64) : NULL;
        if (packed)
            dev->k.qlinear_pack(dev, k, out, 0, &q, bias, packed);
        const int32_t zero = 0, lo = -128, hi = 127;
        const ib_epilogue e = {
            .scale = scale, .profile = ISOBIT_FP32_RNE, .zero = &zero, .lo = &lo, .hi = &hi, .codes = y};
        const ib_qproduct p = {
            .x = x, .w = &q, .bias = bias, .packed = packed, .r = &e, .acc = acc, .scratch = scratch};
        for (int64_t i = 0; i < repeats + 2; i++) {
            const double start = seconds();
            dev->k.qlinear(dev, rows, k, out, &p);
            const double t = seconds() - start;
            best = best < 0 || t < best ? t : best;
        }
        free(packed);
    }
    free(x), free(w), free(y), free(bias), free(acc), free(scale), free(scratch);
    return best;
}

/* Bytes a second that all threads read from memory, at best: each in four places at once, as one stream does not use
 * all of it. */
static double read_bandwidth(void)
{
    const int64_t n = (int64_t)1 << 26; /* 256 MB */
    int32_t *p = malloc((size_t)n * sizeof *p);
    double best = 0;
    for (int64_t i = 0; p && i < n; i++)
        p[i] = (int32_t)i;
    for (int r = 0; p && r < 5; r++) {
        const double start = seconds();
        int64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
        for (int64_t i = 0; i < n / 4; i += 1024) {
            int32_t part[16] = {0}; /* several chains */
            for (int64_t j = i; j < i + 1024; j += 16)
                for (int64_t s = 0; s < n; s += n / 4)
                    for (int l = 0; l < 16; l++)
                        part[l] ^= p[s + j + l];
            for (int l = 0; l < 16; l++)
                sum += part[l];
        }
        const double rate = (double)n * 4 / (seconds() - start + 1e-12 * (double)(sum & 1));
        best = rate > best ? rate : best;
    }
    free(p);
    return best;
}

kernel_rates bench_kernels(ib_device *dev, int64_t repeats)
{
    kernel_rates r = {0};
    const double square = product_seconds(dev, 1024, 1024, 1024, 8, repeats),
                 wide = product_seconds(dev, 64, 1024, 1024, 8, 4 * repeats);
    const double long_row = product_seconds(dev, 1, 16384, 16384, 4, repeats);
    r.square = 2e-9 * 1024 * 1024 * 1024 / square;
    r.wide = 2e-9 * 64 * 1024 * 1024 / wide;
    for (int64_t i = 0; i < repeats; i++)
        for (int way = 0;; way++) {
            const double start = seconds(), done = dev->k.int8_peak(dev, way, 1 << 20),
                         rate = done / (seconds() - start) * 1e-9;
            if (!(done > 0))
                break;
            r.peak = rate > r.peak ? rate : r.peak;
        }
    r.int4_row = 16384.0 * 16384 / 2 / long_row * 1e-9;
    r.read = read_bandwidth() * 1e-9;
    return r;
}
