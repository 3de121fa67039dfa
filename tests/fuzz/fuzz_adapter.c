/* fuzz_adapter.c - adapters for a tiny model: the input is a GGUF adapter, or adapter_config.json or the weights of a
 * PEFT folder whose other half is good. */
#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>

static char folder[64], config[128], weights[128];
static ib_lm *model(void)
{
    ib_lm *m = ib_lm_new(
        &(ib_lm_config){.layers = 1, .width = 8, .ff = 8, .heads = 2, .groups = 1, .vocabulary = 16, .context = 16}, 1);
    if (!m || ib_lm_freeze(m, "f32"))
        abort();
    return m;
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n)
        abort();
    fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char *good[2];
    static size_t good_size[2];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/dev/shm/isobit-fuzz-%ld", (long)getpid());
        mkdir(folder, 0777);
        snprintf(config, sizeof config, "%s/adapter_config.json", folder);
        snprintf(weights, sizeof weights, "%s/adapter_model.safetensors", folder);
        ib_lm *m = model();
        if (ib_lm_adapt(m, &(ib_adapter_opts){.r = 2, .save = "embed_tokens,lm_head"}) ||
            ib_lm_adapter_save(m, folder, "base"))
            abort();
        ib_lm_free(m);
        for (int i = 0; i < 2; i++) {
            FILE *f = fopen(i ? weights : config, "rb");
            good[i] = malloc(1 << 20);
            good_size[i] = f ? fread(good[i], 1, 1 << 20, f) : 0;
            fclose(f);
        }
    }
    if (!size)
        return 0;
    ib_lm *m = model();
    if (size > 4 && !memcmp(data, "GGUF", 4)) {
        ib_lm_adapter_open(m, input_file(data, size));
    } else {
        const int is_weights = data[0] != '{';
        put(config, is_weights ? good[0] : data, is_weights ? good_size[0] : size);
        put(weights, is_weights ? data : good[1], is_weights ? size : good_size[1]);
        ib_lm_adapter_open(m, folder);
    }
    ib_lm_free(m);
    return 0;
}
