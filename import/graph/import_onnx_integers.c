/* import_onnx_integers.c - the lists of integers that inputs and attributes are: constants, or computed of shapes. */
#include <string.h>

#include "import/graph/importer.h"

int ib_import_integers_stored(const IbOnnx__TensorProto *t, int64_t *to)
{
    const int64_t n = ib_import_count(t);
    const size_t width = t->data_type == 7 ? 8 : 4, listed = t->data_type == 7 ? t->n_int64_data : t->n_int32_data;
    if ((t->data_type != 7 && t->data_type != 6) || n < 0 || n > IB_MAX_INTEGERS ||
        (t->has_raw_data ? t->raw_data.len != (size_t)n * width : listed != (size_t)n))
        return -1;
    for (int64_t i = 0; i < n; i++) {
        int32_t four = 0;
        if (t->has_raw_data && width == 8)
            memcpy(&to[i], t->raw_data.data + 8 * i, 8);
        else if (t->has_raw_data)
            memcpy(&four, t->raw_data.data + 4 * i, 4);
        if (width == 4)
            to[i] = t->has_raw_data ? four : t->int32_data[i];
        else if (!t->has_raw_data)
            to[i] = t->int64_data[i];
    }
    return (int)n;
}

int ib_import_integers_in(const ib_symbol *s, int64_t *to)
{
    if (!s || s->value >= 0 || (s->type != 6 && s->type != 7))
        return -1;
    if (s->constant)
        return ib_import_integers_stored(s->constant, to);
    memcpy(to, s->integers, sizeof s->integers);
    return s->n_integers;
}

int ib_import_integers_of(const ib_importer *m, size_t i, int64_t *to)
{
    return ib_import_integers_in(ib_import_input(m, i), to);
}

int ib_import_list_of(const ib_importer *m, const char *name, size_t i, int64_t *to)
{
    const IbOnnx__AttributeProto *a = ib_import_attribute(m, name);
    if (!a || a->n_ints > IB_MAX_INTEGERS)
        return ib_import_integers_of(m, i, to);
    for (size_t j = 0; j < a->n_ints; j++)
        to[j] = a->ints[j];
    return (int)a->n_ints;
}
