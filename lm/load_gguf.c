/* load_gguf.c - a model from a GGUF file; matrices stay where they are in the mapped file. */
#include <stdio.h>
#include <string.h>

#include "lm/lm.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

static double number(const ib_gguf *f, const char *arch, const char *key, double otherwise)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", arch, key);
    return ib_gguf_number(f, full, otherwise);
}

static ib_status read_config(ib_lm *m, const ib_gguf *f)
{
    ib_lm_config *c = &m->c;
    char *arch = ib_gguf_string(f, "general.architecture"), key[96];
    if (!arch)
        return ib_fail(IB_EFORMAT, "has no general.architecture");
    m->arch = ib_arch_find(arch);
    snprintf(c->arch, sizeof c->arch, "%s", arch);
    c->layers = ib_int_of(number(f, arch, "block_count", 0));
    c->width = ib_int_of(number(f, arch, "embedding_length", 0));
    c->ff = ib_int_of(number(f, arch, "feed_forward_length", 0));
    c->heads = ib_int_of(number(f, arch, "attention.head_count", 0));
    c->groups = ib_int_of(number(f, arch, "attention.head_count_kv", c->heads));
    c->dim = ib_int_of(number(f, arch, "attention.key_length", 0));
    c->context = ib_int_of(number(f, arch, "context_length", 0));
    c->rotated = ib_int_of(number(f, arch, "rope.dimension_count", 0));
    c->rope_base = (float)number(f, arch, "rope.freq_base", 0);
    c->eps = (float)number(f, arch, "attention.layer_norm_rms_epsilon", 0);
    c->window = ib_int_of(number(f, arch, "attention.sliding_window", 0));
    if (m->arch && m->arch->global_every)
        c->rope_base_local = 10000; /* GGUF does not say it */
    snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    char *scaling = ib_gguf_string(f, key);
    if (scaling && !strcmp(scaling, "linear"))
        c->rope_factor = (float)number(f, arch, "rope.scaling.factor", 1);
    const int known = !scaling || !strcmp(scaling, "linear") || !strcmp(scaling, "none");
    const ib_entry *e = ib_gguf_tensor(f, "token_embd.weight");
    c->vocabulary = e && e->ndim == 2 ? (int)e->shape[0] : 0;
    ib_status status = m->arch ? IB_OK : IB_EUNSUPPORTED;
    if (!status && !known)
        status = ib_fail(IB_EUNSUPPORTED, "RoPE scaling '%s'; linear and Llama 3's are supported", scaling);
    if (!status && !e)
        status = ib_fail(IB_EFORMAT, "has no tensor 'token_embd.weight'");
    ib_free(scaling);
    ib_free(arch);
    return status;
}

static const ib_entry *need(const ib_gguf *f, const char *name, int64_t rows, int64_t cols)
{
    const ib_entry *e = ib_gguf_tensor(f, name);
    char shape[64];
    if (!e)
        return ib_fail_null(IB_EFORMAT, "has no tensor '%s'", name);
    if (e->shape[0] != rows || (e->ndim > 1 ? e->shape[1] : 1) != cols || e->ndim > 2)
        return ib_fail_null(IB_EFORMAT, "tensor '%s' is %s, not [%lld,%lld]", name, ib_entry_shape_text(e, shape, sizeof shape), (long long)rows, (long long)cols);
    return e;
}

static ib_status read_block(ib_lm *m, const ib_gguf *f, int layer)
{
    ib_block *b = &m->block[layer];
    ib_status status = IB_OK;
    for (int r = 0; r < IB_N_ROLES && !status; r++) {
        int64_t rows, cols;
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        char *base = ib_lm_name(&ib_role_names[r], layer, 1, 0), *name = base ? ib_format_text("%s.weight", base) : NULL, *bias = base ? ib_format_text("%s.bias", base) : NULL;
        const ib_entry *e = name ? need(f, name, rows, cols) : NULL, *be = bias ? ib_gguf_tensor(f, bias) : NULL;
        if (!e || !bias)
            status = ib_error_status();
        else if (be && !(b->p[r].bias = ib_lm_vector(be, rows, 0, f->path)))
            status = ib_error_status();
        else if (!be && m->arch->qkv_bias && r <= IB_ROLE_V)
            status = ib_fail(IB_EFORMAT, "has no tensor '%s'", bias);
        else
            b->p[r].w = ib_entry_matrix(e);
        ib_free(base);
        ib_free(name);
        ib_free(bias);
    }
    for (int k = 0; k < IB_N_NORMS && !status; k++) {
        const int width = ib_lm_norm_width(m, k);
        if (!width)
            continue;
        char *base = ib_lm_name(&ib_norm_names[k], layer, 1, 0), *name = base ? ib_format_text("%s.weight", base) : NULL;
        const ib_entry *e = name ? need(f, name, width, 1) : NULL;
        if (!e || !(b->norm[k] = ib_lm_vector(e, ib_entry_size(e), 0, f->path)))
            status = ib_error_status();
        ib_free(base);
        ib_free(name);
    }
    return status;
}

ib_status ib_lm_from_gguf(ib_lm *m, const char *path)
{
    ib_gguf *f = m->gguf = ib_gguf_open(path);
    if (!f)
        return ib_error_status();
    ib_status status = read_config(m, f);
    if (!status)
        status = ib_lm_alloc(m);
    if (!status)
        status = ib_lm_ends_of_gguf(m, f);
    m->pairs = m->arch && m->arch->gguf_pairs;
    for (int i = 0; i < m->c.layers && !status; i++)
        status = read_block(m, f, i);
    const ib_entry *e = NULL, *norm = NULL, *head = ib_gguf_tensor(f, "output.weight"), *factors = ib_gguf_tensor(f, "rope_freqs.weight");
    if (!status && (!(e = need(f, "token_embd.weight", m->c.vocabulary, m->c.width)) || !(norm = need(f, "output_norm.weight", m->c.width, 1)) ||
                    (head && !need(f, "output.weight", m->c.vocabulary, m->c.width)) || !(m->norm = ib_lm_vector(norm, m->c.width, 0, path))))
        status = ib_error_status();
    if (!status) {
        m->embedding = ib_entry_matrix(e);
        m->c.tied = !head;
        if (head)
            m->head = ib_entry_matrix(head);
    }
    if (!status && factors) {
        if (ib_entry_size(factors) != m->c.rotated / 2)
            status = ib_fail(IB_EFORMAT, "tensor 'rope_freqs.weight' has %lld elements, not %d", (long long)ib_entry_size(factors), m->c.rotated / 2);
        else if (!(m->rope_factor = ib_alloc((size_t)ib_entry_size(factors) * sizeof(float))))
            status = IB_ENOMEM;
        else {
            const ib_matrix v = ib_entry_matrix(factors);
            ib_matrix_decode(&v, 0, ib_entry_size(factors), m->rope_factor);
        }
    }
    if (status)
        ib_error_prefix("%s", path);
    return status;
}
