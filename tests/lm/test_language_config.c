/* test_language_config.c - what a model's files say of it: honoured, or refused in one line. Broken by: a field that
 * is read and then not used, a default beside transformers', an end of text that nobody hears of. */
#include "tests/lm/golden_model.h"

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
        {"\"quantization_config\":{\"quant_method\":\"hqq\"}", "has the layout '' of 'hqq'"},
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
    REQUIRE(m && !ib_lm_save(m, dev, temporary("keys.gguf"), NULL, NULL));
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

SUITE("language_config", T(ends_are_read), T(configurations_are_honoured_or_refused),
      T(metadata_are_honoured_or_refused))
