/* optimizer_steps.c - steps of SGD and AdamW, by formulas/optimizers.h. */
#include "backends/cpu/level.h"
#include "backends/formulas/optimizers.h"

static int is_refused(const ib_update *u)
{
    ib_pass_on(u);
    return u->refused->kind != IB_NO_FAULT;
}

static void report(const ib_update *u, int bad)
{
    if (bad)
        ib_say_not_finite(u);
}

void IB_K(advance)(ib_device *dev, ib_progress *p, int64_t n, double beta1, double beta2, const ib_fault *refused)
{
    for (int64_t i = 0; i < n && !refused->kind; i++)
        if (!p[i].rests)
            ib_advance(&p[i], beta1, beta2);
}

void IB_K(sgd)(ib_device *dev, const ib_sgd_step *s, const ib_update *u, float *w, const float *g, float *m, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
#pragma omp parallel for schedule(static) reduction(| : bad) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        bad |= ib_sgd(s, g[i], &m[i], &w[i]);
    report(u, bad);
}

void IB_K(adamw)(ib_device *dev, const ib_adamw_step *s, const ib_update *u, float *w, const float *g, float *m,
                 float *v, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
    ib_progress p = *u->progress; /* a thread's own: what its stores may reach is read each time, one by one */
#pragma omp parallel for schedule(static) reduction(| : bad) firstprivate(p) if (n > IB_SERIAL)
    for (int64_t i = 0; i < n; i++)
        bad |= ib_adamw(s, &p, g[i], &m[i], &v[i], &w[i]);
    report(u, bad);
}

/* One block: its states are decoded, moved, and encoded by their new largest ones; whether w is not finite. */
static int adamw8_block(const ib_adamw_step *s, const ib_progress *p, const ib_states8 *q, int64_t b, int64_t size,
                        float *w, const float *g)
{
    float m[IB_ADAMW8_BLOCK], v[IB_ADAMW8_BLOCK], top_m = 0, top_v = 0;
    const float m_top = q->m_top[b / IB_ADAMW8_BLOCK], v_top = q->v_top[b / IB_ADAMW8_BLOCK];
    int bad = 0;
    for (int64_t i = 0; i < size; i++) {
        m[i] = ib_state_of(q->m_map, q->m[b + i], m_top);
        v[i] = ib_state_of(q->v_map, q->v[b + i], v_top);
        bad |= ib_adamw8(s, p, g[b + i], &m[i], &v[i], &w[b + i]);
        top_m = fabsf(m[i]) > top_m ? fabsf(m[i]) : top_m;
        top_v = v[i] > top_v ? v[i] : top_v;
    }
    q->m_top[b / IB_ADAMW8_BLOCK] = top_m;
    q->v_top[b / IB_ADAMW8_BLOCK] = top_v;
    for (int64_t i = 0; i < size; i++) {
        q->m[b + i] = ib_code_of_state(q->m_map, m[i], top_m);
        q->v[b + i] = ib_code_of_state(q->v_map, v[i], top_v);
    }
    return bad;
}

void IB_K(adamw8)(ib_device *dev, const ib_adamw_step *s, const ib_update *u, const ib_states8 *state, float *w,
                  const float *g, int64_t n)
{
    int bad = 0;
    if (is_refused(u))
        return;
    const ib_progress p = *u->progress;
#pragma omp parallel for schedule(static) reduction(| : bad)
    for (int64_t b = 0; b < n; b += IB_ADAMW8_BLOCK)
        bad |= adamw8_block(s, &p, state, b, ib_min64(IB_ADAMW8_BLOCK, n - b), w, g);
    report(u, bad);
}
