/* test_whole.c - embedding and head trained whole beside an adapter: gradients against differences of the loss, files,
 * merging, what is refused. The numbers of peft and transformers are held in model_files.py. Broken by: a head that
 * stays the base's, a shared copy where PEFT has two, a merge that ties again what was parted, a tensor that nobody
 * reads. */
#include "tests/folder.h"

#include "files/safetensors.h"
#include "lm/adapters/adapter.h"

#define MODEL(name) IB_TEST_SOURCE "/golden/models/" name
enum { T = 24, VOCABULARY = 67, WIDTH = 32 };

static ib_device *dev;
static ib_graph *g;
static int32_t ids[T], pos[T], first[T], target[T];

static void begin(void)
{
    const char *other = getenv("ISOBIT_TEST_DEVICE");
    dev = ib_device_open(other ? other : "cpu:base"); /* fp32 products */
    g = ib_graph_new(dev);
    REQUIRE(g != NULL);
    make_dir();
    for (int i = 0; i < T; i++) {
        ids[i] =
            (int32_t)(3 + ib_rng_below((ib_rng){5, 0}, (uint64_t)i, 20)); /* some tokens several times, some never */
        pos[i] = i;
    }
    for (int i = 0; i < T; i++)
        target[i] = i + 1 < T ? ids[i + 1] : -1;
}

static void end(void)
{
    ib_graph_free(g);
    ib_device_close(dev);
    remove_dir();
}

static const ib_lm_batch *batch(void)
{
    static ib_lm_batch b;
    b = (ib_lm_batch){T, ids, pos, first};
    return &b;
}

static void logits_into(ib_lm *m, float *out)
{
    ib_graph_begin(g, IB_EVAL);
    ib_tensor *y = ib_lm_logits(m, g, ib_lm_hidden(m, g, batch(), 0));
    REQUIRE(y && ib_tensor_size(y) == T * VOCABULARY && !ib_tensor_read(y, out));
}

static double furthest(const float *a, const float *b)
{
    double worst = 0;
    for (int i = 0; i < T * VOCABULARY; i++)
        worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst;
}

static void add(ib_tensor *t, const float *d, float by)
{
    float *x = malloc((size_t)ib_tensor_size(t) * sizeof *x);
    REQUIRE(x && !ib_tensor_read(t, x));
    for (int64_t k = 0; k < ib_tensor_size(t); k++)
        x[k] += by * d[k];
    REQUIRE(!ib_tensor_write(t, x));
    free(x);
}

/* n numbers of a stream, or a gradient; for free(). */
static float *normals(ib_rng rng, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    REQUIRE(x != NULL);
    for (int64_t k = 0; k < n; k++)
        x[k] = ib_rng_normal(rng, (uint64_t)k);
    return x;
}
static float *gradient_of(const ib_tensor *t)
{
    float *x = malloc((size_t)ib_tensor_size(t) * sizeof *x);
    REQUIRE(x && !ib_tensor_read_grad(t, x));
    return x;
}

/* The golden model with an adapter; every trained tensor is moved, so that nothing is the base's. */
static ib_lm *adapted(const char *model, const char *save)
{
    ib_lm *m = ib_lm_open(model);
    REQUIRE(m && !ib_lm_adapt(m, &(ib_adapter_opts){.r = 3, .targets = "q_proj,down_proj", .save = save, .seed = 9}));
    ib_layer *l = ib_lm_trainable(m);
    for (int i = 0; i < ib_param_count(l); i++) {
        ib_tensor *t = ib_param_at(l, i);
        float *by = normals((ib_rng){7, (uint64_t)i}, ib_tensor_size(t));
        add(t, by, 0.1f);
        free(by);
    }
    return m;
}

static double loss_of(ib_lm *m, int mode)
{
    ib_graph_begin(g, mode);
    ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, batch(), 0), target, 1.0f / (T - 1), NULL);
    REQUIRE(loss != NULL);
    float value;
    REQUIRE(!ib_tensor_read(loss, &value));
    if (mode == IB_TRAIN)
        REQUIRE(!ib_backward(g, loss));
    return value;
}

/* <grad, d> = (L(w + h d) - L(w - h d)) / 2 h, along the gradient itself and along a random direction. */
static void gradients_are_differences(void)
{
    static const char *const models[] = {MODEL("llama"), MODEL("gemma3"), MODEL("qwen3")};
    static const char *const saves[] = {"embed_tokens", "lm_head", "embed_tokens,lm_head"};
    begin();
    for (int i = 0; i < 9; i++) {
        ib_lm *m = adapted(models[i / 3], saves[i % 3]);
        const int layers = ib_lm_config_of(m)->layers, n = ib_param_count(ib_lm_trainable(m));
        CHECK_INT(n, 4 * layers + 1 + (i % 3 == 2));
        loss_of(m, IB_TRAIN);
        for (int p = 0; p < n; p++) {
            ib_tensor *t = ib_param_at(ib_lm_trainable(m), p);
            const int64_t size = ib_tensor_size(t);
            float *gradient = gradient_of(t);
            for (int random = 0; random < 2; random++) {
                double norm = 0, want = 0;
                float *d = random ? normals((ib_rng){11, (uint64_t)p}, size) : gradient_of(t);
                for (int64_t k = 0; k < size; k++)
                    norm += (double)d[k] * d[k];
                for (int64_t k = 0; k < size; k++)
                    d[k] /= (float)sqrt(norm);
                for (int64_t k = 0; k < size; k++)
                    want += (double)d[k] * gradient[k];
                CHECK(random || want > 1e-4); /* something is learned everywhere */
                const float h = 0.02f;
                add(t, d, h);
                const double up = loss_of(m, IB_EVAL);
                add(t, d, -2 * h);
                const double down = loss_of(m, IB_EVAL);
                add(t, d, h);
                CHECK_NEAR((up - down) / (2 * (double)h), want, 2e-4 + 5e-3 * fabs(want));
                free(d);
            }
            free(gradient);
        }
        ib_lm_free(m);
    }
    end();
}

/* Rows of tokens that do not occur get nothing from the embedding, where the head is another tensor. */
static void parts_are_apart(void)
{
    begin();
    ib_lm *m = adapted(MODEL("llama"), "embed_tokens"), *base = ib_lm_open(MODEL("llama"));
    float want[T * VOCABULARY], got[T * VOCABULARY];
    CHECK(ib_lm_config_of(m)->tied);
    loss_of(m, IB_TRAIN);
    ib_tensor *t = ib_lm_whole(m, IB_WHOLE_EMBEDDING);
    REQUIRE(t && !ib_lm_whole(m, IB_WHOLE_HEAD));
    float *gradient = gradient_of(t);
    for (int v = 0; v < VOCABULARY; v++) {
        int there = 0, moved = 0;
        for (int i = 0; i < T - 1; i++) /* behind the last nothing is learned */
            there |= ids[i] == v;
        for (int k = 0; k < WIDTH; k++)
            moved |= gradient[v * WIDTH + k] != 0;
        CHECK_INT(moved, there);
    }
    free(gradient);
    /* before anything is learned the model is the base, to the bit */
    logits_into(base, want);
    REQUIRE(!ib_lm_adapt(base, &(ib_adapter_opts){.r = 2, .save = "model.embed_tokens, lm_head"}));
    logits_into(base, got);
    CHECK(furthest(got, want) <= 1e-6);
    ib_lm_free(base);
    ib_lm_free(m);
    end();
}

static void survive_files(void)
{
    static const char *const models[] = {MODEL("llama"), MODEL("gemma3"), "untied"};
    static const char *const saves[] = {"embed_tokens", "lm_head", "lm_head,embed_tokens"};
    float want[T * VOCABULARY], got[T * VOCABULARY];
    begin();
    for (int i = 0; i < 9; i++) {
        char model[160];
        snprintf(model, sizeof model, "%s", i / 3 < 2 ? models[i / 3] : in_dir(models[2]));
        ib_lm *m = adapted(model, saves[i % 3]), *back = ib_lm_open(model), *made;
        ib_lm_saved saved;
        logits_into(m, want);
        REQUIRE(!ib_lm_adapter_save(m, in_dir("adapter"), "base") && back &&
                !ib_lm_adapter_open(back, in_dir("adapter")));
        logits_into(back, got);
        CHECK(!memcmp(got, want, sizeof got));
        CHECK_ERROR(ib_lm_adapter_save_gguf(m, in_dir("adapter.gguf")),
                    i % 3 == 1 ? "no place for lm_head" : "no place for embed_tokens");
        CHECK(!ib_lm_adapter_check(back, &(ib_adapter_opts){.save = saves[i % 3]}) &&
              !ib_lm_adapter_check(back, &(ib_adapter_opts){.r = 3}));
        CHECK_ERROR(ib_lm_adapter_check(back, &(ib_adapter_opts){.save = i % 3 ? "embed_tokens" : "lm_head"}),
                    i % 3 == 1 ? "no whole embed_tokens"
                    : i % 3    ? "a whole lm_head"
                               : "a whole embed_tokens");
        /* merged, embedding and head are two */
        for (int gguf = 0; gguf < 2; gguf++) {
            const char *to = in_dir(gguf ? "merged.gguf" : i / 3 == 0 ? "untied" : "merged");
            REQUIRE(
                !ib_lm_save(m, dev, to, &(ib_lm_save_opts){.source = gguf ? NULL : model, .format = "f32"}, &saved));
            CHECK_INT(saved.lossy, 2 * ib_lm_config_of(m)->layers + 1 + (i % 3 == 2));
            made = ib_lm_open(to);
            if (!made)
                printf("\n    %s ", ib_error());
            REQUIRE(made != NULL);
            CHECK(!ib_lm_config_of(made)->tied && ib_lm_weight_count(made) == ib_lm_weight_count(m));
            logits_into(made, got);
            CHECK(furthest(got, want) <= 1e-4);
            ib_lm_free(made);
        }
        ib_lm_free(back);
        ib_lm_free(m);
    }
    end();
}

static void put_config(const char *saved)
{
    FILE *f = fopen(in_dir("adapter/adapter_config.json"), "w");
    REQUIRE(f != NULL);
    fprintf(f,
            "{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 6, \"target_modules\": [\"q_proj\", \"down_proj\"], "
            "\"modules_to_save\": %s}",
            saved);
    fclose(f);
}

/* The adapter's file with the head replaced by `shape`, or left out where it is NULL. */
static void put_tensors(const int64_t *shape)
{
    ib_safetensors *f = ib_safetensors_open(in_dir("adapter/adapter_model.safetensors"));
    REQUIRE(f != NULL);
    ib_safetensors_item items[64];
    int n = 0;
    for (int64_t i = 0; i < f->n_entries; i++) {
        const ib_entry *e = &f->entry[i];
        const int head = strstr(e->name, "lm_head") != NULL;
        if (head && !shape)
            continue;
        items[n++] = (ib_safetensors_item){e->name, "F32",
                                           e->ndim, {head ? shape[0] : e->shape[0], head ? shape[1] : e->shape[1]},
                                           e->data, (size_t)e->bytes};
    }
    REQUIRE(!ib_safetensors_write(in_dir("other.safetensors"), n, items, (const char *[]){"format", "pt", NULL}));
    ib_safetensors_close(f);
    REQUIRE(!rename(in_dir("other.safetensors"), in_dir("adapter/adapter_model.safetensors")));
}

static void else_refused(void)
{
    static const struct {
        const char *saved, *says;
    } bad[] = {{"null", "'modules_to_save' does not name embed_tokens, which has a tensor"},
               {"[]", "does not name embed_tokens"},
               {"[\"embed_tokens\"]", "does not name lm_head, which has a tensor"},
               {"\"lm_head\"", "no list of names"},
               {"[\"embed_tokens\", \"lm_head\", \"q_proj\"]", "'modules_to_save' has \"q_proj\""},
               {"[\"embed_tokens\", \"lm_head\", \"norm\"]", "\"norm\""},
               {"[\"embed_tokens\", \"head\"]", "\"head\""},
               {"[\"embed_tokens\", 3]", "'modules_to_save' has 3"},
               {"{}", "no list of names"}};
    float want[T * VOCABULARY], got[T * VOCABULARY];
    begin();
    ib_lm *m = adapted(MODEL("llama"), "embed_tokens,lm_head"), *base = ib_lm_open(MODEL("llama"));
    REQUIRE(base && !ib_lm_adapter_save(m, in_dir("adapter"), "base"));
    logits_into(base, want);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_config(bad[i].saved);
        CHECK_ERROR(ib_lm_adapter_open(base, in_dir("adapter")), bad[i].says);
        CHECK(strstr(ib_error(), in_dir("adapter")) != NULL);
    }
    put_config("[\"lm_head\", \"model.embed_tokens\"]");
    put_tensors((const int64_t[]){WIDTH, VOCABULARY});
    CHECK_ERROR(ib_lm_adapter_open(base, in_dir("adapter")), "does not fit a lm_head [67,32]");
    put_tensors((const int64_t[]){VOCABULARY * 2, WIDTH / 2});
    CHECK_ERROR(ib_lm_adapter_open(base, in_dir("adapter")), "does not fit a lm_head [67,32]");
    put_tensors((const int64_t[]){VOCABULARY, WIDTH});
    logits_into(base, got); /* what failed left nothing behind */
    CHECK(!memcmp(got, want, sizeof got));
    REQUIRE(!ib_lm_adapter_open(base, in_dir("adapter")));
    logits_into(base, got);
    logits_into(m, want);
    CHECK(furthest(got, want) <= 1e-6);
    ib_lm_free(base);
    put_tensors(NULL);
    base = ib_lm_open(MODEL("llama"));
    CHECK_ERROR(ib_lm_adapter_open(base, in_dir("adapter")), "'modules_to_save' names lm_head, which has no tensor");
    CHECK_ERROR(ib_lm_adapt(base, &(ib_adapter_opts){.save = "norm"}),
                "--lora save: 'norm': embed_tokens and lm_head can be trained whole");
    CHECK_ERROR(ib_lm_adapt(base, &(ib_adapter_opts){.save = ""}), "--lora save: names no weight");
    CHECK(!ib_lm_adapt(base, &(ib_adapter_opts){.save = "lm_head"}));
    ib_lm_free(base);
    ib_lm_free(m);
    end();
}

SUITE("whole", T(gradients_are_differences), T(parts_are_apart), T(survive_files), T(else_refused))
