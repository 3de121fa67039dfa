/* import_onnx_compute.c - the part of an ONNX graph that computes shapes, as exporters with a variable batch write it:
 * lists of integers, known when the graph is read, but for the size of the batch. */
#include <string.h>

#include "base/error.h"
#include "import/operators/import_onnx_operators.h"

static int list_of(const ib_symbol *s, ib_import_list *l)
{
    *l = (ib_import_list){0};
    if ((l->n = ib_import_integers_in(s, l->a)) < 0)
        return 0;
    l->type = s->type;
    l->rank = s->constant ? (int)s->constant->n_dims : s->rank;
    l->columns = s->constant ? (l->rank == 2 ? (int)s->constant->dims[1] : 0) : s->columns;
    return l->rank <= 2 && (l->rank != 2 || l->columns > 0);
}

/* The axes that the node names are the one of a list, or it names none and need not. */
static int along_the_list(const ib_importer *m, size_t input, int must)
{
    int64_t axes[IB_MAX_INTEGERS];
    if (!ib_import_attribute(m, "axes") && !ib_import_input(m, input))
        return !must;
    return ib_import_list_of(m, "axes", input, axes) == 1 && (axes[0] == 0 || axes[0] == -1);
}

/* ---- operators ---- */

int ib_compute_shape(const ib_importer *m, ib_import_list *l)
{
    const ib_symbol *x = ib_import_input(m, 0);
    int64_t all[IB_MAX_INTEGERS];
    int ndim;
    if (x->value >= 0) {
        ndim = ib_import_view(x, all);
    } else if (x->constant) {
        ndim = (int)x->constant->n_dims;
        if (ndim > IB_MAX_INTEGERS)
            return 0;
        memcpy(all, x->constant->dims, (size_t)ndim * sizeof *all);
    } else {
        ndim = x->rank;
        all[0] = x->columns ? x->n_integers / x->columns : x->n_integers;
        all[1] = x->columns;
    }
    const int64_t start = ib_import_integer(m, "start", 0), end = ib_import_integer(m, "end", ndim);
    const int64_t from = start < 0 ? start + ndim : start, to = end < 0 ? end + ndim : end;
    *l = (ib_import_list){.rank = 1, .type = 7};
    for (int64_t i = from < 0 ? 0 : from; i < to && i < ndim; i++)
        l->a[l->n++] = all[i];
    return 1;
}

int ib_compute_gather(const ib_importer *m, ib_import_list *l)
{
    ib_import_list at;
    int64_t from[IB_MAX_INTEGERS];
    if (l->rank != 1 || !list_of(ib_import_input(m, 1), &at) || at.rank > 1)
        return 0;
    memcpy(from, l->a, sizeof from);
    for (int i = 0; i < at.n; i++) {
        const int64_t j = at.a[i] < 0 && at.a[i] >= -l->n ? at.a[i] + l->n : at.a[i];
        if (j < 0 || j >= l->n)
            return 0;
        l->a[i] = from[j];
    }
    l->n = at.n;
    l->rank = at.rank;
    return 1;
}

static int64_t clamp_to(int64_t i, int64_t n, int64_t least, int64_t most)
{
    i = i < 0 && i >= -n ? i + n : i;
    return i < least ? least : i > most ? most : i;
}

/* Which of n the node takes, in at[]; their number, or -1. */
static int slice(const ib_importer *m, int n, int *at)
{
    int64_t starts[IB_MAX_INTEGERS], ends[IB_MAX_INTEGERS], steps[IB_MAX_INTEGERS] = {1}, axes[IB_MAX_INTEGERS] = {0};
    const int has_axes = ib_import_attribute(m, "axes") || ib_import_input(m, 3);
    if (ib_import_list_of(m, "starts", 1, starts) != 1 || ib_import_list_of(m, "ends", 2, ends) != 1 || !steps[0] ||
        (ib_import_input(m, 4) && ib_import_integers_of(m, 4, steps) != 1) ||
        (has_axes && ib_import_list_of(m, "axes", 3, axes) != 1) || axes[0] || !steps[0])
        return -1;
    const int64_t step = steps[0] > n ? n + 1 : steps[0] < -n ? -n - 1 : steps[0];
    int count = 0;
    if (step > 0)
        for (int64_t i = clamp_to(starts[0], n, 0, n), end = clamp_to(ends[0], n, 0, n); i < end; i += step)
            at[count++] = (int)i;
    else
        for (int64_t i = clamp_to(starts[0], n, -1, n - 1), end = clamp_to(ends[0], n, -1, n - 1); i > end; i += step)
            at[count++] = (int)i;
    return count;
}

/* Numbers of a list or rows of a table, forwards or backwards. */
int ib_compute_slice(const ib_importer *m, ib_import_list *l)
{
    int at[IB_MAX_INTEGERS] = {0};
    const ib_import_list from = *l;
    const int width = l->rank == 2 ? l->columns : 1;
    const int count = l->rank ? slice(m, l->n / width, at) : -1;
    for (int i = 0; i < count * width; i++)
        l->a[i] = from.a[at[i / width] * width + i % width];
    l->n = count * width;
    return count >= 0;
}

int ib_compute_fill(const ib_importer *m, ib_import_list *l)
{
    const IbOnnx__AttributeProto *v = ib_import_attribute(m, "value");
    int64_t one[IB_MAX_INTEGERS];
    const int64_t count = l->a[0];
    if (l->rank != 1 || l->n != 1 || count < 0 || count > IB_MAX_INTEGERS || !v || !v->t ||
        ib_import_integers_stored(v->t, one) != 1)
        return 0;
    for (int64_t i = 0; i < count; i++)
        l->a[i] = one[0];
    l->n = (int)count;
    l->type = v->t->data_type;
    return 1;
}

/* To a number, a list or a table. */
int ib_compute_reshape(const ib_importer *m, ib_import_list *l)
{
    int64_t to[IB_MAX_INTEGERS];
    const int rank = ib_import_list_of(m, "shape", 1, to);
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < rank; i++)
        if (to[i] == -1 && open < 0)
            open = i;
        else if (to[i] < 1 || to[i] > IB_MAX_INTEGERS)
            return 0;
        else
            known *= to[i];
    if (rank < 0 || rank > 2 || (open < 0 ? known != l->n : l->n % known))
        return 0;
    if (open >= 0)
        to[open] = l->n / known;
    l->rank = rank;
    l->columns = rank == 2 ? (int)to[1] : 0;
    return rank < 2 || l->columns > 0;
}

int ib_compute_transpose(const ib_importer *m, ib_import_list *l)
{
    int64_t p[IB_MAX_INTEGERS];
    const ib_import_list from = *l;
    const int n = ib_import_attribute(m, "perm") ? ib_import_list_of(m, "perm", 99, p) : -1;
    if (l->rank != 2 || (n >= 0 && (n != 2 || p[0] != 1 || p[1] != 0)))
        return l->rank == 1 && (n < 0 || (n == 1 && !p[0]));
    const int rows = l->n / l->columns;
    for (int i = 0; i < l->n; i++)
        l->a[i % l->columns * rows + i / l->columns] = from.a[i];
    l->columns = rows;
    return rows > 0;
}

int ib_compute_concat(const ib_importer *m, ib_import_list *l)
{
    const int64_t axis = ib_import_integer(m, "axis", 1);
    if (l->rank != 1 || (axis != 0 && axis != -1))
        return 0;
    for (size_t i = 1; i < m->node->n_input; i++) {
        ib_import_list more;
        if (!list_of(ib_import_input(m, i), &more) || more.rank != 1 || more.type != l->type ||
            l->n + more.n > IB_MAX_INTEGERS)
            return 0;
        memcpy(l->a + l->n, more.a, (size_t)more.n * sizeof *more.a);
        l->n += more.n;
    }
    return 1;
}

static int multiply(int64_t a, int64_t b, int64_t *to)
{
    return a != IB_BATCH && b != IB_BATCH && !__builtin_mul_overflow(a, b, to);
}

int ib_compute_arithmetic(const ib_importer *m, ib_import_list *l)
{
    ib_import_list b;
    const char op = m->node->op_type[0]; /* Add, Sub, Mul, Div */
    if (!list_of(ib_import_input(m, 1), &b) || b.n < 1 || l->n < 1 || (b.n != l->n && b.n != 1 && l->n != 1) ||
        l->rank > 1 || b.rank > 1 || l->type != b.type)
        return 0;
    const int n = l->n, longer = b.n > n ? b.n : n;
    for (int i = longer - 1; i >= 0; i--) {
        const int64_t x = l->a[n == 1 ? 0 : i], y = b.a[b.n == 1 ? 0 : i];
        int64_t v = 0;
        const int fits = op == 'M'                        ? multiply(x, y, &v)
                         : x == IB_BATCH || y == IB_BATCH ? 0
                         : op == 'A'                      ? !__builtin_add_overflow(x, y, &v)
                         : op == 'S'                      ? !__builtin_sub_overflow(x, y, &v)
                                                          : y > 0;
        if (!fits)
            return 0;
        l->a[i] = op == 'D' ? x / y : v;
    }
    l->n = longer;
    l->rank = b.rank > l->rank ? b.rank : l->rank;
    return 1;
}

int ib_compute_product(const ib_importer *m, ib_import_list *l)
{
    if (l->rank != 1 || l->n < 1 || !along_the_list(m, 1, 0))
        return 0;
    for (int i = 1; i < l->n; i++)
        if (!multiply(l->a[0], l->a[i], &l->a[0]))
            return 0;
    l->n = 1;
    l->rank = ib_import_integer(m, "keepdims", 1) != 0;
    return 1;
}

/* A number as a list of one. */
int ib_compute_unsqueeze(const ib_importer *m, ib_import_list *l)
{
    return l->rank == 0 && along_the_list(m, 1, 1) && ++l->rank;
}

/* And back. */
int ib_compute_squeeze(const ib_importer *m, ib_import_list *l)
{
    return l->rank == 1 && l->n == 1 && along_the_list(m, 1, 0) && !--l->rank;
}

/* Between int32 and int64. */
int ib_compute_cast(const ib_importer *m, ib_import_list *l)
{
    l->type = (int)ib_import_integer(m, "to", 0);
    return l->type == 6 || l->type == 7;
}

int ib_compute_same(const ib_importer *m, ib_import_list *l)
{
    (void)m, (void)l;
    return 1;
}

/* Shape, and what has integers alone for its inputs; constants by themselves may become another thing. */
int ib_import_computes_integers(const ib_importer *m)
{
    const char *op = m->node->op_type;
    const ib_onnx_operator *o = ib_onnx_operator_of(op);
    int64_t any[IB_MAX_INTEGERS];
    int computed = 0;
    if (!strcmp(op, "Shape"))
        return 1;
    if (!o || !o->compute || !m->node->n_input)
        return 0;
    for (size_t i = 0; i < m->node->n_input; i++) {
        const ib_symbol *s = ib_import_input(m, i);
        if (*m->node->input[i] && ib_import_integers_in(s, any) < 0)
            return 0;
        computed |= s && !s->constant;
    }
    return computed || (strcmp(op, "Reshape") && strcmp(op, "Identity") &&
                        (strcmp(op, "Cast") || ib_import_integer(m, "to", 0) != 1));
}

ib_status ib_import_compute(ib_importer *m)
{
    ib_import_list l = {0};
    const ib_symbol *in = ib_import_input(m, 0);
    const int is_shape = !strcmp(m->node->op_type, "Shape");
    int possible = (is_shape || list_of(in, &l)) && ib_onnx_operator_of(m->node->op_type)->compute(m, &l);
    for (int i = 0; i < l.n && possible && l.type == 6; i++)
        possible = l.a[i] == IB_BATCH || l.a[i] == (int32_t)l.a[i];
    if (!possible)
        return ib_import_refuse(
            m, "computes a shape in a way that is not supported; simplify the model first (onnxslim does)");
    ib_symbol *s = ib_import_define(m, m->node->output[0]);
    if (!s)
        return IB_ENOMEM;
    memcpy(s->integers, l.a, sizeof l.a);
    s->n_integers = l.n;
    s->rank = l.rank;
    s->columns = l.columns;
    s->type = l.type;
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
    const ib_symbol was = *ib_import_input(m, 0);
    const IbOnnx__TensorProto *from = was.constant;
    int64_t to[IB_MAX_INTEGERS], known = 1;
    const int n = ib_import_list_of(m, "shape", 1, to), zero = ib_import_integer(m, "allowzero", 0) != 0;
    int open = -1;
    for (int i = 0; i < n; i++) {
        if (to[i] == 0 && !zero && (size_t)i < from->n_dims)
            to[i] = from->dims[i];
        if (to[i] == -1 && open < 0)
            open = i;
        else if (to[i] < 1 || __builtin_mul_overflow(known, to[i], &known))
            return ib_import_refuse(m, "a constant's new dimension %d", i);
    }
    const int64_t count = ib_import_count(from);
    if (n < 0 || (open < 0 ? known != count : count < 0 || count % known))
        return ib_import_refuse(m, "%lld elements to another number of them, or to what is not known",
                                (long long)count);
    if (open >= 0)
        to[open] = count / known;
    IbOnnx__TensorProto *t = ib_import_new_constant(m, from, (size_t)n, to);
    ib_symbol *s = t ? ib_import_define(m, m->node->output[0]) : NULL;
    if (!s)
        return ib_error_status() ? ib_error_status() : IB_ENOMEM;
    s->constant = t;
    s->type = was.type;
    return IB_OK;
}
