/* test_language.c - decoders against transformers, LoRA gradients against PEFT and PyTorch, adapters and models through
 * files, checkpointing, the cache. Broken by: a wrong rotary order, an eps in the wrong place, a mask that lets a
 * later token through, a gradient that misses a path. Golden data: tests/golden/make_language.py. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "files/gguf.h"
#include "files/safetensors.h"
#include "lm/lm.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static const char *const archs[] = {"llama", "llama3", "mistral", "qwen2", "qwen3", "gemma3"};
enum { N_ARCHS = sizeof archs / sizeof *archs, T = 24, VOCABULARY = 67 };

static ib_device *dev;
static ib_graph *g;
static char folder[64];

static void open_graph(void)
{
    dev = ib_device_open("cpu:avx2"); /* fp32: golden numbers are */
    if (!dev)
        dev = ib_device_open("cpu:base");
    g = ib_graph_new(dev);
    snprintf(folder, sizeof folder, "/tmp/isobit-test-language-%ld", (long)getpid());
    mkdir(folder, 0777);
}

static void close_graph(void)
{
    ib_graph_free(g);
    ib_device_close(dev);
}

static const char *path(const char *arch, const char *file)
{
    static char buf[4][512];
    static int i;
    i = (i + 1) % 4;
    snprintf(buf[i], sizeof buf[i], MODELS "%s%s%s", arch, *file ? "/" : "", file);
    return buf[i];
}

static int32_t ids[T], pos[T], first[T], target[T];
static ib_safetensors *golden;

static const float *values(const char *name, int64_t n)
{
    const ib_entry *e = ib_safetensors_find(golden, name);
    REQUIRE(e && ib_entry_size(e) == n);
    static float buf[1 << 16];
    memcpy(buf, e->data, (size_t)n * 4);
    return buf;
}

static void read_golden(const char *arch)
{
    golden = ib_safetensors_open(path(arch, "golden.safetensors"));
    REQUIRE(golden != NULL);
    const float *x = values("ids", T);
    for (int i = 0; i < T; i++) {
        ids[i] = (int32_t)x[i];
        pos[i] = i;
        first[i] = 0;
    }
    for (int i = 0; i < T; i++)
        target[i] = i + 1 < T ? ids[i + 1] : -1;
}

static double furthest(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fabs((double)a[i] - b[i]) > worst ? fabs((double)a[i] - b[i]) : worst;
    return worst;
}

static const ib_lm_batch *batch(void)
{
    static ib_lm_batch b;
    b = (ib_lm_batch){T, ids, pos, first};
    return &b;
}

static const float *logits_of(ib_lm *m)
{
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_lm_logits(m, g, ib_lm_hidden(m, g, batch(), 0));
    REQUIRE(y != NULL);
    return ib_tensor_f32(y);
}

static void logits_equal_transformers(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], ""));
        if (!m)
            printf("\n    %s ", ib_error());
        REQUIRE(m != NULL);
        const double e = furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY);
        if (e > 1e-4)
            printf("\n    %s: %g ", archs[a], e);
        CHECK(e <= 1e-4);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

static void gradients_equal_peft(void)
{
    open_graph();
    uint64_t kept = 0; /* of the gradients' bits, where no layer runs again */
    for (int a = 0; a < N_ARCHS; a++)
        for (int checkpoint = 0; checkpoint <= 2; checkpoint++) {
            uint64_t bits = 14695981039346656037u; /* FNV-1a */
            read_golden(archs[a]);
            ib_lm *m = ib_lm_open(path(archs[a], ""));
            const ib_status opened = ib_lm_adapter_open(m, path(archs[a], "adapter"));
            if (opened)
                printf("\n    %s ", ib_error());
            REQUIRE(!opened);
            double e = furthest(logits_of(m), values("adapted_logits", T * VOCABULARY), T * VOCABULARY);
            if (e > 2e-4)
                printf("\n    %s: adapted logits %g ", archs[a], e);
            CHECK(e <= 2e-4);
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, batch(), checkpoint), target, 1.0f / (T - 1), NULL);
            REQUIRE(loss && !ib_backward(g, loss));
            CHECK_NEAR(ib_tensor_f32(loss)[0], values("loss", 1)[0], 1e-5);
            ib_layer *l = ib_lm_trainable(m);
            CHECK(ib_param_count(l) >= 28);
            for (int i = 0; i < ib_param_count(l); i++) {
                ib_tensor *p = ib_param_at(l, i);
                char name[256];
                snprintf(name, sizeof name, "grad.%s", ib_tensor_name(p));
                const float *want = values(name, ib_tensor_size(p));
                e = furthest(ib_tensor_grad(p), want, ib_tensor_size(p));
                if (e > 1e-4)
                    printf("\n    %s %s: %g ", archs[a], name, e);
                CHECK(e <= 1e-4);
                const uint8_t *byte = (const uint8_t *)ib_tensor_grad(p);
                for (int64_t k = 0; k < 4 * ib_tensor_size(p); k++)
                    bits = (bits ^ byte[k]) * 1099511628211u;
            }
            kept = checkpoint ? kept : bits;
            CHECK(bits == kept);
            ib_lm_free(m);
            ib_safetensors_close(golden);
        }
    close_graph();
}

static char *temporary(const char *name)
{
    static char buf[4][256];
    static int i;
    i = (i + 1) % 4;
    snprintf(buf[i], sizeof buf[i], "%s/%s", folder, name);
    return buf[i];
}

static void models_survive_files(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], "")), *back, *hf;
        ib_lm_saved saved;
        float *want = malloc(T * VOCABULARY * sizeof *want);
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        /* the header needs no tokenizer here: source NULL */
        REQUIRE(!ib_lm_save(m, NULL, temporary("m.gguf"), NULL, &saved, NULL, NULL));
        CHECK(saved.lossy == 0 && saved.exact >= 20);
        back = ib_lm_open(temporary("m.gguf"));
        if (!back)
            printf("\n    %s ", ib_error());
        REQUIRE(back != NULL);
        CHECK(furthest(logits_of(back), want, T * VOCABULARY) <= 1e-5);
        REQUIRE(!ib_lm_save(back, NULL, temporary("hf"), NULL, &saved, NULL, NULL));
        CHECK(saved.lossy == 0);
        hf = ib_lm_open(temporary("hf"));
        if (!hf)
            printf("\n    %s ", ib_error());
        REQUIRE(hf != NULL);
        CHECK(furthest(logits_of(hf), want, T * VOCABULARY) <= 1e-5);
        ib_lm_free(hf);
        free(want);
        ib_lm_free(back);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

static void adapters_survive_files(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        float *want = malloc(T * VOCABULARY * sizeof *want);
        ib_lm *m = ib_lm_open(path(archs[a], "")), *gguf;
        ib_lm_saved saved;
        REQUIRE(!ib_lm_adapter_open(m, path(archs[a], "adapter")));
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        REQUIRE(!ib_lm_adapter_save(m, temporary("adapter"), "base"));
        ib_lm *again = ib_lm_open(path(archs[a], ""));
        REQUIRE(!ib_lm_adapter_open(again, temporary("adapter")));
        CHECK(furthest(logits_of(again), want, T * VOCABULARY) == 0);
        ib_lm_free(again);
        if (a != 2) { /* every kind but DoRA */
            REQUIRE(!ib_lm_adapter_save_gguf(m, temporary("adapter.gguf")));
            again = ib_lm_open(path(archs[a], ""));
            REQUIRE(!ib_lm_adapter_open(again, temporary("adapter.gguf")));
            CHECK(furthest(logits_of(again), want, T * VOCABULARY) <= 1e-5);
            ib_lm_free(again);
        } else {
            CHECK_ERROR(ib_lm_adapter_save_gguf(m, temporary("adapter.gguf")), "DoRA");
        }
        /* and a PEFT adapter on the GGUF base, whose q and k rows lie in another order */
        if (a != 2) {
            ib_lm *base = ib_lm_open(path(archs[a], ""));
            REQUIRE(!ib_lm_save(base, NULL, temporary("base.gguf"), NULL, &saved, NULL, NULL));
            gguf = ib_lm_open(temporary("base.gguf"));
            REQUIRE(!ib_lm_adapter_open(gguf, path(archs[a], "adapter")));
            CHECK(furthest(logits_of(gguf), want, T * VOCABULARY) <= 1e-5);
            ib_lm_free(gguf);
            ib_lm_free(base);
        }
        /* merged */
        REQUIRE(!ib_lm_save(m, NULL, temporary("merged"), "f32", &saved, NULL, NULL));
        again = ib_lm_open(temporary("merged"));
        REQUIRE(again != NULL);
        CHECK(furthest(logits_of(again), want, T * VOCABULARY) <= 1e-4);
        ib_lm_free(again);
        free(want);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* Packed sequences and windows see what each alone sees; the cache gives what the whole row gives. */
static void packing_and_cache_change_nothing(void)
{
    open_graph();
    for (int a = 0; a < N_ARCHS; a++) {
        read_golden(archs[a]);
        ib_lm *m = ib_lm_open(path(archs[a], ""));
        float *want = malloc(T * VOCABULARY * sizeof *want), step[VOCABULARY];
        for (int i = 10; i < T; i++) {
            pos[i] = i - 10;
            first[i] = 10;
        }
        memcpy(want, logits_of(m), T * VOCABULARY * sizeof *want);
        for (int i = 10; i < T; i++) { /* the second sequence alone */
            ids[i - 10] = ids[i];
            pos[i - 10] = i - 10;
            first[i - 10] = 0;
        }
        ib_graph_begin(g, IB_EVAL);
        ib_tensor *alone = ib_lm_logits(m, g, ib_lm_hidden(m, g, &(ib_lm_batch){T - 10, ids, pos, first}, 0));
        CHECK(furthest(ib_tensor_f32(alone), want + 10 * VOCABULARY, (T - 10) * VOCABULARY) <= 1e-5);
        for (int int8 = 0; int8 < 2; int8++) {
            ib_kv *kv = ib_kv_new(m, T, int8);
            REQUIRE(kv && !ib_lm_step(m, g, kv, ids, 6, step));
            CHECK(furthest(step, want + 15 * VOCABULARY, VOCABULARY) <= 1e-5);
            for (int i = 6; i < T - 10; i++)
                REQUIRE(!ib_lm_step(m, g, kv, ids + i, 1, step));
            CHECK(furthest(step, want + (T - 1) * VOCABULARY, VOCABULARY) <=
                  (int8 ? 0.15 : 0.01)); /* the cache's rounding */
            CHECK_ERROR(ib_lm_step(m, g, kv, ids, 11, step), "do not fit a context of 24");
            ib_kv_rewind(kv, 6);
            REQUIRE(!ib_lm_step(m, g, kv, ids + 6, T - 16, step));
            CHECK(furthest(step, want + (T - 1) * VOCABULARY, VOCABULARY) <= (int8 ? 0.15 : 0.01));
            ib_kv_free(kv);
        }
        free(want);
        ib_lm_free(m);
        ib_safetensors_close(golden);
    }
    close_graph();
}

/* A BOS before each window, or in the place of its first token: the sums of rows that are written out here. */
static void windows_of_perplexity(void)
{
    enum { CONTEXT = 8, BOS = 1 };
    open_graph();
    read_golden("llama");
    ib_lm *m = ib_lm_open(path("llama", ""));
    REQUIRE(m != NULL);
    for (int in_place = 0; in_place < 2; in_place++) {
        ib_perplexity_result r;
        const ib_perplexity_opts o = {.context = CONTEXT, .bos = BOS, .in_place = in_place};
        REQUIRE(!ib_lm_perplexity(m, g, ids, T - 1, &o, &r)); /* 23 tokens: with the BOS three windows of 8, or of 7 */
        CHECK_INT(r.windows, 3);
        double nll = 0;
        for (int w = 0; w < 3; w++) {
            int32_t row[CONTEXT] = {BOS}, at[CONTEXT], zero[CONTEXT] = {0}, want[CONTEXT];
            for (int i = 1; i < CONTEXT; i++)
                row[i] = ids[in_place ? CONTEXT * w + i - 1 : (CONTEXT - 1) * w + i - 1];
            for (int i = 0; i < CONTEXT; i++) {
                at[i] = i;
                want[i] = i >= CONTEXT / 2 && i + 1 < CONTEXT ? row[i + 1] : -1;
            }
            ib_graph_begin(g, IB_EVAL);
            ib_tensor *x = ib_lm_hidden(m, g, &(ib_lm_batch){CONTEXT, row, at, zero}, 0);
            nll += ib_tensor_f32(ib_lm_loss(m, g, x, want, 1, NULL))[0];
        }
        CHECK_NEAR(r.nll, nll / 9, 1e-5);
        CHECK_INT(r.tokens, 9);
    }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

/* Integer and 4-bit weights through Hugging Face folders. */
static void quantized_folders(void)
{
    static const char *const formats[] = {"int4", "int8", "nf4", "nf4_dq", "fp4"};
    open_graph();
    read_golden("qwen2");
    for (int i = 0; i < 5; i++) {
        ib_lm *m = ib_lm_open(path("qwen2", "")), *back;
        ib_lm_saved saved;
        float want[T * VOCABULARY];
        REQUIRE(!ib_lm_requantize(m, i ? formats[i] : "keep"));
        if (i) /* widths of 48 are no whole groups of int4: those layers stay */
            memcpy(want, logits_of(m), sizeof want);
        REQUIRE(!ib_lm_save(m, NULL, temporary("quantized"), formats[i], &saved, NULL, NULL));
        back = ib_lm_open(temporary("quantized"));
        if (!back)
            printf("\n    %s: %s ", formats[i], ib_error());
        REQUIRE(back != NULL);
        CHECK(!strcmp(back->block[0].p[IB_ROLE_Q].w.format->name, formats[i]));
        const double e = furthest(logits_of(back), i ? want : values("logits", T * VOCABULARY), T * VOCABULARY);
        CHECK(e <= (i ? 0 : 1.5)); /* int4's own error is large in so small a model */
        ib_lm_free(back);
        ib_lm_free(m);
    }
    ib_safetensors_close(golden);
    close_graph();
}

/* NF4 with double quantization as bitsandbytes itself saved it. */
static void bitsandbytes_checkpoint(void)
{
    open_graph();
    read_golden("bitsandbytes");
    ib_lm *m = ib_lm_open(path("bitsandbytes", ""));
    REQUIRE(m != NULL);
    CHECK(!strcmp(m->block[0].p[IB_ROLE_Q].w.format->name, "nf4_dq"));
    CHECK(furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY) <= 1e-5);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

/* Deploying runs on the very bytes that merging writes. */
static void deployed_is_what_ships(void)
{
    open_graph();
    read_golden("qwen2");
    ib_lm *m = ib_lm_open(path("qwen2", "")), *shipped;
    ib_lm_saved saved;
    REQUIRE(!ib_lm_adapter_open(m, path("qwen2", "adapter")));
    const char *const formats[] = {"q4_0", "q8_0"};
    for (int i = 0; i < 2; i++) {
        float want[T * VOCABULARY];
        /* widths of 48 are not whole blocks of 32: down_proj falls back to f16 in both */
        REQUIRE(!ib_lm_deploy(m, formats[i]));
        memcpy(want, logits_of(m), sizeof want);
        ib_graph_begin(g, IB_TRAIN); /* the gradient goes through */
        ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, batch(), 1), target, 1, NULL);
        REQUIRE(loss && !ib_backward(g, loss));
        CHECK(ib_tensor_grad(ib_param_at(ib_lm_trainable(m), 0)) != NULL);
        REQUIRE(!ib_lm_save(m, NULL, temporary("shipped.gguf"), formats[i], &saved, NULL, NULL));
        shipped = ib_lm_open(temporary("shipped.gguf"));
        REQUIRE(shipped != NULL);
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_projection *a = &m->block[1].p[r], *b = &shipped->block[1].p[r];
            CHECK(a->merged.format == b->w.format);
            CHECK(!memcmp(a->merged.data, b->w.data, (size_t)ib_storage_bytes(b->w.format, b->w.rows, b->w.cols)));
        }
        CHECK(furthest(logits_of(shipped), want, T * VOCABULARY) <= 0.05); /* the embedding became q8_0 */
        ib_lm_free(shipped);
        REQUIRE(!ib_lm_deploy(m, NULL));
    }
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    REQUIRE(f && fputs(text, f) >= 0 && !fclose(f));
}

/* Copies of a model's files of which one is changed: links to the others. */
static const char *changed(const char *arch, const char *file, const char *text)
{
    static const char *const files[] = {"config.json", "generation_config.json", "model.safetensors"};
    mkdir(temporary("changed"), 0777);
    for (int i = 0; i < 3; i++) {
        char *to = temporary("changed/");
        strcat(to, files[i]);
        unlink(to);
        if (!strcmp(files[i], file))
            put_text(to, text);
        else
            CHECK(symlink(path(arch, files[i]), to) == 0);
    }
    return temporary("changed");
}

/* Every token that a file calls an end is one. */
static void ends_are_read(void)
{
    open_graph();
    const struct {
        const char *text;
        int ends[4];
    } cases[] = {{"{\"eos_token_id\": [5, 9, 66]}", {2, 5, 9, 66}},
                 {"{\"eos_token_id\": 7, \"do_sample\": true}", {2, 7, 7, 7}},
                 {"{}", {2, 2, 2, 2}}};
    for (int i = 0; i < 3; i++) {
        ib_lm *m = ib_lm_open(changed("llama", "generation_config.json", cases[i].text));
        REQUIRE(m != NULL);
        for (int id = 0; id < VOCABULARY; id++) {
            const int *e = cases[i].ends;
            CHECK_INT(ib_lm_ends_text(m, id), id == e[0] || id == e[1] || id == e[2] || id == e[3]);
        }
        ib_lm_free(m);
    }
    CHECK_ERROR(!ib_lm_open(changed("llama", "generation_config.json", "{\"eos_token_id\": [5, \"</s>\"]}")),
                "'eos_token_id' is");
    const char *const outside[] = {"bos_token_id\": 67}",   "eos_token_id\": [5, 1000]}",
                                   "pad_token_id\": 96}",   "pad_token_id\": -2}",
                                   "image_token_id\": -1}", "decoder_start_token_id\": 4294967298}"};
    for (int i = 0; i < 6; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"%s", outside[i]);
        CHECK_ERROR(!ib_lm_open(changed("llama", "generation_config.json", text)), "the vocabulary has 67 tokens");
    }
    ib_lm *none =
        ib_lm_open(changed("llama", "generation_config.json", "{\"pad_token_id\": -1, \"bos_token_id\": null}"));
    CHECK(none != NULL);
    ib_lm_free(none);
    ib_gguf_writer w = {0};
    const int64_t one = 1;
    ib_gguf_put_u32(&w, "tokenizer.ggml.eos_token_id", 3);
    ib_gguf_put_u32(&w, "tokenizer.ggml.eot_token_id", 4);
    ib_gguf_put_u32(&w, "tokenizer.ggml.bos_token_id", 6);
    ib_gguf_put_tensor(&w, "x", 1, &one, ib_storage_find("f32"));
    ib_file_writer *file = ib_gguf_start(&w, temporary("ends.gguf"));
    ib_gguf_data(file, &(float){0}, 4);
    REQUIRE(!ib_file_writer_finish(file));
    ib_gguf *f = ib_gguf_open(temporary("ends.gguf"));
    ib_lm m = {.c.vocabulary = 7};
    REQUIRE(f && !ib_lm_ends_of_gguf(&m, f));
    CHECK(ib_lm_ends_text(&m, 3) && ib_lm_ends_text(&m, 4) && !ib_lm_ends_text(&m, 6));
    m.c.vocabulary = 6;
    CHECK_ERROR(ib_lm_ends_of_gguf(&m, f), "'tokenizer.ggml.bos_token_id' is 6, but the vocabulary has 6 tokens");
    ib_free(m.end);
    ib_gguf_close(f);
    ib_gguf_writer_release(&w);
    close_graph();
}

/* {good} with the members of {more} in the place of its own. */
static void with_members(char *out, size_t size, const char *good, const char *more)
{
    snprintf(out, size, "{%s}", more);
    struct json_object *changes = json_tokener_parse(out);
    snprintf(out, size, "{%s}", good);
    struct json_object *o = json_tokener_parse(out);
    REQUIRE(o && changes);
    json_object_object_foreach(changes, key, value) json_object_object_add(o, key, json_object_get(value));
    snprintf(out, size, "%s", json_object_to_json_string(o));
    json_object_put(o);
    json_object_put(changes);
}

/* config.json says what is honoured, or one line says what is not; the logits of the honoured are
 * tests/lm/model_files.py's. */
static void configurations_are_honoured_or_refused(void)
{
    static const char good[] =
        "\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":48,\"num_hidden_layers\":2,\"num_attention_"
        "heads\":4,\"num_key_value_heads\":2,"
        "\"vocab_size\":67,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true";
    static const struct {
        const char *more, *says;
    } cases[] = {
        {"\"use_cache\":true", NULL},
        {"\"something_new\":null", NULL},
        {"\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":16}", NULL},
        {"\"hidden_act\":\"gelu\"", NULL},
        {"\"head_dim\":8.0", NULL},
        {"\"something_new\":1", "'something_new' is 1: an unknown field"},
        {"\"hidden_act\":\"gelu_10\"", "'hidden_act' is 'gelu_10'"},
        {"\"tie_word_embeddings\":false", "there is no tensor 'lm_head.weight'"},
        {"\"head_dim\":8.5", "'head_dim' is 8.5, an integer is expected"},
        {"\"attention_bias\":true", "has no tensor 'model.layers.0.self_attn.q_proj.bias'"},
        {"\"mlp_bias\":true", "mlp.gate_proj.bias"},
        {"\"sliding_window\":5", "have no such field"},
        {"\"final_logit_softcapping\":30.0", "'final_logit_softcapping' is 30.0"},
        {"\"partial_rotary_factor\":0.5", "'partial_rotary_factor' is 0.5"},
        {"\"rope_scaling\":{\"type\":\"magic\"}", "RoPE scaling 'magic'"},
        {"\"rope_scaling\":{\"type\":\"linear\"}", "needs a positive 'factor'"},
        {"\"rope_scaling\":[2]", "an object is expected"},
        {"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,\"beta_"
         "fast\":3}",
         "'llama3' has no 'beta_fast'"},
        {"\"rope_scaling\":{\"rope_type\":\"longrope\",\"short_factor\":[1,1],\"long_factor\":[1,1]}",
         "each a list of 4 numbers"},
        {"\"quantization_config\":{\"quant_method\":\"awq\"}", "'quantization_config.quant_method' is \"awq\""},
        {"\"quantization_config\":{\"quant_method\":\"bitsandbytes\",\"load_in_8bit\":true}", "load_in_8bit"},
        {"\"num_hidden_layers\":1", "'model.layers.1."},
        {"\"auto_map\":{\"AutoConfig\":\"x\"}", "'auto_map'"},
        {"\"rms_norm_eps\":\"small\"", "a number is expected"},
        {"\"tie_word_embeddings\":1", "true or false is expected"},
        {"\"num_attention_heads\":5", "they do not divide each other"}};
    open_graph();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        with_members(text, sizeof text, good, cases[i].more);
        ib_lm *m = ib_lm_open(changed("llama", "config.json", text));
        if (cases[i].says) {
            CHECK_ERROR(m == NULL, cases[i].says);
            CHECK(strstr(ib_error(), temporary("changed")) && !strchr(ib_error(), '\n'));
        } else {
            if (!m)
                printf("\n    %s: %s ", cases[i].more, ib_error());
            CHECK(m != NULL);
        }
        ib_lm_free(m);
    }
    close_graph();
}

/* Keys of a GGUF file likewise. */
static void metadata_are_honoured_or_refused(void)
{
    static const struct {
        const char *key, *text;
        float real;
        const char *says;
    } cases[] = {{"general.comment", "hello", 0, NULL},
                 {"other.program", "hello", 0, NULL},
                 {"llama.rope.scale_linear", NULL, 2, NULL},
                 {"llama.expert_count", NULL, 0, NULL},
                 {"llama.expert_count", NULL, 8, "'llama.expert_count' is 8"},
                 {"llama.sink_count", NULL, 1, "an unknown key"},
                 {"llama.rope.scaling.type", "longrope", 0, "longrope"},
                 {"llama.final_logit_softcapping", NULL, 30, "'llama.final_logit_softcapping' is 30"},
                 {"llama.attention.layer_norm_rms_epsilon", NULL, 1, "stands twice"},
                 {"llama.attention.clamp_kqv", NULL, 8, "clamp_kqv"},
                 {"clip.has_vision_encoder", NULL, 1, "pictures"},
                 {"llama.rope.scaling.factor", "two", 0, "a number is expected"},
                 {"general.quantization_version", NULL, 1, "quantization_version"}};
    open_graph();
    ib_lm *m = ib_lm_open(path("llama", ""));
    ib_lm_saved saved;
    REQUIRE(m && !ib_lm_save(m, NULL, temporary("keys.gguf"), NULL, &saved, NULL, NULL));
    ib_lm_free(m);
    ib_gguf *f = ib_gguf_open(temporary("keys.gguf"));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        ib_gguf_writer w = {0};
        for (int64_t i = 0; i < f->n_kv; i++)
            ib_gguf_put_kv(&w, &f->kv[i]);
        if (cases[k].text)
            ib_gguf_put_string(&w, cases[k].key, cases[k].text);
        else
            ib_gguf_put_f32(&w, cases[k].key, cases[k].real);
        for (int64_t i = 0; i < f->n_entries; i++)
            ib_gguf_put_tensor(&w, f->entry[i].name, f->entry[i].ndim, f->entry[i].shape, f->entry[i].format);
        ib_file_writer *file = ib_gguf_start(&w, temporary("key.gguf"));
        for (int64_t i = 0; i < f->n_entries; i++)
            ib_gguf_data(file, f->entry[i].data, (size_t)f->entry[i].bytes);
        REQUIRE(!ib_file_writer_finish(file));
        ib_gguf_writer_release(&w);
        m = ib_lm_open(temporary("key.gguf"));
        if (cases[k].says) {
            CHECK_ERROR(m == NULL, cases[k].says);
            CHECK(strstr(ib_error(), "key.gguf") != NULL);
        } else {
            if (!m)
                printf("\n    %s: %s ", cases[k].key, ib_error());
            CHECK(m && (strcmp(cases[k].key, "llama.rope.scale_linear") || ib_lm_config_of(m)->rope_factor == 2));
        }
        ib_lm_free(m);
    }
    ib_gguf_close(f);
    close_graph();
}

/* Writes tensors from .. to of a file as part no of count; part 0 has the metadata too. */
static void write_part(const ib_gguf *f, const char *name, int no, int count, int64_t from, int64_t to,
                       uint32_t tensors)
{
    ib_gguf_writer w = {0};
    for (int64_t i = 0; i < f->n_kv && !no; i++)
        ib_gguf_put_kv(&w, &f->kv[i]);
    ib_gguf_put_u32(&w, "split.no", (uint32_t)no);
    ib_gguf_put_u32(&w, "split.count", (uint32_t)count);
    ib_gguf_put_u32(&w, "split.tensors.count", tensors);
    for (int64_t i = from; i < to; i++)
        ib_gguf_put_tensor(&w, f->entry[i].name, f->entry[i].ndim, f->entry[i].shape, f->entry[i].format);
    ib_file_writer *file = ib_gguf_start(&w, temporary(name));
    for (int64_t i = from; i < to; i++)
        ib_gguf_data(file, f->entry[i].data, (size_t)f->entry[i].bytes);
    REQUIRE(!ib_file_writer_finish(file));
    ib_gguf_writer_release(&w);
}

static void parts_are_one_file(void)
{
    open_graph();
    read_golden("qwen3");
    ib_lm *m = ib_lm_open(path("qwen3", ""));
    ib_lm_saved saved;
    REQUIRE(m && !ib_lm_save(m, NULL, temporary("whole.gguf"), NULL, &saved, NULL, NULL));
    ib_lm_free(m);
    ib_gguf *f = ib_gguf_open(temporary("whole.gguf"));
    const int64_t n = f->n_entries;
    const int64_t at[] = {0, 7, 8, n};
    char name[40];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "p-%05d-of-00003.gguf", i + 1);
        write_part(f, name, i, 3, at[i], at[i + 1], (uint32_t)n);
    }
    m = ib_lm_open(temporary("p-00001-of-00003.gguf"));
    if (!m)
        printf("\n    %s ", ib_error());
    REQUIRE(m != NULL);
    CHECK(furthest(logits_of(m), values("logits", T * VOCABULARY), T * VOCABULARY) <= 1e-4);
    REQUIRE(!ib_lm_save(m, NULL, temporary("joined.gguf"), NULL, &saved, NULL, NULL));
    CHECK(same_file(temporary("joined.gguf"), temporary("whole.gguf")));
    ib_lm_free(m);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00002-of-00003.gguf")), "is part 2 of 3: open the first");
    write_part(f, "other.gguf", 0, 3, 0, 7, (uint32_t)n);
    CHECK_ERROR(!ib_gguf_open(temporary("other.gguf")), "its name does not end in -00001-of-00003.gguf");
    write_part(f, "p-00001-of-00003.gguf", 0, 3, 0, 7, (uint32_t)n + 1);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "tensors in its parts, there are");
    write_part(f, "p-00002-of-00003.gguf", 2, 3, 7, 8, (uint32_t)n);
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "says that it is part 3 of 3, not 2 of 3");
    unlink(temporary("p-00002-of-00003.gguf"));
    CHECK_ERROR(!ib_gguf_open(temporary("p-00001-of-00003.gguf")), "p-00002-of-00003.gguf");
    ib_gguf_close(f);
    ib_safetensors_close(golden);
    close_graph();
}

SUITE("language", T(logits_equal_transformers), T(gradients_equal_peft), T(models_survive_files),
      T(adapters_survive_files), T(packing_and_cache_change_nothing), T(windows_of_perplexity), T(quantized_folders),
      T(bitsandbytes_checkpoint), T(deployed_is_what_ships), T(ends_are_read), T(parts_are_one_file),
      T(configurations_are_honoured_or_refused), T(metadata_are_honoured_or_refused))
