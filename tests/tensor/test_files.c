/* test_files.c - GGUF, safetensors, tokenizers and adapters as damage arrives: cut at every length, bits flipped,
 * absurd counts, wrong shapes, missing tensors, NaN weights. Each gives NULL and one line, never a crash or a huge
 * allocation. Broken by: a length that is believed before it is checked. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "files/gguf.h"
#include "files/safetensors.h"
#include "lm/lm.h"
#include "tests/lm/saving.h"

#define MODELS IB_TEST_SOURCE "/golden/models/"
static char folder[64];

static const char *at(const char *name)
{
    static char buf[4][256];
    static int i;
    i = (i + 1) % 4;
    if (!*folder) {
        snprintf(folder, sizeof folder, "/tmp/isobit-test-files-%ld", (long)getpid());
        mkdir(folder, 0777);
    }
    snprintf(buf[i], sizeof buf[i], "%s/%s", folder, name);
    return buf[i];
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

/* A tiny model with a tokenizer as GGUF, in memory. */
static unsigned char *tiny_gguf(size_t *size)
{
    ib_lm *m = ib_lm_new(
        &(ib_lm_config){.layers = 1, .width = 32, .ff = 32, .heads = 2, .groups = 1, .vocabulary = 500, .context = 16},
        1);
    REQUIRE(m && !save_model(m, at("tiny.gguf"), MODELS "tokenizer_smollm", "q4_0"));
    ib_lm_free(m);
    return ib_file_read(at("tiny.gguf"), size);
}

static int opens(const char *path)
{
    ib_lm *m = ib_lm_open(path);
    ib_tokenizer *t = ib_tokenizer_open(path);
    const int ok = m && t;
    if (!ok) {
        CHECK(*ib_error() && !strchr(ib_error(), '\n'));
    }
    ib_lm_free(m);
    ib_tokenizer_free(t);
    return ok;
}

static void gguf_cut_at_every_length(void)
{
    size_t size;
    unsigned char *b = tiny_gguf(&size);
    CHECK(opens(at("tiny.gguf")));
    unsigned char *longer = calloc(1, size + 64);
    put(at("longer.gguf"), memcpy(longer, b, size), size + 64);
    CHECK_ERROR(!ib_gguf_open(at("longer.gguf")), "behind its last tensor");
    free(longer);
    for (size_t n = 0; n < size; n += n < 3000 ? 7 : n + 4000 < size ? 997 : 101) {
        put(at("cut.gguf"), b, n);
        CHECK(!opens(at("cut.gguf")));
    }
    ib_free(b);
}

static void gguf_with_flipped_bits(void)
{
    size_t size;
    unsigned char *b = tiny_gguf(&size), *c = malloc(size);
    for (int i = 0; i < 1500; i++) {
        memcpy(c, b, size);
        const uint32_t r = ib_rng_u32((ib_rng){5, 5}, (uint64_t)i);
        c[r % (i % 3 ? 2000 : size)] ^= (unsigned char)(1u << (r >> 29));
        put(at("flip.gguf"), c, size);
        opens(at("flip.gguf")); /* either way, without a crash: the sanitizers look */
    }
    ib_free(b);
    free(c);
}

static void absurd_counts(void)
{
    size_t size;
    unsigned char *b = tiny_gguf(&size);
    const uint64_t huge[] = {UINT64_MAX, 1ull << 62, 1ull << 40, (uint64_t)size + 1};
    for (int h = 0; h < 4; h++)
        for (int field = 8; field <= 24; field += 8) {
            uint64_t old;
            memcpy(&old, b + field, 8);
            memcpy(b + field, &huge[h], 8);
            put(at("absurd.gguf"), b, size);
            CHECK(!opens(at("absurd.gguf")));
            memcpy(b + field, &old, 8);
        }
    ib_free(b);
}

static void safetensors_damage(void)
{
    size_t size;
    unsigned char *b = ib_file_read(MODELS "llama/adapter/adapter_model.safetensors", &size);
    for (size_t n = 0; n < size; n += n < 600 ? 5 : 211) {
        put(at("cut.safetensors"), b, n);
        ib_safetensors *f = ib_safetensors_open(at("cut.safetensors"));
        CHECK(f == NULL && *ib_error());
        ib_safetensors_close(f);
    }
    for (int i = 0; i < 1500; i++) {
        const uint32_t r = ib_rng_u32((ib_rng){6, 5}, (uint64_t)i);
        const size_t k = r % 3000;
        b[k] ^= (unsigned char)(1u << (r >> 29));
        put(at("flip.safetensors"), b, size);
        ib_safetensors_close(ib_safetensors_open(at("flip.safetensors")));
        b[k] ^= (unsigned char)(1u << (r >> 29));
    }
    ib_free(b);
    static const char *const bad[][2] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,15]}}", "needs 16"},
        {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", "F99"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "-2"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1099511627776,1099511627776],\"data_offsets\":[0,8]}}", "dimension"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "offsets"},
        {"{\"a\":17}", "none"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "16 bytes of data, its tensors take 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", "begins at byte 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
         "'b' begins at byte 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
         "stands twice"},
        {"{\"a\"", "JSON"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char file[300] = {0};
        const uint64_t n = strlen(bad[i][0]);
        memcpy(file, &n, 8);
        memcpy(file + 8, bad[i][0], n);
        put(at("bad.safetensors"), file, 8 + n + 16);
        ib_safetensors *f = ib_safetensors_open(at("bad.safetensors"));
        CHECK_ERROR(f == NULL, bad[i][1]);
        ib_safetensors_close(f);
    }
}

/* A folder whose tensors lie in two files. */
static void shards(void)
{
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6};
    mkdir(at("sharded"), 0777);
    REQUIRE(!ib_safetensors_write(at("sharded/one.safetensors"), 1,
                                  &(ib_safetensors_item){"a", "F32", 2, {2, 2}, a, sizeof a}, NULL));
    REQUIRE(!ib_safetensors_write(at("sharded/two.safetensors"), 1,
                                  &(ib_safetensors_item){"b", "F32", 1, {2}, b, sizeof b}, NULL));
    put_text(at("sharded/model.safetensors.index.json"),
             "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
    ib_safetensors *f = ib_safetensors_open(at("sharded"));
    REQUIRE(f != NULL);
    CHECK_INT(f->n_files, 2);
    const ib_entry *e = ib_safetensors_find(f, "b"), *first = ib_safetensors_find(f, "a");
    CHECK(first && first->ndim == 2 && e && ib_entry_size(e) == 2 && !memcmp(e->data, b, sizeof b));
    ib_safetensors_close(f);
    put_text(at("sharded/model.safetensors.index.json"), "{\"weight_map\": {\"a\": \"three.safetensors\"}}");
    CHECK_ERROR(ib_safetensors_open(at("sharded")) == NULL, "three.safetensors");
    put_text(at("sharded/model.safetensors.index.json"), "{}");
    CHECK_ERROR(ib_safetensors_open(at("sharded")) == NULL, "weight_map");
}

static void copy(const char *from, const char *to)
{
    size_t n;
    unsigned char *b = ib_file_read(from, &n);
    REQUIRE(b != NULL);
    put(to, b, n);
    ib_free(b);
}

static void wrong_models_are_told(void)
{
    mkdir(at("hf"), 0777);
    CHECK_ERROR(ib_lm_open(at("nowhere")) == NULL, "no such file");
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "config.json");
    put_text(at("hf/config.json"), "{\"model_type\":\"gpt7\"}");
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "neither model.safetensors");
    copy(MODELS "llama/model.safetensors", at("hf/model.safetensors"));
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "architecture 'gpt7'; there are llama");
    copy(MODELS "qwen2/config.json", at("hf/config.json"));
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "bias");
    static const char narrow[] =
        "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":44,\"num_hidden_layers\":2,\"num_attention_"
        "heads\":4,\"num_key_value_heads\":2,\"vocab_size\":67,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5}";
    put(at("hf/config.json"), narrow, sizeof narrow - 1);
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "[48,32], not [44,32]");
    static const char deep[] =
        "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":48,\"num_hidden_layers\":3,\"num_attention_"
        "heads\":4,\"num_key_value_heads\":2,\"vocab_size\":67,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5}";
    put(at("hf/config.json"), deep, sizeof deep - 1);
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "has no tensor 'model.layers.2");
    put_text(at("hf/config.json"), "{\"model_type\":\"llama\",\"hidden_size\":32,\"intermediate_size\":48,\"num_hidden_"
                                   "layers\":-3,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
                                   "\"vocab_size\":67,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5}");
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "-3 layers");
    put_text(at("hf/config.json"), "{\"model_type\":\"llama\",\"num_hidden_layers\":3}");
    CHECK_ERROR(ib_lm_open(at("hf")) == NULL, "has no 'vocab_size'");
    /* a norm that is not finite */
    ib_lm *m = ib_lm_open(MODELS "llama");
    ib_tensor_f32(m->norm)[3] = NAN;
    CHECK_ERROR(save_model(m, at("nan.gguf"), NULL, NULL), "nan at 3");
    ib_lm_free(m);
}

static void wrong_adapters_are_told(void)
{
    ib_lm *m = ib_lm_open(MODELS "llama");
    CHECK_ERROR(ib_lm_adapter_open(m, at("nobody")), "nobody");
    mkdir(at("adapter"), 0777);
    CHECK_ERROR(ib_lm_adapter_open(m, at("adapter")), "adapter_config.json");
    put_text(at("adapter/adapter_config.json"), "{\"peft_type\":\"IA3\"}");
    copy(MODELS "qwen3/adapter/adapter_model.safetensors", at("adapter/adapter_model.safetensors"));
    CHECK_ERROR(ib_lm_adapter_open(m, at("adapter")), "IA3");
    put_text(at("adapter/adapter_config.json"), "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6}");
    CHECK_ERROR(ib_lm_adapter_open(m, at("adapter")), "has no 'target_modules'");
    put_text(at("adapter/adapter_config.json"), "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6,\"target_modules\":"
                                                "\"all-linear\",\"rank_pattern\":{\"q_proj\":5}}");
    CHECK_ERROR(ib_lm_adapter_open(m, at("adapter")), "do not fit a layer");
    /* a good one, and what its configuration may not say beside its tensors */
    copy(MODELS "llama/adapter/adapter_model.safetensors", at("adapter/adapter_model.safetensors"));
    const char *const good[] = {"\"peft_type\":\"LORA\"", "\"r\":3", "\"lora_alpha\":6",
                                "\"target_modules\":\"all-linear\""};
    static const struct {
        const char *more, *says;
    } bad[] = {{"\"init_lora_weights\":\"pissa\"", "'init_lora_weights' is \"pissa\""},
               {"\"init_lora_weights\":\"pissa_niter_16\"", "plain LoRA"},
               {"\"init_lora_weights\":\"olora\"", "init_lora_weights"},
               {"\"init_lora_weights\":\"loftq\"", "init_lora_weights"},
               {"\"alora_invocation_tokens\":[5,6]", "alora_invocation_tokens"},
               {"\"layer_replication\":[[0,2],[1,2]]", "layer_replication"},
               {"\"use_qalora\":true", "use_qalora"},
               {"\"fan_in_fan_out\":true", "fan_in_fan_out"},
               {"\"lora_bias\":true", "lora_bias"},
               {"\"bias\":\"all\"", "'bias' is \"all\""},
               {"\"modules_to_save\":[\"lm_head\"]", "modules_to_save"},
               {"\"r\":4", "says rank 4"},
               {"\"rank_pattern\":{\"layers.1.mlp.up_proj\":2}", "says rank 2 for model.layers.1.mlp.up_proj"},
               {"\"use_dora\":true", "has no magnitude vector"},
               {"\"layers_to_transform\":[1]", "does not name layer model.layers.0.self_attn.q_proj"},
               {"\"exclude_modules\":[\"up_proj\"]", "does not name layer"},
               {"\"exclude_modules\":\".*gate_proj\"", "does not name layer"},
               {"\"target_modules\":[\"q_proj\"]", "does not name layer"},
               {"\"target_modules\":\"(\"", "no regular expression"},
               {"\"target_parameters\":[\"x\"]", "target_parameters"},
               {"\"trainable_token_indices\":[1]", "trainable_token_indices"},
               {"\"megatron_config\":{}", "megatron_config"},
               {"\"lora_alpha\":\"6\"", "a number is expected"},
               {"\"lora_alpha\":0", "an alpha of 0"},
               {"\"use_rslora\":1", "true or false is expected"},
               {"\"use_something_new\":true", "an unknown field"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[400];
        int n = snprintf(text, sizeof text, "{%s", bad[i].more);
        for (int j = 0; j < 4; j++) /* a member of `more` stands in the place of the good one */
            if (strncmp(good[j], bad[i].more, strcspn(good[j], ":") + 1))
                n += snprintf(text + n, sizeof text - (size_t)n, ",%s", good[j]);
        strcat(text, "}");
        put_text(at("adapter/adapter_config.json"), text);
        ib_lm *fresh = ib_lm_open(MODELS "llama");
        CHECK_ERROR(ib_lm_adapter_open(fresh, at("adapter")), bad[i].says);
        CHECK(strstr(ib_error(), at("adapter")) != NULL);
        ib_lm_free(fresh);
    }
    char text[400];
    snprintf(text, sizeof text, "{%s,%s,%s,%s,%s}", good[0], good[1], good[2], good[3],
             "\"layers_to_transform\":[0,1],\"layers_pattern\":\"layers\",\"exclude_modules\":[],\"use_something_new\":"
             "null");
    put_text(at("adapter/adapter_config.json"), text);
    ib_lm_free(m);
    m = ib_lm_open(MODELS "llama");
    CHECK(!ib_lm_adapter_open(m, at("adapter")));
    ib_lm_free(m);
    m = ib_lm_open(MODELS "llama");
    CHECK_ERROR(ib_lm_adapt(m, &(ib_adapter_opts){.targets = "nothing"}), "no layer has such a name");
    ib_lm_free(m);
    m = ib_lm_open(MODELS "llama");
    CHECK(!ib_lm_adapt(m, &(ib_adapter_opts){.r = 2}));
    CHECK_ERROR(ib_lm_adapt(m, &(ib_adapter_opts){.r = 2}), "has an adapter already");
    ib_lm_free(m);
}

static void wrong_data_are_told(void)
{
    ib_tokenizer *t = ib_tokenizer_open(MODELS "tokenizer_smollm");
    const ib_samples_opts o = {.seq = 16, .chat = "chatml"};
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "holds no data"},
        {"\n\n", "holds no data"},
        {"{\"text\": \"a\"}\nnot json\n", "line 2"},
        {"[1]", "line 1"},
        {"{\"id\": 1}", "neither messages"},
        {"{\"messages\": []}", "no messages"},
        {"{\"messages\": [{\"role\": \"user\"}]}", "no content"},
        {"{\"messages\": [{\"role\": \"wizard\", \"content\": \"x\"}]}", "'wizard'"},
        {"{\"messages\": [{\"role\": \"user\", \"content\": \"hello there\"}]}",
         "all tokens of all 1 samples are masked"},
        {"{\"prompt\": \"a very long prompt that goes on and on until nothing else fits\", \"completion\": \"x\"}",
         "are masked"},
        {"{\"messages\": [{\"role\": \"assistant\", \"content\": \"an answer that goes on and on until its end is cut "
         "off for good and all\"}]}",
         "no sample teaches where to stop"},
        {"{\"text\": \"\xff\"}", "line 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(at("bad.jsonl"), bad[i].text, strlen(bad[i].text));
        ib_samples *s = ib_samples_open(at("bad.jsonl"), t, &o);
        CHECK_ERROR(s == NULL, bad[i].says);
        CHECK(strstr(ib_error(), "bad.jsonl") != NULL);
        ib_samples_free(s);
    }
    CHECK_ERROR(ib_samples_open(at("nothing.txt"), t, &o) == NULL, "nothing.txt");
    ib_tokenizer_free(t);
}

/* What a packed row says about its samples. */
static void packing(void)
{
    ib_tokenizer *t = ib_tokenizer_open(MODELS "tokenizer_smollm");
    static const char text[] = "{\"prompt\": \"the\", \"completion\": \" fox\"}\n{\"text\": \"hello "
                               "world\"}\n{\"prompt\": \"a\", \"completion\": \"b\"}\n";
    put(at("good.jsonl"), text, sizeof text - 1);
    ib_samples *s = ib_samples_open(at("good.jsonl"), t, &(ib_samples_opts){.seq = 64});
    REQUIRE(s != NULL);
    CHECK_INT(ib_samples_info_of(s).samples, 3);
    CHECK_INT(ib_samples_info_of(s).prompts, 2);
    CHECK_INT(ib_samples_info_of(s).chats, 0);
    CHECK_INT(ib_samples_info_of(s).rows, 1);
    ib_samples_free(s);
    static const char chat[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, {\"role\": \"assistant\", \"content\": \"yes\"}]}\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"see\"}, {\"role\": \"assistant\", \"content\": "
        "\"no\"}]}\n";
    put(at("chat.jsonl"), chat, sizeof chat - 1);
    CHECK_ERROR(!ib_samples_open(at("chat.jsonl"), t, &(ib_samples_opts){.chat = "parrot"}), "'parrot'");
    static const char extra[] = "{\"text\": \"see\", \"b\": 1}\n{\"text\": \"no\", \"c\": 1}\n";
    put(at("extra.jsonl"), extra, sizeof extra - 1);
    s = ib_samples_open(at("extra.jsonl"), t, &(ib_samples_opts){.ignore = "a,b,c,d"});
    REQUIRE(s != NULL);
    CHECK_INT(ib_samples_info_of(s).ignored, 6);
    ib_samples_free(s);
    s = ib_samples_open(at("chat.jsonl"), t, &(ib_samples_opts){.seq = 64, .chat = "chatml"});
    REQUIRE(s != NULL);
    CHECK_INT(ib_samples_info_of(s).rows, 1);
    const ib_row r = ib_samples_row(s, 0);
    int starts = 0;
    for (int64_t i = 0; i < r.n; i++) {
        starts += r.pos[i] == 0;
        CHECK(r.pos[i] == i - r.first[i]);
        if (r.target[i] >= 0)
            CHECK(i + 1 < r.n && r.target[i] == r.ids[i + 1] && r.first[i + 1] == r.first[i]);
    }
    CHECK_INT(starts, 2);
    ib_samples_free(s);
    s = ib_samples_open(at("chat.jsonl"), t, &(ib_samples_opts){.seq = 64, .chat = "chatml", .no_pack = 1});
    CHECK_INT(ib_samples_info_of(s).rows, 2);
    ib_samples *held = ib_samples_split(s, 1);
    CHECK(held && ib_samples_info_of(s).rows == 1 && ib_samples_info_of(held).rows == 1);
    CHECK(ib_samples_row(held, 0).n > 0 && ib_samples_info_of(held).trained > 0);
    ib_samples_free(held);
    ib_samples_free(s);
    ib_tokenizer_free(t);
}

SUITE("files", T(gguf_cut_at_every_length), T(gguf_with_flipped_bits), T(absurd_counts), T(safetensors_damage),
      T(shards), T(wrong_models_are_told), T(wrong_adapters_are_told), T(wrong_data_are_told), T(packing))
