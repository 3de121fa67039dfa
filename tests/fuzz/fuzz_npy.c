/* fuzz_npy.c - arrays of NumPy as data. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_data("npy", data, size);
    return 0;
}
