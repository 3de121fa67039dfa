/* fuzz_npz.c - archives of NumPy arrays as data. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_data("npz", data, size);
    return 0;
}
