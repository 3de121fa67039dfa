/* round_gptq.c - GPTQ (Frantar et al., arXiv:2210.17323) onto scales that are given.
 *
 * With H = X'X / rows, damped, and H^-1 = U'U, U upper triangular, the weights of least squared error against the fp32
 * network's results z on these inputs are W + (z - b - X W')'X / rows H^-1. From them column j of a row becomes its
 * nearest code q_j and w_k -= (w_j - q_j) U_jk / U_jj for k > j; columns of large inputs come first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "ptq/networks/rounding.h"
#include "ptq/triangular.h"

typedef struct column {
    double power;
    int64_t at;
} column;

static int by_power(const void *a, const void *b)
{
    const column *x = a, *y = b;
    return x->power != y->power ? (x->power < y->power) - (x->power > y->power) : (x->at > y->at) - (x->at < y->at);
}

/* U of the Hessian whose columns stand in `order`, with the least damping of 10^i times the asked share that suffices;
 * NULL with ib_error(). */
static double *factor(const ib_rounding_task *t, column *order, ib_rounding_notes *notes)
{
    const int64_t n = t->cols;
    double share = t->o->damping ? t->o->damping : 0.01;
    double *u = ib_alloc_raw((size_t)(n * n) * sizeof *u);
    for (int tries = 0; u && tries < 5; tries++, share *= 10) {
        int64_t dead = 0;
        double *h = ib_rows_hessian(t, share, &dead);
        for (int64_t i = 0; h && i < n; i++)
            order[i] = (column){h[i * n + i], i};
        if (h)
            qsort(order, (size_t)n, sizeof *order, by_power);
        for (int64_t i = 0; h && i < n * n; i++)
            u[i] = h[order[i / n].at * n + order[i % n].at];
        const ib_status status = h ? ib_upper_inverse(u, n) : ib_error_status();
        ib_free(h);
        if (!status) {
            notes->dead += dead;
            notes->damping = tries && share > notes->damping ? share : notes->damping;
            return u;
        }
        if (status != IB_ENUMERIC)
            break;
    }
    ib_free(u);
    return NULL;
}

/* w [outs][cols] of least error against z, in `order`; c: room for as many. */
static ib_status aim(const ib_rounding_task *t, const column *order, const double *u, double *w)
{
    const int64_t n = t->cols, outs = t->outs, rows = t->rows;
    float *y = ib_alloc_raw((size_t)(rows * outs) * sizeof *y), *c = ib_alloc_raw((size_t)(outs * n) * sizeof *c);
    double *v = ib_alloc_raw((size_t)n * sizeof *v);
    ib_status status = y && c && v ? ib_rows_product(t, t->w, y) : IB_ENOMEM;
    ib_graph *g = t->g;
    if (!status) {
        for (int64_t i = 0; i < rows * outs; i++)
            y[i] = t->z[i] - y[i];
        const float *x = ib_graph_uploaded(g, t->x, (size_t)(rows * n) * sizeof *x),
                    *d = ib_graph_uploaded(g, y, (size_t)(rows * outs) * sizeof *d);
        float *product = ib_graph_numbers(g, (size_t)(outs * n) * sizeof *product);
        if (x && d && product) {
            K(g)->gemm(g->dev, 1, 0, outs, n, rows, d, x, 0, product);
            V(g)->download(g->dev, c, product, (size_t)(outs * n) * sizeof *c);
        } else {
            status = IB_ENOMEM;
        }
    }
    for (int64_t o = 0; !status && o < outs; o++) { /* U'(U c) */
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t j = i; j < n; j++)
                sum += u[i * n + j] * (double)c[o * n + order[j].at] / (double)rows;
            v[i] = sum;
        }
        for (int64_t j = 0; j < n; j++)
            w[o * n + j] = t->w[o * n + order[j].at];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i; j < n; j++)
                w[o * n + j] += u[i * n + j] * v[i];
    }
    ib_free(y);
    ib_free(c);
    ib_free(v);
    return status;
}

ib_status ib_round_gptq(const ib_rounding_task *t, ib_rounding_notes *notes)
{
    const int64_t n = t->cols;
    column *order = ib_alloc_raw((size_t)n * sizeof *order);
    double *w = ib_alloc_raw((size_t)(t->outs * n) * sizeof *w), *u = order && w ? factor(t, order, notes) : NULL;
    const ib_status status = u ? aim(t, order, u, w) : ib_error_status();
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < (status ? 0 : t->outs); o++) {
        double *row = w + o * n;
        for (int64_t j = 0; j < n; j++) {
            const double scale = (double)t->scale[o], q = rint(row[j] / scale),
                         code = q > t->qmax    ? t->qmax
                                : q < -t->qmax ? -t->qmax
                                               : q,
                         error = (row[j] - code * scale) / u[j * n + j];
            t->code[o * n + order[j].at] = (int8_t)code;
            for (int64_t c = j + 1; c < n; c++)
                row[c] -= error * u[j * n + c];
        }
    }
    ib_free(order);
    ib_free(w);
    ib_free(u);
    return status;
}
