/* norm.c - normalization in fp32: of channels (batch norm) and of rows (layer norm) with sums in double, and of rows by
 * their root mean square (RMS norm) with sums in lanes. */
#include <math.h>

#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"

#define FOR_CHANNELS(j)                                                                                                \
    _Pragma("omp parallel for schedule(static) if (n * c * hw > IB_SERIAL)") for (int64_t j = 0; j < c; j++)

/* mean and biased variance of each channel of x[n,c,hw] */
void IB_K(bn_stats)(ib_device *dev, const ib_planes *s, const float *x, float *mean, float *var)
{
    const int64_t n = s->n, c = s->c, hw = s->hw;
    FOR_CHANNELS(j)
    {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++)
            sum += ib_sum(x + (i * c + j) * hw, hw);
        const double m = sum / (double)(n * hw);
        for (int64_t i = 0; i < n; i++)
            square += ib_sum_deviation(x + (i * c + j) * hw, (float)m, hw);
        mean[j] = (float)m;
        var[j] = (float)(square / (double)(n * hw));
    }
}

/* The variance that is kept is unbiased. */
void IB_K(bn_track)(ib_device *dev, int64_t c, int64_t count, float momentum, const float *mean, const float *var,
                    float *running_mean, float *running_var)
{
    for (int64_t j = 0; j < c; j++) {
        const float unbiased = var[j] * (float)count / (float)(count - 1);
        running_mean[j] += momentum * (mean[j] - running_mean[j]);
        running_var[j] += momentum * (unbiased - running_var[j]);
    }
}

void IB_K(bn_rstd)(ib_device *dev, int64_t c, const float *var, float eps, float *rstd)
{
    for (int64_t j = 0; j < c; j++)
        rstd[j] = 1.0f / sqrtf(var[j] + eps);
}

/* y = (x - mean) rstd gamma + beta */
void IB_K(bn_apply)(ib_device *dev, const ib_planes *s, const ib_norm *p)
{
    const int64_t n = s->n, c = s->c, hw = s->hw;
    const float *x = p->x, *mean = p->mean, *rstd = p->rstd, *gamma = p->gamma, *beta = p->beta;
    const float least = p->relu ? 0.0f : -INFINITY;
    float *y = p->y;
    FOR_CHANNELS(j)
    {
        const float a = rstd[j] * gamma[j], b = beta[j] - mean[j] * a;
        for (int64_t i = 0; i < n; i++)
            for (int64_t l = (i * c + j) * hw; l < (i * c + j + 1) * hw; l++) {
                const float v = x[l] * a + b;
                y[l] = v < least ? least : v; /* NaN stays */
            }
    }
}

void IB_K(bn_grad)(ib_device *dev, const ib_planes *planes, const ib_norm_grads *g)
{
    const int64_t n = planes->n, c = planes->c, hw = planes->hw;
    const float *x = g->x, *relu = g->relu, *mean = g->mean, *rstd = g->rstd, *gamma = g->gamma;
    const int batch = g->batch, add = !g->sets_dx;
    float *dy = g->dy, *dx = g->dx, *dgamma = g->dgamma, *dbeta = g->dbeta;
    FOR_CHANNELS(j)
    {
        double sum = 0, dot = 0;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t l = (i * c + j) * hw; relu && l < (i * c + j + 1) * hw; l++)
                dy[l] = relu[l] > 0 ? dy[l] : 0.0f;
            sum += ib_sum(dy + (i * c + j) * hw, hw);
            dot += ib_dot_deviation(dy + (i * c + j) * hw, x + (i * c + j) * hw, mean[j], hw);
        }
        dot *= rstd[j];
        if (dgamma)
            dgamma[j] += (float)dot;
        if (dbeta)
            dbeta[j] += (float)sum;
        if (!dx)
            continue;
        const float a = gamma[j] * rstd[j], s = batch ? (float)(sum / (double)(n * hw)) : 0.0f;
        const float d = batch ? (float)(dot / (double)(n * hw)) * rstd[j] : 0.0f;
        const float m = mean[j];
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = (i * c + j) * hw;
            if (add)
                for (int64_t l = at; l < at + hw; l++)
                    dx[l] += a * (dy[l] - s - (x[l] - m) * d);
            else
                for (int64_t l = at; l < at + hw; l++)
                    dx[l] = a * (dy[l] - s - (x[l] - m) * d);
        }
    }
}

/* each row: y = (x - mean) / sqrt(var + eps) gamma + beta */
void IB_K(layer_norm)(ib_device *dev, int64_t rows, int64_t cols, const ib_norm *p)
{
    const float *x = p->x, *gamma = p->gamma, *beta = p->beta, eps = p->eps;
    float *y = p->y, *mean = p->mean, *rstd = p->rstd;
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        const float *row = x + i * cols;
        double sum = 0, square = 0;
        for (int64_t j = 0; j < cols; j++)
            sum += row[j];
        const double m = sum / (double)cols;
        for (int64_t j = 0; j < cols; j++)
            square += (row[j] - m) * (row[j] - m);
        mean[i] = (float)m;
        rstd[i] = (float)(1.0 / sqrt(square / (double)cols + eps));
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] = (row[j] - mean[i]) * rstd[i] * gamma[j] + beta[j];
    }
}

/* With xh = (x - mean) rstd and g = dy gamma: dx += rstd (g - mean(g) - xh mean(g xh)) */
void IB_K(layer_norm_grad)(ib_device *dev, int64_t rows, int64_t cols, const ib_norm_grads *g)
{
    const float *x = g->x, *dy = g->dy, *mean = g->mean, *rstd = g->rstd, *gamma = g->gamma;
    float *dx = g->dx, *dgamma = g->dgamma, *dbeta = g->dbeta;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = x + i * cols, *d = dy + i * cols;
        double sum = 0, dot = 0;
        for (int64_t j = 0; j < cols; j++) {
            const float xh = (row[j] - mean[i]) * rstd[i];
            sum += d[j] * gamma[j];
            dot += d[j] * gamma[j] * xh;
            if (dgamma)
                dgamma[j] += d[j] * xh;
            if (dbeta)
                dbeta[j] += d[j];
        }
        const float s = (float)(sum / (double)cols), t = (float)(dot / (double)cols);
        for (int64_t j = 0; dx && j < cols; j++)
            dx[i * cols + j] += rstd[i] * (d[j] * gamma[j] - s - (row[j] - mean[i]) * rstd[i] * t);
    }
}

/* each row: y = x rstd w with w = gamma, rstd = 1 / sqrt(mean x^2 + eps) */
void IB_K(rms_norm)(ib_device *dev, int64_t rows, int64_t cols, const ib_norm *p)
{
    const float *x = p->x, *w = p->gamma, eps = p->eps;
    float *y = p->y, *rstd = p->rstd;
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        const float *xi = x + i * cols;
        const float r = rstd[i] = 1.0f / sqrtf(ib_dot(xi, xi, cols) / (float)cols + eps);
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] = xi[j] * r * w[j];
    }
}

/* dx += rstd (w dy - x rstd^2 mean(x w dy))    dw += sum over rows of x rstd dy */
void IB_K(rms_norm_grad)(ib_device *dev, int64_t rows, int64_t cols, const ib_norm_grads *g)
{
    const float *x = g->x, *dy = g->dy, *rstd = g->rstd, *w = g->gamma;
    float *dx = g->dx, *dw = g->dgamma;
    if (dx)
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
        for (int64_t i = 0; i < rows; i++) {
            const float *xi = x + i * cols, *di = dy + i * cols;
            float part[LANES] = {0}, sum = 0;
            int64_t j = 0;
            for (; j + LANES <= cols; j += LANES)
                for (int l = 0; l < LANES; l++)
                    part[l] += xi[j + l] * (w[j + l] * di[j + l]);
            for (int l = 0; l < LANES; l++)
                sum += part[l];
            for (; j < cols; j++)
                sum += xi[j] * (w[j] * di[j]);
            const float r = rstd[i], mean = sum * r * r / (float)cols;
            for (j = 0; j < cols; j++)
                dx[i * cols + j] += r * (w[j] * di[j] - xi[j] * mean);
        }
    if (dw)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                dw[j] += x[i * cols + j] * rstd[i] * dy[i * cols + j];
}
