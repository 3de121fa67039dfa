/* load_hf.c - a model from a Hugging Face folder: config.json and safetensors, 4-bit bitsandbytes checkpoints too. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/config_hf.h"

static const ib_entry *find(const ib_safetensors *f, const char *base, const char *suffix)
{
    char name[256];
    ib_snprintf(name, sizeof name, "%s%s", base, suffix);
    return ib_safetensors_find(f, name);
}

static int is_f32(const ib_entry *e, int64_t n)
{
    return e && !strcmp(e->type, "F32") && ib_entry_size(e) == n;
}

/* bitsandbytes: codes as bytes, scales and tables beside them, the shape in a JSON text that is itself a tensor. */
static ib_status read_bnb(const ib_safetensors *f, const char *base, const ib_entry *e, int64_t rows, int64_t cols,
                          ib_matrix **out)
{
    const ib_entry *absmax = find(f, base, ".weight.absmax"), *map = find(f, base, ".weight.quant_map"),
                   *nested = find(f, base, ".weight.nested_absmax");
    const ib_entry *nested_map = find(f, base, ".weight.nested_quant_map"),
                   *state = find(f, base, ".weight.quant_state.bitsandbytes__nf4");
    const char *kind = "nf4";
    if (!state && (state = find(f, base, ".weight.quant_state.bitsandbytes__fp4")))
        kind = "fp4";
    if (!absmax || !is_f32(map, 16) || !state)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' is of type %s and has no bitsandbytes state", base,
                       e->type);
    char *text = ib_alloc((size_t)state->bytes + 1);
    if (!text)
        return IB_ENOMEM;
    memcpy(text, state->data, (size_t)state->bytes);
    struct json_object *o = json_tokener_parse(text);
    const int64_t block = ib_int_of(ib_json_number(o, "blocksize", 0)),
                  inner = ib_int_of(ib_json_number(o, "nested_blocksize", 256));
    ib_matrix_parts p = {.data = e->data, .offset = (float)ib_json_number(o, "nested_offset", 0)};
    json_object_put(o);
    ib_free(text);
    if (!isfinite(p.offset))
        return ib_fail(IB_ENUMERIC, "tensor '%s.weight': 'nested_offset' is %g", base, (double)p.offset);
    const int64_t n = rows * cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK;
    if (block != IB_NF4_BLOCK || (nested && inner != IB_NESTED_BLOCK))
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' has blocks of %lld and %lld; 64 and 256 are supported",
                       base, (long long)block, (long long)inner);
    const int64_t groups = nested ? (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK : 0;
    if (e->bytes != (n + 1) / 2 || ib_entry_size(absmax) != blocks ||
        !(nested ? is_f32(nested_map, 256) && absmax->bytes == blocks && is_f32(nested, groups)
                 : is_f32(absmax, blocks)))
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' has %lld bytes with %lld scales for [%lld,%lld]", base,
                       (long long)e->bytes, (long long)ib_entry_size(absmax), (long long)rows, (long long)cols);
    /* tables are copied: nothing in the file is aligned */
    float *t = ib_alloc((size_t)(16 + 256 + groups + (nested ? 0 : blocks)) * sizeof *t);
    if (!t)
        return IB_ENOMEM;
    memcpy(t, map->data, 64);
    p.code = t;
    if (nested) {
        memcpy(t + 16, nested_map->data, 1024);
        memcpy(t + 272, nested->data, (size_t)groups * 4);
        p.map = t + 16;
        p.nested = t + 272;
        p.absmax8 = absmax->data;
    } else {
        memcpy(t + 272, absmax->data, (size_t)blocks * 4);
        p.absmax = t + 272;
    }
    char name[16];
    ib_snprintf(name, sizeof name, "%s%s", kind, nested ? "_dq" : "");
    *out = ib_matrix_new(ib_storage_find(name), rows, cols, &p, t);
    return *out ? IB_OK : IB_ENOMEM;
}

/* compressed-tensors' pack-quantized int4 in groups of 32, into blocks of our int4; and int-quantized int8 by rows. */
static ib_status read_integers(const ib_safetensors *f, const char *base, int64_t rows, int64_t cols, ib_matrix **out)
{
    const ib_entry *packed = find(f, base, ".weight_packed"), *scale = find(f, base, ".weight_scale"),
                   *bytes = packed ? NULL : find(f, base, ".weight");
    const int64_t blocks = rows * cols / 32;
    if (!scale || !scale->format ||
        (packed && (cols % 32 || packed->bytes != rows * cols / 2 || ib_entry_size(scale) != blocks)) ||
        (bytes && (strcmp(bytes->type, "I8") || bytes->bytes != rows * cols || ib_entry_size(scale) != rows)))
        return ib_fail(IB_EUNSUPPORTED,
                       "tensor '%s': compressed-tensors with int4 in groups of 32 and int8 by rows are supported",
                       base);
    void *owned = ib_alloc(packed ? (size_t)blocks * 18 : (size_t)rows * 4);
    if (!owned)
        return IB_ENOMEM;
    if (!packed) {
        ib_entry_decode(scale, 0, rows, owned);
        const ib_matrix_parts p = {.data = bytes->data, .absmax = owned};
        *out = ib_matrix_new(ib_storage_find("int8"), rows, cols, &p, owned);
        return *out ? IB_OK : IB_ENOMEM;
    }
    uint8_t *to = owned;
    for (int64_t b = 0; b < blocks; b++) {
        float x;
        ib_entry_decode(scale, b, 1, &x);
        const uint16_t h = ib_float_to_half(x);
        if (!isfinite(ib_half_to_float(h))) {
            ib_free(owned);
            return ib_fail(IB_ENUMERIC, "tensor '%s' has the scale %g in group %lld, which a half cannot hold",
                           scale->name, (double)x, (long long)b);
        }
        memcpy(to + 18 * b, &h, 2);
        for (int j = 0; j < 16; j++)
            to[18 * b + 2 + j] = packed->data[16 * b + j] ^ 0x88;
    }
    *out = ib_matrix_new(ib_storage_find("int4"), rows, cols, &(ib_matrix_parts){.data = to}, owned);
    return *out ? IB_OK : IB_ENOMEM;
}

static ib_status read_matrix(const ib_safetensors *f, const char *base, int64_t rows, int64_t cols, ib_matrix **out)
{
    const ib_entry *e = find(f, base, ".weight");
    char shape[64];
    if (find(f, base, ".weight_packed") || (e && !strcmp(e->type, "I8") && find(f, base, ".weight_scale")))
        return read_integers(f, base, rows, cols, out);
    if (!e)
        return ib_fail(IB_EFORMAT, "has no tensor '%s.weight'", base);
    if (!e->format)
        return read_bnb(f, base, e, rows, cols, out);
    if (e->ndim != 2 || e->shape[0] != rows || e->shape[1] != cols)
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' is %s, not [%lld,%lld]", base,
                       ib_entry_shape_text(e, shape, sizeof shape), (long long)rows, (long long)cols);
    *out = ib_entry_matrix(e);
    return *out ? IB_OK : IB_ENOMEM;
}

static ib_status read_vector(const ib_safetensors *f, const char *base, const char *suffix, int64_t n, float plus,
                             ib_tensor **out)
{
    const ib_entry *e = find(f, base, suffix);
    if (!e || !e->format)
        return ib_fail(IB_EFORMAT, "has no tensor '%s%s' of reals", base, suffix);
    *out = ib_lm_vector(e, n, plus, NULL);
    return *out ? IB_OK : ib_error_status();
}

/* transformers makes a bias where the configuration says so, and has no place for another. */
static ib_status read_bias(const ib_lm *m, const ib_hf_biases *b, const char *base, int role, int64_t rows,
                           ib_tensor **out)
{
    const int wanted = role <= IB_ROLE_V ? b->qkv : role == IB_ROLE_O ? b->output : b->mlp;
    return wanted ? read_vector(m->hf, base, ".bias", rows, 0, out) : IB_OK;
}

static ib_status read_block(ib_lm *m, const ib_hf_biases *biases, int layer)
{
    ib_block *b = &m->block[layer];
    const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
    ib_status status = IB_OK;
    for (int r = 0; r < IB_N_ROLES && !status; r++) {
        int64_t rows, cols;
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        char *base = ib_lm_name(&ib_role_names[r], layer, 0, 0);
        status = base ? read_matrix(m->hf, base, rows, cols, &b->p[r].w) : IB_ENOMEM;
        if (!status)
            status = read_bias(m, biases, base, r, rows, &b->p[r].bias);
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

/* Every tensor has a place, but for those that are computed from others. */
static ib_status all_used(const ib_safetensors *f)
{
    for (int64_t i = 0; i < f->n_entries; i++) {
        const ib_entry *e = &f->entry[i];
        const size_t n = strlen(e->name);
        const int derived =
            (n > 8 && !strcmp(e->name + n - 8, "inv_freq")) || (n > 13 && !strcmp(e->name + n - 13, ".weight_shape"));
        if (!e->used && !derived)
            return ib_fail(IB_EUNSUPPORTED, "tensor '%s' has no place in this architecture", e->name);
    }
    return IB_OK;
}

/* A tied head that is in the file all the same has to be the embedding. */
static ib_status read_head(ib_lm *m)
{
    const ib_entry *head = find(m->hf, "lm_head", ".weight"), *embedding = find(m->hf, "model.embed_tokens", ".weight");
    if (!m->c.tied && !head && !find(m->hf, "lm_head", ".weight_packed"))
        return ib_fail(IB_EFORMAT,
                       "config.json: 'tie_word_embeddings' is false, but there is no tensor 'lm_head.weight'");
    if (!m->c.tied)
        return read_matrix(m->hf, "lm_head", m->c.vocabulary, m->c.width, &m->head);
    if (head && (!embedding || head->bytes != embedding->bytes || strcmp(head->type, embedding->type) ||
                 memcmp(head->data, embedding->data, (size_t)head->bytes)))
        return ib_fail(IB_EFORMAT, "config.json: 'tie_word_embeddings' is true, but tensor 'lm_head.weight' is not the "
                                   "embedding: set it to false");
    return IB_OK;
}

ib_status ib_lm_from_hf(ib_lm *m, const char *folder)
{
    char *path = ib_format_text("%s/config.json", folder);
    struct json_object *config = path ? ib_json_read(path) : NULL;
    char *adapter = ib_format_text("%s/adapter_config.json", folder);
    struct stat info;
    ib_status status = config ? IB_OK : ib_error_status();
    if (!config && path && adapter && access(path, F_OK) && !stat(adapter, &info))
        status = ib_fail(IB_EFORMAT,
                         "%s: is an adapter without a model: the model goes here, and adapters are given with "
                         "--adapter",
                         folder);
    ib_hf_biases biases;
    if (!status && !adapter)
        status = IB_ENOMEM;
    else if (!status && !stat(adapter, &info)) /* transformers would open the adapter, over a base that it names */
        status = ib_fail(IB_EUNSUPPORTED, "%s: is beside a model: move it into a folder of its own", adapter);
    ib_free(adapter);
    if (!status && !(m->hf = ib_safetensors_open(folder)))
        status = ib_error_status();
    else if (!status && (status = ib_lm_config_of_hf(m, config, "config.json", &biases)) == IB_OK) {
        const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
        for (int i = 0; i < m->c.layers && !status; i++)
            status = read_block(m, &biases, i);
        if (!status)
            status = read_matrix(m->hf, "model.embed_tokens", m->c.vocabulary, m->c.width, &m->embedding);
        if (!status)
            status = ib_lm_ends_of_hf(m, config, folder);
        if (!status)
            status = read_head(m);
        if (!status)
            status = read_vector(m->hf, "model.norm", ".weight", m->c.width, plus, &m->norm);
        if (!status)
            status = all_used(m->hf);
    }
    if (status && m->hf)
        ib_error_prefix("%s", folder);
    json_object_put(config);
    ib_free(path);
    return status;
}
