/* fuzz_config.c - config.json of a folder whose weights are those of a tiny llama: what opens must run. */
#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char folder[64], config[128], weights[128];
    static ib_graph *g;
    if (!g) {
        g = ib_graph_new(ib_device_open("cpu:base"));
        snprintf(folder, sizeof folder, "/dev/shm/isobit-fuzz-config-%ld", (long)getpid());
        mkdir(folder, 0777);
        snprintf(config, sizeof config, "%s/config.json", folder);
        snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
        if (symlink(IB_TEST_SOURCE "/golden/models/llama/model.safetensors", weights))
            abort();
    }
    FILE *f = fopen(config, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
    ib_lm *m = ib_lm_open(folder);
    if (!m && (!*ib_error() || strchr(ib_error(), '\n')))
        abort();
    const int32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8};
    float *logits = m ? malloc((size_t)ib_lm_config_of(m)->vocabulary * sizeof *logits) : NULL;
    ib_kv *kv = m ? ib_kv_new(m, 8, 0) : NULL;
    if (kv && logits)
        ib_lm_step(m, g, kv, ids, 8, logits);
    ib_kv_free(kv);
    free(logits);
    ib_lm_free(m);
    return 0;
}
