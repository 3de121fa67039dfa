/* test_codes.c - folders of Hugging Face whose layers lie in codes: the weights are those that the layouts' own
 * libraries make of them (tests/golden/make_codes.py). */
#include "base/alloc.h"
#include "tensor/grid.h"
#include "tests/golden/golden_codes.h"
#include "tests/lm/golden_model.h"

#define CODES IB_TEST_SOURCE "/golden/codes/"
enum { N_CODES = sizeof golden_codes / sizeof *golden_codes, MOST_WEIGHTS = 64 * 32 };

static const char *folder_of(const char *name)
{
    static char buf[512];
    snprintf(buf, sizeof buf, CODES "%s", name);
    return buf;
}

/* FNV-1a of a matrix in the type of its scales. */
static uint64_t hash_of(const ib_matrix *w, const char *type)
{
    float x[MOST_WEIGHTS];
    uint64_t h = 0xcbf29ce484222325u;
    const int64_t n = ib_matrix_rows(w) * ib_matrix_cols(w);
    REQUIRE(n <= MOST_WEIGHTS);
    ib_matrix_decode(w, 0, n, x);
    for (int64_t i = 0; i < n; i++) {
        uint8_t b[4];
        const uint16_t half = *type == 'b' ? ib_float_to_bf16(x[i]) : ib_float_to_half(x[i]);
        const size_t width = strcmp(type, "f32") ? 2 : 4;
        memcpy(b, width == 2 ? (const void *)&half : &x[i], width);
        for (size_t j = 0; j < width; j++)
            h = (h ^ b[j]) * 0x100000001b3u;
    }
    return h;
}

static void weights_are_the_libraries(void)
{
    for (int i = 0; i < N_CODES; i++) {
        const struct golden_codes *want = &golden_codes[i];
        ib_lm *m = ib_lm_open(folder_of(want->name));
        if (!m)
            printf("\n    %s: %s ", want->name, ib_error());
        REQUIRE(m != NULL);
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_matrix *w = m->block[0].p[r].w;
            const uint64_t h = hash_of(w, want->type);
            if (h != want->weights[r])
                printf("\n    %s: layer %d of %s differs ", want->name, r, ib_matrix_format(w)->name);
            CHECK(h == want->weights[r]);
        }
        ib_lm_free(m);
    }
}

/* A copy of a golden folder whose config.json has `to` instead of `from` (NULL: it is the same), and whose tensor has
 * `bytes` at `at`. */
typedef struct change {
    const char *model, *from, *to, *tensor;
    int64_t at; /* -1: the tensor is not there */
    uint32_t bytes;
} change;

static const char *changed(const change *c)
{
    char file[600], *config, *text;
    size_t n;
    snprintf(file, sizeof file, "%s/config.json", folder_of(c->model));
    text = (char *)ib_file_read(file, &n);
    REQUIRE(text != NULL);
    config = malloc(n + 200);
    memcpy(config, text, n);
    config[n] = 0;
    ib_free(text);
    if (c->from) {
        char *at = strstr(config, c->from);
        REQUIRE(at != NULL);
        memmove(at + strlen(c->to), at + strlen(c->from), strlen(at + strlen(c->from)) + 1);
        memcpy(at, c->to, strlen(c->to));
    }
    FILE *f = fopen(temporary("config.json"), "w");
    REQUIRE(f && fputs(config, f) >= 0 && !fclose(f));
    free(config);
    ib_safetensors *from = ib_safetensors_open(folder_of(c->model));
    static ib_safetensors_item items[64];
    static uint8_t copy[1 << 14];
    int k = 0;
    for (int64_t i = 0; i < from->n_entries; i++) {
        const ib_entry *e = &from->entry[i];
        const int own = c->tensor && !strcmp(e->name, c->tensor);
        if (own && c->at < 0)
            continue;
        items[k] = (ib_safetensors_item){e->name, e->type, e->ndim, {0}, e->data, (size_t)e->bytes};
        memcpy(items[k].shape, e->shape, sizeof e->shape);
        if (own) {
            REQUIRE(e->bytes <= (int64_t)sizeof copy && c->at + 4 <= e->bytes);
            memcpy(copy, e->data, (size_t)e->bytes);
            memcpy(copy + c->at, &c->bytes, 4);
            items[k].data = copy;
        }
        k++;
    }
    REQUIRE(!ib_safetensors_write(temporary("model.safetensors"), k, items, NULL));
    ib_safetensors_close(from);
    return folder;
}

#define Q "model.layers.0.self_attn.q_proj"
static const struct {
    change c;
    const char *error;
} refused[] = {
    {{"gptq-4", "\"quant_method\": \"gptq\"", "\"quant_method\": \"hqq\""}, "has the layout 'gptq' of 'hqq'"},
    {{"gptq-4", "\"checkpoint_format\": \"gptq\"", "\"checkpoint_format\": \"marlin\""},
     "the layout 'marlin' of 'gptq'"},
    {{"gptq-4", "\"checkpoint_format\": \"gptq\"", "\"checkpoint_format\": \"gptq\", \"format\": \"gptq_v2\""},
     "'quantization_config.checkpoint_format' is 'gptq', but 'format' is 'gptq_v2'"},
    {{"gptq-4", "\"bits\": 4", "\"bits\": 5"}, "'quantization_config.bits' is 5"},
    {{"gptq-4", "\"bits\": 4", "\"bits\": 8"}, "is I32 [4,32], not I32 [8,32]"},
    {{"gptq-4", "\"bits\": 4,", ""}, "'quantization_config.bits' is 0"},
    {{"gptq-4", "\"group_size\": 32", "\"group_size\": 0"}, "'quantization_config.group_size' is 0"},
    {{"gptq-4", "\"group_size\": 32", "\"group_size\": -2"}, "'quantization_config.group_size' is -2"},
    {{"gptq-4", "\"group_size\": 32", "\"group_size\": 24"},
     "scales' is F16 [1,32]; [32,32] in groups of 24 have [2,32] reals"},
    {{"gptq-4", "\"group_size\": 32", "\"group_size\": 1e30"}, "group_size"},
    {{"gptq-4", "\"group_size\": 32", "\"group_size\": 2147483647"}, "mlp.down_proj.scales' is F16 [2,32]"},
    {{"gptq-4", "\"lm_head\": false", "\"lm_hat\": false"}, "'quantization_config.lm_hat'"},
    {{"gptq-4", "\"pack_dtype\": \"int32\"", "\"pack_dtype\": \"int16\""}, "pack_dtype"},
    {{"gptq-4-order", .tensor = Q ".g_idx", .at = -1}, "'desc_act' is true, but there is no tensor '" Q ".g_idx'"},
    {{"gptq-4-order", .tensor = Q ".g_idx", .at = 12, .bytes = 2}, "puts column 3 into group 2 of 2"},
    {{"gptq-4-order", .tensor = Q ".g_idx", .at = 0, .bytes = 0xffffffffu}, "puts column 0 into group -1 of 2"},
    {{"gptq-4", .tensor = Q ".scales", .at = 8, .bytes = 0x7e007e00u}, "holds a number that is not finite at 4"},
    {{"gptq-4", .tensor = Q ".scales", .at = -1}, "has no tensor '" Q ".scales'"},
    {{"gptq-4", .tensor = Q ".qzeros", .at = -1}, "has no tensor '" Q ".qzeros'"},
    {{"gptq-4", .tensor = Q ".qweight", .at = -1}, "has no tensor '" Q ".weight'"},
    {{"gptq-4", "\"quantization_config\"", "\"quantization_was\""}, "quantization_was"},
    {{"packed-4-zeros", .tensor = Q ".weight_zero_point", .at = -1},
     "'symmetric' is false, but there is no tensor '" Q ".weight_zero_point'"},
    {{"packed-4-order", .tensor = Q ".weight_g_idx", .at = -1},
     "'actorder' is group, but there is no tensor '" Q ".weight_g_idx'"},
    {{"packed-4-order", .tensor = Q ".weight_g_idx", .at = 8, .bytes = 2}, "puts column 2 into group 2 of 2"},
    {{"packed-4-order", .tensor = Q ".weight_g_idx", .at = 8, .bytes = 0xffffffffu},
     "puts column 2 into group -1 of 2"},
    {{"packed-4", .tensor = Q ".weight_shape", .at = 8, .bytes = 31}, "says [32,31], not [32,32]"},
    {{"packed-4", .tensor = Q ".weight_scale", .at = -1}, "has no tensor '" Q ".weight_scale'"},
    {{"packed-8", .tensor = Q ".weight_scale", .at = 4, .bytes = 0x7f800000u},
     "holds a number that is not finite at 1"},
    {{"packed-4", "\"num_bits\": 4", "\"num_bits\": 9"}, "'num_bits' 9; there are 2 to 8"},
    {{"packed-4", "\"num_bits\": 4", "\"num_bits\": 3"}, "weight_packed' is I32 [32,4], which does not fit [32,32]"},
    {{"packed-4-zeros", "\"group_size\": 16", "\"group_size\": 8"},
     "weight_scale' is F16 [32,2], which does not fit [32,32]"},
    {{"packed-4-zeros", "\"group_size\": 16", "\"group_size\": -5"},
     "weight_scale' is F16 [32,2], which does not fit [32,32]"},
    {{"packed-4", "\"type\": \"int\"", "\"type\": \"float\""}, "type"},
    {{"packed-4", "\"actorder\": null", "\"actorder\": \"sideways\""}, "has 'actorder' 'sideways'"},
    {{"packed-4", "\"strategy\": \"group\"", "\"strategy\": \"block\""}, "strategy"},
    {{"int8-rows", "\"dynamic\": true", "\"dynamic\": false"}, "dynamic"},
    {{"int8-rows", "\"quant_method\": \"compressed-tensors\"", "\"quant_method\": \"bitsandbytes\""},
     "of 'bitsandbytes'"},
    {{"llm-int8", .tensor = Q ".SCB", .at = -1}, "there is no '" Q ".SCB' for [32,32]"},
    {{"llm-int8", .tensor = Q ".SCB", .at = 8, .bytes = 0x7fc00000u}, "holds a number that is not finite at 2"},
    {{"awq-gemm", "\"version\": \"gemm\"", "\"version\": \"gemv\""},
     "scales' is F16 [2,32]; [32,32] in groups of 16 have [32,2] reals"},
    {{"awq-gemm", "\"version\": \"gemm\"", "\"version\": \"gemv_fast\""}, "the layout 'gemv_fast' of 'awq'"},
    {{"awq-gemm", "\"bits\": 4", "\"bits\": 3"}, "'quantization_config.bits' is 3; awq has 4"},
    {{"awq-gemm", "\"group_size\": 16", "\"group_size\": 32"},
     "scales' is F16 [2,32]; [32,32] in groups of 32 have [1,32] reals"},
};

static void what_cannot_be_honoured_is_refused(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ib_lm *m = ib_lm_open(changed(&refused[i].c));
        CHECK_ERROR(!m, refused[i].error);
        CHECK(m || !strchr(ib_error(), '\n'));
        ib_lm_free(m);
    }
}

/* Zeros less 1 and raw ones look alike: config.json alone tells them apart, and weights differ by a step. */
static void versions_are_told_by_the_configuration(void)
{
    ib_lm *one = ib_lm_open(folder_of("gptq_v2-4")),
          *other = ib_lm_open(changed(&(change){"gptq_v2-4", "\"gptq_v2\"", "\"gptq\""}));
    REQUIRE(one && other);
    float x, y;
    ib_matrix_decode(one->block[0].p[IB_ROLE_Q].w, 0, 1, &x);
    ib_matrix_decode(other->block[0].p[IB_ROLE_Q].w, 0, 1, &y);
    CHECK_NEAR(x - y, ib_grid_scale(one->block[0].p[IB_ROLE_Q].w, one->block[0].p[IB_ROLE_Q].w->group_of[0]), 1e-6);
    ib_lm_free(one);
    ib_lm_free(other);
}

static void truncated_files_are_refused(void)
{
    for (int i = 0; i < N_CODES; i++) {
        char file[600];
        size_t n;
        changed(&(change){golden_codes[i].name});
        snprintf(file, sizeof file, "%s/model.safetensors", folder_of(golden_codes[i].name));
        unsigned char *all = ib_file_read(file, &n);
        REQUIRE(all != NULL);
        for (size_t cut = 0; cut < n; cut += 1 + n / 23) {
            FILE *f = fopen(temporary("model.safetensors"), "wb");
            REQUIRE(f && fwrite(all, 1, cut, f) == cut && !fclose(f));
            ib_lm *m = ib_lm_open(folder);
            CHECK(m == NULL && !strchr(ib_error(), '\n'));
            ib_lm_free(m);
        }
        ib_free(all);
    }
}

static void every_allocation_may_fail(void)
{
    for (int i = 0; i < N_CODES; i++) {
        const char *name = golden_codes[i].name;
        ib_alloc_fail_at(0);
        ib_lm_free(ib_lm_open(folder_of(name)));
        const int64_t all = ib_alloc_fail_at(0), held = ib_alloc_held();
        int silent = 0;
        for (int64_t n = 1; n <= all; n++) {
            ib_alloc_fail_at(n);
            ib_lm *m = ib_lm_open(folder_of(name));
            ib_alloc_fail_at(0);
            silent += m != NULL;
            ib_lm_free(m);
            CHECK(ib_alloc_held() == held);
        }
        CHECK_INT(silent, 0);
    }
}

/* What was decoded is what products are of, at the level of the graph. */
static void products_are_of_these_weights(void)
{
    for (int i = 0; i < N_CODES; i++) {
        ib_lm *m = ib_lm_open(folder_of(golden_codes[i].name));
        REQUIRE(m != NULL);
        for (int t = 0; t < T; t++)
            ids[t] = t % 33;
        ib_graph_begin(g, IB_EVAL);
        const ib_lm_batch b = {T, ids, pos, first};
        static float plain[T * 33];
        memcpy(plain, numbers_of(ib_lm_logits(m, g, ib_lm_hidden(m, g, &b, 0))), sizeof plain);
        CHECK(!ib_lm_requantize(m, "f32"));
        ib_graph_begin(g, IB_EVAL);
        CHECK_NEAR(furthest(plain, numbers_of(ib_lm_logits(m, g, ib_lm_hidden(m, g, &b, 0))), T * 33), 0, 2e-5);
        ib_lm_free(m);
    }
}

static void open_all(void)
{
    open_graph();
    for (int t = 0; t < T; t++)
        pos[t] = t;
}

SUITE("codes", T(open_all), T(weights_are_the_libraries), T(what_cannot_be_honoured_is_refused),
      T(versions_are_told_by_the_configuration), T(truncated_files_are_refused), T(every_allocation_may_fail),
      T(products_are_of_these_weights), T(close_graph))
