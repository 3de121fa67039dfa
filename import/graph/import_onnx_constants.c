/* import_onnx_constants.c - constants of a graph: their numbers, and others made of them. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "import/graph/importer.h"

int64_t ib_import_count(const IbOnnx__TensorProto *t)
{
    int64_t n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0 || (t->dims[i] && n > ((int64_t)1 << 32) / t->dims[i]))
            return -1;
        n *= t->dims[i];
    }
    return n;
}

/* The elements as fp32: of float32, or of what a Cast to it has before it. */
float *ib_import_reals(const ib_importer *m, const ib_symbol *s, int64_t *n)
{
    const IbOnnx__TensorProto *t = s->constant;
    *n = ib_import_count(t);
    const int type = t->data_type;
    const size_t width = type == 1 || type == 6 ? 4 : type == 7 || type == 11 ? 8 : 0;
    const size_t listed = type == 1   ? t->n_float_data
                          : type == 6 ? t->n_int32_data
                          : type == 7 ? t->n_int64_data
                                      : t->n_double_data;
    const size_t stored = t->has_raw_data && width ? t->raw_data.len / width : listed;
    if (s->type != 1 || !width)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: constant '%s' is of type %d where float32 (1) is needed", m->path,
                            s->name, s->type);
    if (*n < 0 || stored != (size_t)*n || (t->has_raw_data && (t->raw_data.len % width || listed)))
        return ib_fail_null(IB_EFORMAT, "%s: constant '%s' holds %zu elements for %lld", m->path, s->name, stored,
                            (long long)*n);
    const void *const lists[] = {t->float_data, t->int32_data, t->int64_data,
                                 t->double_data}; /* where they are not raw */
    const uint8_t *from = t->has_raw_data ? t->raw_data.data : lists[type == 1 ? 0 : type == 6 ? 1 : type == 7 ? 2 : 3];
    float *x = ib_alloc((size_t)*n * sizeof *x + 1);
    for (int64_t i = 0; x && i < *n; i++, from += width) {
        union {
            float f;
            int32_t i;
            int64_t l;
            double d;
        } v;
        memcpy(&v, from, width);
        x[i] = type == 1 ? v.f : type == 6 ? (float)v.i : type == 7 ? (float)v.l : (float)v.d;
        if (type == 11 && isinf(x[i]) && isfinite(v.d)) {
            ib_fail(IB_ENUMERIC, "%s: constant '%s': %g is beyond single precision", m->path, s->name, v.d);
            ib_free(x);
            return NULL;
        }
    }
    return x;
}

/* The constant that input i is, as `n` reals. */
float *ib_import_parameter(ib_importer *m, size_t i, int64_t n)
{
    const ib_symbol *s = ib_import_input(m, i);
    int64_t have = 0;
    float *x = s && s->constant ? ib_import_reals(m, s, &have) : NULL;
    if (x && have == n)
        return x;
    if (!s || !s->constant)
        ib_import_refuse(m, "input %zu is no constant", i);
    else if (x)
        ib_import_refuse(m, "input %zu has %lld elements, not %lld", i, (long long)have, (long long)n);
    ib_free(x);
    return NULL;
}

int ib_import_is_row(const IbOnnx__TensorProto *t, int64_t n)
{
    return ib_import_count(t) == n && ((t->n_dims == 1 && t->dims[0] == n) || (t->n_dims == 2 && t->dims[1] == n));
}

IbOnnx__TensorProto *ib_import_new_constant(ib_importer *m, const IbOnnx__TensorProto *from, size_t n_dims,
                                            const int64_t *dims)
{
    const IbOnnx__TensorProto none = {.data_type = 1};
    if (m->n_reshaped == IB_MAX_WEIGHTS) {
        ib_import_refuse(m, "more than %d constants", IB_MAX_WEIGHTS);
        return NULL;
    }
    IbOnnx__TensorProto *t = ib_copy(from ? from : &none, sizeof *t);
    if (!t)
        return NULL;
    t->n_dims = n_dims;
    t->dims = NULL;
    m->reshaped[m->n_reshaped++] = t;
    return !n_dims || (t->dims = ib_copy(dims, n_dims * sizeof *dims)) ? t : NULL;
}
