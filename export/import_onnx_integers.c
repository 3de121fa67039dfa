/* import_onnx_integers.c - the part of an ONNX graph that computes shapes, as exporters with a variable batch write it: lists of integers, known
 * when the graph is read, but for the size of the batch. */
#include <string.h>

#include "export/import_onnx.h"
#include "export/program.h"
#include "tensor/error.h"

/* Elements of a constant of int32 or int64. */
static int constant_integers(const Onnx__TensorProto *t, int64_t *to)
{
    const int64_t n = ib_import_count(t);
    const size_t width = t->data_type == 7 ? 8 : 4, listed = t->data_type == 7 ? t->n_int64_data : t->n_int32_data;
    if ((t->data_type != 7 && t->data_type != 6) || n < 0 || n > IB_MAX_INTEGERS || (t->has_raw_data ? t->raw_data.len != (size_t)n * width : listed != (size_t)n))
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

static int integers_of(const ib_symbol *s, int64_t *to)
{
    if (!s || s->value >= 0)
        return -1;
    if (s->constant)
        return constant_integers(s->constant, to);
    memcpy(to, s->integers, sizeof s->integers);
    return s->n_integers;
}

int ib_import_integers_of(const ib_importer *m, size_t i, int64_t *to)
{
    return integers_of(ib_import_input(m, i), to);
}

/* ---- operators: a[n], and further lists, to the result in a; its length, or -1 ---- */

static int shape_of(const ib_importer *m, int64_t *a)
{
    const ib_symbol *x = ib_import_input(m, 0);
    if (x && x->value < 0) { /* of a list */
        a[0] = x->constant ? ib_import_count(x->constant) : x->n_integers;
        return x->constant ? (x->constant->n_dims == 1 ? 1 : -1) : x->columns ? -1 : 1;
    }
    if (!x)
        return -1;
    const int64_t rows = x->shape[2] + x->pad[0] + x->pad[2], columns = x->shape[3] + x->pad[1] + x->pad[3];
    const int64_t first[4] = {IB_BATCH, x->shape[1], rows, columns}, last[4] = {IB_BATCH, rows, columns, x->shape[1]};
    const int64_t start = ib_import_integer(m, "start", 0), end = ib_import_integer(m, "end", x->ndim);
    const int64_t from = start < 0 ? start + x->ndim : start, to = end < 0 ? end + x->ndim : end;
    int n = 0;
    for (int64_t i = from < 0 ? 0 : from; i < to && i < x->ndim; i++)
        a[n++] = x->channels_last ? last[i] : first[i];
    return n;
}

static int gather(const ib_importer *m, int64_t *a, int n)
{
    int64_t at[IB_MAX_INTEGERS], from[IB_MAX_INTEGERS];
    const int count = ib_import_integers_of(m, 1, at);
    memcpy(from, a, sizeof from);
    for (int i = 0; i < count; i++) {
        const int64_t j = at[i] < 0 && at[i] >= -n ? at[i] + n : at[i];
        if (j < 0 || j >= n)
            return -1;
        a[i] = from[j];
    }
    return count;
}

static int64_t clamp_to(int64_t i, int64_t n, int64_t least, int64_t most)
{
    i = i < 0 && i >= -n ? i + n : i;
    return i < least ? least : i > most ? most : i;
}

static int slice(const ib_importer *m, int64_t *a, int n)
{
    int64_t starts[IB_MAX_INTEGERS], ends[IB_MAX_INTEGERS], steps[IB_MAX_INTEGERS] = {1}, from[IB_MAX_INTEGERS];
    const int has_steps = m->node->n_input > 4 && *m->node->input[4];
    if (ib_import_list_of(m, "starts", 1, starts) != 1 || ib_import_list_of(m, "ends", 2, ends) != 1 || (has_steps && ib_import_integers_of(m, 4, steps) != 1) || !steps[0])
        return -1;
    const int64_t step = steps[0] > n ? n + 1 : steps[0] < -n ? -n - 1 : steps[0];
    int count = 0;
    memcpy(from, a, sizeof from);
    if (step > 0)
        for (int64_t i = clamp_to(starts[0], n, 0, n), end = clamp_to(ends[0], n, 0, n); i < end; i += step)
            a[count++] = from[i];
    else
        for (int64_t i = clamp_to(starts[0], n, -1, n - 1), end = clamp_to(ends[0], n, -1, n - 1); i > end; i += step)
            a[count++] = from[i];
    return count;
}

/* Rows of a table, forwards or backwards; for lists rows are numbers. */
static int slice_rows(const ib_importer *m, int64_t *a, int n, int columns)
{
    int64_t row[IB_MAX_INTEGERS], from[IB_MAX_INTEGERS];
    const int width = columns ? columns : 1;
    for (int i = 0; i < n / width; i++)
        row[i] = i;
    memcpy(from, a, sizeof from);
    const int count = slice(m, row, n / width);
    for (int i = 0; i < count * width; i++)
        a[i] = from[row[i / width] * width + i % width];
    return count < 0 ? -1 : count * width;
}

static int fill(const ib_importer *m, int64_t *a, int n)
{
    const Onnx__AttributeProto *v = ib_import_attribute(m, "value");
    int64_t one[IB_MAX_INTEGERS] = {0};
    const int64_t count = a[0];
    if (n != 1 || count < 0 || count > IB_MAX_INTEGERS || (v && (!v->t || constant_integers(v->t, one) != 1)))
        return -1;
    for (int64_t i = 0; i < count; i++)
        a[i] = one[0];
    return (int)count;
}

/* Between a list and a table; the number of columns, or -1. */
static int columns_of(const ib_importer *m, int n)
{
    int64_t to[IB_MAX_INTEGERS];
    const int dims = ib_import_integers_of(m, 1, to);
    if (dims == 1)
        return 0;
    return dims == 2 && to[1] > 0 && to[1] <= n && n % to[1] == 0 && (to[0] == -1 || to[0] == n / to[1]) ? (int)to[1] : -1;
}

static int transpose(int64_t *a, int n, int columns)
{
    int64_t from[IB_MAX_INTEGERS];
    const int rows = columns ? n / columns : 0;
    memcpy(from, a, sizeof from);
    for (int i = 0; i < n && columns; i++)
        a[i % columns * rows + i / columns] = from[i];
    return rows;
}

static int concat(const ib_importer *m, int64_t *a, int n)
{
    for (size_t i = 1; i < m->node->n_input; i++) {
        int64_t more[IB_MAX_INTEGERS];
        const int count = ib_import_integers_of(m, i, more);
        if (count < 0 || n + count > IB_MAX_INTEGERS)
            return -1;
        memcpy(a + n, more, (size_t)count * sizeof *a);
        n += count;
    }
    return n;
}

static int multiply(int64_t a, int64_t b, int64_t *to)
{
    return a != IB_BATCH && b != IB_BATCH && !__builtin_mul_overflow(a, b, to);
}

static int arithmetic(const ib_importer *m, int64_t *a, int n)
{
    int64_t b[IB_MAX_INTEGERS];
    const int count = ib_import_integers_of(m, 1, b), longer = count > n ? count : n;
    const char op = m->node->op_type[0]; /* Add, Sub, Mul, Div */
    if (count < 1 || n < 1 || (count != n && count != 1 && n != 1))
        return -1;
    for (int i = longer - 1; i >= 0; i--) {
        const int64_t x = a[n == 1 ? 0 : i], y = b[count == 1 ? 0 : i];
        int64_t v = 0;
        const int fits = op == 'M' ? multiply(x, y, &v)
                         : x == IB_BATCH || y == IB_BATCH ? 0
                         : op == 'A' ? !__builtin_add_overflow(x, y, &v)
                         : op == 'S' ? !__builtin_sub_overflow(x, y, &v)
                                     : y > 0;
        if (!fits)
            return -1;
        a[i] = op == 'D' ? x / y : v;
    }
    return longer;
}

static int product(int64_t *a, int n)
{
    for (int i = 1; i < n; i++)
        if (!multiply(a[0], a[i], &a[0]))
            return -1;
    return 1;
}

static int is_one_of(const char *op, const char *const *names)
{
    while (*names && strcmp(op, *names))
        names++;
    return *names != NULL;
}

/* Shape, and what has integers alone for its inputs, computed ones among them. */
int ib_import_computes_integers(const ib_importer *m)
{
    static const char *const names[] = {"ConstantOfShape", "Reshape", "Transpose", "Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Cast", "Identity", "Add", "Sub", "Mul", "Div", "ReduceProd", NULL};
    int64_t any[IB_MAX_INTEGERS];
    int computed = !strcmp(m->node->op_type, "ConstantOfShape");
    if (!strcmp(m->node->op_type, "Shape"))
        return 1;
    if (!is_one_of(m->node->op_type, names) || !m->node->n_input)
        return 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *s = ib_import_input(m, i);
        if (*m->node->input[i] && integers_of(s, any) < 0)
            return 0;
        computed |= s && !s->constant;
    }
    return computed;
}

ib_status ib_import_compute(ib_importer *m)
{
    static const char *const same[] = {"Unsqueeze", "Squeeze", "Cast", "Identity", NULL};
    const char *op = m->node->op_type;
    const ib_symbol *in = ib_import_input(m, 0);
    int64_t a[IB_MAX_INTEGERS] = {0};
    int columns = in ? in->columns : 0, n = strcmp(op, "Shape") ? ib_import_integers_of(m, 0, a) : shape_of(m, a);
    if (n < 0 || !strcmp(op, "Shape") || is_one_of(op, same))
        columns = 0;
    else if (!strcmp(op, "Reshape"))
        columns = columns_of(m, n);
    else if (!strcmp(op, "Transpose"))
        columns = transpose(a, n, columns);
    else if (!strcmp(op, "Slice"))
        n = slice_rows(m, a, n, columns);
    else if (columns)
        n = -1; /* tables are turned, nothing else */
    else
        n = !strcmp(op, "Gather") ? gather(m, a, n) : !strcmp(op, "Concat") ? concat(m, a, n) : !strcmp(op, "ReduceProd") ? product(a, n) : !strcmp(op, "ConstantOfShape") ? fill(m, a, n) : arithmetic(m, a, n);
    if (n < 0 || columns < 0)
        return ib_import_refuse(m, "computes a shape in a way that is not supported; simplify the model first (onnxslim does)");
    ib_symbol *s = ib_import_define(m, m->node->output[0]);
    if (!s)
        return IB_ENOMEM;
    memcpy(s->integers, a, sizeof a);
    s->n_integers = n;
    s->columns = columns;
    return IB_OK;
}

/* ---- constants with other dimensions ---- */

int ib_import_reshapes_constant(const ib_importer *m)
{
    const ib_symbol *s = ib_import_input(m, 0);
    return s && s->constant && !strcmp(m->node->op_type, "Reshape");
}

ib_status ib_import_reshape_constant(ib_importer *m)
{
    const Onnx__TensorProto *from = ib_import_input(m, 0)->constant;
    int64_t to[IB_MAX_INTEGERS], known = 1;
    const int n = ib_import_integers_of(m, 1, to);
    int open = -1;
    for (int i = 0; i < n; i++)
        if (to[i] == -1 && open < 0)
            open = i;
        else if (to[i] < 1 || __builtin_mul_overflow(known, to[i], &known))
            return ib_import_refuse(m, "a constant's new dimension %d", i);
    const int64_t count = ib_import_count(from);
    if (n < 0 || (open < 0 ? known != count : count < 0 || count % known))
        return ib_import_refuse(m, "%lld elements to another number of them, or to what is not known", (long long)count);
    if (open >= 0)
        to[open] = count / known;
    Onnx__TensorProto *t = m->n_reshaped < IB_MAX_WEIGHTS ? ib_copy(from, sizeof *from) : NULL;
    if (!t)
        return m->n_reshaped < IB_MAX_WEIGHTS ? IB_ENOMEM : ib_import_refuse(m, "more than %d constants", IB_MAX_WEIGHTS);
    t->n_dims = (size_t)n;
    t->dims = NULL;
    m->reshaped[m->n_reshaped++] = t;
    if (!(t->dims = ib_copy(to, sizeof to)))
        return IB_ENOMEM;
    ib_symbol *s = ib_import_define(m, m->node->output[0]);
    if (!s)
        return IB_ENOMEM;
    s->constant = t;
    return IB_OK;
}
