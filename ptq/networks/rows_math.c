/* rows_math.c - products, errors and the Hessian of a group's rows. */
#include <math.h>

#include "base/alloc.h"
#include "ptq/networks/rounding.h"
#include "ptq/statistics.h"

ib_status ib_rows_product(const ib_rounding_task *t, const float *w, float *y)
{
    ib_graph *g = t->g;
    ib_graph_begin(g, IB_EVAL);
    const size_t bytes = (size_t)(t->rows * t->outs) * sizeof *y;
    const float *x = ib_graph_uploaded(g, t->x, (size_t)(t->rows * t->cols) * sizeof *x),
                *wd = ib_graph_uploaded(g, w, (size_t)(t->outs * t->cols) * sizeof *w);
    float *yd = ib_graph_numbers(g, bytes);
    if (!x || !wd || !yd)
        return IB_ENOMEM;
    K(g)->gemm(g->dev, 0, 1, t->rows, t->outs, t->cols, x, wd, 0, yd);
    V(g)->download(g->dev, y, yd, bytes);
    for (int64_t i = 0; i < t->rows * t->outs; i++)
        y[i] += t->bias[i % t->outs];
    return IB_OK;
}

ib_status ib_rows_error(const ib_rounding_task *t, float *y, double *error, double *power)
{
    float *w = ib_alloc_raw((size_t)(t->outs * t->cols) * sizeof *w);
    for (int64_t i = 0; w && i < t->outs * t->cols; i++)
        w[i] = t->scale[i / t->cols] * (float)t->code[i];
    const ib_status status = w ? ib_rows_product(t, w, y) : IB_ENOMEM;
    for (int64_t i = 0; !status && i < t->rows * t->outs; i++) {
        const double z = ib_act_of(t->act, t->z[i]), d = z - (double)ib_act_of(t->act, y[i]);
        *error += d * d;
        *power += z * z;
    }
    ib_free(w);
    return status;
}

double *ib_rows_hessian(const ib_rounding_task *t, double share, int64_t *dead)
{
    enum { PART = 4096 };
    const int64_t n = t->cols;
    ib_statistics s;
    if (ib_statistics_new(&s, n, IB_NEEDS_SQUARES | IB_NEEDS_HESSIAN))
        return NULL;
    ib_status status = IB_OK;
    for (int64_t from = 0; !status && from < t->rows; from += PART) {
        const int64_t shape[] = {t->rows - from < PART ? t->rows - from : PART, n};
        ib_graph_begin(t->g, IB_EVAL);
        const ib_tensor *x = ib_input(t->g, 2, shape, t->x + from * n);
        status = x ? ib_statistics_add(&s, t->g, x) : ib_error_status();
    }
    double mean = 0, *h = status ? NULL : s.hessian;
    for (int64_t i = 0; h && i < n * n; i++)
        h[i] /= (double)t->rows;
    for (int64_t i = 0; h && i < n; i++)
        mean += h[i * n + i] / (double)n;
    for (int64_t i = 0; h && i < n; i++) {
        *dead += s.squares[i] == 0;
        h[i * n + i] += share * (mean > 0 ? mean : 1);
    }
    s.hessian = h ? NULL : s.hessian;
    ib_statistics_release(&s);
    return h;
}
