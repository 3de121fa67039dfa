/* fuzz_tokenizer.c - tokenizer.json, and any text through what comes out. */
#include "tests/fuzz/fuzz.h"

#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ib_tokenizer *t = ib_tokenizer_from_json(input_file(data, size));
    ib_ids ids = {0}, mask = {0};
    const ib_message m[] = {{"user", "hi <|im_end|>"}, {"assistant", "y\xc3\xa9s"}};
    if (t) {
        ib_tokenize(t, (const char *)data, size < 300 ? size : 300, 1, &ids);
        ib_chat_tokens(t, "chatml", m, 2, 1, &ids, &mask);
    }
    ib_free_ids(&ids);
    ib_free_ids(&mask);
    ib_tokenizer_free(t);
    return 0;
}
