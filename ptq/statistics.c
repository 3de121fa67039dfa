/* statistics.c - see statistics.h. A window's X'X is a product of the device's in fp32; windows are added in double. */
#include "ptq/statistics.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

ib_status ib_statistics_new(ib_statistics *s, int64_t cols, unsigned needs)
{
    *s = (ib_statistics){.cols = cols, .every = 1};
    s->squares = ib_alloc((size_t)cols * sizeof *s->squares);
    s->most = ib_alloc((size_t)cols * sizeof *s->most);
    const int hessian = (needs & IB_NEEDS_HESSIAN) != 0, sizes = (needs & IB_NEEDS_SIZES) != 0,
              rows = (needs & IB_NEEDS_ROWS) != 0;
    s->sizes = sizes ? ib_alloc((size_t)cols * sizeof *s->sizes) : NULL;
    s->row = rows ? ib_alloc_raw((size_t)(IB_SAMPLE_ROWS * cols) * sizeof *s->row) : NULL;
    s->hessian = hessian ? ib_alloc((size_t)(cols * cols) * sizeof *s->hessian) : NULL;
    if (s->squares && s->most && (s->hessian || !hessian) && (s->sizes || !sizes) && (s->row || !rows))
        return IB_OK;
    ib_statistics_release(s);
    return IB_ENOMEM;
}

void ib_statistics_release(ib_statistics *s)
{
    ib_free(s->squares);
    ib_free(s->most);
    ib_free(s->hessian);
    ib_free(s->sizes);
    ib_free(s->row);
    *s = (ib_statistics){0};
}

void ib_statistics_scale(ib_statistics *s, const float *by)
{
    const int64_t n = s->cols;
    for (int64_t c = 0; c < n; c++) {
        s->squares[c] *= (double)by[c] * by[c];
        s->most[c] *= fabsf(by[c]);
        if (s->sizes)
            s->sizes[c] *= fabs((double)by[c]);
        for (int64_t i = 0; s->hessian && i < n; i++)
            s->hessian[c * n + i] *= (double)by[c] * by[i];
        for (int64_t r = 0; r < s->kept; r++)
            s->row[r * n + c] *= by[c];
    }
}

static ib_status add_hessian(ib_statistics *s, ib_graph *g, const ib_tensor *x)
{
    const int64_t rows = x->shape[0], cols = s->cols;
    float *product = ib_graph_numbers(g, (size_t)(cols * cols) * sizeof *product),
          *y = ib_alloc_raw((size_t)(cols * cols) * sizeof *y);
    if (product && y) {
        K(g)->gemm(g->dev, 1, 0, cols, cols, rows, ib_f32(x), ib_f32(x), 0, product);
        V(g)->download(g->dev, y, product, (size_t)(cols * cols) * sizeof *y);
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < cols * cols; i++)
            s->hessian[i] += (double)y[i];
    }
    ib_free(y);
    return product && y ? IB_OK : IB_ENOMEM;
}

ib_status ib_statistics_add(ib_statistics *s, ib_graph *g, const ib_tensor *x)
{
    void *copy;
    const int64_t rows = x->shape[0], cols = s->cols;
    IB_ASSERT(x->ndim == 2 && x->shape[1] == cols, "rows are as long as a product's columns");
    const float *row = ib_tensor_look(x, &copy);
    if (!row)
        return ib_error_status();
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < cols; c++) {
        double squares = 0, sizes = 0;
        float most = s->most[c];
        for (int64_t r = 0; r < rows; r++) {
            const float v = row[r * cols + c];
            squares += (double)v * (double)v;
            sizes += fabs((double)v);
            most = fmaxf(most, fabsf(v));
        }
        s->squares[c] += squares;
        if (s->sizes)
            s->sizes[c] += sizes;
        s->most[c] = most;
    }
    for (int64_t r = 0; s->row && r < rows && s->kept < IB_SAMPLE_ROWS; r++)
        if ((s->tokens + r) % s->every == 0)
            memcpy(s->row + s->kept++ * cols, row + r * cols, (size_t)cols * sizeof *row);
    ib_free(copy);
    s->tokens += rows;
    return s->hessian ? add_hessian(s, g, x) : IB_OK;
}
