/* test_late_language.c - language models on the device test:poison, whose memory the host cannot read and whose kernels
 * run late, come to the bytes of plain C: adapters trained and tuned on, text generated, losses, files. Broken by: a
 * number that code outside of kernels and verbs touches; a matrix that the device has no copy of; an upload that is
 * forgotten; tables of positions that go while a step uses them. */
#include "tests/lm/golden_model.h"

#include "backends/test/poison.h"

/* What a model's life on a device comes to. */
typedef struct lived {
    float logits[40][VOCABULARY]; /* of each token generated */
    int32_t said[40];
    double nll[2], perplexity;
    int n;                /* numbers in */
    float adapter[20000]; /* all parameters */
    unsigned char file[1 << 17];
    size_t bytes; /* of the merged model's file */
} lived;

static void generate(ib_lm *m, int int8, lived *l)
{
    static const ib_sampling sampling = {.temperature = 0.8f, .top_k = 20, .repeat_penalty = 1.1f, .seed = 3};
    ib_kv *kv = ib_kv_new(m, 40, int8);
    REQUIRE(kv != NULL);
    memcpy(l->said, ids, 6 * sizeof *ids);
    for (int n = 6, at = 0; n < 20; at = n++) {
        float *logits = l->logits[n], changed[VOCABULARY];
        REQUIRE(!ib_lm_step(m, g, kv, l->said + at, n - at, logits));
        memcpy(changed, logits, sizeof changed);
        l->said[n] = ib_sample_token(&sampling, changed, VOCABULARY, l->said, n, (uint64_t)n);
        REQUIRE(l->said[n] >= 0);
        if (n == 12) { /* and again what was forgotten */
            REQUIRE(!ib_kv_rewind(kv, 9) && !ib_lm_step(m, g, kv, l->said + 9, 3, changed));
            CHECK(furthest(changed, logits, VOCABULARY) < 1e-4);
        }
    }
    ib_kv_free(kv);
}

/* Two steps on rows of two sequences, the second with the first layers checkpointed. */
static void train(ib_lm *m, lived *l)
{
    static const int32_t two[T] = {[12] = 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12};
    int32_t at[T];
    ib_optim *opt = ib_adamw_new(ib_lm_trainable(m), dev, &(ib_adamw_opts){.lr = 1e-2f});
    REQUIRE(opt != NULL);
    for (int i = 0; i < T; i++)
        at[i] = i % 12;
    for (int i = 0; i < 2; i++) {
        ib_graph_seed(g, 5, (uint64_t)i);
        ib_graph_begin(g, IB_TRAIN);
        const ib_lm_batch b = {T, ids, at, two};
        ib_tensor *loss = ib_lm_loss(m, g, ib_lm_hidden(m, g, &b, i), target, 1.0f / T, NULL);
        REQUIRE(loss && !ib_backward(g, loss) && !ib_optim_limit(opt, 0.5) && !ib_optim_step(opt));
    }
    for (int i = 0; i < ib_param_count(ib_lm_trainable(m)); i++) {
        ib_tensor *p = ib_param_at(ib_lm_trainable(m), i);
        REQUIRE(l->n + ib_tensor_size(p) <= (int64_t)(sizeof l->adapter / sizeof *l->adapter) &&
                !ib_tensor_read(p, l->adapter + l->n));
        l->n += (int)ib_tensor_size(p);
    }
    ib_optim_free(opt);
}

static void keep_file(const char *name, lived *l)
{
    FILE *f = fopen(name, "rb");
    REQUIRE(f != NULL);
    l->bytes += fread(l->file + l->bytes, 1, sizeof l->file - l->bytes, f);
    REQUIRE(feof(f));
    fclose(f);
    unlink(name);
}

static void live(const char *device, const char *arch, const ib_adapter_opts *o, const char *base, lived *l)
{
    memset(l, 0, sizeof *l);
    dev = ib_device_open(device);
    g = dev ? ib_graph_new(dev) : NULL;
    REQUIRE(g != NULL);
    read_golden(arch);
    ib_lm *m = ib_lm_open(path(arch, ""));
    ib_perplexity_result measured;
    if (!m || ib_lm_requantize(m, base) || ib_lm_adapt(m, o))
        printf("\n    %s: %s ", device, ib_error());
    REQUIRE(m && ib_lm_trainable(m));
    generate(m, 0, l);
    train(m, l);
    REQUIRE(!ib_lm_perplexity(m, g, ids, T, &(ib_perplexity_opts){.context = 12, .bos = -1}, &measured));
    l->perplexity = measured.perplexity;
    generate(m, 1, l);
    REQUIRE(!ib_lm_save(m, dev, temporary("late.gguf"), &(ib_lm_save_opts){.format = "f16"}, NULL));
    keep_file(temporary("late.gguf"), l);
    REQUIRE(!ib_lm_deploy(m, dev, "q8_0"));
    generate(m, 0, l);
    ib_lm_free(m);
    ib_safetensors_close(golden);
    close_graph();
}

static void lives_alike(const char *arch, const ib_adapter_opts *o, const char *base)
{
    static lived here, there;
    live("cpu:ref", arch, o, base, &here);
    live("test:poison", arch, o, base, &there);
    CHECK(here.n > 0 && here.n == there.n && !memcmp(here.adapter, there.adapter, (size_t)here.n * sizeof(float)));
    CHECK(!memcmp(here.said, there.said, sizeof here.said) && !memcmp(here.logits, there.logits, sizeof here.logits));
    CHECK(here.perplexity > 1 && here.perplexity == there.perplexity);
    CHECK(here.bytes > 1000 && here.bytes == there.bytes && !memcmp(here.file, there.file, here.bytes));
}

/* What a fine-tuning that stops and goes on comes to. */
typedef struct tuned {
    double loss[3], norm[3], nll; /* of each step; behind the last */
    unsigned char file[1 << 16];  /* the adapter's */
    size_t bytes;
    int stop;
} tuned;

static int note(void *user, const ib_finetune_step *s)
{
    tuned *t = user;
    t->loss[s->step - 1] = s->loss;
    t->norm[s->step - 1] = s->grad_norm;
    t->nll = s->eval_nll;
    return s->step == t->stop;
}

/* stop: behind which step it stops and begins again with a new model, 0: none */
static void finetune(const char *device, int stop, const char *rows, tuned *t)
{
    const char *out = temporary("adapter");
    char file[300], command[300];
    memset(t, 0, sizeof *t);
    t->stop = stop;
    dev = ib_device_open(device);
    g = dev ? ib_graph_new(dev) : NULL;
    ib_tokenizer *words = ib_tokenizer_open(MODELS "chat");
    ib_samples *s = words ? ib_samples_open(rows, words, &(ib_samples_opts){.seq = 24}) : NULL;
    REQUIRE(g && s);
    for (int part = !stop; part < 2; part++) {
        ib_lm *m = ib_lm_open(MODELS "chat");
        REQUIRE(m && !ib_lm_adapt(m, &(ib_adapter_opts){.r = 2}));
        const ib_finetune_opts o = {
            .steps = 3, .schedule = {.lr = 1e-2f}, .clip = 1, .out = out, .resume = part, .progress = note, .user = t};
        const ib_status status = ib_finetune(m, g, s, s, &o);
        if (status != (part ? IB_OK : IB_ESTOPPED))
            printf("\n    %s: %s ", device, ib_error());
        CHECK_INT(status, part ? IB_OK : IB_ESTOPPED);
        ib_lm_free(m);
    }
    snprintf(file, sizeof file, "%s/adapter_model.safetensors", out);
    FILE *f = fopen(file, "rb");
    REQUIRE(f != NULL);
    t->bytes = fread(t->file, 1, sizeof t->file, f);
    fclose(f);
    snprintf(command, sizeof command, "rm -r %s", out);
    CHECK(!system(command));
    ib_samples_free(s);
    ib_tokenizer_free(words);
    close_graph();
}

static void write_rows(char rows[256])
{
    snprintf(rows, 256, "%s", temporary("rows.jsonl"));
    mkdir(folder, 0777);
    FILE *f = fopen(rows, "w");
    REQUIRE(f != NULL);
    for (int i = 0; i < 5; i++)
        fprintf(f, "{\"prompt\": \"%d and %d\", \"completion\": \"yes\"}\n", i, 3 * i);
    fclose(f);
}

/* Steps that nobody watches, at a rate after which nothing is finite: not saved as good ones. */
static void fine_tuning_in_vain_is_told(void)
{
    static const char *const devices[] = {"cpu:ref", "test:poison"};
    char rows[256], command[300];
    write_rows(rows);
    for (int d = 0; d < 2; d++) {
        const char *out = temporary("adapter");
        dev = ib_device_open(devices[d]);
        g = dev ? ib_graph_new(dev) : NULL;
        ib_tokenizer *words = ib_tokenizer_open(MODELS "chat");
        ib_samples *s = words ? ib_samples_open(rows, words, &(ib_samples_opts){.seq = 24}) : NULL;
        ib_lm *m = ib_lm_open(MODELS "chat");
        REQUIRE(g && s && m && !ib_lm_adapt(m, &(ib_adapter_opts){.r = 2}));
        CHECK_INT(ib_finetune(m, g, s, NULL, &(ib_finetune_opts){.steps = 3, .schedule = {.lr = 3e38f}, .out = out}),
                  IB_ENUMERIC);
        ib_lm_free(m);
        snprintf(command, sizeof command, "rm -r %s", out);
        CHECK(!system(command));
        ib_samples_free(s);
        ib_tokenizer_free(words);
        close_graph();
    }
    unlink(rows);
    rmdir(folder);
}

static void fine_tuning_goes_on_to_the_same_bytes(void)
{
    static tuned here, there;
    char rows[256];
    write_rows(rows);
    finetune("cpu:ref", 0, rows, &here);
    finetune("test:poison", 2, rows, &there);
    CHECK(here.loss[0] > 0 && here.loss[2] > 0 && here.norm[2] > 0 && here.nll > 0);
    CHECK(!memcmp(here.loss, there.loss, sizeof here.loss) && !memcmp(here.norm, there.norm, sizeof here.norm));
    CHECK(here.nll == there.nll);
    CHECK(here.bytes > 1000 && here.bytes == there.bytes && !memcmp(here.file, there.file, here.bytes));
    unlink(rows);
    rmdir(folder);
}

static void models_live_to_the_same_bytes(void)
{
    mkdir(folder, 0777);
    lives_alike("llama", &(ib_adapter_opts){.r = 4, .dropout = 0.2f}, "keep");
    lives_alike("llama", &(ib_adapter_opts){.r = 2, .dora = 1, .targets = "q_proj,mlp"}, "nf4_dq");
    lives_alike("gemma3", &(ib_adapter_opts){.r = 2, .rslora = 1, .save = "embed_tokens,lm_head"}, "int8");
    rmdir(folder);
}

/* A tape of a short row and then of longer ones: each has the table of angles that it was made with. */
static void tables_of_positions_stay(void)
{
    static const char *const devices[] = {"cpu:ref", "test:poison"};
    for (int d = 0; d < 2; d++) {
        dev = ib_device_open(devices[d]);
        g = dev ? ib_graph_new(dev) : NULL;
        read_golden("llama");
        ib_lm *m = ib_lm_open(path("llama", ""));
        REQUIRE(g && m && !ib_graph_begin(g, IB_TRACE));
        for (int n = 6; n <= T; n *= 2)
            REQUIRE(ib_lm_hidden(m, g, &(ib_lm_batch){n, ids, pos, first}, 0) != NULL);
        int turned = 0;
        for (int i = 0; i < g->n_nodes; i++) {
            if (g->nodes[i].op != &ib_op_rope)
                continue;
            const ib_tensor *table = g->nodes[i].in[1];
            const float *angles = numbers_of(table);
            CHECK(!strcmp(ib_tensor_name(table), "rotary positions"));
            CHECK_INT(table->shape[0], 6 << turned++ / (2 * m->c.layers));
            for (int64_t p = 0; p < table->shape[0]; p++)
                CHECK_NEAR(angles[p * table->shape[1]], cos((double)p), 1e-6);
        }
        CHECK_INT(turned, 3 * 2 * m->c.layers);
        ib_lm_free(m);
        ib_safetensors_close(golden);
        close_graph();
    }
}

int main(void)
{
    static const test_case cases[] = {T(models_live_to_the_same_bytes), T(tables_of_positions_stay),
                                      T(fine_tuning_in_vain_is_told), T(fine_tuning_goes_on_to_the_same_bytes)};
    snprintf(folder, sizeof folder, "/tmp/isobit-late-language-%ld", (long)getpid());
    return run_suite("late language", cases, sizeof cases / sizeof *cases);
}
