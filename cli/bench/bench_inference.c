/* bench_inference.c - isobit bench: the integer runtime at batch 1 and 64. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

int bench_inference(ib_device *dev, const char *model, const char *qat, int threads, int64_t repeats,
                    inference_row out[2])
{
    contender c = {0};
    ib_qat_opts quant = {.profile = IB_FP32_RNE};
    ib_dataset *d = bench_data(model, 64);
    ib_loader *l = d ? ib_loader_new(d, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = 64}) : NULL;
    ib_program *p = NULL;
    int failed = !l || ib_qat_bits_parse(qat, &quant) || bench_make(&c, dev, d, model) ||
                 ib_qat_begin(c.net, c.g, l, &quant) || ib_qat_set_phase(c.net, c.g, IB_FROZEN) ||
                 !(p = ib_program_lower(c.net, c.g)) || ib_threads_set(threads);
    double *t = calloc((size_t)repeats, sizeof *t);
    for (int i = 0; i < 2 && !failed; i++) {
        const int64_t batch = i ? 64 : 1, in = batch * ib_program_input_size(p),
                      size = batch * ib_program_output_size(p);
        ib_runner *r = ib_runner_new(p, dev, batch);
        int8_t *x = calloc((size_t)in, 1), *y = malloc((size_t)size);
        failed = !r || !x || !y || !t;
        for (int64_t j = 0; j < in && x; j++)
            x[j] = (int8_t)ib_rng_u32((ib_rng){1, 1}, (uint64_t)j);
        double once = seconds();
        for (int j = 0; j < 4 && !failed; j++) {
            once = seconds();
            failed = ib_runner_run(r, batch, x, y);
            once = seconds() - once;
        }
        const int inner = once > 0.02 ? 1 : (int)(0.02 / once) + 1;
        for (int64_t j = 0; j < repeats && !failed; j++) {
            const double start = seconds();
            for (int k = 0; k < inner && !failed; k++)
                failed = ib_runner_run(r, batch, x, y);
            t[j] = (seconds() - start) / inner * 1e6;
        }
        if (!failed)
            out[i] = (inference_row){batch, threads, bench_median(t, repeats)};
        ib_runner_free(r);
        free(x);
        free(y);
    }
    free(t);
    ib_program_free(p);
    ib_loader_free(l);
    ib_dataset_free(d);
    bench_drop(&c);
    return failed ? complain() : 0;
}
