/* save_hf.c - a whole model as a Hugging Face folder; nf4 and fp4 as bitsandbytes stores them, int4 and int8 as
 * compressed-tensors does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lm/save.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

static struct json_object *config_of(const ib_lm *m, const ib_storage *linear)
{
    const ib_lm_config *c = &m->c;
    struct json_object *o = json_object_new_object();
    static const struct {
        const char *arch, *class, *type;
    } names[] = {{"llama", "LlamaForCausalLM", "llama"}, {"mistral", "MistralForCausalLM", "mistral"}, {"qwen2", "Qwen2ForCausalLM", "qwen2"},
                 {"qwen3", "Qwen3ForCausalLM", "qwen3"}, {"gemma3", "Gemma3ForCausalLM", "gemma3_text"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].arch, c->arch)) {
            struct json_object *list = json_object_new_array();
            json_object_array_add(list, json_object_new_string(names[i].class));
            json_object_object_add(o, "architectures", list);
            json_object_object_add(o, "model_type", json_object_new_string(names[i].type));
        }
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"hidden_size", c->width}, {"intermediate_size", c->ff}, {"num_hidden_layers", c->layers}, {"num_attention_heads", c->heads},
                   {"num_key_value_heads", c->groups}, {"head_dim", c->dim}, {"vocab_size", c->vocabulary}, {"max_position_embeddings", c->context}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_object_add(o, numbers[i].key, json_object_new_int64(numbers[i].value));
    json_object_object_add(o, "rms_norm_eps", json_object_new_double(c->eps));
    json_object_object_add(o, "rope_theta", json_object_new_double(c->rope_base));
    json_object_object_add(o, "tie_word_embeddings", json_object_new_boolean(c->tied));
    json_object_object_add(o, "hidden_act", json_object_new_string(m->arch->gelu ? "gelu_pytorch_tanh" : "silu"));
    if (m->arch->gelu) {
        json_object_object_add(o, "hidden_activation", json_object_new_string("gelu_pytorch_tanh"));
        json_object_object_add(o, "rope_local_base_freq", json_object_new_double(c->rope_base_local));
        json_object_object_add(o, "query_pre_attn_scalar", json_object_new_double(1.0 / ((double)c->attention_scale * (double)c->attention_scale)));
    }
    if (c->window)
        json_object_object_add(o, "sliding_window", json_object_new_int(c->window));
    if (c->window && m->arch->global_every) {
        struct json_object *types = json_object_new_array();
        for (int i = 0; i < c->layers; i++)
            json_object_array_add(types, json_object_new_string(m->block[i].local ? "sliding_attention" : "full_attention"));
        json_object_object_add(o, "layer_types", types);
    }
    if (c->rope_factor != 1) {
        struct json_object *s = json_object_new_object();
        json_object_object_add(s, "rope_type", json_object_new_string("linear"));
        json_object_object_add(s, "factor", json_object_new_double(c->rope_factor));
        json_object_object_add(o, "rope_scaling", s);
    }
    if (linear && linear->code) {
        struct json_object *q = json_object_new_object();
        json_object_object_add(q, "quant_method", json_object_new_string("bitsandbytes"));
        json_object_object_add(q, "load_in_4bit", json_object_new_boolean(1));
        json_object_object_add(q, "bnb_4bit_quant_type", json_object_new_string(linear->name[0] == 'n' ? "nf4" : "fp4"));
        json_object_object_add(q, "bnb_4bit_use_double_quant", json_object_new_boolean(linear->nested));
        json_object_object_add(q, "bnb_4bit_compute_dtype", json_object_new_string("float32"));
        json_object_object_add(o, "quantization_config", q);
    }
    if (linear && linear->name[0] == 'i' && linear->name[1] == 'n') { /* int4, int8 as compressed-tensors says them */
        const int int4 = linear->decode != NULL;
        const char *kind = int4 ? "pack-quantized" : "int-quantized"; /* said twice: recent versions read the group's own */
        char text[700];
        snprintf(text, sizeof text,
                 "{\"quant_method\":\"compressed-tensors\",\"format\":\"%s\",\"quantization_status\":\"compressed\",\"ignore\":[\"lm_head\"],"
                 "\"config_groups\":{\"group_0\":{\"targets\":[\"Linear\"],\"format\":\"%s\",\"input_activations\":null,\"output_activations\":null,"
                 "\"weights\":{\"num_bits\":%d,\"type\":\"int\",\"symmetric\":true,\"strategy\":\"%s\",\"group_size\":%s,\"dynamic\":false}}}}",
                 kind, kind, int4 ? 4 : 8, int4 ? "group" : "channel", int4 ? "32" : "null");
        json_object_object_add(o, "quantization_config", json_tokener_parse(text));
    }
    json_object_object_add(o, "torch_dtype", json_object_new_string("float32"));
    return o;
}

/* Items of the file; what they point to lives in `keep`. */
typedef struct items {
    ib_safetensors_item *list;
    char *names;
    void **keep;
    int n, kept, room;
} items;

static ib_status add(items *a, const char *name, const char *suffix, const char *dtype, int ndim, int64_t d0, int64_t d1, const void *data, size_t bytes)
{
    char *text = a->names + 200 * a->n;
    void *copy = ib_alloc_raw(bytes ? bytes : 1);
    if (!copy || a->n == a->room) {
        ib_free(copy);
        return IB_ENOMEM;
    }
    snprintf(text, 200, "%s%s", name, suffix);
    a->keep[a->kept++] = memcpy(copy, data, bytes);
    a->list[a->n++] = (ib_safetensors_item){text, dtype, ndim, {d0, d1}, copy, bytes};
    return IB_OK;
}

static ib_status add_bnb(items *a, const ib_out_tensor *t, const ib_matrix *w)
{
    const int64_t n = w->rows * w->cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK, groups = (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK;
    char state[300], key[64];
    const char *kind = w->format->name[0] == 'n' ? "nf4" : "fp4";
    int length = snprintf(state, sizeof state, "{\"quant_type\": \"%s\", \"blocksize\": 64, \"dtype\": \"float32\", \"shape\": [%lld, %lld]", kind,
                          (long long)w->rows, (long long)w->cols);
    if (w->format->nested)
        length += snprintf(state + length, sizeof state - (size_t)length, ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": %.9g", (double)w->offset);
    length += snprintf(state + length, sizeof state - (size_t)length, "}");
    snprintf(key, sizeof key, ".quant_state.bitsandbytes__%s", kind);
    ib_status status = add(a, t->name, "", "U8", 2, (n + 1) / 2, 1, w->data, (size_t)(n + 1) / 2);
    if (!status)
        status = add(a, t->name, ".quant_map", "F32", 1, 16, 0, w->code, 64);
    if (!status)
        status = w->format->nested ? add(a, t->name, ".absmax", "U8", 1, blocks, 0, w->absmax8, (size_t)blocks) : add(a, t->name, ".absmax", "F32", 1, blocks, 0, w->absmax, (size_t)blocks * 4);
    if (!status && w->format->nested && !(status = add(a, t->name, ".nested_absmax", "F32", 1, groups, 0, w->nested, (size_t)groups * 4)))
        status = add(a, t->name, ".nested_quant_map", "F32", 1, 256, 0, w->map, 1024);
    return status ? status : add(a, t->name, key, "U8", 1, length, 0, state, (size_t)length);
}

/* compressed-tensors: eight codes + 8 in an int32, the first lowest, and a half a group; or bytes and a scale a row */
static ib_status add_integers(items *a, const ib_out_tensor *t, const ib_matrix *w)
{
    const int64_t shape[2] = {w->rows, w->cols}, blocks = w->rows * w->cols / 32;
    if (!w->format->decode) {
        const ib_status status = add(a, t->name, "", "I8", 2, w->rows, w->cols, w->data, (size_t)(w->rows * w->cols));
        return status ? status : add(a, t->name, "_scale", "F32", 2, w->rows, 1, w->absmax, (size_t)w->rows * 4);
    }
    uint8_t *codes = ib_alloc((size_t)blocks * 18), *scales = codes ? codes + 16 * blocks : NULL;
    if (!codes)
        return IB_ENOMEM;
    for (int64_t b = 0; b < blocks; b++) {
        memcpy(scales + 2 * b, w->data + 18 * b, 2);
        for (int j = 0; j < 16; j++)
            codes[16 * b + j] = w->data[18 * b + 2 + j] ^ 0x88; /* q + 8 in each nibble */
    }
    ib_status status = add(a, t->name, "_packed", "I32", 2, w->rows, w->cols / 8, codes, (size_t)blocks * 16);
    if (!status && !(status = add(a, t->name, "_scale", "F16", 2, w->rows, w->cols / 32, scales, (size_t)blocks * 2)))
        status = add(a, t->name, "_shape", "I64", 1, 2, 0, shape, sizeof shape);
    ib_free(codes);
    return status;
}

static ib_status write_model(ib_lm *m, const char *path, const ib_out *out, ib_lm_saved *saved,
                             void (*report)(void *user, const char *tensor, const char *from, const char *to, int exact), void *user)
{
    items a = {.room = 6 * out->n};
    int64_t largest = 1;
    for (int i = 0; i < out->n; i++)
        largest = ib_out_size(&out->item[i]) > largest ? ib_out_size(&out->item[i]) : largest;
    ib_device *dev = ib_device_open(NULL);
    float *x = ib_alloc_raw((size_t)largest * sizeof *x);
    a.list = ib_alloc((size_t)a.room * sizeof *a.list);
    a.names = ib_alloc((size_t)a.room * 200);
    a.keep = ib_alloc((size_t)a.room * sizeof *a.keep);
    ib_status status = dev && x && a.list && a.names && a.keep ? IB_OK : ib_error_status();
    for (int i = 0; i < out->n && !status; i++) {
        const ib_out_tensor *t = &out->item[i];
        ib_matrix made;
        int exact;
        if ((status = ib_out_make(m, dev, t, x, &made, &exact)))
            break;
        const char *dtype = !strcmp(t->to->name, "f32") ? "F32" : !strcmp(t->to->name, "f16") ? "F16" : "BF16";
        const int integers = !strcmp(t->to->name, "int4") || !strcmp(t->to->name, "int8");
        status = integers   ? add_integers(&a, t, &made)
                 : t->to->code ? add_bnb(&a, t, &made)
                             : add(&a, t->name, "", dtype, t->ndim, t->shape[0], t->shape[1], made.data, (size_t)ib_storage_bytes(made.format, made.rows, made.cols));
        if (report)
            report(user, t->name, t->from->name, t->to->name, exact);
        saved->exact += exact;
        saved->lossy += !exact;
        ib_matrix_release(&made);
    }
    if (!status)
        status = ib_safetensors_write(path, a.n, a.list, (const char *[]){"format", "pt", NULL});
    for (int i = 0; i < a.kept; i++)
        ib_free(a.keep[i]);
    ib_free(a.keep);
    ib_free(a.names);
    ib_free(a.list);
    ib_free(x);
    ib_device_close(dev);
    return status;
}

ib_status ib_save_hf(ib_lm *m, const char *source, const char *path, const char *format, ib_lm_saved *saved,
                     void (*report)(void *user, const char *tensor, const char *from, const char *to, int exact), void *user)
{
    ib_out out = {0};
    if (mkdir(path, 0777) && errno != EEXIST)
        return ib_fail(IB_EIO, "%s: cannot be made: %s", path, strerror(errno));
    if (m->rope_factor && !m->hf)
        return ib_fail(IB_EUNSUPPORTED, "%s: this model's RoPE factors cannot be said in config.json", path);
    char *weights = ib_format_text("%s/model.safetensors", path), *config = ib_format_text("%s/config.json", path);
    ib_status status = weights && config ? ib_out_list(m, 0, format, &out) : IB_ENOMEM;
    if (!status)
        status = write_model(m, weights, &out, saved, report, user);
    const ib_storage *linear = NULL;
    for (int i = 0; i < out.n; i++)
        linear = out.item[i].p && !linear ? out.item[i].to : linear;
    if (!status) {
        struct json_object *o = NULL;
        if (m->hf && source) { /* the source's own configuration, with what has changed */
            char *old = ib_format_text("%s/config.json", source);
            o = old ? ib_json_read(old) : NULL;
            ib_free(old);
            if (o)
                json_object_object_del(o, "quantization_config");
            struct json_object *mine = config_of(m, linear), *q = ib_json_get(mine, "quantization_config");
            if (o && q)
                json_object_object_add(o, "quantization_config", json_object_get(q));
            json_object_put(mine);
        } else {
            o = config_of(m, linear);
        }
        status = o ? ib_json_write(config, o) : ib_error_status();
    }
    if (!status && source)
        status = ib_save_tokenizer_hf(path, source);
    ib_out_release(&out);
    ib_free(weights);
    ib_free(config);
    return status;
}
