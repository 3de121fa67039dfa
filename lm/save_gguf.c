/* save_gguf.c - a whole model as a GGUF file. */
#include <stdio.h>
#include <string.h>

#include "lm/save.h"
#include "tensor/alloc.h"
#include "tensor/error.h"

static void put_number(ib_gguf_writer *w, const char *arch, const char *key, double value, int real)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", arch, key);
    if (real)
        ib_gguf_put_f32(w, full, (float)value);
    else
        ib_gguf_put_u32(w, full, (uint32_t)value);
}

/* The configuration of a model that does not come from a GGUF file. */
static ib_status put_config(ib_gguf_writer *w, const ib_lm *m, const char *source)
{
    const ib_lm_config *c = &m->c;
    const char *arch = m->arch->gguf_pairs ? "llama" : c->arch;
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
    put_number(w, arch, "rope.dimension_count", c->rotated, 0);
    put_number(w, arch, "rope.freq_base", c->rope_base, 1);
    put_number(w, arch, "attention.layer_norm_rms_epsilon", c->eps, 1);
    put_number(w, arch, "vocab_size", c->vocabulary, 0);
    if (c->window && m->arch->global_every)
        put_number(w, arch, "attention.sliding_window", c->window, 0);
    if (c->rope_factor != 1) {
        char key[96];
        snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
        ib_gguf_put_string(w, key, "linear");
        put_number(w, arch, "rope.scaling.factor", c->rope_factor, 1);
    }
    return ib_save_tokenizer_gguf(w, source);
}

static ib_status put_head(ib_gguf_writer *w, const ib_lm *m, const char *source)
{
    if (!m->gguf)
        return put_config(w, m, source);
    for (int64_t i = 0; i < m->gguf->n_kv; i++) /* general.file_type describes the old tensors */
        if (strcmp(m->gguf->kv[i].key, "general.file_type"))
            ib_gguf_put_kv(w, &m->gguf->kv[i]);
    return IB_OK;
}

ib_status ib_save_gguf(ib_lm *m, const char *source, const char *path, const char *format, ib_lm_saved *saved,
                       void (*report)(void *user, const char *tensor, const char *from, const char *to, int exact), void *user)
{
    ib_gguf_writer head = {0};
    ib_out out = {0};
    ib_device *dev = ib_device_open(NULL);
    ib_file_writer *file = NULL;
    float *x = NULL;
    int64_t largest = 1;
    ib_status status = dev ? ib_out_list(m, 1, format, &out) : ib_error_status();
    if (!status)
        status = put_head(&head, m, source);
    for (int i = 0; i < out.n && !status; i++) {
        ib_gguf_put_tensor(&head, out.item[i].name, out.item[i].ndim, out.item[i].shape, out.item[i].to);
        largest = ib_out_size(&out.item[i]) > largest ? ib_out_size(&out.item[i]) : largest;
    }
    const int64_t half = m->c.rotated / 2;
    if (!status && m->rope_factor)
        ib_gguf_put_tensor(&head, "rope_freqs.weight", 1, &half, ib_storage_find("f32"));
    if (!status && (!(x = ib_alloc_raw((size_t)largest * sizeof *x)) || !(file = ib_gguf_start(&head, path))))
        status = ib_error_status();
    for (int i = 0; i < out.n && !status; i++) {
        ib_matrix made;
        int exact;
        const ib_out_tensor *t = &out.item[i];
        if ((status = ib_out_make(m, dev, t, x, &made, &exact)))
            break;
        ib_gguf_data(file, made.data, (size_t)ib_storage_bytes(made.format, made.rows, made.cols));
        if (report)
            report(user, t->name, t->from->name, t->to->name, exact);
        saved->exact += exact;
        saved->lossy += !exact;
        ib_matrix_release(&made);
    }
    if (!status && m->rope_factor)
        ib_gguf_data(file, m->rope_factor, (size_t)half * sizeof(float));
    if (!status)
        status = ib_file_writer_finish(file);
    else
        ib_file_writer_drop(file);
    ib_free(x);
    ib_out_release(&out);
    ib_gguf_writer_release(&head);
    ib_device_close(dev);
    return status;
}
