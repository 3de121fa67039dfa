/* methods.c - the table of methods, and what they share. */
#include "base/alloc.h"
#include "base/names.h"
#include "ptq/ptq.h"

static const ib_ptq_method table[] = {
#define METHOD(name, needs, summary) {{#name, summary}, needs, ib_ptq_##name, NULL},
#define COMPOSED(name, transform, method, needs, summary) {{#name, summary}, needs, ib_ptq_##method, #transform},
#include "ptq/methods.def"
#undef COMPOSED
#undef METHOD
};
enum { N_METHODS = sizeof table / sizeof *table };

const ib_ptq_name *ib_ptq_method_at(int i)
{
    return i >= 0 && i < N_METHODS ? &table[i].name : NULL;
}

const ib_ptq_method *ib_ptq_method_find(const char *name)
{
    const int i = IB_NAME_FIND(name, table, IB_EINVAL, "no method is named");
    return i < 0 ? NULL : &table[i];
}

float *ib_ptq_importance(const ib_ptq_task *t, ib_status *status)
{
    float *mean = t->of && t->of->tokens ? ib_alloc((size_t)t->cols * sizeof *mean) : NULL;
    if (t->of && t->of->tokens && !mean)
        *status = IB_ENOMEM;
    for (int64_t c = 0; mean && c < t->cols; c++)
        mean[c] = (float)(t->of->squares[c] / (double)t->of->tokens);
    return mean;
}

/* The Hessian of fp32 on the device, or NULL if memory is out. */
static const float *hessian_of(const ib_ptq_task *t)
{
    const int64_t n = t->cols * t->cols;
    float *h = ib_alloc_raw((size_t)n * sizeof *h);
    for (int64_t i = 0; h && i < n; i++)
        h[i] = (float)t->of->hessian[i];
    const float *to = h ? ib_graph_uploaded(t->g, h, (size_t)n * sizeof *h) : NULL;
    ib_free(h);
    return to;
}

/* sum of d' H d over rows: a product of the device's makes D H; the rest is added in double. */
static double by_hessian(const ib_ptq_task *t, const float *d)
{
    const int64_t n = t->rows * t->cols;
    ib_graph_begin(t->g, IB_EVAL);
    const float *h = hessian_of(t), *x = h ? ib_graph_uploaded(t->g, d, (size_t)n * sizeof *d) : NULL;
    float *y = x ? ib_graph_numbers(t->g, (size_t)n * sizeof *y) : NULL,
          *product = y ? ib_alloc_raw((size_t)n * sizeof *product) : NULL;
    double sum = -1;
    if (product) {
        K(t->g)->gemm(t->g->dev, 0, 0, t->rows, t->cols, t->cols, x, h, 0, y);
        V(t->g)->download(t->g->dev, product, y, (size_t)n * sizeof *y);
        sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)d[i] * (double)product[i];
    }
    ib_free(product);
    return sum < 0 && product ? 0 : sum; /* of rounding: H has no negative direction */
}

double ib_ptq_energy(const ib_ptq_task *t, const float *d)
{
    const ib_statistics *s = t->of && t->of->tokens ? t->of : NULL;
    double sum = 0;
    if (s && s->hessian)
        return by_hessian(t, d);
    for (int64_t i = 0; i < t->rows * t->cols; i++)
        sum += (double)d[i] * (double)d[i] * (s ? s->squares[i % t->cols] : 1);
    return sum;
}

double ib_ptq_error(const ib_ptq_task *t, const ib_matrix *q)
{
    const int64_t n = t->rows * t->cols;
    float *d = ib_alloc_raw((size_t)n * sizeof *d);
    if (!d)
        return -1;
    ib_matrix_decode(q, 0, n, d);
    for (int64_t i = 0; i < n; i++)
        d[i] = t->w[i] - d[i];
    const double of = ib_ptq_energy(t, d);
    ib_free(d);
    return of < 0 ? of : t->energy > 0 ? of / t->energy : 0;
}
