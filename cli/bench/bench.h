/* bench.h - what the parts of isobit bench share. */
#ifndef IB_CLI_BENCH_BENCH_H
#define IB_CLI_BENCH_BENCH_H

#include "cli/cli.h"

/* One network with what it needs to take steps. */
typedef struct contender {
    ib_layer *net;
    ib_optim *opt;
    ib_graph *g;
    size_t saved; /* bytes that the last step kept for its backward pass */
} contender;

/* ---- contender.c ---- */
/* Random images and labels of the size that the model is usually measured with. */
ib_dataset *bench_data(const char *model, int batch);
int bench_make(contender *c, ib_device *dev, const ib_dataset *d, const char *model);
void bench_drop(contender *c);
double bench_median(double *v, int64_t n); /* sorts v */

/* Billions a second: operations (two for a product and its addition), bytes. */
typedef struct kernel_rates {
    double peak;           /* the level's int8 instruction on registers alone; 0: the level has none */
    double square, wide;   /* GEMM 1024x1024x1024, and with 64 rows, requantization included */
    double read, int4_row; /* bytes read from memory, and bytes of 4-bit weights at one row (16384 x 16384) */
} kernel_rates;
kernel_rates bench_kernels(ib_device *dev, int64_t repeats);

typedef struct inference_row {
    int64_t batch;
    int threads;
    double us; /* median, a call */
} inference_row;

/* The integer runtime of a model, profile fp32_rne, at batch 1 and 64; 0, or 1 with the error told. */
int bench_inference(ib_device *dev, const char *model, const char *qat, int threads, int64_t repeats,
                    inference_row out[2]);
/* The same networks in PyTorch and ONNX Runtime; NULL with a note on standard error where the Python has not got
 * them. */
struct json_object *bench_peers(const char *python, int64_t repeats, int threads);

#endif
