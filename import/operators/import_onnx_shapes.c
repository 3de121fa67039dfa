/* import_onnx_shapes.c - operators of an ONNX graph that pass a value on, or turn its shape. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "import/operators/import_onnx_operators.h"

/* The result is the input under another name. */
ib_status ib_import_same(ib_importer *m)
{
    const ib_symbol *x = ib_import_input(m, 0);
    return x ? ib_import_name(m, x, m->node->output[0]) : ib_import_refuse(m, "its input is not known");
}

ib_status ib_import_dropout(ib_importer *m)
{
    const ib_symbol *training = ib_import_input(m, 2);
    const IbOnnx__TensorProto *t = training ? training->constant : NULL;
    const int is = !training || !t || t->data_type != 9 || ib_import_count(t) != 1 ? -1
                   : t->has_raw_data                         ? t->raw_data.len == 1 && !*t->raw_data.data ? 0 : 1
                   : t->n_int32_data == 1 && !*t->int32_data ? 0
                                                             : 1;
    if (training && is)
        return ib_import_refuse(
            m, "its input training_mode is not the constant false: export the model in evaluation mode");
    return ib_import_same(m);
}

/* Values are float32 and stay it; a constant may become it. */
ib_status ib_import_cast(ib_importer *m)
{
    const ib_symbol *x = ib_import_input(m, 0);
    const int64_t to = ib_import_integer(m, "to", 0);
    const int type = x->value >= 0 ? 1 : x->type;
    if (to != 1 || (type != 1 && type != 6 && type != 7 && type != 11) || (x->value < 0 && !x->constant))
        return ib_import_refuse(
            m, "from type %d to type %lld: values are float32 (1) here, and only constants can become it", type,
            (long long)to);
    const ib_status status = ib_import_same(m);
    if (!status)
        ib_import_result(m)->type = 1;
    return status;
}

/* A row of all elements in the file's order: told to the products that read it, or made so. */
static ib_status to_rows(ib_importer *m, const ib_symbol *x)
{
    const ib_symbol was = *x;
    char in[16];
    const int64_t area = was.shape[2] * was.shape[3], k = was.shape[1] * area;
    if (was.ndim == 2)
        return ib_import_same(m);
    const int turned = was.channels_last && was.shape[1] > 1 && area > 1,
              waits = turned && ib_import_rows_may_wait(m, m->node->output[0]);
    ib_symbol *s =
        ib_import_line(m, "flatten", ib_import_of(in, &was), 2, (int64_t[]){1, k}, turned && !waits ? "order=hwc" : "");
    if (!s)
        return IB_ENOMEM;
    if (waits)
        memcpy(s->flat, was.shape + 1, sizeof s->flat);
    return IB_OK;
}

ib_status ib_import_flatten(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const int64_t axis = ib_import_integer(m, "axis", 1);
    return axis == 1 || axis == 1 - x->ndim ? to_rows(m, x) : ib_import_refuse(m, "an axis other than 1");
}

/* Whether the dimensions to[n] are the file's, but for the batch */
static int is_view(const ib_symbol *x, const int64_t *to, int n)
{
    int64_t dims[4];
    return ib_import_view(x, dims) == n && !memcmp(dims + 1, to + 1, (size_t)(n - 1) * sizeof *to);
}

/* What an image or a row becomes whose dimensions in the file are to[n], none of them open. */
static ib_status to_dimensions(ib_importer *m, const ib_symbol *x, const int64_t *to, int n)
{
    const int64_t area = x->ndim == 4 ? x->shape[2] * x->shape[3] : 1;
    if (is_view(x, to, n))
        return ib_import_same(m);
    if (n == 2 && to[1] == x->shape[1] * area)
        return to_rows(m, x);
    ib_symbol turned = *x;
    turned.channels_last = !x->channels_last;
    if (x->ndim != 4 || (x->shape[1] > 1 && area > 1) ||
        !is_view(&turned, to, n)) /* else elements lie alike in both orders */
        return ib_import_refuse(m, "a shape other than rows, or an image in another order");
    const ib_status status = ib_import_same(m);
    if (!status) {
        ib_symbol *s = ib_import_result(m);
        s->channels_last = turned.channels_last;
        s->last_by = ib_import_node_name(m->node);
    }
    return status;
}

/* The first dimension of a new shape is that of the batch. */
static int keeps_batch(const ib_importer *m, int64_t first, int others_known)
{
    return first == IB_BATCH || first == 0 ||
           (first == -1 ? others_known : first == m->batch || (!m->batch && first > 0 && others_known));
}

ib_status ib_import_reshape(ib_importer *m)
{
    int64_t to[IB_MAX_INTEGERS], dims[4], known = 1;
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const int n = ib_import_list_of(m, "shape", 1, to), ndim = ib_import_view(x, dims),
              zero = ib_import_integer(m, "allowzero", 0) != 0;
    const int64_t size = x->shape[1] * (ndim == 4 ? x->shape[2] * x->shape[3] : 1);
    int open = 0;
    for (int i = 1; i < n; i++) {
        if (to[i] == 0 && !zero && i < ndim)
            to[i] = dims[i];
        if (to[i] == -1 && !open)
            open = i;
        else if (to[i] < 1 || to[i] > size || (known *= to[i]) > size)
            return ib_import_refuse(m, "a shape that moves the batch, or of a size that does not fit");
    }
    const ib_symbol *said = ib_import_input(m, 1);
    if (n < 1 || (to[0] == IB_BATCH && said && said->constant) || (to[0] == 0 && zero) ||
        !keeps_batch(m, to[0], !open) || (open && (to[0] == -1 || size % known)) || (!open && known != size))
        return ib_import_refuse(m, "a shape that moves the batch, or of a size that does not fit");
    if (open)
        to[open] = size / known;
    return to_dimensions(m, x, to, n);
}

/* Axes named by attribute or input i as dimensions of ndim, in is[]; 0: they are none, or one stands twice. */
static int axes_of(const ib_importer *m, size_t i, int ndim, int *is)
{
    int64_t axes[IB_MAX_INTEGERS];
    const int n = ib_import_list_of(m, "axes", i, axes);
    for (int k = 0; k < n; k++) {
        const int64_t d = axes[k] < 0 ? axes[k] + ndim : axes[k];
        if (d < 0 || d >= ndim || is[d])
            return 0;
        is[d] = 1;
    }
    return n > 0;
}

ib_status ib_import_squeeze(ib_importer *m)
{
    const ib_symbol *x = ib_import_value(m, 0);
    int64_t dims[4];
    int is[4] = {0};
    if (!x)
        return ib_error_status();
    const int ndim = ib_import_view(x, dims), named = ib_import_attribute(m, "axes") || ib_import_input(m, 1);
    if (named ? !axes_of(m, 1, ndim, is) : m->batch == 1)
        return ib_import_refuse(m, named ? "axes that cannot be used" : "drops the batch, too: name its axes");
    for (int d = 1; d < ndim && !named; d++)
        is[d] = dims[d] == 1;
    const int c = x->channels_last ? 3 : 1;
    for (int d = 0; d < ndim; d++)
        if (ndim != 4 || is[d] != (d != 0 && d != c) || (is[d] && dims[d] != 1))
            return ib_import_refuse(m, "other than the rows and columns of an image of one pixel");
    return to_rows(m, x);
}

ib_status ib_import_transpose(ib_importer *m)
{
    int64_t p[IB_MAX_INTEGERS];
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x)
        return ib_error_status();
    const int n = ib_import_list_of(m, "perm", 99, p);
    int same = n == x->ndim;
    for (int i = 0; i < n; i++)
        same &= p[i] == i;
    if (same)
        return ib_import_same(m);
    const int last = n == 4 && p[0] == 0 && p[1] == 2 && p[2] == 3 && p[3] == 1,
              first = n == 4 && p[0] == 0 && p[1] == 3 && p[2] == 1 && p[3] == 2;
    if (x->ndim != 4 || (!last && !first) || x->channels_last != first)
        return ib_import_refuse(m, "an order other than between N,C,H,W and N,H,W,C");
    const ib_status status = ib_import_same(m);
    if (!status) {
        ib_import_result(m)->channels_last = last;
        ib_import_result(m)->last_by = ib_import_node_name(m->node);
    }
    return status;
}

/* before[4], after[4]: zeroes around each dimension of the file's */
static ib_status zeroes_of(ib_importer *m, int ndim, int64_t *before, int64_t *after)
{
    int64_t p[IB_MAX_INTEGERS], axes[IB_MAX_INTEGERS];
    const char *name = m->opset < 2 ? "paddings" : "pads";
    const int n = ib_import_list_of(m, name, 1, p), some = ib_import_input(m, 3) != NULL;
    int is[4] = {0};
    const int n_axes = some ? ib_import_integers_of(m, 3, axes) : ndim;
    for (int k = 0; k < n_axes && k < 4; k++) {
        const int64_t d = !some ? k : axes[k] < 0 ? axes[k] + ndim : axes[k];
        if (d < 0 || d >= ndim || is[d]++ || n != 2 * n_axes)
            return ib_import_refuse(m, "%s of %d numbers, axes that cannot be used", name, n);
        before[d] = p[k];
        after[d] = p[n_axes + k];
    }
    if (n < 0 || n != 2 * n_axes || n_axes > ndim)
        return ib_import_refuse(m, "%s of %d numbers for %d axes", name, n, n_axes);
    for (int d = 0; d < ndim; d++)
        if (before[d] < 0 || after[d] < 0 || before[d] > 4096 || after[d] > 4096)
            return ib_import_refuse(m, "%lld and %lld zeroes around dimension %d", (long long)before[d],
                                    (long long)after[d], d);
    return IB_OK;
}

ib_status ib_import_pad(ib_importer *m)
{
    int64_t before[4] = {0}, after[4] = {0};
    const ib_symbol *x = ib_import_value(m, 0);
    if (!x || zeroes_of(m, x->ndim, before, after))
        return ib_error_status();
    float *v = m->node->n_input > 2 && *m->node->input[2] ? ib_import_parameter(m, 2, 1) : NULL;
    if (m->node->n_input > 2 && *m->node->input[2] && (!v || *v != 0)) {
        ib_free(v);
        return v ? ib_import_refuse(m, "only zeroes have a counterpart") : ib_error_status();
    }
    ib_free(v);
    int64_t any = 0;
    for (int d = 0; d < 4; d++)
        any |= before[d] | after[d];
    const int r = x->channels_last ? 1 : 2, c = x->channels_last ? 3 : 1;
    if (any && (x->ndim != 4 || before[0] || after[0] || before[c] || after[c]))
        return ib_import_refuse(m, "other than zeroes around an image");
    const ib_status status = ib_import_same(m);
    if (status || !any)
        return status;
    ib_symbol *s = ib_import_result(m);
    const int64_t add[4] = {before[r], before[r + 1], after[r], after[r + 1]};
    for (int i = 0; i < 4; i++)
        s->pad[i] += add[i];
    s->pad_by = ib_import_node_name(m->node);
    return IB_OK;
}

/* One of the attributes that a constant may be given by. */
ib_status ib_import_constant(ib_importer *m)
{
    if (m->node->n_attribute != 1)
        return ib_import_refuse(m, "has %zu attributes, where one says the value", m->node->n_attribute);
    IbOnnx__AttributeProto *a = m->node->attribute[0];
    const int real =
        a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOAT || a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOATS;
    const int list =
        a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOATS || a->type == IB_ONNX__ATTRIBUTE_PROTO__TYPE__INTS;
    const int64_t n = list ? (int64_t)(real ? a->n_floats : a->n_ints) : 1;
    const IbOnnx__TensorProto *t = a->t;
    if (a->type != IB_ONNX__ATTRIBUTE_PROTO__TYPE__TENSOR) {
        IbOnnx__TensorProto *made = ib_import_new_constant(m, NULL, list, &n);
        if (!made)
            return ib_error_status();
        made->data_type = real ? 1 : 7;
        made->n_float_data = real ? (size_t)n : 0;
        made->float_data = list ? a->floats : &a->f;
        made->n_int64_data = real ? 0 : (size_t)n;
        made->int64_data = list ? a->ints : &a->i;
        t = made;
    }
    ib_symbol *s = t ? ib_import_define(m, m->node->output[0]) : NULL;
    if (!s)
        return t ? IB_ENOMEM : ib_import_refuse(m, "a constant without value");
    s->constant = t;
    s->type = t->data_type;
    return IB_OK;
}
