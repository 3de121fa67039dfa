/* round_adaround.c - learned rounding (Nagel et al., arXiv:2004.10568): codes floor(w / scale) + h(v) with
 *     h(v) = clip(1.2 sigmoid(v) - 0.1, 0, 1)
 * and v learned, so that f(x W~' + b) comes near f(z) of the fp32 network, on the inputs of the rounded one:
 *     mean over rows of |f(z) - f(y)|^2 / mean square of f(z)  +  0.01 sum of 1 - |2 h(v) - 1|^beta
 * where beta falls from 20 to 2; before a fifth of the steps the second part is left out. */
#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "base/alloc.h"
#include "ptq/networks/rounding.h"

static const float ZETA = 1.1f, GAMMA = -0.1f, RATE = 1e-2f, FIRST = 0.9f, SECOND = 0.999f, TOGETHER = 0.01f;
enum { ROWS_OF_STEP = 256, STEPS = 2000 };

typedef struct learning {
    const ib_rounding_task *t;
    int64_t weights, at_once; /* rows of a step */
    float *v, *m, *s;         /* [weights] learned, and Adam's means */
    float *w, *dw;            /* [weights] soft weights and their gradient */
    float *x, *z;             /* [rows] in an order that was drawn, of the graph's memory and the host's */
    float *y, *dy;            /* [at_once][outs] results, the host's */
    float power;              /* mean of f(z)^2 over rows and outputs */
} learning;

static float soft(float v)
{
    const float h = (ZETA - GAMMA) * ib_sigmoid_of(v) + GAMMA;
    return h < 0 ? 0 : h > 1 ? 1 : h;
}

static float lower(const ib_rounding_task *t, int64_t i)
{
    return floorf(t->w[i] / t->scale[i / t->cols]);
}

/* What h(v) makes of weight i, in steps; *inside: it moves with h. */
static float code_of(const ib_rounding_task *t, int64_t i, float h, int *inside)
{
    const float c = lower(t, i) + h, most = (float)t->qmax;
    *inside = c >= -most && c <= most;
    return c > most ? most : c < -most ? -most : c;
}

static float power_of(float x, float p)
{
    return x > 0 ? ib_exp(p * ib_log(x)) : 0;
}

/* Rows in an order that is drawn once; steps take them one behind the other. */
static ib_status shuffle(learning *l)
{
    const ib_rounding_task *t = l->t;
    const ib_rng draw = {.seed = 1};
    float *x = ib_alloc_raw((size_t)(t->rows * t->cols) * sizeof *x);
    uint32_t *order = ib_alloc_raw((size_t)t->rows * sizeof *order);
    l->z = ib_alloc_raw((size_t)(t->rows * t->outs) * sizeof *l->z);
    const int ok = x && order && l->z;
    for (int64_t i = 0; ok && i < t->rows; i++) {
        const uint32_t j = ib_rng_below(draw, (uint64_t)i, (uint32_t)i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    double power = 0;
    for (int64_t i = 0; ok && i < t->rows; i++) {
        memcpy(x + i * t->cols, t->x + order[i] * t->cols, (size_t)t->cols * sizeof *x);
        for (int64_t o = 0; o < t->outs; o++) {
            const float z = l->z[i * t->outs + o] = ib_act_of(t->act, t->z[order[i] * t->outs + o]);
            power += (double)z * (double)z;
        }
    }
    l->power = (float)(power / (double)(t->rows * t->outs));
    l->x = ok ? ib_graph_uploaded(t->g, x, (size_t)(t->rows * t->cols) * sizeof *x) : NULL;
    ib_free(x);
    ib_free(order);
    return l->x ? IB_OK : IB_ENOMEM;
}

/* dw of the first part, on rows from `first` on. */
static ib_status gradient(const learning *l, int64_t first)
{
    const ib_rounding_task *t = l->t;
    ib_graph *g = t->g;
    const int64_t rows = l->at_once, outs = t->outs;
    const size_t results = (size_t)(rows * outs) * sizeof(float), weights = (size_t)l->weights * sizeof(float);
    const ib_mark mark = ib_graph_mark(g);
    float *w = ib_graph_uploaded(g, l->w, weights), *y = ib_graph_numbers(g, results), *x = l->x + first * t->cols;
    if (!w || !y)
        return IB_ENOMEM;
    K(g)->gemm(g->dev, 0, 1, rows, outs, t->cols, x, w, 0, y);
    V(g)->download(g->dev, l->y, y, results);
    for (int64_t i = 0; i < rows * outs; i++) {
        const float r = l->y[i] + t->bias[i % outs], f = ib_act_of(t->act, r);
        const int passes = t->act == IB_ACT_NONE || (r > 0 && f == r);
        l->dy[i] = passes ? 2 * (f - l->z[first * outs + i]) / ((float)rows * l->power) : 0;
    }
    V(g)->upload(g->dev, y, l->dy, results);
    K(g)->gemm(g->dev, 1, 0, outs, t->cols, rows, y, x, 0, w);
    V(g)->download(g->dev, l->dw, w, weights);
    ib_graph_release(g, mark);
    return IB_OK;
}

/* One step of Adam on v; beta 0: without the second part. */
static void move(learning *l, int64_t step, float beta)
{
    const ib_rounding_task *t = l->t;
    const float first = 1 - (float)ib_power(FIRST, step + 1), second = 1 - (float)ib_power(SECOND, step + 1);
#pragma omp parallel for schedule(static) if (l->weights > 4096)
    for (int64_t i = 0; i < l->weights; i++) {
        const float sigmoid = ib_sigmoid_of(l->v[i]), raw = (ZETA - GAMMA) * sigmoid + GAMMA;
        int inside;
        code_of(t, i, soft(l->v[i]), &inside);
        float d = inside ? l->dw[i] * t->scale[i / t->cols] : 0;
        if (beta > 0) {
            const float side = 2 * raw - 1;
            d -= TOGETHER * 2 * beta * (side < 0 ? -1.0f : 1.0f) * power_of(fabsf(side), beta - 1);
        }
        d *= raw > 0 && raw < 1 ? (ZETA - GAMMA) * sigmoid * (1 - sigmoid) : 0;
        l->m[i] = FIRST * l->m[i] + (1 - FIRST) * d;
        l->s[i] = SECOND * l->s[i] + (1 - SECOND) * d * d;
        l->v[i] -= RATE * (l->m[i] / first) / (sqrtf(l->s[i] / second) + 1e-8f);
        l->w[i] = t->scale[i / t->cols] * code_of(t, i, soft(l->v[i]), &inside);
    }
}

static ib_status learn(learning *l)
{
    const ib_rounding_task *t = l->t;
    const int64_t steps = t->o->iterations ? t->o->iterations : STEPS, alone = steps / 5, parts = t->rows / l->at_once;
    ib_status status = IB_OK;
    for (int64_t i = 0; i < l->weights; i++) {
        int inside;
        const float scaled = t->w[i] / t->scale[i / t->cols], rest = scaled - lower(t, i);
        l->v[i] = -ib_log((ZETA - GAMMA) / (rest - GAMMA) - 1);
        l->w[i] = t->scale[i / t->cols] * code_of(t, i, soft(l->v[i]), &inside);
    }
    for (int64_t step = 0; !status && step < steps; step++) {
        const float along = step < alone ? 0 : (float)(step - alone) / (float)(steps - alone);
        if (!(status = gradient(l, step % parts * l->at_once)))
            move(l, step, step < alone ? 0 : 2 + 18 * (1 - along));
        if (!status && step % 64 == 63)
            status = ib_rounding_tell(t, (double)step / (double)steps);
    }
    for (int64_t i = 0; !status && i < l->weights; i++) {
        int inside;
        t->code[i] = (int8_t)code_of(t, i, soft(l->v[i]) >= 0.5f ? 1 : 0, &inside);
    }
    return status;
}

ib_status ib_round_adaround(const ib_rounding_task *t, ib_rounding_notes *notes)
{
    learning l = {.t = t, .weights = t->outs * t->cols, .at_once = t->rows < ROWS_OF_STEP ? t->rows : ROWS_OF_STEP};
    const size_t weights = (size_t)l.weights, results = (size_t)(l.at_once * t->outs);
    float *room = ib_alloc((5 * weights + 2 * results) * sizeof *room);
    ib_graph_begin(t->g, IB_EVAL);
    ib_status status = room ? shuffle(&l) : IB_ENOMEM;
    if (!status && l.power > 0) {
        l.v = room;
        l.m = l.v + weights;
        l.s = l.m + weights;
        l.w = l.s + weights;
        l.dw = l.w + weights;
        l.y = l.dw + weights;
        l.dy = l.y + results;
        status = learn(&l);
    }
    for (int64_t c = 0; c < t->cols; c++) {
        int64_t i = 0;
        while (i < t->rows && t->x[i * t->cols + c] == 0)
            i++;
        notes->dead += i == t->rows;
    }
    ib_free(room);
    ib_free(l.z);
    return status;
}
