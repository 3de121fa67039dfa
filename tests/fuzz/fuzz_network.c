/* fuzz_network.c - networks described by a text, as checkpoints of imported networks hold them. */
#include "tests/fuzz/fuzz.h"

#include "layers/wired.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 20);
    memcpy(text, "isobit network 1\n", 17);
    memcpy(text + 17, data, size);
    text[17 + size] = 0;
    ib_layer_free(ib_wired_network(text));
    free(text);
    return 0;
}
