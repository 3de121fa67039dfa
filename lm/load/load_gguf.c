/* load_gguf.c - a model from a GGUF file; matrices stay where they are in the mapped file. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lm/lm.h"

static const ib_entry *need(const ib_gguf *f, const char *name, int64_t rows, int64_t cols)
{
    const ib_entry *e = ib_gguf_tensor(f, name);
    char shape[64];
    if (!e)
        return ib_fail_null(IB_EFORMAT, "has no tensor '%s'", name);
    if (e->shape[0] != rows || (e->ndim > 1 ? e->shape[1] : 1) != cols || e->ndim > 2)
        return ib_fail_null(IB_EFORMAT, "tensor '%s' is %s, not [%lld,%lld]", name,
                            ib_entry_shape_text(e, shape, sizeof shape), (long long)rows, (long long)cols);
    return e;
}

static ib_status read_block(ib_lm *m, const ib_gguf *f, int layer)
{
    ib_block *b = &m->block[layer];
    ib_status status = IB_OK;
    for (int r = 0; r < IB_N_ROLES && !status; r++) {
        int64_t rows, cols;
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        char *base = ib_lm_name(&ib_role_names[r], layer, 1, 0),
             *name = base ? ib_format_text("%s.weight", base) : NULL,
             *bias = base ? ib_format_text("%s.bias", base) : NULL;
        const ib_entry *e = name ? need(f, name, rows, cols) : NULL, *be = bias ? ib_gguf_tensor(f, bias) : NULL;
        if (!e || !bias)
            status = ib_error_status();
        else if (be && !(b->p[r].bias = ib_lm_vector(be, rows, 0, f->path)))
            status = ib_error_status();
        else if (!be && m->arch->qkv_bias && r <= IB_ROLE_V)
            status = ib_fail(IB_EFORMAT, "has no tensor '%s'", bias);
        else if (!(b->p[r].w = ib_entry_matrix(e)))
            status = IB_ENOMEM;
        ib_free(base);
        ib_free(name);
        ib_free(bias);
    }
    for (int k = 0; k < IB_N_NORMS && !status; k++) {
        const int width = ib_lm_norm_width(m, k);
        if (!width)
            continue;
        char *base = ib_lm_name(&ib_norm_names[k], layer, 1, 0),
             *name = base ? ib_format_text("%s.weight", base) : NULL;
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
    ib_status status = ib_lm_config_of_gguf(m, f);
    if (!status)
        status = ib_lm_ends_of_gguf(m, f);
    m->pairs = m->arch && m->arch->gguf_pairs;
    for (int i = 0; i < m->c.layers && !status; i++)
        status = read_block(m, f, i);
    const ib_entry *e = NULL, *norm = NULL, *head = ib_gguf_tensor(f, "output.weight");
    if (!status && (!(e = need(f, "token_embd.weight", m->c.vocabulary, m->c.width)) ||
                    !(norm = need(f, "output_norm.weight", m->c.width, 1)) ||
                    (head && !need(f, "output.weight", m->c.vocabulary, m->c.width)) ||
                    !(m->norm = ib_lm_vector(norm, m->c.width, 0, path))))
        status = ib_error_status();
    if (!status) {
        m->c.tied = !head;
        if (!(m->embedding = ib_entry_matrix(e)) || (head && !(m->head = ib_entry_matrix(head))))
            status = IB_ENOMEM;
    }
    for (int64_t i = 0; i < f->n_entries && !status; i++)
        if (!f->entry[i].used)
            status = ib_fail(IB_EUNSUPPORTED, "tensor '%s' has no place in this architecture", f->entry[i].name);
    if (status)
        ib_error_prefix("%s", path);
    return status;
}
