/* fuzz_imatrix.c - importance matrices of both kinds; what is read is written as either and read again. */
#include "tests/fuzz/fuzz.h"

#include "ptq/imatrix_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ib_imatrix x, y;
    if (ib_imatrix_read(input_file(data, size), &x)) {
        if (!*ib_error() || strchr(ib_error(), '\n'))
            abort();
        return 0;
    }
    float sum = 0;
    for (int64_t i = 0; i < x.n; i++)
        sum += x.entry[i].sum[x.entry[i].n - 1] + (float)x.entry[i].count[x.entry[i].mats - 1];
    volatile float kept = sum;
    (void)kept;
    char path[64];
    snprintf(path, sizeof path, "/tmp/isobit-fuzz-imatrix-%ld", (long)getpid());
    for (int dat = 0; dat < 2; dat++)
        if (!ib_imatrix_write(&x, path, dat)) {
            if (!ib_imatrix_read(path, &y))
                ib_imatrix_release(&y);
            remove(path);
        }
    ib_imatrix_release(&x);
    return 0;
}
