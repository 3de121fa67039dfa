/* round_scales.c - first scales of the weights that a method rounds. */
#include <math.h>
#include <string.h>

#include "backends/formulas/codes.h"
#include "base/alloc.h"
#include "base/names.h"
#include "ptq/networks/rounding.h"

static const char *const names[] = {"mse", "absmax", "output"};
enum { MSE, ABSMAX, OUTPUT };

static int kind_of(const ib_rounding_opts *o)
{
    return o->scales ? IB_NAME_FIND(o->scales, names, IB_EINVAL, "scales: none is named") : MSE;
}

static ib_status put(const ib_rounding *k, const ib_step *s, const float *scale)
{
    ib_graph *g = k->g;
    ib_graph_begin(g, IB_EVAL);
    const float *on = ib_graph_uploaded(g, scale, (size_t)s->ln_scale->size * sizeof *scale);
    if (!on || ib_graph_use(g, s->ln_scale))
        return ib_error_status();
    K(g)->log_scales(g->dev, on, ib_f32(s->ln_scale), s->ln_scale->size);
    return IB_OK;
}

static float largest(const float *w, int64_t n)
{
    float top = 0;
    for (int64_t i = 0; i < n; i++)
        top = fmaxf(top, fabsf(w[i]));
    return top;
}

/* e'H e of a row's nearest codes; e: room for [cols]. */
static double error_of(const float *w, int64_t cols, const double *h, float scale, int qmax, double *e)
{
    double sum = 0;
    for (int64_t i = 0; i < cols; i++) {
        const float q = rintf(w[i] / scale), most = (float)qmax;
        e[i] = (double)(w[i] - scale * (q > most ? most : q < -most ? -most : q));
    }
    for (int64_t i = 0; i < cols; i++) {
        double row = 0;
        for (int64_t j = 0; j < i; j++)
            row += h[i * cols + j] * e[j];
        sum += e[i] * (2 * row + h[i * cols + i] * e[i]);
    }
    return sum;
}

/* error [outs of a group][IB_SCALES_TRIED + 1] of the fractions that are tried; one top for all: tops all the same. */
static ib_status try_group(const ib_rounding_task *t, const float *top, double *error)
{
    int64_t dead = 0;
    double *h = ib_rows_hessian(t, t->o->damping ? t->o->damping : 0.01, &dead);
    int failed = 0;
#pragma omp parallel reduction(| : failed)
    {
        double *e = ib_alloc_raw((size_t)t->cols * sizeof *e);
        failed |= !e || !h;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < t->outs * IB_SCALES_TRIED; i++) {
            const int64_t o = i / IB_SCALES_TRIED, at = i % IB_SCALES_TRIED + 1;
            const float scale = ib_tried_scale(top[o], (int)at, t->qmax);
            if (e && h)
                error[o * (IB_SCALES_TRIED + 1) + at] =
                    scale > 0 ? error_of(t->w + o * t->cols, t->cols, h, scale, t->qmax, e) : INFINITY;
        }
        ib_free(e);
    }
    ib_free(h);
    return failed ? IB_ENOMEM : IB_OK;
}

/* The fraction of least error, of the sums of `rows` rows; the largest of equal ones. */
static int least(const double *error, int64_t rows)
{
    int best = IB_SCALES_TRIED;
    double lowest = INFINITY;
    for (int at = IB_SCALES_TRIED; at > 0; at--) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += error[r * (IB_SCALES_TRIED + 1) + at];
        if (sum < lowest) {
            lowest = sum;
            best = at;
        }
    }
    return best;
}

static ib_status by_output(const ib_rounding *k, const ib_step *s, const ib_layer_rows *rows, const ib_layer_weights *w)
{
    const int64_t outs = w->outs, width = IB_SCALES_TRIED + 1, one = s->ln_scale->size == 1;
    double *error = ib_alloc((size_t)(outs * width) * sizeof *error);
    float *top = ib_alloc_raw((size_t)outs * sizeof *top), *scale = ib_alloc_raw((size_t)outs * sizeof *scale);
    ib_status status = error && top && scale ? IB_OK : IB_ENOMEM;
    for (int64_t o = 0; !status && o < outs; o++)
        top[o] = one ? largest(w->w, outs * w->cols) : largest(w->w + o * w->cols, w->cols);
    for (int64_t g = 0; !status && g < rows->groups; g++) {
        const ib_rounding_task t = ib_rounding_group(k, s, rows, w, g);
        status = try_group(&t, top + g * rows->outs, error + g * rows->outs * width);
    }
    for (int64_t o = 0; !status && o < (one ? 1 : outs); o++)
        scale[o] = top[o] > 0 ? ib_tried_scale(top[o], least(error + o * width, one ? outs : 1), w->qmax) : w->scale[o];
    if (!status)
        status = put(k, s, scale);
    ib_free(error);
    ib_free(top);
    ib_free(scale);
    return status;
}

ib_status ib_round_scales(const ib_rounding *k, const ib_step *s, const ib_layer_rows *rows)
{
    ib_layer_weights w;
    const int kind = kind_of(k->o);
    if (kind < 0)
        return IB_EINVAL;
    if (kind == MSE) /* as IB_FROZEN began */
        return IB_OK;
    ib_status status = ib_layer_weights_read(&w, k, s);
    if (status)
        return status;
    const int64_t n = s->ln_scale->size, part = w.outs * w.cols / n;
    for (int64_t i = 0; kind == ABSMAX && i < n; i++) {
        const float top = largest(w.w + i * part, part);
        w.scale[i] = top > 0 ? top / (float)w.qmax : w.scale[i];
    }
    status = kind == ABSMAX ? put(k, s, w.scale) : by_output(k, s, rows, &w);
    ib_layer_weights_release(&w);
    return status;
}

ib_status ib_round_check_scales(const ib_rounding_opts *o)
{
    return kind_of(o) < 0 ? IB_EINVAL : IB_OK;
}
