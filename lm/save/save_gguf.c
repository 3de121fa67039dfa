/* save_gguf.c - a whole model as a GGUF file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/config_hf.h"
#include "lm/save/save.h"

static void put_number(ib_gguf_writer *w, const char *arch, const char *key, double value, int real)
{
    char full[128];
    ib_snprintf(full, sizeof full, "%s.%s", arch, key);
    if (real)
        ib_gguf_put_f32(w, full, (float)value);
    else
        ib_gguf_put_u32(w, full, (uint32_t)value);
}

static void put_flags(ib_gguf_writer *w, const char *arch, const char *key, const ib_lm *m)
{
    char full[128];
    uint8_t flags[4096];
    ib_snprintf(full, sizeof full, "%s.%s", arch, key);
    for (int i = 0; i < m->c.layers; i++)
        flags[i] = (uint8_t)m->block[i].local;
    ib_gguf_put_kv(w, &(ib_gguf_kv){full, IB_GGUF_ARRAY, IB_GGUF_BOOL, m->c.layers, flags, (size_t)m->c.layers});
}

/* Windows of local layers, where they are not those of the architecture. */
static void put_windows(ib_gguf_writer *w, const ib_lm *m, const char *arch)
{
    int locals = 0, usual = 1;
    for (int i = 0; i < m->c.layers; i++) {
        locals += m->block[i].local;
        usual &= m->block[i].local == (!m->arch->global_every || (i + 1) % m->arch->global_every);
    }
    if (locals || m->arch->global_every)
        put_number(w, arch, "attention.sliding_window", m->c.window ? m->c.window : 1, 0);
    if ((locals || m->arch->global_every) && !usual)
        put_flags(w, arch, "attention.sliding_window_pattern", m);
}

static ib_status put_rope(ib_gguf_writer *w, const ib_lm *m, const char *arch)
{
    const ib_rope_scaling *s = &m->scaling[0];
    const char *kind = s->kind->name;
    const int yarn = !strcmp(kind, "yarn"), linear = !strcmp(kind, "linear");
    char key[96];
    put_number(w, arch, "rope.dimension_count", m->c.rotated, 0);
    put_number(w, arch, "rope.freq_base", (double)m->c.rope_base, 1);
    if (m->arch->hf_local_base && (double)m->c.rope_base_local != m->arch->hf_local_base)
        put_number(w, arch, "rope.freq_base_swa", (double)m->c.rope_base_local, 1);
    if (m->scaling[1].divisor && m->arch->hf_local_base)
        return ib_fail(IB_EUNSUPPORTED,
                       "a GGUF file cannot say that positions of local layers are scaled: write a folder");
    if (s->limit || (!yarn && s->magnitude != 1) || (yarn && !s->whole))
        return ib_fail(IB_EUNSUPPORTED, "a GGUF file cannot say this model's RoPE scaling '%s': write a folder", kind);
    if (yarn || linear) {
        ib_snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
        ib_gguf_put_string(w, key, kind);
        put_number(w, arch, "rope.scaling.factor", s->factor, 1);
    }
    if (yarn) {
        const float usual = (float)ib_rope_yarn_magnitude(s->factor, 1);
        put_number(w, arch, "rope.scaling.original_context_length", s->original, 0);
        if (s->magnitude != usual)
            put_number(w, arch, "rope.scaling.attn_factor", (double)(s->magnitude / usual), 1);
        if (s->beta_fast != 32)
            put_number(w, arch, "rope.scaling.yarn_beta_fast", s->beta_fast, 1);
        if (s->beta_slow != 1)
            put_number(w, arch, "rope.scaling.yarn_beta_slow", s->beta_slow, 1);
    }
    return IB_OK;
}

/* The factors of tensor rope_freqs.weight: the file's own, or those that no key says; NULL: none. */
static const float *rope_factors(const ib_lm *m)
{
    const ib_rope_scaling *s = &m->scaling[0];
    return s->given ? s->given : !strcmp(s->kind->name, "llama3") ? s->divisor : NULL;
}

/* The configuration of a model that does not come from a GGUF file. */
static ib_status put_config(ib_gguf_writer *w, const ib_lm *m, const char *source)
{
    const ib_lm_config *c = &m->c;
    const char *arch = m->arch->gguf_pairs ? "llama" : c->arch;
    if (m->activation != m->arch->gelu)
        return ib_fail(IB_EUNSUPPORTED, "a GGUF file cannot say that the activation of %s is %s: write a folder",
                       c->arch, ib_lm_activation_name(m->activation));
    ib_gguf_put_string(w, "general.architecture", arch);
    ib_gguf_put_string(w, "general.type", "model");
    put_number(w, arch, "block_count", c->layers, 0);
    put_number(w, arch, "context_length", c->context, 0);
    put_number(w, arch, "embedding_length", c->width, 0);
    put_number(w, arch, "feed_forward_length", c->ff, 0);
    put_number(w, arch, "attention.head_count", c->heads, 0);
    put_number(w, arch, "attention.head_count_kv", c->groups, 0);
    put_number(w, arch, "attention.key_length", c->dim, 0);
    put_number(w, arch, "attention.value_length", c->dim, 0);
    put_number(w, arch, "attention.layer_norm_rms_epsilon", (double)c->eps, 1);
    put_number(w, arch, "vocab_size", c->vocabulary, 0);
    if (fabs((double)c->attention_scale * sqrt(c->dim) - 1) > 1e-6)
        put_number(w, arch, "attention.scale", (double)c->attention_scale, 1);
    if (m->arch->capped && !(c->score_cap > 0 && c->logit_cap > 0))
        return ib_fail(IB_EUNSUPPORTED, "a GGUF file cannot say that %s of %s have no cap: write a folder",
                       c->score_cap > 0 ? "logits" : "scores", c->arch);
    if (m->arch->capped) {
        put_number(w, arch, "attn_logit_softcapping", (double)c->score_cap, 1);
        put_number(w, arch, "final_logit_softcapping", (double)c->logit_cap, 1);
    }
    put_windows(w, m, arch);
    const ib_status status = put_rope(w, m, arch);
    return status ? status : ib_save_tokenizer_gguf(w, m, source);
}

static ib_status put_head(ib_gguf_writer *w, const ib_lm *m, const char *source)
{
    if (!m->gguf)
        return put_config(w, m, source);
    /* what describes the old file alone */
    static const char *const old[] = {"general.file_type", "general.alignment", "split.no", "split.count",
                                      "split.tensors.count"};
    for (int64_t i = 0; i < m->gguf->n_kv; i++) {
        int stays = 1;
        for (size_t k = 0; k < sizeof old / sizeof *old; k++)
            stays &= strcmp(m->gguf->kv[i].key, old[k]) != 0;
        if (stays)
            ib_gguf_put_kv(w, &m->gguf->kv[i]);
    }
    return IB_OK;
}

ib_status ib_save_gguf(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *o, ib_lm_saved *saved)
{
    ib_gguf_writer head = {0};
    ib_out out = {0};
    ib_file_writer *file = NULL;
    float *x = NULL;
    int64_t largest = 1;
    ib_status status = ib_out_list(m, 1, o->format, &out);
    if (!status)
        status = put_head(&head, m, o->source);
    for (int i = 0; i < out.n && !status; i++) {
        ib_gguf_put_tensor(&head, out.item[i].name, out.item[i].ndim, out.item[i].shape, out.item[i].to);
        largest = ib_out_size(&out.item[i]) > largest ? ib_out_size(&out.item[i]) : largest;
    }
    const int64_t half = m->c.rotated / 2;
    const float *factors = rope_factors(m);
    if (!status && factors)
        ib_gguf_put_tensor(&head, "rope_freqs.weight", 1, &half, ib_storage_find("f32"));
    if (!status && (!(x = ib_alloc_raw((size_t)largest * sizeof *x)) || !(file = ib_gguf_start(&head, path))))
        status = ib_error_status();
    saved->tensors = out.n;
    for (int i = 0; i < out.n && !status; i++) {
        int exact;
        const ib_out_tensor *t = &out.item[i];
        ib_matrix *made = ib_out_make(m, dev, t, x, &exact);
        if (!made) {
            status = ib_error_status();
            break;
        }
        ib_gguf_data(file, ib_matrix_parts_of(made).data, (size_t)ib_matrix_bytes(made));
        status = ib_out_tell(o, t, exact);
        saved->exact += exact;
        saved->lossy += !exact;
        ib_matrix_free(made);
    }
    if (!status && factors)
        ib_gguf_data(file, factors, (size_t)half * sizeof(float));
    if (!status)
        status = ib_file_writer_finish(file);
    else
        ib_file_writer_drop(file);
    ib_free(x);
    ib_out_release(&out);
    ib_gguf_writer_release(&head);
    return status;
}
