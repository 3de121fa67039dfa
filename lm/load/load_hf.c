/* load_hf.c - a model from a Hugging Face folder: config.json and safetensors, of weights in codes too (codes_hf.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/config_hf.h"

/* A folder that is being read. */
typedef struct hf_reader {
    ib_lm *m;
    ib_hf_biases biases;
    ib_hf_codes codes;
} hf_reader;

static ib_status read_matrix(const hf_reader *r, const char *base, int64_t rows, int64_t cols, ib_matrix **out)
{
    const ib_safetensors *f = r->m->hf;
    const ib_hf_wanted w = {f, &r->codes, base, rows, cols};
    const ib_hf_layout layout = r->codes.layout;
    const ib_entry *e = ib_hf_find(f, base, ".weight");
    char shape[64];
    if (ib_hf_find(f, base, ".qweight")) {
        if (layout != IB_HF_GPTQ && layout != IB_HF_GPTQ_V2 && layout != IB_HF_AWQ_GEMM && layout != IB_HF_AWQ_GEMV)
            return ib_fail(IB_EUNSUPPORTED,
                           "tensor '%s.qweight': config.json has no 'quantization_config' of gptq or awq", base);
        return layout == IB_HF_GPTQ || layout == IB_HF_GPTQ_V2 ? ib_hf_read_gptq(&w, out) : ib_hf_read_awq(&w, out);
    }
    if (ib_hf_find(f, base, ".weight_packed") || (e && !strcmp(e->type, "I8") && ib_hf_find(f, base, ".weight_scale")))
        return ib_hf_read_compressed(&w, out);
    if (!e)
        return ib_fail(IB_EFORMAT, "has no tensor '%s.weight'", base);
    if (!e->format)
        return ib_hf_read_bnb(&w, out);
    if (e->ndim != 2 || e->shape[0] != rows || e->shape[1] != cols)
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' is %s, not [%lld,%lld]", base,
                       ib_entry_shape_text(e, shape, sizeof shape), (long long)rows, (long long)cols);
    *out = ib_entry_matrix(e);
    return *out ? IB_OK : IB_ENOMEM;
}

static ib_status read_vector(const ib_safetensors *f, const char *base, const char *suffix, int64_t n, float plus,
                             ib_tensor **out)
{
    const ib_entry *e = ib_hf_find(f, base, suffix);
    if (!e || !e->format)
        return ib_fail(IB_EFORMAT, "has no tensor '%s%s' of reals", base, suffix);
    *out = ib_lm_vector(e, n, plus, NULL);
    return *out ? IB_OK : ib_error_status();
}

/* transformers makes a bias where the configuration says so, and has no place for another. */
static ib_status read_bias(const hf_reader *r, const char *base, int role, int64_t rows, ib_tensor **out)
{
    const ib_hf_biases *b = &r->biases;
    const int wanted = role <= IB_ROLE_V ? b->qkv : role == IB_ROLE_O ? b->output : b->mlp;
    return wanted ? read_vector(r->m->hf, base, ".bias", rows, 0, out) : IB_OK;
}

static ib_status read_block(const hf_reader *from, int layer)
{
    ib_lm *m = from->m;
    ib_block *b = &m->block[layer];
    const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
    ib_status status = IB_OK;
    for (int r = 0; r < IB_N_ROLES && !status; r++) {
        int64_t rows, cols;
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        char *base = ib_lm_name(&ib_role_names[r], layer, 0, 0);
        status = base ? read_matrix(from, base, rows, cols, &b->p[r].w) : IB_ENOMEM;
        if (!status)
            status = read_bias(from, base, r, rows, &b->p[r].bias);
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

/* GPTQ's writers gave every layer a bias. */
static int is_bias_of_nothing(const ib_entry *e)
{
    const size_t n = strlen(e->name);
    if (n < 5 || strcmp(e->name + n - 5, ".bias") || !e->format)
        return 0;
    for (int64_t i = 0; i < ib_entry_size(e); i++) {
        float x;
        ib_entry_decode(e, i, 1, &x);
        if (x != 0)
            return 0;
    }
    return 1;
}

/* Every tensor has a place, but for those that are computed from others. */
static ib_status all_used(const ib_safetensors *f)
{
    for (int64_t i = 0; i < f->n_entries; i++) {
        const ib_entry *e = &f->entry[i];
        const size_t n = strlen(e->name);
        const int derived =
            (n > 8 && !strcmp(e->name + n - 8, "inv_freq")) || (n > 13 && !strcmp(e->name + n - 13, ".weight_shape"));
        if (!e->used && !derived && !is_bias_of_nothing(e))
            return ib_fail(IB_EUNSUPPORTED, "tensor '%s' has no place in this architecture", e->name);
    }
    return IB_OK;
}

/* A tied head that is in the file all the same has to be the embedding. */
static ib_status read_head(const hf_reader *r)
{
    ib_lm *m = r->m;
    const ib_entry *head = ib_hf_find(r->m->hf, "lm_head", ".weight"),
                   *embedding = ib_hf_find(r->m->hf, "model.embed_tokens", ".weight");
    if (!m->c.tied && !head && !ib_hf_find(m->hf, "lm_head", ".weight_packed") &&
        !ib_hf_find(m->hf, "lm_head", ".qweight"))
        return ib_fail(IB_EFORMAT,
                       "config.json: 'tie_word_embeddings' is false, but there is no tensor 'lm_head.weight'");
    if (!m->c.tied)
        return read_matrix(r, "lm_head", m->c.vocabulary, m->c.width, &m->head);
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
    hf_reader from = {.m = m};
    if (!status && !adapter)
        status = IB_ENOMEM;
    else if (!status && !stat(adapter, &info)) /* transformers would open the adapter, over a base that it names */
        status = ib_fail(IB_EUNSUPPORTED, "%s: is beside a model: move it into a folder of its own", adapter);
    ib_free(adapter);
    if (!status && !(m->hf = ib_safetensors_open(folder)))
        status = ib_error_status();
    else if (!status && (status = ib_lm_config_of_hf(m, config, "config.json", &from.biases, &from.codes)) == IB_OK) {
        const float plus = m->arch->norm_minus_one ? 1.0f : 0.0f;
        for (int i = 0; i < m->c.layers && !status; i++)
            status = read_block(&from, i);
        if (!status)
            status = read_matrix(&from, "model.embed_tokens", m->c.vocabulary, m->c.width, &m->embedding);
        if (!status)
            status = ib_lm_ends_of_hf(m, config, folder);
        if (!status)
            status = read_head(&from);
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
