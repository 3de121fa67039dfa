/* weights.c - opening, random models, storage of the weights. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "lm/lm.h"

ib_tensor *ib_lm_vector(const ib_entry *e, int64_t size, float plus, const char *path)
{
    if (ib_entry_size(e) != size || !e->format)
        return ib_fail_null(IB_EFORMAT, "%s%stensor '%s' has %lld elements, not %lld", path ? path : "",
                            path ? ": " : "", e->name, (long long)ib_entry_size(e), (long long)size);
    ib_tensor *t = ib_tensor_new(IB_F32, 1, &size, 0, e->name);
    if (!t)
        return NULL;
    float *x = ib_tensor_f32(t); /* it has met no device yet */
    ib_entry_decode(e, 0, size, x);
    for (int64_t i = 0; i < size; i++) {
        x[i] += plus;
        if (!isfinite(x[i])) {
            ib_fail(IB_ENUMERIC, "tensor '%s' holds %g at %lld", e->name, (double)x[i], (long long)i);
            ib_tensor_free(t);
            return NULL;
        }
    }
    return t;
}

static ib_status check_finite(const ib_lm *m, const char *path)
{
    const ib_entry *e = m->gguf ? m->gguf->entry : m->hf->entry;
    const int64_t n = m->gguf ? m->gguf->n_entries : m->hf->n_entries;
    ib_status status = IB_OK;
    for (int64_t i = 0; i < n && !status; i++)
        status = ib_entry_check_finite(&e[i]);
    if (status)
        ib_error_prefix("%s", path);
    return status;
}

ib_lm *ib_lm_open(const char *path)
{
    IB_NEED_OR(path, NULL);
    struct stat info;
    ib_lm *m = ib_alloc(sizeof *m);
    if (!m)
        return NULL;
    ib_status status = stat(path, &info)
                           ? ib_fail(IB_EIO, "%s: cannot be opened: there is no such file or folder", path)
                       : S_ISDIR(info.st_mode) ? ib_lm_from_hf(m, path)
                                               : ib_lm_from_gguf(m, path);
    if (!status)
        status = check_finite(m, path);
    if (status) {
        ib_lm_free(m);
        return NULL;
    }
    return m;
}

void ib_lm_free(ib_lm *m)
{
    if (!m)
        return;
    const int trained = m->trainable && !m->adapted; /* the trained weights belong to m->trainable */
    for (int i = 0; m->block && i < m->c.layers; i++) {
        for (int r = 0; r < IB_N_ROLES; r++) {
            ib_matrix_free(m->block[i].p[r].w);
            ib_matrix_free(m->block[i].p[r].merged);
            ib_tensor_free(m->block[i].p[r].bias);
        }
        for (int k = 0; k < IB_N_NORMS && !trained; k++)
            ib_tensor_free(m->block[i].norm[k]);
    }
    if (!trained)
        ib_tensor_free(m->norm);
    ib_matrix_free(m->embedding);
    ib_matrix_free(m->head);
    ib_layer_free(m->trainable);
    ib_free(m->command);
    ib_rope_release(&m->scaling[0]);
    ib_rope_release(&m->scaling[1]);
    ib_lm_rope_free(m);
    ib_free(m->block);
    ib_free(m->end);
    ib_gguf_close(m->gguf);
    ib_safetensors_close(m->hf);
    ib_free(m);
}

const ib_lm_config *ib_lm_config_of(const ib_lm *m)
{
    IB_NEED_OR(m, NULL);
    return &m->c;
}

const char *ib_lm_base_of(const ib_lm *m)
{
    IB_NEED_OR(m, "");
    return m->base;
}

const char *ib_lm_adapter_base_of(const ib_lm *m)
{
    IB_NEED_OR(m, "");
    return m->adapter_base;
}

ib_layer *ib_lm_trainable(ib_lm *m)
{
    IB_NEED_OR(m, NULL);
    return m->trainable;
}

static const ib_layer_class weights_class = {"weights", NULL};

int ib_lm_is_tied(const ib_lm *m)
{
    return !m->head && m->head_w == m->embedding_w;
}

int ib_lm_norm_width(const ib_lm *m, int norm)
{
    if (norm == IB_NORM_QUERY || norm == IB_NORM_KEY)
        return m->arch->qk_norm == IB_QK_HEADS   ? m->c.dim
               : m->arch->qk_norm == IB_QK_WHOLE ? m->c.dim * (norm == IB_NORM_QUERY ? m->c.heads : m->c.groups)
                                                 : 0;
    const int post = norm == IB_NORM_POST_ATTENTION || norm == IB_NORM_POST_FFN;
    return (post ? m->arch->post_norms : !m->arch->no_pre_norms) ? m->c.width : 0;
}

static ib_status check(const ib_lm_config *config)
{
#define TAKE(field, condition, format, ...)                                                                            \
    IB_TAKE_FOR("ib_lm_new", config->field, condition, IB_EINVAL, format, __VA_ARGS__)
#define COUNT(field) TAKE(field, config->field > 0 && config->field <= 1 << 24, "is %d", config->field)
#define REAL(field) TAKE(field, config->field >= 0 && isfinite(config->field), "is %g", config->field)
    TAKE(arch, memchr(config->arch, 0, sizeof config->arch), "has no end within %d characters",
         (int)sizeof config->arch);
    COUNT(layers);
    COUNT(width);
    COUNT(ff);
    COUNT(heads);
    TAKE(groups, config->groups > 0 && config->heads % config->groups == 0, "is %d for %d heads", config->groups,
         config->heads);
    const int dim = config->dim ? config->dim : config->width / config->heads;
    TAKE(dim, dim > 0 && dim <= IB_MAX_HEAD_DIM && dim % 2 == 0, "is %d, an even number up to %d is needed", dim,
         IB_MAX_HEAD_DIM);
    COUNT(vocabulary);
    COUNT(context);
    TAKE(rotated, config->rotated >= 0 && config->rotated <= dim && config->rotated % 2 == 0, "is %d of %d",
         config->rotated, dim);
    REAL(rope_base);
    REAL(rope_base_local);
    REAL(rope_factor);
    REAL(eps);
    REAL(attention_scale);
    REAL(score_cap);
    REAL(logit_cap);
    TAKE(window, config->window >= 0, "is %d", config->window);
    return IB_OK;
#undef TAKE
#undef COUNT
#undef REAL
}

/* N(0, 0.02), the residual branches' outputs smaller by sqrt(2 layers) (GPT-2's scheme), norms 1. */
ib_lm *ib_lm_new(const ib_lm_config *config, uint64_t seed)
{
    IB_NEED_OR(config, NULL);
    if (check(config))
        return NULL;
    ib_lm *m = ib_alloc(sizeof *m);
    if (!m)
        return NULL;
    m->c = *config;
    m->c.tied = 1;
    if (!(m->arch = ib_arch_find(*m->c.arch ? m->c.arch : "llama"))) {
        ib_error_prefix("ib_lm_new: config->arch");
        goto failed;
    }
    if (ib_lm_alloc(m) || !(m->trainable = ib_layer_new(&weights_class, 0)))
        goto failed;
    if (m->arch->qkv_bias) {
        ib_fail(IB_EUNSUPPORTED, "a new model of architecture '%s': biases are not trained", m->arch->name);
        goto failed;
    }
    strcpy(m->c.arch, m->arch->name);
    m->activation = m->arch->gelu;
    ib_layer *l = m->trainable;
    if (!(m->embedding_w = ib_layer_param(l, "model.embed_tokens.weight", 2, (int64_t[]){m->c.vocabulary, m->c.width},
                                          IB_INIT_ZEROS, 1, 1)) ||
        !(m->norm = ib_layer_param(l, "model.norm.weight", 1, (int64_t[]){m->c.width}, IB_INIT_ONES, 1, 1)))
        goto failed;
    m->head_w = m->embedding_w;
    for (int i = 0; i < m->c.layers; i++) {
        for (int r = 0; r < IB_N_ROLES; r++) {
            int64_t shape[2];
            ib_lm_role_shape(&m->c, r, &shape[0], &shape[1]);
            char *base = ib_lm_name(&ib_role_names[r], i, 0, 0),
                 *name = base ? ib_format_text("%s.weight", base) : NULL;
            m->block[i].p[r].weight = name ? ib_layer_param(l, name, 2, shape, IB_INIT_ZEROS, 1, 1) : NULL;
            ib_free(base);
            ib_free(name);
            if (!m->block[i].p[r].weight)
                goto failed;
        }
        for (int k = 0; k < IB_N_NORMS; k++) {
            const int width = ib_lm_norm_width(m, k);
            if (!width)
                continue;
            char *base = ib_lm_name(&ib_norm_names[k], i, 0, m->arch->post_norms),
                 *name = base ? ib_format_text("%s.weight", base) : NULL;
            m->block[i].norm[k] = name ? ib_layer_param(l, name, 1, (int64_t[]){width}, IB_INIT_ONES, 1, 1) : NULL;
            ib_free(base);
            ib_free(name);
            if (!m->block[i].norm[k])
                goto failed;
        }
    }
    if (ib_layer_init(l, seed))
        goto failed;
    for (int i = 0; i < ib_param_count(l); i++) {
        ib_tensor *t = ib_param_at(l, i);
        const char *name = ib_tensor_name(t);
        float *x = ib_tensor_f32(t);
        const float std =
            strstr(name, "o_proj") || strstr(name, "down_proj") ? 0.02f / sqrtf(2.0f * (float)m->c.layers) : 0.02f;
        for (int64_t j = 0; t->ndim == 2 && j < t->size; j++)
            x[j] = std * ib_rng_normal((ib_rng){seed, 1000 + (uint64_t)i}, (uint64_t)j);
    }
    return m;
failed:
    ib_lm_free(m);
    return NULL;
}

/* w in another format; pages of the mapped file are given back, and read again should anybody ask for them. */
static ib_matrix *restored(const ib_matrix *w, const ib_storage *f, const char *name)
{
    const int64_t rows = ib_matrix_rows(w), cols = ib_matrix_cols(w);
    float *x = ib_alloc_raw((size_t)(rows * cols) * sizeof *x);
    if (!x)
        return NULL;
    ib_matrix_decode(w, 0, rows * cols, x);
    ib_matrix *made = ib_matrix_encode(f, rows, cols, x, NULL);
    ib_free(x);
    if (made)
        ib_matrix_give_back(w);
    else
        ib_error_prefix("%s", name);
    return made;
}

ib_status ib_lm_requantize(ib_lm *m, const char *format)
{
    IB_NEED(m);
    IB_NEED(format);
    const int keep = !strcmp(format, "keep"), n = keep ? 0 : m->c.layers * IB_N_ROLES;
    const ib_storage *f = keep ? NULL : ib_storage_writable(format);
    if (!f && !keep)
        return ib_error_status();
    ib_matrix **made = n ? ib_alloc((size_t)n * sizeof *made) : NULL; /* all or none take the places of the old ones */
    ib_status status = n && !made ? IB_ENOMEM : IB_OK;
    for (int k = 0; k < n && !status; k++) {
        const ib_matrix *w = m->block[k / IB_N_ROLES].p[k % IB_N_ROLES].w;
        char path[IB_LM_PATH];
        if (w && ib_matrix_format(w) != f &&
            !(made[k] = restored(w, f, ib_lm_path(path, k / IB_N_ROLES, k % IB_N_ROLES))))
            status = ib_error_status();
    }
    for (int k = 0; k < n && made; k++) {
        ib_matrix **w = &m->block[k / IB_N_ROLES].p[k % IB_N_ROLES].w;
        if (made[k])
            ib_matrix_free(status ? made[k] : *w);
        if (made[k] && !status)
            *w = made[k];
    }
    ib_free(made);
    if (status)
        return status;
    m->base_chosen = 1;
    if (f)
        ib_snprintf(m->base, sizeof m->base, "%s", f->name);
    return IB_OK;
}

static ib_status freeze(ib_matrix **w, ib_tensor *t, const ib_storage *f)
{
    void *copy;
    const float *x = ib_tensor_look(t, &copy);
    ib_matrix *made = x ? ib_matrix_encode(f, t->shape[0], t->shape[1], x, NULL) : NULL;
    ib_free(copy);
    if (made) { /* in the place of one that an attempt before left */
        ib_matrix_free(*w);
        *w = made;
    }
    return made ? IB_OK : ib_error_status();
}

ib_status ib_lm_freeze(ib_lm *m, const char *format)
{
    IB_NEED(m);
    IB_NEED(format);
    const ib_storage *f = ib_storage_writable(format), *f16 = ib_storage_find("f16");
    if (!f)
        return ib_error_status();
    if (!m->trainable || m->adapted)
        return ib_fail(IB_ESTATE, "the model is frozen already");
    ib_status status = freeze(&m->embedding, m->embedding_w, f16);
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++)
            status = freeze(&m->block[i].p[r].w, m->block[i].p[r].weight, f);
    ib_tensor **keep = &m->norm;
    for (int i = -1; i < m->c.layers && !status; i++)
        for (int k = 0; k < (i < 0 ? 1 : IB_N_NORMS) && !status; k++) {
            ib_tensor **t = i < 0 ? keep : &m->block[i].norm[k], *copy;
            if (!*t)
                continue;
            if (!(copy = ib_tensor_new(IB_F32, 1, (*t)->shape, 0, (*t)->name)))
                return IB_ENOMEM;
            if ((status = ib_tensor_read(*t, ib_tensor_f32(copy)))) {
                ib_tensor_free(copy);
                return status;
            }
            *t = copy;
        }
    if (status)
        return status;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++)
            m->block[i].p[r].weight = NULL;
    m->embedding_w = m->head_w = NULL;
    ib_layer_free(m->trainable);
    m->trainable = NULL;
    return IB_OK;
}

int64_t ib_lm_weight_bytes(const ib_lm *m)
{
    IB_NEED_OR(m, 0);
    int64_t n = 0;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_projection *p = &m->block[i].p[r];
            n += p->weight ? 4 * p->weight->size : ib_matrix_bytes(p->w);
        }
    if (m->embedding_w && !m->adapted)
        return n + 4 * m->embedding_w->size;
    n += ib_matrix_bytes(m->embedding);
    return n + (m->head ? ib_matrix_bytes(m->head) : 0);
}

int64_t ib_lm_weight_count(const ib_lm *m)
{
    IB_NEED_OR(m, 0);
    int64_t n = (int64_t)m->c.vocabulary * m->c.width * (ib_lm_is_tied(m) ? 1 : 2), rows, cols;
    for (int r = 0; r < IB_N_ROLES; r++) {
        ib_lm_role_shape(&m->c, r, &rows, &cols);
        n += m->c.layers * rows * cols;
    }
    return n;
}
