/* config.c - architectures, names, checks of the numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "base/number.h"
#include "lm/lm.h"

static const ib_arch archs[] = {
#define ARCH(name, ...) {#name, __VA_ARGS__},
#include "lm/archs.def"
#undef ARCH
};

unsigned ib_arch_bit(const ib_arch *a)
{
    return 1u << (a - archs);
}

const ib_name ib_role_names[IB_N_ROLES] = {
#define X(role, gguf, hf) {gguf, hf, hf},
    IB_ROLES(X)
#undef X
};
const ib_name ib_norm_names[IB_N_NORMS] = {
#define X(norm, gguf, hf, hf_post) {gguf, hf, hf_post},
    IB_NORMS(X)
#undef X
};

const ib_arch *ib_arch_find(const char *name)
{
    const int i = IB_NAME_FIND(name, archs, IB_EUNSUPPORTED, "architecture");
    return i < 0 ? NULL : &archs[i];
}

char *ib_lm_path(char *buf, int layer, int role)
{
    ib_snprintf(buf, IB_LM_PATH, "model.layers.%d.%s", layer, ib_role_names[role].hf);
    return buf;
}

char *ib_lm_name(const ib_name *n, int layer, int gguf, int post_norms)
{
    const char *hf = post_norms ? n->hf_post : n->hf;
    return gguf ? ib_format_text("blk.%d.%s", layer, n->gguf)
                : ib_format_text("model.layers.%d.%s", layer, hf ? hf : n->gguf);
}

void ib_lm_role_shape(const ib_lm_config *c, int role, int64_t *rows, int64_t *cols)
{
    const int64_t q = (int64_t)c->heads * c->dim, kv = (int64_t)c->groups * c->dim;
    *rows = role == IB_ROLE_Q                            ? q
            : role == IB_ROLE_K || role == IB_ROLE_V     ? kv
            : role == IB_ROLE_GATE || role == IB_ROLE_UP ? c->ff
                                                         : c->width;
    *cols = role == IB_ROLE_O ? q : role == IB_ROLE_DOWN ? c->ff : c->width;
}

ib_status ib_lm_alloc(ib_lm *m)
{
    ib_lm_config *c = &m->c;
    if (!c->dim && c->heads)
        c->dim = c->width / c->heads;
    if (!c->groups)
        c->groups = c->heads;
    if (c->layers < 1 || c->layers > 4096 || c->width < 1 || c->width > 1 << 17 || c->ff < 1 || c->ff > 1 << 20 ||
        c->heads < 1 || c->heads > 1024 || c->groups < 1 || c->heads % c->groups || c->heads / c->groups > 64 ||
        c->dim < 2 || c->dim > IB_MAX_HEAD_DIM || c->dim % 2 || c->vocabulary < 2 || c->vocabulary > 1 << 22)
        return ib_fail(IB_EFORMAT, "%d layers of %d, %d heads of %d on %d groups, inner width %d, %d tokens", c->layers,
                       c->width, c->heads, c->dim, c->groups, c->ff, c->vocabulary);
    if (!c->rotated)
        c->rotated = c->dim;
    if (c->rotated > c->dim || c->rotated % 2 || c->rotated < 2)
        return ib_fail(IB_EFORMAT, "%d of %d dimensions of a head turn", c->rotated, c->dim);
    c->rope_base = c->rope_base > 0 ? c->rope_base : 10000;
    c->rope_base_local = c->rope_base_local > 0 ? c->rope_base_local : c->rope_base;
    c->rope_factor = c->rope_factor > 0 ? c->rope_factor : 1;
    if (c->rope_factor != 1 && !m->scaling[0].kind) {
        m->scaling[0].kind = ib_rope_kind_find("linear");
        m->scaling[0].factor = (double)c->rope_factor;
    }
    c->eps = c->eps > 0 ? c->eps : 1e-5f;
    c->attention_scale = c->attention_scale > 0 ? c->attention_scale : 1.0f / sqrtf((float)c->dim);
    c->context = c->context > 0 ? c->context : 2048;
    c->window = c->window > 0 ? c->window : 0;
    c->score_cap = c->score_cap > 0 ? c->score_cap : 0;
    c->logit_cap = c->logit_cap > 0 ? c->logit_cap : 0;
    if (ib_rope_finish(&m->scaling[0], (double)c->rope_base, c->rotated, c->context) ||
        ib_rope_finish(&m->scaling[1], (double)c->rope_base_local, c->rotated, c->context))
        return ib_error_status();
    m->block = ib_alloc((size_t)c->layers * sizeof *m->block);
    if (!m->block)
        return IB_ENOMEM;
    for (int i = 0; i < c->layers; i++)
        m->block[i].local = c->window && (!m->arch->global_every || (i + 1) % m->arch->global_every);
    return IB_OK;
}

void ib_lm_permute_rows(const void *from, void *to, int64_t rows, int dim, size_t bytes, int to_pairs)
{
    for (int64_t h = 0; h < rows; h += dim)
        for (int i = 0; i < dim / 2; i++)
            for (int s = 0; s < 2; s++) {
                const int64_t pair = h + 2 * i + s, half = h + s * (dim / 2) + i;
                memcpy((char *)to + (size_t)(to_pairs ? pair : half) * bytes,
                       (const char *)from + (size_t)(to_pairs ? half : pair) * bytes, bytes);
            }
}
