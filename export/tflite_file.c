/* tflite_file.c - see tflite_file.h */
#include "export/tflite_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "files/file.h"

ib_status ib_tflite_begin(ib_tflite *w, const ib_program *p)
{
    size_t room = 16 * ((size_t)p->n_instrs + 2) + (size_t)p->n_values;
    for (int i = 0; i < p->n_instrs; i++) /* a table takes six tensors */
        room += 8 * (size_t)p->instrs[i].n_in;
    *w = (ib_tflite){.p = p, .name = ""};
    for (int i = 0; i < N_OPERATORS; i++)
        w->code_of[i] = -1;
    if (!(w->tensors = ib_alloc(room * sizeof *w->tensors)) || !(w->buffers = ib_alloc(room * sizeof *w->buffers)) ||
        !(w->ops = ib_alloc(room * sizeof *w->ops)) ||
        !(w->tensor_of = ib_alloc((size_t)p->n_values * sizeof *w->tensor_of)))
        return IB_ENOMEM;
    ib_tflite_buffer(w, NULL, 0); /* number 0 is the empty one */
    return IB_OK;
}

int ib_tflite_buffer(ib_tflite *w, const void *data, size_t bytes)
{
    const ib_flat_ref v = bytes ? ib_flat_vector(&w->f, data, bytes, 1, 16) : 0;
    w->buffers[w->n_buffers] = ib_flat_table(&w->f, &IB_FLAT_REF(0, v), 1);
    return w->n_buffers++;
}

ib_flat_ref ib_tflite_scales(ib_tflite *w, int n, const float *scale, int zero, int axis)
{
    if (!n)
        return 0;
    int64_t *zeros = ib_alloc((size_t)n * sizeof *zeros);
    if (!zeros) {
        w->f.failed = 1;
        return 0;
    }
    for (int i = 0; i < n; i++)
        zeros[i] = zero;
    const ib_flat_ref z = ib_flat_vector(&w->f, zeros, (size_t)n, 8, 8),
                      s = ib_flat_vector(&w->f, scale, (size_t)n, 4, 4);
    ib_free(zeros);
    const ib_flat_field fields[] = {IB_FLAT_REF(2, s), IB_FLAT_REF(3, z), IB_FLAT_SCALAR(6, 4, n > 1 ? axis : 0)};
    return ib_flat_table(&w->f, fields, 3);
}

int ib_tflite_tensor(ib_tflite *w, const char *what, int type, int ndim, const int32_t *shape, int batch, int buf,
                     ib_flat_ref q)
{
    int32_t signature[4];
    memcpy(signature, shape, (size_t)ndim * sizeof *shape);
    if (batch)
        signature[0] = -1;
    const ib_flat_ref s = ib_flat_vector(&w->f, shape, (size_t)ndim, 4, 4),
                      g = batch ? ib_flat_vector(&w->f, signature, (size_t)ndim, 4, 4) : 0;
    char name[200];
    ib_snprintf(name, sizeof name, "%s%s%s", w->name, *w->name ? "/" : "", what);
    const ib_flat_ref n = ib_flat_text(&w->f, name);
    const ib_flat_field fields[] = {IB_FLAT_REF(0, s),      IB_FLAT_SCALAR(1, 1, type), IB_FLAT_SCALAR(2, 4, buf),
                                    IB_FLAT_REF(3, n),      IB_FLAT_REF(4, q),          IB_FLAT_REF(7, g),
                                    IB_FLAT_SCALAR(8, 1, 1)};
    w->tensors[w->n_tensors] = ib_flat_table(&w->f, fields, 7);
    return w->n_tensors++;
}

int ib_tflite_activation(ib_tflite *w, const char *what, int ndim, const int32_t *shape, float scale, int zero)
{
    return ib_tflite_tensor(w, what, INT8, ndim, shape, 1, 0, ib_tflite_scales(w, 1, &scale, zero, 0));
}

int ib_tflite_constant(ib_tflite *w, const char *what, int type, int ndim, const int32_t *shape, const void *data,
                       size_t bytes)
{
    return ib_tflite_tensor(w, what, type, ndim, shape, 0, ib_tflite_buffer(w, data, bytes), 0);
}

void ib_tflite_op(ib_tflite *w, int which, int n_in, const int32_t *in, int out, int options_type,
                  const ib_flat_field *options, int n_options)
{
    static const struct {
        int code, version;
    } known[] = {
#define X(name, code, version) {code, version},
        OPERATORS(X)
#undef X
    };
    if (w->code_of[which] < 0) {
        const ib_flat_field code[] = {IB_FLAT_SCALAR(0, 1, known[which].code),
                                      IB_FLAT_SCALAR(2, 4, known[which].version),
                                      IB_FLAT_SCALAR(3, 4, known[which].code)};
        w->codes[w->n_codes] = ib_flat_table(&w->f, code, 3);
        w->code_of[which] = w->n_codes++;
    }
    const int32_t o = out;
    const ib_flat_ref vi = ib_flat_vector(&w->f, in, (size_t)n_in, 4, 4), vo = ib_flat_vector(&w->f, &o, 1, 4, 4),
                      t = options_type ? ib_flat_table(&w->f, options, n_options) : 0;
    const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 4, w->code_of[which]), IB_FLAT_REF(1, vi), IB_FLAT_REF(2, vo),
                                    IB_FLAT_SCALAR(3, options_type ? 1 : 0, options_type), IB_FLAT_REF(4, t)};
    w->ops[w->n_ops++] = ib_flat_table(&w->f, fields, 5);
}

int ib_tflite_code(ib_tflite *w, const char *what, int code, float scale, int zero)
{
    const int8_t byte = (int8_t)code;
    return ib_tflite_tensor(w, what, INT8, 1, (int32_t[]){1}, 0, ib_tflite_buffer(w, &byte, 1),
                            ib_tflite_scales(w, 1, &scale, zero, 0));
}

int ib_tflite_constant_value(ib_tflite *w, int v, const char *what, int ndim, const int32_t *shape)
{
    const ib_value *x = &w->p->values[v];
    const int8_t *codes = ib_constant_of(w->p, v);
    const int64_t channels = x->ndim == 4 ? x->shape[1] : x->size, area = x->size / channels;
    int8_t *t = ib_alloc((size_t)x->size);
    if (!t) {
        w->f.failed = 1;
        return -1;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < area; i++)
            t[i * channels + c] = codes[c * area + i];
    const int tensor = ib_tflite_tensor(w, what, INT8, ndim, shape, 0, ib_tflite_buffer(w, t, (size_t)x->size),
                                        ib_tflite_scales(w, 1, &x->scale, x->zero, 0));
    ib_free(t);
    return tensor;
}

/* schema: JSON, or NULL */
static ib_flat_ref model(ib_tflite *w, const char *name, const char *schema)
{
    const ib_program *p = w->p;
    const char *profile = ib_profile_name((ib_profile)p->profile);
    const int text = ib_tflite_buffer(w, profile, strlen(profile));
    ib_flat *f = &w->f;
    const ib_flat_ref key = ib_flat_text(f, "isobit.profile");
    const ib_flat_field about[] = {IB_FLAT_REF(0, key), IB_FLAT_SCALAR(1, 4, text)};
    ib_flat_ref entries[2] = {ib_flat_table(f, about, 2)};
    if (schema) {
        const int json = ib_tflite_buffer(w, schema, strlen(schema));
        const ib_flat_ref title = ib_flat_text(f, "isobit.schema");
        const ib_flat_field field[] = {IB_FLAT_REF(0, title), IB_FLAT_SCALAR(1, 4, json)};
        entries[1] = ib_flat_table(f, field, 2);
    }
    const ib_flat_ref metadata = ib_flat_refs(f, entries, schema ? 2 : 1);
    const ib_flat_ref tensors = ib_flat_refs(f, w->tensors, (size_t)w->n_tensors),
                      ops = ib_flat_refs(f, w->ops, (size_t)w->n_ops);
    const int32_t first = w->tensor_of[0], last = w->tensor_of[p->result];
    const ib_flat_ref in = ib_flat_vector(f, &first, 1, 4, 4), out = ib_flat_vector(f, &last, 1, 4, 4),
                      title = ib_flat_text(f, name);
    const ib_flat_field graph[] = {IB_FLAT_REF(0, tensors), IB_FLAT_REF(1, in), IB_FLAT_REF(2, out),
                                   IB_FLAT_REF(3, ops), IB_FLAT_REF(4, title)};
    const ib_flat_ref g = ib_flat_table(f, graph, 5), graphs = ib_flat_refs(f, &g, 1);
    const ib_flat_ref buffers = ib_flat_refs(f, w->buffers, (size_t)w->n_buffers),
                      codes = ib_flat_refs(f, w->codes, (size_t)w->n_codes);
    const ib_flat_ref description =
        ib_flat_text(f, *ib_program_note(p) ? ib_program_note(p) : "isobit " ISOBIT_VERSION);
    const ib_flat_field root[] = {IB_FLAT_SCALAR(0, 4, 3),     IB_FLAT_REF(1, codes),   IB_FLAT_REF(2, graphs),
                                  IB_FLAT_REF(3, description), IB_FLAT_REF(4, buffers), IB_FLAT_REF(6, metadata)};
    return ib_flat_table(f, root, 6);
}

ib_status ib_tflite_write(ib_tflite *w, const char *path, const char *name)
{
    char *schema = w->p->schema ? ib_schema_text(w->p->schema) : NULL;
    if (w->p->schema && !schema)
        return ib_error_status();
    const ib_status status = ib_flat_finish(&w->f, model(w, name, schema), "TFL3");
    ib_free(schema);
    return status ? status : ib_file_replace(path, w->f.buf + w->f.room - w->f.n, w->f.n);
}

void ib_tflite_free(ib_tflite *w)
{
    ib_flat_free(&w->f);
    ib_free(w->tensors);
    ib_free(w->buffers);
    ib_free(w->ops);
    ib_free(w->tensor_of);
}
