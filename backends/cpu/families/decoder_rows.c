/* decoder_rows.c - the small loops of decoders: RMS norm, rotary positions, gated activations, losses of rows. */
#include "backends/cpu/dot.h"
#include "backends/cpu/exp.h"
#include "backends/cpu/level.h"

/* y = x rstd w with w = gamma, rstd = 1 / sqrt(mean x^2 + eps) */
void IB_K(rms_norm)(int64_t rows, int64_t cols, const ib_norm *p)
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
void IB_K(rms_norm_grad)(int64_t rows, int64_t cols, const ib_norm_grads *g)
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

/* (a, b) becomes (a cos - b sin, a sin + b cos) for each pair (a, b) of each head. */
void IB_K(rope)(const ib_rotation *r, int64_t rows, const float *x, float sign, int add, float *y)
{
    const int heads = r->heads, dim = r->dim, rotated = r->rotated, pairs = r->pairs, half = rotated / 2;
    const int32_t *pos = r->pos;
    const float *table = r->table;
#pragma omp parallel for schedule(static) if (rows * heads * dim > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        const float *t = table + (int64_t)pos[i] * rotated;
        for (int h = 0; h < heads; h++) {
            const float *a = x + (i * heads + h) * dim;
            float *b = y + (i * heads + h) * dim;
            for (int j = 0; j < half; j++) {
                const int u = pairs ? 2 * j : j, v = pairs ? 2 * j + 1 : j + half;
                const float c = t[2 * j], s = sign * t[2 * j + 1], p = a[u] * c - a[v] * s, q = a[u] * s + a[v] * c;
                b[u] = add ? b[u] + p : p;
                b[v] = add ? b[v] + q : q;
            }
            for (int j = rotated; j < dim; j++)
                b[j] = add ? b[j] + a[j] : a[j];
        }
    }
}

/* GELU x Phi(x) and ReLU, for few models: kinds 2 and 3 of glu. *slope: f' */
static float rare_gate(float x, int kind, float *slope)
{
    if (kind == 3) {
        *slope = x > 0 ? 1.0f : 0.0f;
        return x > 0 ? x : 0.0f;
    }
    const double phi = 0.5 * erfc(-0.70710678118654752 * (double)x);
    *slope = (float)(phi + (double)x * 0.39894228040143268 * exp(-0.5 * (double)x * (double)x));
    return (float)((double)x * phi);
}

/* y = f(gate) up; f is 0: SiLU x sigmoid(x), 1: GELU 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x +
 * 0.044715 x^3), or rare */
void IB_K(glu)(const float *gate, const float *up, int64_t n, int kind, float *y)
{
    const int gelu = kind == 1;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK) {
        const int64_t end = ib_min64(b + IB_BLOCK, n);
        for (int64_t i = b; kind < 2 && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            y[i] = x * ib_sigmoid_of(u) * up[i];
        }
        for (int64_t i = b; kind > 1 && i < end; i++) {
            float slope;
            y[i] = rare_gate(gate[i], kind, &slope) * up[i];
        }
    }
}

/* dgate += dy up f'    dup += dy f;  with s = sigmoid(u): f = x s, f' = s + x s (1 - s) u' */
void IB_K(glu_grad)(const float *gate, const float *up, const float *dy, int64_t n, int kind, float *dgate, float *dup)
{
    const int gelu = kind == 1;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK) {
        const int64_t end = ib_min64(b + IB_BLOCK, n);
        for (int64_t i = b; kind > 1 && i < end; i++) {
            float slope;
            const float f = rare_gate(gate[i], kind, &slope);
            if (dgate)
                dgate[i] += dy[i] * up[i] * slope;
            if (dup)
                dup[i] += dy[i] * f;
        }
        for (int64_t i = b; kind < 2 && dgate && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            const float du = gelu ? 1.5957691216f * (1.0f + 3.0f * 0.044715f * x * x) : 1.0f, s = ib_sigmoid_of(u);
            dgate[i] += dy[i] * up[i] * (s + x * s * (1.0f - s) * du);
        }
        for (int64_t i = b; kind < 2 && dup && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            dup[i] += dy[i] * (x * ib_sigmoid_of(u));
        }
    }
}

/* nll[i] = log sum exp(x_i) - x_i[target_i]; x becomes scale (softmax(x) - onehot) if grad; target -1: 0 and zeros */
void IB_K(nll_rows)(float *x, const int32_t *target, int64_t rows, int64_t cols, float scale, int grad, float *nll)
{
#pragma omp parallel for schedule(static) if (rows * cols > IB_SERIAL)
    for (int64_t i = 0; i < rows; i++) {
        float *xi = x + i * cols, max = xi[0], part[LANES] = {0}, sum = 0;
        nll[i] = 0;
        if (target[i] < 0) {
            for (int64_t j = 0; grad && j < cols; j++)
                xi[j] = 0;
            continue;
        }
        const float right = xi[target[i]];
        float best[LANES];
        for (int l = 0; l < LANES; l++)
            best[l] = max;
        int64_t j = 0;
        for (; j + LANES <= cols; j += LANES)
            for (int l = 0; l < LANES; l++)
                best[l] = xi[j + l] > best[l] ? xi[j + l] : best[l];
        for (int l = 0; l < LANES; l++)
            max = best[l] > max ? best[l] : max;
        for (; j < cols; j++)
            max = xi[j] > max ? xi[j] : max;
        for (j = 0; j + LANES <= cols; j += LANES)
            for (int l = 0; l < LANES; l++)
                part[l] += xi[j + l] = ib_exp(xi[j + l] - max);
        for (int l = 0; l < LANES; l++)
            sum += part[l];
        for (; j < cols; j++)
            sum += xi[j] = ib_exp(xi[j] - max);
        nll[i] = logf(sum) + max - right;
        if (grad) {
            const float f = scale / sum;
            for (j = 0; j < cols; j++)
                xi[j] *= f;
            xi[target[i]] -= scale;
        }
    }
}
