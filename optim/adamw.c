/* adamw.c - Adam with decoupled weight decay; its states in fp32 or, in blocks of 256, in 8 bits. */
#include <math.h>

#include "base/argument.h"
#include "optim/optim.h"
#include "tensor/storage/scaled.h"

enum { BLOCK = 256, SMALL = 4096 }; /* smaller parameters keep fp32 states, as bitsandbytes' */

static int update(ib_optim *o, ib_tensor *p, float *const *state, int64_t t, float lr, float decay)
{
    const ib_adamw_opts *a = &o->adamw;
    const ib_adamw_step s = {lr,
                             a->beta1,
                             a->beta2,
                             a->eps,
                             decay,
                             (float)(1 - pow(a->beta1, (double)t)),
                             (float)(1 - pow(a->beta2, (double)t)),
                             1.0f};
    return o->dev->k.adamw(o->dev, &s, ib_f32(p), p->grad, state[0], state[1], p->size);
}

/* codes [n], then a scale a block */
static size_t bytes8(int64_t n)
{
    return n < SMALL ? (size_t)n * sizeof(float) : (size_t)((n + 63) / 64 * 64 + (n + BLOCK - 1) / BLOCK * 4);
}

/* m in the signed and v in the unsigned dynamic map (Dettmers et al., arXiv:2110.02861); a new state is zero.
 *   p -= lr decay p, then p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt v + sqrt(1 - b2^t) eps) */
static int update8(ib_optim *o, ib_tensor *p, float *const *state, int64_t t, float lr, float decay)
{
    if (p->size < SMALL)
        return update(o, p, state, t, lr, decay);
    const float(*map)[256] = o->dynamic;
    const ib_adamw_opts *a = &o->adamw;
    const float c2 = (float)sqrt(1 - pow(a->beta2, (double)t)), step = lr * c2 / (float)(1 - pow(a->beta1, (double)t));
    const int64_t n = p->size, codes = (n + 63) / 64 * 64;
    uint8_t *qm = (uint8_t *)state[0], *qv = (uint8_t *)state[1];
    float *sm = (float *)(qm + codes), *sv = (float *)(qv + codes), *w = ib_f32(p);
    const float *grad = p->grad;
    int bad = 0;
#pragma omp parallel for schedule(static) reduction(| : bad)
    for (int64_t b = 0; b < n; b += BLOCK) {
        const int64_t size = n - b < BLOCK ? n - b : BLOCK;
        float m[BLOCK], v[BLOCK], top_m = 0, top_v = 0;
        for (int64_t i = 0; i < size; i++) {
            const float g = grad[b + i];
            m[i] = sm[b / BLOCK] ? map[0][qm[b + i]] * sm[b / BLOCK] : 0;
            v[i] = sv[b / BLOCK] ? map[1][qv[b + i]] * sv[b / BLOCK] : 0;
            if (isfinite(g)) { /* else the element is skipped */
                m[i] = a->beta1 * m[i] + (1.0f - a->beta1) * g;
                v[i] = a->beta2 * v[i] + (1.0f - a->beta2) * g * g;
                w[b + i] -= lr * decay * w[b + i];
                w[b + i] -= step * (m[i] / (sqrtf(v[i]) + c2 * a->eps));
            }
            bad |= !isfinite(w[b + i]);
            top_m = fabsf(m[i]) > top_m ? fabsf(m[i]) : top_m;
            top_v = v[i] > top_v ? v[i] : top_v;
        }
        sm[b / BLOCK] = top_m;
        sv[b / BLOCK] = top_v;
        for (int64_t i = 0; i < size; i++) {
            qm[b + i] = ib_dynamic_code(map[0], top_m ? m[i] * (1.0f / top_m) : 0);
            qv[b + i] = ib_dynamic_code(map[1], top_v ? v[i] * (1.0f / top_v) : 0);
        }
    }
    return !bad;
}

static const ib_optim_class adamw_class = {"adamw", 2, NULL, update}, adamw8_class = {"adamw8bit", 2, bytes8, update8};

ib_optim *ib_adamw_new(ib_layer *net, ib_device *dev, const ib_adamw_opts *opts)
{
    IB_NEED_OR(net, NULL);
    IB_NEED_OR(dev, NULL);
    if (opts) {
        IB_TAKE_OR(opts->lr, opts->lr >= 0 && isfinite(opts->lr), NULL, "is %g", opts->lr);
        IB_TAKE_OR(opts->beta1, opts->beta1 >= 0 && opts->beta1 < 1, NULL, "is %g, which is not in [0, 1)",
                   opts->beta1);
        IB_TAKE_OR(opts->beta2, opts->beta2 >= 0 && opts->beta2 < 1, NULL, "is %g, which is not in [0, 1)",
                   opts->beta2);
        IB_TAKE_OR(opts->eps, opts->eps >= 0 && isfinite(opts->eps), NULL, "is %g", opts->eps);
        IB_TAKE_OR(opts->weight_decay, opts->weight_decay >= 0 && isfinite(opts->weight_decay), NULL, "is %g",
                   opts->weight_decay);
    }
    ib_optim *o = ib_optim_new(opts && opts->bits8 ? &adamw8_class : &adamw_class, net, dev, opts && opts->paged);
    if (o) {
        ib_adamw_opts *a = &o->adamw;
        *a = opts ? *opts : (ib_adamw_opts){0};
        a->beta1 = a->beta1 > 0 ? a->beta1 : 0.9f;
        a->beta2 = a->beta2 > 0 ? a->beta2 : 0.999f;
        a->eps = a->eps > 0 ? a->eps : 1e-8f;
        o->lr = a->lr > 0 ? a->lr : 1e-3f;
        o->decay = a->weight_decay;
        ib_dynamic_map(1, o->dynamic[0]);
        ib_dynamic_map(0, o->dynamic[1]);
    }
    return o;
}
