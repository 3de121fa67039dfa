/* fuzz_npz.c - archives of NumPy arrays as data. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char spec[80];
    snprintf(spec, sizeof spec, "npz:%s", input_file(data, size));
    ib_dataset *d = ib_dataset_open(spec, IB_SPLIT_ALL);
    if (!d && (!*ib_error() || strchr(ib_error(), '\n')))
        abort();
    float sum = 0;
    for (int64_t i = 0; d && i < ib_dataset_count(d); i++)
        sum += ib_dataset_image(d, i)[0];
    volatile float kept = sum;
    (void)kept;
    ib_dataset_free(d);
    return 0;
}
