/* save_config_hf.c - config.json and generation_config.json, with the type that transformers' classes want of each
 * field. What they cannot say is refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/config_hf.h"
#include "lm/save/save.h"

static void put(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

static struct json_object *text(const char *s)
{
    return json_object_new_string(s);
}

/* The shortest decimal that is this float, always as a real. */
static struct json_object *real(float x)
{
    char s[40];
    for (int digits = 6; digits <= 9; digits++) {
        ib_snprintf(s, sizeof s, "%.*g", digits, (double)x);
        if (ib_strtof(s, NULL) == x)
            break;
    }
    if (!strpbrk(s, ".en"))
        strcat(s, ".0");
    return json_object_new_double_s((double)x, s);
}

/* q, k and v; o; gate, up and down: -1 where some layers have it and others not. */
static int has_bias(const ib_lm *m, int from, int to)
{
    int with = 0, without = 0;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = from; r <= to; r++)
            *(m->block[i].p[r].bias ? &with : &without) = 1;
    return with && without ? -1 : with;
}

static ib_status put_biases(const ib_lm *m, struct json_object *o, const char *class)
{
    const int qkv = has_bias(m, IB_ROLE_Q, IB_ROLE_V), output = has_bias(m, IB_ROLE_O, IB_ROLE_O),
              mlp = has_bias(m, IB_ROLE_GATE, IB_ROLE_DOWN);
    const int llama = !strcmp(class, "llama"), flag = llama || !strcmp(class, "qwen3") || !strcmp(class, "gemma3") ||
                                                      !strcmp(class, "gemma2") || !strcmp(class, "olmo2");
    if (qkv < 0 || output < 0 || mlp < 0 || (flag ? qkv != output : output || qkv != m->arch->qkv_bias) ||
        (mlp && !llama))
        return ib_fail(IB_EUNSUPPORTED,
                       "config.json of %s cannot say which of this model's layers have biases: write a .gguf file",
                       class);
    if (flag)
        put(o, "attention_bias", json_object_new_boolean(qkv));
    if (llama)
        put(o, "mlp_bias", json_object_new_boolean(mlp));
    return IB_OK;
}

static ib_status put_windows(const ib_lm *m, struct json_object *o, const char *class)
{
    struct json_object *types = json_object_new_array();
    int locals = 0;
    for (int i = 0; i < m->c.layers; i++) {
        locals += m->block[i].local;
        json_object_array_add(types, text(m->block[i].local ? "sliding_attention" : "full_attention"));
    }
    const int by_layer = m->arch->hf_late_windows || m->arch->global_every;
    if (m->arch->hf_window || !strcmp(class, "mistral"))
        put(o, "sliding_window", locals || by_layer ? json_object_new_int(m->c.window ? m->c.window : 4096) : NULL);
    if (m->arch->hf_late_windows) {
        put(o, "use_sliding_window", json_object_new_boolean(locals > 0));
        put(o, "max_window_layers", json_object_new_int(m->c.layers));
    }
    put(o, "layer_types", by_layer ? types : NULL);
    if (!by_layer) {
        json_object_object_del(o, "layer_types");
        json_object_put(types);
    }
    return by_layer || !locals || locals == m->c.layers
               ? IB_OK
               : ib_fail(IB_EUNSUPPORTED,
                         "config.json of %s cannot say that %d of %d layers have a window: write a .gguf file", class,
                         locals, m->c.layers);
}

/* Scaling as transformers names it. Factors without a formula (rope_freqs of a GGUF file) are a longrope whose short
 * and long factors are one. */
static ib_status put_rope(const ib_lm *m, struct json_object *o)
{
    const ib_rope_scaling *s = &m->scaling[0];
    const char *kind = s->given ? "longrope" : s->kind->name;
    struct json_object *r = json_object_new_object();
    put(o, "rope_theta", real(m->c.rope_base));
    if (m->arch->hf_local_base)
        put(o, "rope_local_base_freq", real(m->c.rope_base_local));
    put(r, "rope_type", text(kind));
    const int yarn = !strcmp(kind, "yarn"), llama3 = !strcmp(kind, "llama3"), longrope = !strcmp(kind, "longrope");
    if (strcmp(kind, "default"))
        put(r, "factor", real(longrope ? 1 : (float)s->factor));
    if (yarn || llama3 || longrope)
        put(r, "original_max_position_embeddings",
            json_object_new_int64(longrope ? m->c.context : (int64_t)s->original));
    if (yarn || longrope)
        put(r, "attention_factor", real(s->magnitude));
    if (yarn) {
        put(r, "beta_fast", real((float)s->beta_fast));
        put(r, "beta_slow", real((float)s->beta_slow));
        put(r, "truncate", json_object_new_boolean(s->whole));
    }
    if (llama3) {
        put(r, "low_freq_factor", real((float)s->low));
        put(r, "high_freq_factor", real((float)s->high));
    }
    for (int i = 0; i < 2 && longrope; i++) {
        struct json_object *list = json_object_new_array();
        for (int j = 0; j < m->c.rotated / 2; j++)
            json_object_array_add(list, real(s->divisor[j]));
        put(r, i ? "long_factor" : "short_factor", list);
    }
    if (strcmp(kind, "default"))
        put(o, "rope_scaling", r);
    else
        json_object_put(r);
    return s->limit && longrope
               ? ib_fail(IB_EUNSUPPORTED,
                         "this model's RoPE factors change with the length of the text: they cannot be written")
               : IB_OK;
}

static struct json_object *quantization_of(const ib_storage *linear)
{
    if (linear && linear->code) {
        struct json_object *q = json_object_new_object();
        put(q, "quant_method", text("bitsandbytes"));
        put(q, "load_in_4bit", json_object_new_boolean(1));
        put(q, "bnb_4bit_quant_type", text(linear->name[0] == 'n' ? "nf4" : "fp4"));
        put(q, "bnb_4bit_use_double_quant", json_object_new_boolean(linear->nested));
        put(q, "bnb_4bit_compute_dtype", text("float32"));
        return q;
    }
    if (!linear || linear->name[0] != 'i' || linear->name[1] != 'n')
        return NULL;
    const int int4 = linear->decode != NULL;                      /* int4, int8 as compressed-tensors says them */
    const char *kind = int4 ? "pack-quantized" : "int-quantized"; /* said twice: recent versions read the group's own */
    char s[700];
    ib_snprintf(s, sizeof s,
                "{\"quant_method\":\"compressed-tensors\",\"format\":\"%s\",\"quantization_status\":\"compressed\","
                "\"ignore\":[\"lm_head\"],"
                "\"config_groups\":{\"group_0\":{\"targets\":[\"Linear\"],\"format\":\"%s\",\"input_activations\":null,"
                "\"output_activations\":null,"
                "\"weights\":{\"num_bits\":%d,\"type\":\"int\",\"symmetric\":true,\"strategy\":\"%s\",\"group_size\":%"
                "s,\"dynamic\":false}}}}",
                kind, kind, int4 ? 4 : 8, int4 ? "group" : "channel", int4 ? "32" : "null");
    return json_tokener_parse(s);
}

/* One end as a number, several as a list, as transformers has them. */
static void put_tokens(struct json_object *o, const ib_lm *m, const ib_tokenizer *t)
{
    struct json_object *ends = json_object_new_array();
    for (int i = 0; i < m->n_ends; i++)
        json_object_array_add(ends, json_object_new_int(m->end[i]));
    put(o, "eos_token_id", m->n_ends == 1 ? json_object_new_int(m->end[0]) : m->n_ends ? json_object_get(ends) : NULL);
    json_object_put(ends);
    put(o, "bos_token_id", t && t->bos >= 0 ? json_object_new_int(t->bos) : NULL);
    put(o, "pad_token_id", t && t->pad >= 0 ? json_object_new_int(t->pad) : NULL);
}

static ib_status describe(const ib_lm *m, struct json_object *o, const ib_storage *linear, const ib_tokenizer *t)
{
    const ib_lm_config *c = &m->c;
    int windowed = 0;
    for (int i = 0; i < c->layers; i++)
        windowed |= m->block[i].local;
    static const struct {
        const char *arch, *class, *type;
    } names[] = {{"llama", "LlamaForCausalLM", "llama"},         {"mistral", "MistralForCausalLM", "mistral"},
                 {"qwen2", "Qwen2ForCausalLM", "qwen2"},         {"qwen3", "Qwen3ForCausalLM", "qwen3"},
                 {"gemma3", "Gemma3ForCausalLM", "gemma3_text"}, {"gemma2", "Gemma2ForCausalLM", "gemma2"},
                 {"olmo2", "Olmo2ForCausalLM", "olmo2"}};
    /* a llama with a window is a mistral */
    const char *class = !strcmp(c->arch, "llama") && windowed ? "mistral" : c->arch;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i].arch, class)) {
            struct json_object *list = json_object_new_array();
            json_object_array_add(list, text(names[i].class));
            put(o, "architectures", list);
            put(o, "model_type", text(names[i].type));
        }
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"hidden_size", c->width},          {"intermediate_size", c->ff},
                   {"num_hidden_layers", c->layers},   {"num_attention_heads", c->heads},
                   {"num_key_value_heads", c->groups}, {"head_dim", c->dim},
                   {"vocab_size", c->vocabulary},      {"max_position_embeddings", c->context}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        put(o, numbers[i].key, json_object_new_int64(numbers[i].value));
    put(o, "rms_norm_eps", real(c->eps));
    put(o, "tie_word_embeddings", json_object_new_boolean(ib_lm_is_tied(m)));
    put(o, m->arch->hf_scalar ? "hidden_activation" : "hidden_act", text(ib_lm_activation_name(m->activation)));
    if (m->arch->capped) {
        put(o, "attn_logit_softcapping", c->score_cap > 0 ? real(c->score_cap) : NULL);
        put(o, "final_logit_softcapping", c->logit_cap > 0 ? real(c->logit_cap) : NULL);
    }
    const double scalar = 1.0 / ((double)c->attention_scale * (double)c->attention_scale),
                 whole = m->arch->hf_scalar ? fmin(rint(scalar), INT32_MAX) : c->dim;
    if (m->arch->hf_scalar)
        put(o, "query_pre_attn_scalar", json_object_new_int((int)whole));
    if (fabs(scalar - whole) > 1e-4 * whole)
        return ib_fail(IB_EUNSUPPORTED,
                       "config.json of %s cannot say that scores are multiplied by %g: write a .gguf file", class,
                       (double)c->attention_scale);
    if (c->rotated != c->dim)
        return ib_fail(IB_EUNSUPPORTED,
                       "config.json of %s cannot say that %d of %d dimensions turn: write a .gguf file", class,
                       c->rotated, c->dim);
    put_tokens(o, m, t);
    struct json_object *q = quantization_of(linear);
    if (q)
        put(o, "quantization_config", q);
    put(o, "torch_dtype", text("float32"));
    ib_status status = put_biases(m, o, class);
    if (!status)
        status = put_windows(m, o, class);
    return status ? status : put_rope(m, o);
}

struct json_object *ib_save_config_of(const ib_lm *m, const ib_storage *linear, const ib_tokenizer *t)
{
    struct json_object *o = json_object_new_object();
    if (!describe(m, o, linear, t))
        return o;
    json_object_put(o);
    return NULL;
}

struct json_object *ib_save_config_changed(const ib_lm *m, const char *source, const ib_storage *linear)
{
    char *old = ib_format_text("%s/config.json", source);
    struct json_object *o = old ? ib_json_read(old) : NULL, *q = quantization_of(linear);
    ib_free(old);
    if (o && m->c.tied && !ib_lm_is_tied(m)) /* what was trained has parted them */
        put(o, "tie_word_embeddings", json_object_new_boolean(0));
    if (o) { /* values are kept to the bit; loaded in a shorter type they would not be */
        json_object_object_del(o, "quantization_config");
        put(o, json_object_object_get_ex(o, "dtype", NULL) ? "dtype" : "torch_dtype", text("float32"));
        if (q)
            put(o, "quantization_config", json_object_get(q));
    }
    json_object_put(q);
    return o;
}

ib_status ib_save_generation_config(const ib_lm *m, const char *path, const ib_tokenizer *t)
{
    struct json_object *o = json_object_new_object();
    put_tokens(o, m, t);
    return ib_json_write(path, o);
}
