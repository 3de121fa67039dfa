/* methods.c - the table of methods, and what they share. */
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"
#include "ptq/ptq.h"

static const ib_ptq_method table[] = {
#define METHOD(name, needs, summary) {{#name, summary}, needs, ib_ptq_##name},
#include "ptq/methods.def"
#undef METHOD
};
enum { N_METHODS = sizeof table / sizeof *table };

const ib_ptq_name *ib_ptq_method_at(int i)
{
    return i >= 0 && i < N_METHODS ? &table[i].name : NULL;
}

const ib_ptq_method *ib_ptq_method_find(const char *name)
{
    for (int i = 0; i < N_METHODS; i++)
        if (!strcmp(table[i].name.name, name))
            return &table[i];
    ib_name_refuse(name, table, N_METHODS, sizeof *table, IB_EINVAL, "no method is named");
    return NULL;
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

/* d' H d of one row, H symmetric or (NULL) its diagonal, or (both NULL) 1 */
static double weighed(const double *d, const ib_statistics *s, int64_t cols)
{
    double sum = 0;
    for (int64_t i = 0; i < cols; i++) {
        if (!d[i])
            continue;
        double of = s && !s->hessian ? s->squares[i] * d[i] : d[i];
        if (s && s->hessian) {
            of = 0;
            for (int64_t k = 0; k < cols; k++)
                of += s->hessian[i * cols + k] * d[k];
        }
        sum += d[i] * of;
    }
    return sum;
}

double ib_ptq_error(const ib_ptq_task *t, const ib_matrix *q)
{
    const int64_t rows = t->rows, cols = t->cols;
    const ib_statistics *s = t->of && t->of->tokens ? t->of : NULL;
    double *part = ib_alloc((size_t)rows * 2 * sizeof *part);
    int failed = !part;
#pragma omp parallel for schedule(static) reduction(| : failed)
    for (int64_t r = 0; r < rows; r++) {
        float *y = ib_alloc_raw((size_t)cols * sizeof *y);
        double *d = ib_alloc_raw((size_t)cols * 2 * sizeof *d), *w = d + cols;
        failed |= !y || !d;
        if (y && d && part) {
            ib_matrix_decode(q, r * cols, cols, y);
            for (int64_t c = 0; c < cols; c++) {
                w[c] = t->w[r * cols + c];
                d[c] = w[c] - (double)y[c];
            }
            part[2 * r] = weighed(d, s, cols);
            part[2 * r + 1] = weighed(w, s, cols);
        }
        ib_free(y);
        ib_free(d);
    }
    double of = 0, all = 0;
    for (int64_t r = 0; r < rows && !failed; r++) {
        of += part[2 * r];
        all += part[2 * r + 1];
    }
    ib_free(part);
    return failed ? -1 : all > 0 ? of / all : 0;
}
