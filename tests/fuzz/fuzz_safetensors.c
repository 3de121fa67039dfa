/* fuzz_safetensors.c - safetensors files; each tensor is decoded. */
#include "tests/fuzz/fuzz.h"

#include "files/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ib_safetensors *f = ib_safetensors_open(input_file(data, size));
    for (int64_t i = 0; f && i < f->n_entries && i < 16; i++) {
        const ib_entry *e = &f->entry[i];
        const int64_t n = ib_entry_size(e);
        float y[64];
        if (!e->format || !n)
            continue;
        ib_entry_decode(e, n > 64 ? n - 64 : 0, n > 64 ? 64 : n, y);
    }
    ib_safetensors_close(f);
    return 0;
}
