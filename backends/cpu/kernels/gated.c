/* gated.c - gated activations: one half of a row lets through what the other holds; caps. */
#include "arithmetic/real.h"
#include "backends/cpu/level.h"

/* GELU x Phi(x) and ReLU, for few models: kinds 2 and 3 of glu. *slope: f' */
static float rare_gate(float x, int kind, float *slope)
{
    if (kind == 3) {
        *slope = x > 0 ? 1.0f : 0.0f;
        return x > 0 ? x : 0.0f;
    }
    const float phi = 0.5f * (1.0f + ib_erf(0.70710678f * x));
    *slope = phi + x * (0.39894228f * ib_exp(-0.5f * (x * x)));
    return x * phi;
}

/* y = f(gate) up, or f(gate); f is 0: SiLU x sigmoid(x), 1: GELU 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi)
 * (x + 0.044715 x^3), or rare */
void IB_K(glu)(ib_device *dev, const float *gate, const float *up, int64_t n, int kind, float *y)
{
    const int gelu = kind == 1;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK) {
        const int64_t end = ib_min64(b + IB_BLOCK, n);
        for (int64_t i = b; kind < 2 && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            y[i] = x * ib_sigmoid_of(u);
        }
        for (int64_t i = b; kind > 1 && i < end; i++) {
            float slope;
            y[i] = rare_gate(gate[i], kind, &slope);
        }
        for (int64_t i = b; up && i < end; i++)
            y[i] *= up[i];
    }
}

/* dgate += dy up f'    dup += dy f;  with s = sigmoid(u): f = x s, f' = s + x s (1 - s) u' */
void IB_K(glu_grad)(ib_device *dev, const float *gate, const float *up, const float *dy, int64_t n, int kind,
                    float *dgate, float *dup)
{
    const int gelu = kind == 1;
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK) {
        const int64_t end = ib_min64(b + IB_BLOCK, n);
        for (int64_t i = b; kind > 1 && i < end; i++) {
            float slope;
            const float f = rare_gate(gate[i], kind, &slope);
            if (dgate)
                dgate[i] += dy[i] * (up ? up[i] : 1.0f) * slope;
            if (dup)
                dup[i] += dy[i] * f;
        }
        for (int64_t i = b; kind < 2 && dgate && dup && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            const float du = gelu ? 1.5957691216f * (1.0f + 3.0f * 0.044715f * x * x) : 1.0f, s = ib_sigmoid_of(u);
            dgate[i] += dy[i] * (up ? up[i] : 1.0f) * (s + x * s * (1.0f - s) * du);
            dup[i] += dy[i] * (x * s);
        }
        for (int64_t i = b; kind < 2 && dgate && !dup && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            const float du = gelu ? 1.5957691216f * (1.0f + 3.0f * 0.044715f * x * x) : 1.0f, s = ib_sigmoid_of(u);
            dgate[i] += dy[i] * (up ? up[i] : 1.0f) * (s + x * s * (1.0f - s) * du);
        }
        for (int64_t i = b; kind < 2 && dup && !dgate && i < end; i++) {
            const float x = gate[i], u = gelu ? 1.5957691216f * (x + 0.044715f * x * x * x) : x;
            dup[i] += dy[i] * (x * ib_sigmoid_of(u));
        }
    }
}

void IB_K(soft_cap)(ib_device *dev, float *x, int64_t n, float cap)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK)
        for (int64_t i = b; i < ib_min64(b + IB_BLOCK, n); i++)
            x[i] = cap * ib_tanh_of(x[i] / cap);
}

void IB_K(soft_cap_grad)(ib_device *dev, const float *y, int64_t n, float cap, float *dy)
{
#pragma omp parallel for schedule(static) if (n > IB_SERIAL)
    for (int64_t b = 0; b < n; b += IB_BLOCK)
        for (int64_t i = b; i < ib_min64(b + IB_BLOCK, n); i++)
            dy[i] *= 1.0f - y[i] / cap * (y[i] / cap);
}
