/* bench_kernels.c - isobit bench: products beside what registers and memory allow in the same turns. */
#include <stdlib.h>
#include <string.h>

#include "backends/kernels.h"
#include "cli/bench/bench.h"

/* Rows x K times [K, out]: fp32 (bits 0), or codes of 8 or 4 bits, packed ahead and requantized. */
typedef struct product {
    const char *key, *name, *unit;
    bench_limit limit;
    int64_t rows, k, out;
    int bits, narrow; /* of the weights; the inputs are 0 .. 15 */
    int weighed;      /* what counts are the weights' bytes */
} product;

static const product products[] = {
    {"fp32_gemm_1024", "fp32 GEMM 1024x1024x1024", "GFLOP/s", LIMIT_FP32, 1024, 1024, 1024, 0, 0, 0},
    {"gemm_1024", "GEMM 1024x1024x1024, 8-bit codes", "GOP/s", LIMIT_INT8, 1024, 1024, 1024, 8, 0, 0},
    {"gemm_64", "GEMM 64x1024x1024, 8-bit codes", "GOP/s", LIMIT_INT8, 64, 1024, 1024, 8, 0, 0},
    {"gemm_1024_int4", "GEMM 1024x1024x1024, 4-bit codes", "GOP/s", LIMIT_INT4, 1024, 1024, 1024, 4, 1, 0},
    {"int4_row", "4-bit weights 16384x16384, one row", "GB/s", LIMIT_READ, 1, 16384, 16384, 4, 0, 1},
};

typedef struct operands {
    const bench *b;
    const product *p;
    int8_t *x, *w, *y;
    float *real_x, *real_w, *real_y;
    int32_t *bias, *acc;
    isobit_scale *scale;
    float *scratch[MOST_DEVICES];
    void *packed[MOST_DEVICES]; /* NULL: the level packs nothing ahead */
} operands;

static int run_product(void *user, int i)
{
    const operands *o = user;
    const product *p = o->p;
    ib_device *dev = o->b->dev[i];
    if (!p->bits) {
        dev->k.gemm(dev, 0, 0, p->rows, p->out, p->k, o->real_x, o->real_w, 0, o->real_y);
        return 0;
    }
    const int32_t zero = 0, lo = -128, hi = 127;
    const ib_qweights q = {o->w, NULL, 0, 0, p->bits};
    const ib_epilogue e = {
        .scale = o->scale, .profile = ISOBIT_FP32_RNE, .zero = &zero, .lo = &lo, .hi = &hi, .codes = o->y};
    const ib_qproduct of = {
        .x = o->x, .w = &q, .bias = o->bias, .packed = o->packed[i], .r = &e, .acc = o->acc, .scratch = o->scratch[i]};
    dev->k.qlinear(dev, p->rows, p->k, p->out, &of);
    return 0;
}

static void drop(operands *o)
{
    void *all[] = {o->x, o->w, o->y, o->real_x, o->real_w, o->real_y, o->bias, o->acc, o->scale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (int i = 0; i < o->b->n; i++) {
        free(o->scratch[i]);
        free(o->packed[i]);
    }
}

static int make_reals(operands *o)
{
    const product *p = o->p;
    const int64_t nx = p->rows * p->k, nw = p->k * p->out;
    o->real_x = malloc((size_t)nx * sizeof(float));
    o->real_w = malloc((size_t)nw * sizeof(float));
    o->real_y = malloc((size_t)(p->rows * p->out) * sizeof(float));
    for (int64_t i = 0; o->real_x && i < nx; i++)
        o->real_x[i] = (float)(i * 37 % 101) / 101.0f - 0.5f;
    for (int64_t i = 0; o->real_w && i < nw; i++)
        o->real_w[i] = (float)(i * 53 % 103) / 103.0f - 0.5f;
    return !o->real_x || !o->real_w || !o->real_y;
}

static int make_codes(operands *o)
{
    enum { PERIOD = 1000003 }; /* of the weights: random numbers are slow */
    const product *p = o->p;
    const int64_t rows = p->rows, k = p->k, out = p->out;
    const ib_rng rng = {1, 3};
    o->x = malloc((size_t)(rows * k)), o->w = malloc((size_t)(k * out)), o->y = malloc((size_t)(rows * out));
    o->bias = calloc((size_t)out, sizeof *o->bias), o->acc = malloc((size_t)(rows * out) * sizeof *o->acc);
    if (!o->x || !o->w || !o->y || !o->bias || !o->acc || !(o->scale = malloc((size_t)out * sizeof *o->scale)))
        return 1;
    for (int64_t i = 0; i < rows * k; i++)
        o->x[i] = (int8_t)(p->narrow ? ib_rng_u32(rng, (uint64_t)i) & 15 : ib_rng_u32(rng, (uint64_t)i));
    for (int64_t i = 0; i < k * out && i < PERIOD; i++)
        o->w[i] = (int8_t)((int)(ib_rng_u32(rng, (uint64_t)i) % (p->bits == 4 ? 15 : 255)) - (p->bits == 4 ? 7 : 127));
    for (int64_t i = PERIOD; i < k * out; i += PERIOD)
        memcpy(o->w + i, o->w, (size_t)(k * out - i < PERIOD ? k * out - i : PERIOD));
    for (int64_t i = 0; i < out; i++)
        o->scale[i] = (isobit_scale){1 << 23, -36};
    const ib_qweights q = {o->w, NULL, 0, 0, p->bits};
    for (int i = 0; i < o->b->n; i++) {
        ib_device *dev = o->b->dev[i];
        const int64_t bytes = dev->k.qlinear_pack(dev, k, out, 0, &q, o->bias, NULL);
        o->scratch[i] = aligned_alloc(64, ((size_t)dev->v.qlinear_words(dev, rows, k, out) + 15) / 16 * 64);
        o->packed[i] = bytes ? aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64) : NULL;
        if (!o->scratch[i] || (bytes && !o->packed[i]))
            return 1;
        if (bytes)
            dev->k.qlinear_pack(dev, k, out, 0, &q, o->bias, o->packed[i]);
    }
    return 0;
}

int bench_kernels(bench *b)
{
    FILE *f = report_stream(&b->common);
    struct json_object *rows = json_object_new_array();
    int failed = 0;
    for (int i = 0; i < b->n; i++)
        if (!b->dev[i]->is_host) {
            fprintf(stderr, "isobit: note: kernels are timed on processors, and %s is none: no rows of them\n",
                    ib_device_name(b->dev[i]));
            bench_add(b, "kernels", rows);
            return 0;
        }
    bench_part(b);
    fprintf(f, "products beside what registers and memory allow, %d thread(s), medians of %lld turn(s)\n", ib_threads(),
            (long long)b->repeats);
    for (size_t r = 0; r < sizeof products / sizeof *products && !failed; r++) {
        const product *p = &products[r];
        operands o = {.b = b, .p = p};
        const double work =
            p->weighed ? (double)(p->k * p->out * p->bits / 8) : 2.0 * (double)p->rows * (double)p->k * (double)p->out;
        const bench_row row = {p->key, p->name, p->unit, work * 1e-9, work, p->limit, run_product, &o};
        bench_result result[MOST_DEVICES];
        failed = p->bits ? make_codes(&o) : make_reals(&o);
        if (failed)
            fprintf(stderr, "isobit: out of memory for %s\n", p->name);
        failed = failed || bench_measure(b, &row, result);
        for (int i = 0; i < b->n && !failed; i++) {
            json_object_array_add(rows, bench_tell(b, &row, i, &result[i]));
            fputc('\n', f);
        }
        flush_or_end(f);
        drop(&o);
    }
    bench_add(b, "kernels", rows);
    return failed;
}
