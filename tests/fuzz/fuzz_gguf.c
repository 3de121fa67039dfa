/* fuzz_gguf.c - GGUF files as models and as tokenizers. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = input_file(data, size);
    ib_lm *m = ib_lm_open(path);
    ib_tokenizer *t = ib_tokenizer_open(path);
    ib_ids ids = {0};
    if (t)
        ib_tokenize(t, "It is a truth, 42\n<|im_end|>", 28, 1, &ids);
    ib_free_ids(&ids);
    ib_tokenizer_free(t);
    ib_lm_free(m);
    return 0;
}
