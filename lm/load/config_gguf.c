/* config_gguf.c - a model's numbers from the metadata of a GGUF file: its keys by gguf_fields.def. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/fields.h"

typedef struct gguf_config {
    int layers, width, ff, heads, groups, dim, value_dim, vocabulary, context, rotated, window, original;
    double eps, scale, theta, local_theta, scale_linear, factor, attn_factor, log_multiplier, beta_fast, beta_slow;
    double score_cap, logit_cap;
    const ib_gguf_kv *pattern;
} gguf_config;

#define IB_FIELD_STRUCT gguf_config
static const ib_field fields[] = {
#include "lm/load/gguf_fields.def"
};
const ib_field_table ib_gguf_fields = {"gguf", fields, sizeof fields / sizeof *fields};

/* What llama.cpp demands too; a guess would be another model. */
static ib_status need_all(const gguf_config *k, const char *arch)
{
    const struct {
        const char *key;
        double value;
    } needed[] = {{"block_count", k->layers},     {"embedding_length", k->width},
                  {"feed_forward_length", k->ff}, {"attention.head_count", k->heads},
                  {"context_length", k->context}, {"attention.layer_norm_rms_epsilon", k->eps}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!(needed[i].value > 0))
            return ib_fail(IB_EFORMAT, "has no positive '%s.%s': the gguf package's gguf_new_metadata.py can add it",
                           arch, needed[i].key);
    return IB_OK;
}

/* As llama.cpp has it: the type is linear where only a factor is given; YaRN's factors multiply. */
static ib_status read_scaling(ib_lm *m, const ib_gguf *f, const gguf_config *k, const char *arch)
{
    ib_rope_scaling *s = &m->scaling[0];
    char key[96];
    ib_snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    char *type = ib_gguf_string(f, key);
    const double factor = k->factor > 0 ? k->factor : k->scale_linear;
    if (k->factor > 0 && k->scale_linear > 0 && k->factor != k->scale_linear) {
        ib_free(type);
        return ib_fail(IB_EFORMAT, "'rope.scaling.factor' is %g, but 'rope.scale_linear' is %g", k->factor,
                       k->scale_linear);
    }
    s->kind = ib_rope_kind_find(type && !strcmp(type, "none") ? "default"
                                : type                        ? type
                                : factor > 0                  ? "linear"
                                                              : "default");
    const int yarn = s->kind && !strcmp(s->kind->name, "yarn");
    ib_free(type);
    s->factor = factor;
    s->original = k->original;
    s->beta_fast = k->beta_fast;
    s->beta_slow = k->beta_slow;
    s->whole = 1;
    if (yarn && factor > 0 && (k->attn_factor > 0 || k->log_multiplier > 0))
        s->attention_factor = (k->attn_factor > 0 ? k->attn_factor : 1) * ib_rope_yarn_magnitude(factor, 1) /
                              ib_rope_yarn_magnitude(factor, k->log_multiplier);
    else if (!yarn && k->attn_factor > 0 && k->attn_factor != 1)
        return ib_fail(IB_EUNSUPPORTED, "'rope.scaling.attn_factor' is %g without yarn", k->attn_factor);
    if (s->kind && !strcmp(s->kind->name, "linear"))
        m->c.rope_factor = (float)factor;
    return s->kind ? IB_OK : IB_EUNSUPPORTED;
}

/* Tensor rope_freqs.weight: what Llama 3's frequencies are divided by. */
static ib_status read_factors(ib_lm *m, const ib_gguf *f)
{
    const ib_entry *e = ib_gguf_tensor(f, "rope_freqs.weight");
    const int rotated = m->c.rotated ? m->c.rotated : m->c.dim ? m->c.dim : m->c.width / m->c.heads;
    if (!e)
        return IB_OK;
    if (ib_entry_size(e) != rotated / 2)
        return ib_fail(IB_EFORMAT, "tensor 'rope_freqs.weight' has %lld elements, not %d", (long long)ib_entry_size(e),
                       rotated / 2);
    if (!(m->scaling[0].given = ib_alloc((size_t)ib_entry_size(e) * sizeof(float))))
        return IB_ENOMEM;
    ib_entry_decode(e, 0, ib_entry_size(e), m->scaling[0].given);
    return IB_OK;
}

/* A number: of so many layers the last is global; or a flag for each layer. */
static ib_status read_pattern(ib_lm *m, const ib_gguf_kv *kv)
{
    const int list = kv && kv->type == IB_GGUF_ARRAY;
    const double every = kv && !list && kv->of != IB_GGUF_STRING ? ib_gguf_element(kv, 0) : m->arch->global_every;
    if (kv && (kv->of == IB_GGUF_STRING || (list && kv->n != m->c.layers) || !(every >= 0 && every <= INT32_MAX) ||
               every != floor(every)))
        return ib_fail(IB_EFORMAT, "'%s' is neither a number nor a list of %d flags", kv->key, m->c.layers);
    for (int i = 0; i < m->c.layers; i++)
        m->block[i].local = m->c.window && (list ? ib_gguf_element(kv, i) != 0 : !every || (i + 1) % (int)every);
    return IB_OK;
}

/* llama.cpp takes Gemma 2's caps and window where a file says none. */
static float cap_of(const ib_arch *a, double said, double usual)
{
    return (float)(said >= 0 ? said : a->capped ? usual : 0);
}

ib_status ib_lm_config_of_gguf(ib_lm *m, const ib_gguf *f)
{
    ib_lm_config *c = &m->c;
    char *arch = ib_gguf_string(f, "general.architecture");
    if (!arch)
        return ib_fail(IB_EFORMAT, "has no general.architecture");
    gguf_config k = {.score_cap = -1, .logit_cap = -1};
    m->arch = ib_arch_find(arch);
    ib_status status = m->arch ? ib_fields_gguf(&ib_gguf_fields, ib_arch_bit(m->arch), arch, f, &k) : IB_EUNSUPPORTED;
    if (!status)
        status = need_all(&k, arch);
    const ib_entry *e = ib_gguf_tensor(f, "token_embd.weight");
    if (!status && (!e || e->ndim != 2))
        status = ib_fail(IB_EFORMAT, "has no tensor 'token_embd.weight'");
    if (!status && k.vocabulary && k.vocabulary != e->shape[0])
        status = ib_fail(IB_EFORMAT, "'%s.vocab_size' is %d, but tensor 'token_embd.weight' has %lld rows", arch,
                         k.vocabulary, (long long)e->shape[0]);
    if (!status) {
        *c = (ib_lm_config){.layers = k.layers,
                            .width = k.width,
                            .ff = k.ff,
                            .heads = k.heads,
                            .groups = k.groups,
                            .dim = k.dim,
                            .context = k.context,
                            .rotated = k.rotated,
                            .rope_base = (float)k.theta,
                            .rope_base_local = (float)k.local_theta,
                            .eps = (float)k.eps,
                            .window = k.window > 0 || !m->arch->capped ? k.window : m->arch->hf_window,
                            .attention_scale = (float)k.scale,
                            .score_cap = cap_of(m->arch, k.score_cap, 50),
                            .logit_cap = cap_of(m->arch, k.logit_cap, 30),
                            .vocabulary = ib_int_of((double)e->shape[0])};
        ib_snprintf(c->arch, sizeof c->arch, "%s", m->arch->name);
        if (m->arch->hf_local_base && !(k.local_theta > 0))
            c->rope_base_local = (float)m->arch->hf_local_base; /* older files do not say it */
        if (!(k.scale > 0) && m->arch->gguf_share && k.layers == m->arch->gguf_share && k.heads > 0)
            c->attention_scale = 1 / sqrtf((float)k.width / (float)k.heads);
        m->activation = m->arch->gelu;
        if (k.heads > 0 && !(status = read_scaling(m, f, &k, arch)) && !(status = read_factors(m, f)) &&
            !(status = ib_lm_alloc(m)))
            status = read_pattern(m, k.pattern);
        if (!status && k.value_dim && k.value_dim != c->dim)
            status = ib_fail(IB_EFORMAT, "'%s.attention.value_length' is %d, but heads are of %d", arch, k.value_dim,
                             c->dim);
    }
    ib_free(arch);
    return status;
}
