/* fuzz_jsonl.c - training data: the first byte chooses JSONL or text. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ib_tokenizer *t;
    static char path[64];
    if (!t && !(t = ib_tokenizer_open(IB_TEST_SOURCE "/golden/models/tokenizer_smollm")))
        abort();
    if (!size)
        return 0;
    snprintf(path, sizeof path, "/dev/shm/isobit-fuzz-%ld.%s", (long)getpid(), data[0] & 1 ? "jsonl" : "txt");
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data + 1, 1, size - 1, f) != size - 1)
        abort();
    fclose(f);
    ib_samples *s = ib_samples_open(path, t, &(ib_samples_opts){.seq = 32, .chat = data[0] & 2 ? "chatml" : NULL});
    if (s) {
        const ib_samples_info i = ib_samples_info_of(s);
        for (int64_t r = 0; r < i.rows; r++) {
            const ib_row row = ib_samples_row(s, r);
            if (row.n < 1 || row.n > 32 || row.pos[0] != 0)
                abort();
        }
    }
    ib_samples_free(s);
    unlink(path);
    return 0;
}
