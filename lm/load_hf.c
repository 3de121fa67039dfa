/* load_hf.c - a model from a Hugging Face folder: config.json and safetensors, 4-bit bitsandbytes checkpoints too. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lm/lm.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

/* Llama 3's frequency factors (llama3 rope_type of transformers): wavelengths above low are divided by `factor`, below high
 * kept, between them blended. */
static ib_status llama3_factors(ib_lm *m, struct json_object *o)
{
    const int half = m->c.rotated / 2;
    const double factor = ib_json_number(o, "factor", 8), low = ib_json_number(o, "low_freq_factor", 1), high = ib_json_number(o, "high_freq_factor", 4);
    const double old = ib_json_number(o, "original_max_position_embeddings", 8192);
    if (!(m->rope_factor = ib_alloc((size_t)half * sizeof(float))))
        return IB_ENOMEM;
    for (int i = 0; i < half; i++) {
        const double wave = 2 * 3.14159265358979323846 * pow(m->c.rope_base, 2.0 * i / m->c.rotated);
        const double smooth = (old / wave - low) / (high - low);
        m->rope_factor[i] = (float)(wave < old / high ? 1 : wave > old / low ? factor : 1 / ((1 - smooth) / factor + smooth));
    }
    return IB_OK;
}

static ib_status read_rope(ib_lm *m, struct json_object *c)
{
    struct json_object *o = ib_json_get(c, "rope_scaling"), *p = ib_json_get(c, "rope_parameters");
    struct json_object *full = ib_json_get(p, "full_attention"), *local = ib_json_get(p, "sliding_attention");
    o = o ? o : full ? full : p;
    m->c.rope_base = (float)ib_json_number(c, "rope_theta", ib_json_number(o, "rope_theta", ib_json_number(p, "rope_theta", 10000)));
    m->c.rope_base_local = (float)ib_json_number(c, "rope_local_base_freq", ib_json_number(local, "rope_theta", 0));
    const char *type = ib_json_text(o, "rope_type");
    type = type ? type : ib_json_text(o, "type");
    if (!type || !strcmp(type, "default"))
        return IB_OK;
    if (!strcmp(type, "linear"))
        m->c.rope_factor = (float)ib_json_number(o, "factor", 1);
    else if (strcmp(type, "llama3"))
        return ib_fail(IB_EUNSUPPORTED, "config.json: RoPE scaling '%s'; linear and llama3 are supported", type);
    return IB_OK;
}

static ib_status read_config(ib_lm *m, struct json_object *c)
{
    ib_lm_config *k = &m->c;
    const char *type = ib_json_text(c, "model_type");
    if (!type)
        return ib_fail(IB_EFORMAT, "config.json: has no model_type");
    snprintf(k->arch, sizeof k->arch, "%s", !strcmp(type, "gemma3_text") ? "gemma3" : type);
    if (!(m->arch = ib_arch_find(k->arch)))
        return IB_EUNSUPPORTED;
    k->layers = ib_int_of(ib_json_number(c, "num_hidden_layers", 0));
    k->width = ib_int_of(ib_json_number(c, "hidden_size", 0));
    k->ff = ib_int_of(ib_json_number(c, "intermediate_size", 0));
    k->heads = ib_int_of(ib_json_number(c, "num_attention_heads", 0));
    k->groups = ib_int_of(ib_json_number(c, "num_key_value_heads", k->heads));
    k->dim = ib_int_of(ib_json_number(c, "head_dim", 0));
    k->vocabulary = ib_int_of(ib_json_number(c, "vocab_size", 0));
    k->context = ib_int_of(ib_json_number(c, "max_position_embeddings", 0));
    k->eps = (float)ib_json_number(c, "rms_norm_eps", 1e-6);
    k->tied = ib_json_number(c, "tie_word_embeddings", m->arch->scaled_embedding) != 0;
    k->window = ib_json_number(c, "use_sliding_window", 1) ? ib_int_of(ib_json_number(c, "sliding_window", 0)) : 0;
    const double scalar = ib_json_number(c, "query_pre_attn_scalar", 0);
    k->attention_scale = scalar > 0 ? (float)(1 / sqrt(scalar)) : 0;
    ib_status status = read_rope(m, c);
    if (status || (status = ib_lm_alloc(m)))
        return status;
    struct json_object *scaling = ib_json_get(c, "rope_scaling"), *types = ib_json_get(c, "layer_types");
    scaling = scaling ? scaling : ib_json_get(c, "rope_parameters");
    const char *rope_type = ib_json_text(scaling, "rope_type");
    if (rope_type && !strcmp(rope_type, "llama3"))
        status = llama3_factors(m, scaling);
    for (int i = 0; i < k->layers && json_object_is_type(types, json_type_array) && (size_t)i < json_object_array_length(types); i++) {
        const char *t = json_object_get_string(json_object_array_get_idx(types, (size_t)i));
        m->block[i].local = k->window && t && !strcmp(t, "sliding_attention");
    }
    return status;
}

static const ib_entry *find(const ib_safetensors *f, const char *base, const char *suffix)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", base, suffix);
    return ib_safetensors_find(f, name);
}

/* bitsandbytes: codes as bytes, scales and tables beside them, the shape in a JSON text that is itself a tensor. */
static ib_status read_bnb(const ib_safetensors *f, const char *base, const ib_entry *e, ib_matrix *w, int64_t rows, int64_t cols)
{
    const ib_entry *absmax = find(f, base, ".weight.absmax"), *map = find(f, base, ".weight.quant_map"), *nested = find(f, base, ".weight.nested_absmax");
    const ib_entry *nested_map = find(f, base, ".weight.nested_quant_map"), *state = find(f, base, ".weight.quant_state.bitsandbytes__nf4");
    const char *kind = "nf4";
    if (!state && (state = find(f, base, ".weight.quant_state.bitsandbytes__fp4")))
        kind = "fp4";
    if (!absmax || !map || !state || ib_entry_size(map) != 16 || !map->format)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' is of type %s and has no bitsandbytes state", base, e->type);
    char *text = ib_alloc((size_t)state->bytes + 1);
    if (!text)
        return IB_ENOMEM;
    memcpy(text, state->data, (size_t)state->bytes);
    struct json_object *o = json_tokener_parse(text);
    const int64_t block = ib_int_of(ib_json_number(o, "blocksize", 0)), inner = ib_int_of(ib_json_number(o, "nested_blocksize", 256));
    w->offset = (float)ib_json_number(o, "nested_offset", 0);
    json_object_put(o);
    ib_free(text);
    const int64_t n = rows * cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK;
    if (block != IB_NF4_BLOCK || (nested && inner != IB_NESTED_BLOCK))
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' has blocks of %lld and %lld; 64 and 256 are supported", base, (long long)block, (long long)inner);
    if (e->bytes != (n + 1) / 2 || ib_entry_size(absmax) != blocks || (nested && (!nested_map || ib_entry_size(nested_map) != 256 || !nested->format ||
        absmax->bytes != blocks || ib_entry_size(nested) != (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK)) || (!nested && absmax->bytes != 4 * blocks))
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' has %lld bytes with %lld scales for [%lld,%lld]", base, (long long)e->bytes,
                       (long long)ib_entry_size(absmax), (long long)rows, (long long)cols);
    /* tables are copied: nothing in the file is aligned */
    const int64_t groups = nested ? ib_entry_size(nested) : 0;
    float *t = w->owned = ib_alloc((size_t)(16 + 256 + groups + (nested ? 0 : blocks)) * sizeof *t);
    if (!t)
        return IB_ENOMEM;
    memcpy(t, map->data, 64);
    w->code = t;
    if (nested) {
        memcpy(t + 16, nested_map->data, 1024);
        memcpy(t + 272, nested->data, (size_t)groups * 4);
        w->map = t + 16;
        w->nested = t + 272;
        w->absmax8 = absmax->data;
    } else {
        memcpy(t + 272, absmax->data, (size_t)blocks * 4);
        w->absmax = t + 272;
    }
    char name[16];
    snprintf(name, sizeof name, "%s%s", kind, nested ? "_dq" : "");
    w->format = ib_storage_find(name);
    w->rows = rows;
    w->cols = cols;
    w->data = e->data;
    return IB_OK;
}

/* compressed-tensors' pack-quantized int4 in groups of 32, into blocks of our int4; and int-quantized int8 by rows. */
static ib_status read_integers(const ib_safetensors *f, const char *base, ib_matrix *w, int64_t rows, int64_t cols)
{
    const ib_entry *packed = find(f, base, ".weight_packed"), *scale = find(f, base, ".weight_scale"), *bytes = packed ? NULL : find(f, base, ".weight");
    const int64_t blocks = rows * cols / 32;
    if (!scale || !scale->format || (packed && (cols % 32 || packed->bytes != rows * cols / 2 || ib_entry_size(scale) != blocks)) ||
        (bytes && (strcmp(bytes->type, "I8") || bytes->bytes != rows * cols || ib_entry_size(scale) != rows)))
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s': compressed-tensors with int4 in groups of 32 and int8 by rows are supported", base);
    const ib_matrix s = ib_entry_matrix(scale);
    *w = (ib_matrix){.format = ib_storage_find(packed ? "int4" : "int8"), .rows = rows, .cols = cols};
    if (!(w->owned = ib_alloc(packed ? (size_t)blocks * 18 : (size_t)rows * 4)))
        return IB_ENOMEM;
    if (!packed) {
        ib_matrix_decode(&s, 0, rows, w->owned);
        w->absmax = w->owned;
        w->data = bytes->data;
        return IB_OK;
    }
    uint8_t *to = w->owned;
    for (int64_t b = 0; b < blocks; b++) {
        float x;
        ib_matrix_decode(&s, b, 1, &x);
        const uint16_t h = ib_float_to_half(x);
        memcpy(to + 18 * b, &h, 2);
        for (int j = 0; j < 16; j++)
            to[18 * b + 2 + j] = packed->data[16 * b + j] ^ 0x88;
    }
    w->data = to;
    return IB_OK;
}

static ib_status read_matrix(const ib_safetensors *f, const char *base, ib_matrix *w, int64_t rows, int64_t cols)
{
    const ib_entry *e = find(f, base, ".weight");
    char shape[64];
    if (find(f, base, ".weight_packed") || (e && !strcmp(e->type, "I8") && find(f, base, ".weight_scale")))
        return read_integers(f, base, w, rows, cols);
    if (!e)
        return ib_fail(IB_EFORMAT, "has no tensor '%s.weight'", base);
    if (!e->format)
        return read_bnb(f, base, e, w, rows, cols);
    if (e->ndim != 2 || e->shape[0] != rows || e->shape[1] != cols)
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' is %s, not [%lld,%lld]", base, ib_entry_shape_text(e, shape, sizeof shape), (long long)rows, (long long)cols);
    *w = ib_entry_matrix(e);
    return IB_OK;
}

static ib_status read_vector(const ib_safetensors *f, const char *base, const char *suffix, int64_t n, float plus, ib_tensor **out)
{
    const ib_entry *e = find(f, base, suffix);
    if (!e || !e->format)
        return ib_fail(IB_EFORMAT, "has no tensor '%s%s' of reals", base, suffix);
    *out = ib_lm_vector(e, n, plus, NULL);
    return *out ? IB_OK : ib_error_status();
}

static ib_status read_block(ib_lm *m, int layer)
{
    ib_block *b = &m->block[layer];
    const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
    ib_status status = IB_OK;
    for (int r = 0; r < IB_N_ROLES && !status; r++) {
        int64_t rows, cols;
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        char *base = ib_lm_name(&ib_role_names[r], layer, 0, 0);
        status = base ? read_matrix(m->hf, base, &b->p[r].w, rows, cols) : IB_ENOMEM;
        if (!status && (find(m->hf, base, ".bias") || (m->arch->qkv_bias && r <= IB_ROLE_V)))
            status = read_vector(m->hf, base, ".bias", rows, 0, &b->p[r].bias);
        ib_free(base);
    }
    for (int k = 0; k < IB_N_NORMS && !status; k++) {
        const int width = ib_lm_norm_width(m, k);
        if (!width)
            continue;
        char *base = ib_lm_name(&ib_norm_names[k], layer, 0, m->arch->post_norms);
        status = base ? read_vector(m->hf, base, ".weight", width, plus, &b->norm[k]) : IB_ENOMEM;
        ib_free(base);
    }
    return status;
}

ib_status ib_lm_from_hf(ib_lm *m, const char *folder)
{
    char *path = ib_format_text("%s/config.json", folder);
    struct json_object *config = path ? ib_json_read(path) : NULL;
    ib_status status = config ? IB_OK : ib_error_status();
    if (!status && !(m->hf = ib_safetensors_open(folder)))
        status = ib_error_status();
    else if (!status && (status = read_config(m, config)) == IB_OK) {
        const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
        for (int i = 0; i < m->c.layers && !status; i++)
            status = read_block(m, i);
        if (!status)
            status = read_matrix(m->hf, "model.embed_tokens", &m->embedding, m->c.vocabulary, m->c.width);
        if (!status)
            status = ib_lm_ends_of_hf(m, config, folder);
        if (!status && !find(m->hf, "lm_head", ".weight"))
            m->c.tied = 1;
        if (!status && !m->c.tied)
            status = read_matrix(m->hf, "lm_head", &m->head, m->c.vocabulary, m->c.width);
        if (!status)
            status = read_vector(m->hf, "model.norm", ".weight", m->c.width, plus, &m->norm);
        if (status)
            ib_error_prefix("%s", folder);
    }
    json_object_put(config);
    ib_free(path);
    return status;
}
