/* save.c - a model's tensors as they are to be written; the writers are save_gguf.c and save_hf.c. */
#include "lm/save/save.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"

const char *const ib_model_files[] = {"config.json",
                                      "generation_config.json",
                                      "model*.safetensors",
                                      "model*.safetensors.index.json",
                                      "pytorch_model*",
                                      "consolidated*",
                                      "tf_model.h5",
                                      "flax_model.msgpack",
                                      "adapter_config.json",
                                      "adapter_model*",
                                      "tokenizer.json",
                                      "tokenizer_config.json",
                                      "tokenizer.model",
                                      "special_tokens_map.json",
                                      "added_tokens.json",
                                      "vocab.json",
                                      "vocab.txt",
                                      "merges.txt",
                                      "spiece.model",
                                      "chat_template.*",
                                      "additional_chat_templates",
                                      "*processor_config.json",
                                      NULL};

static ib_out_tensor *add(ib_out *out, const char *name)
{
    if (out->n == out->room) {
        const int room = 2 * out->room + 64;
        ib_out_tensor *grown = ib_realloc(out->item, (size_t)out->n * sizeof *grown, (size_t)room * sizeof *grown);
        if (!grown)
            return NULL;
        out->item = grown;
        out->room = room;
    }
    ib_out_tensor *t = &out->item[out->n++];
    *t = (ib_out_tensor){.ndim = 1};
    ib_snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static ib_status add_vector(ib_out *out, const char *name, const ib_tensor *v, float plus, int turn)
{
    ib_out_tensor *t = add(out, name);
    if (!t)
        return IB_ENOMEM;
    t->shape[0] = v->size;
    t->t = v;
    t->plus = plus;
    t->turn = turn;
    t->from = t->to = ib_storage_find("f32");
    return IB_OK;
}

/* What a matrix of rows of `cols` becomes: `wanted` or its own; linear: not embedding or head. */
static const ib_storage *target(const ib_storage *own, const ib_storage *wanted, int64_t cols, int linear, int gguf)
{
    const ib_storage *f = wanted ? wanted : own;
    if (wanted && !linear && wanted->block != 1) /* embedding and head: quantized ones stay, others become q8_0 */
        f = own->block > 1 ? own : ib_storage_find("q8_0");
    const int integers = !strcmp(f->name, "int4") || !strcmp(f->name, "int8");
    if (!gguf && linear && integers)
        return cols % f->block ? ib_storage_find("f32") : f;
    if (!gguf && f->block > 1 && !(wanted && linear)) /* Hugging Face folders have no ggml blocks */
        f = ib_storage_find(own->block == 1 && own->decode ? own->name : "f32");
    if (!gguf && !linear && !f->decode)
        f = ib_storage_find("f32");
    if (gguf && !linear && f->gguf_type < 0)
        f = ib_storage_find("q8_0");
    return f->decode ? ib_storage_fallback(f, cols) : f;
}

static ib_status add_matrix(ib_out *out, const char *name, const ib_matrix *w, const ib_tensor *trained,
                            const ib_projection *p, int turn, const ib_storage *wanted, int gguf)
{
    ib_out_tensor *t = add(out, name);
    if (!t)
        return IB_ENOMEM;
    t->ndim = 2;
    t->shape[0] = trained ? trained->shape[0] : ib_matrix_rows(w);
    t->shape[1] = trained ? trained->shape[1] : ib_matrix_cols(w);
    t->w = trained ? NULL : w;
    t->p = trained ? NULL : p;
    t->t = trained;
    t->turn = turn;
    /* what was trained beside an adapter goes back into its base's format */
    t->from = w ? ib_matrix_format(w) : ib_storage_find("f32");
    t->to = target(t->from, wanted, t->shape[1], p != NULL, gguf);
    if ((trained || (p && p->a)) && t->to->decode && !ib_storage_writable(t->to->name)) {
        ib_error_prefix("tensor '%s' changed", name);
        return ib_error_status();
    }
    if (gguf && t->to->gguf_type < 0)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s' is %s, for which GGUF has no type: choose one with --format", name,
                       t->to->name);
    if (!gguf && ((t->to->block > 1 && strcmp(t->to->name, "int4")) || !strcmp(t->to->name, "groups")))
        return ib_fail(IB_EUNSUPPORTED,
                       "a Hugging Face folder cannot hold %s: choose f32, f16, bf16, nf4, nf4-dq, fp4, fp4-dq, int4 or "
                       "int8, or write a .gguf file",
                       t->to->name);
    return IB_OK;
}

ib_status ib_out_list(const ib_lm *m, int gguf, const char *format, ib_out *out)
{
    const ib_storage *wanted = format ? ib_storage_writable(format) : NULL;
    if (format && !wanted)
        return ib_error_status();
    const int pairs = gguf && m->arch->gguf_pairs, turn = pairs == m->pairs ? 0 : pairs ? 1 : -1;
    const float plus = !gguf && m->arch->norm_minus_one ? -1.0f : 0.0f;
    ib_status status = add_matrix(out, gguf ? "token_embd.weight" : "model.embed_tokens.weight", m->embedding,
                                  m->embedding_w, NULL, 0, wanted, gguf);
    for (int i = 0; i < m->c.layers && !status; i++) {
        for (int k = 0; k < IB_N_NORMS && !status; k++) {
            char *base = m->block[i].norm[k] ? ib_lm_name(&ib_norm_names[k], i, gguf, m->arch->post_norms) : NULL,
                 *name = base ? ib_format_text("%s.weight", base) : NULL;
            if (m->block[i].norm[k])
                status = name ? add_vector(out, name, m->block[i].norm[k], plus, 0) : IB_ENOMEM;
            ib_free(base);
            ib_free(name);
        }
        for (int r = 0; r < IB_N_ROLES && !status; r++) {
            const ib_projection *p = &m->block[i].p[r];
            const int turned = r == IB_ROLE_Q || r == IB_ROLE_K ? turn : 0;
            char *base = ib_lm_name(&ib_role_names[r], i, gguf, 0),
                 *name = base ? ib_format_text("%s.weight", base) : NULL,
                 *bias = base ? ib_format_text("%s.bias", base) : NULL;
            status = name && bias ? add_matrix(out, name, p->w, p->weight, p, turned, wanted, gguf) : IB_ENOMEM;
            if (!status && p->bias)
                status = add_vector(out, bias, p->bias, 0, turned);
            ib_free(base);
            ib_free(name);
            ib_free(bias);
        }
    }
    if (!status)
        status = add_vector(out, gguf ? "output_norm.weight" : "model.norm.weight", m->norm, plus, 0);
    if (!status && !ib_lm_is_tied(m))
        status = add_matrix(out, gguf ? "output.weight" : "lm_head.weight", m->head ? m->head : m->embedding, m->head_w,
                            NULL, 0, wanted, gguf);
    return status;
}

void ib_out_release(ib_out *out)
{
    ib_free(out->item);
    *out = (ib_out){0};
}

int64_t ib_out_size(const ib_out_tensor *t)
{
    return t->shape[0] * (t->ndim > 1 ? t->shape[1] : 1);
}

/* The tensor's values, rows turned. */
static ib_status values_of(const ib_lm *m, ib_device *dev, const ib_out_tensor *t, int adapted, float *x)
{
    const int64_t n = ib_out_size(t);
    ib_status status = t->t      ? ib_tensor_read(t->t, x)
                       : adapted ? ib_lm_merged(t->p, dev, x)
                                 : ib_lm_decoded(t->w, dev, x);
    for (int64_t i = 0; i < n && t->t && t->plus; i++)
        x[i] += t->plus;
    for (int64_t i = 0; i < n && !status; i++)
        if (!isfinite(x[i]))
            status = ib_fail(IB_ENUMERIC, "tensor '%s' holds %g at %lld", t->name, (double)x[i], (long long)i);
    if (status || !t->turn)
        return status;
    float *y = ib_alloc_raw((size_t)n * sizeof *y);
    if (!y)
        return IB_ENOMEM;
    memcpy(y, x, (size_t)n * sizeof *y);
    ib_lm_permute_rows(y, x, t->shape[0], m->c.dim, (size_t)(n / t->shape[0]) * sizeof *x, t->turn > 0);
    ib_free(y);
    return IB_OK;
}

/* w of a format of blocks with its rows turned as they are */
static ib_matrix *turned(const ib_lm *m, const ib_out_tensor *t)
{
    const int64_t rows = t->shape[0], cols = t->shape[1];
    const size_t row = (size_t)ib_storage_bytes(t->from, 1, cols);
    uint8_t *bytes = ib_alloc_raw(row * (size_t)rows);
    if (!bytes)
        return NULL;
    ib_lm_permute_rows(ib_matrix_parts_of(t->w).data, bytes, rows, m->c.dim, row, t->turn > 0);
    return ib_matrix_new(t->to, rows, cols, &(ib_matrix_parts){.data = bytes}, bytes);
}

ib_status ib_out_tell(const ib_lm_save_opts *o, const ib_out_tensor *t, int exact)
{
    if (!o->report || !o->report(o->user, t->name, t->from->name, t->to->name, exact))
        return IB_OK;
    return ib_fail(IB_ESTOPPED, "stopped at tensor '%s'", t->name);
}

ib_matrix *ib_out_make(const ib_lm *m, ib_device *dev, const ib_out_tensor *t, float *x, int *exact)
{
    const int64_t n = ib_out_size(t), rows = t->ndim > 1 ? t->shape[0] : 1, cols = n / rows;
    const int adapted = (t->p && t->p->a) || (t->t && t->ndim > 1 && m->adapted);
    if (values_of(m, dev, t, adapted, x))
        return NULL;
    const int copied = t->w && !adapted && t->to == t->from && ib_matrix_parts_of(t->w).unit == 1;
    *exact = !adapted;
    if (copied && (!t->turn || t->from->decode)) /* the bytes as they are, or whole rows move */
        return t->turn ? turned(m, t) : ib_matrix_borrow(t->w);
    ib_matrix *made = ib_matrix_encode(t->to, rows, cols, x, NULL);
    if (!made) {
        ib_error_prefix("tensor '%s'", t->name);
        return NULL;
    }
    float y[1024];
    for (int64_t i = 0; i < n && *exact; i += 1024) {
        const int64_t k = n - i < 1024 ? n - i : 1024;
        ib_matrix_decode(made, i, k, y);
        *exact = !memcmp(x + i, y, (size_t)k * sizeof *y);
    }
    return made;
}

ib_status ib_lm_save(ib_lm *m, ib_device *dev, const char *path, const ib_lm_save_opts *opts, ib_lm_saved *saved)
{
    IB_NEED(m);
    IB_NEED(dev);
    IB_NEED(path);
    ib_lm_saved unread;
    ib_lm_save_opts o = opts ? *opts : (ib_lm_save_opts){0};
    const size_t n = strlen(path);
    char *more = o.source && m->hf ? ib_format_text("%s/additional_chat_templates", o.source) : NULL;
    const int named = more && !access(more, F_OK);
    ib_free(more);
    if (named)
        return ib_fail(IB_EUNSUPPORTED, "%s: its additional_chat_templates cannot be written: take the folder away",
                       o.source);
    saved = saved ? saved : &unread;
    *saved = (ib_lm_saved){0};
    if (o.format && !strcmp(o.format, "keep"))
        o.format = NULL;
    return n > 5 && !strcmp(path + n - 5, ".gguf") ? ib_save_gguf(m, dev, path, &o, saved)
                                                   : ib_save_hf(m, dev, path, &o, saved);
}
