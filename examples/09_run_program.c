/* 09_run_program.c - a server's view of an exported network: the integer program alone, opened once, run for any number
 * of images.
 *
 *   isobit train --model mlp --qat w8a8 -o mlp.h5 && isobit export mlp.h5 --to hdf5 -o digits.h5
 *   build/examples/example_09_run_program digits.h5
 */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 32 };

int main(int argc, char **argv)
{
    ib_device *dev = ib_device_open(NULL);
    ib_program *p = argc == 2 ? ib_program_open(argv[1]) : NULL;
    ib_runner *r = ib_runner_new(p, dev, BATCH);
    if (!r)
        return fprintf(stderr, "%s\n", argc == 2 ? ib_error() : "usage: 09_run_program PROGRAM.h5"), 1;

    ib_dataset *test = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info *in = ib_program_input_info(p);
    const int64_t size = ib_program_input_size(p), classes = ib_program_output_size(p);
    float *x = malloc(sizeof *x * BATCH * (size_t)size);
    int8_t *codes = malloc(BATCH * (size_t)size), *scores = malloc(BATCH * (size_t)classes);
    int64_t right = 0;
    if (ib_dataset_check(test, in) || !x || !codes || !scores)
        return fprintf(stderr, "%s\n", ib_error()), 1;
    for (int64_t first = 0; first < ib_dataset_count(test); first += BATCH) {
        const int64_t left = ib_dataset_count(test) - first, n = left < BATCH ? left : BATCH;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < size; j++)
                x[i * size + j] = (ib_dataset_image(test, first + i)[j] - in->mean) / in->std;
        if (ib_program_quantize(p, dev, n, x, codes) || ib_runner_run(r, n, codes, scores))
            return fprintf(stderr, "%s\n", ib_error()), 1;
        for (int64_t i = 0; i < n; i++) { /* the largest code belongs to the largest real value */
            int64_t best = 0;
            for (int64_t c = 1; c < classes; c++)
                best = scores[i * classes + c] > scores[i * classes + best] ? c : best;
            right += best == ib_dataset_label(test, first + i);
        }
    }
    printf("%lld of %lld images recognized\n", (long long)right, (long long)ib_dataset_count(test));

    free(x);
    free(codes);
    free(scores);
    ib_dataset_free(test);
    ib_runner_free(r);
    ib_program_free(p);
    ib_device_close(dev);
    return 0;
}
