/* cases_quantizers.c - scales of activations, from ranges and learned: equal in every bit, and what is raised. */
#include "tests/kernels/kernel_faults.h"

/* What becomes of a quantizer that is empty at first, in steps. */
typedef struct quantizer {
    ib_quantizer_state *state;
    ib_fault *fault;
    float *scale;  /* [steps] */
    int32_t *zero; /* [steps] */
} quantizer;

static quantizer a_quantizer(int64_t steps)
{
    quantizer q;
    q.state = memset(changed("the state", DOUBLES, sizeof *q.state / 8, EXACT), 0, sizeof *q.state);
    q.fault = no_fault();
    q.scale = result("scale", REALS, steps, EXACT);
    q.zero = result("zero", INTS, steps, EXACT);
    return q;
}

/* Its step number i to codes -8 .. 7, by what else is said. */
static ib_following step_of(const quantizer *q, int i, ib_following by)
{
    by.qmin = -8;
    by.qmax = 7;
    by.state = q->state;
    by.scale = q->scale + i;
    by.zero = q->zero + i;
    return by;
}

/* Two batches, one after the other, of each kind of quantizer. */
void case_follow(void)
{
    static const float ranges[][2] = {{0, 0}, {-1, 3}, {0.25f, 9}, {NAN, 1}, {-1e30f, INFINITY}, {1e-42f, 1e-41f}};
    static const float params[] = {-3.5f, 1.5f, 200, -1};
    enum { N_RANGES = sizeof ranges / sizeof *ranges, N_PARAMS = sizeof params / sizeof *params };
    for (int t = 0; t < 3 * 2 * 3 * N_RANGES * N_RANGES; t++) {
        const int first = t % N_RANGES, second = t / N_RANGES % N_RANGES, how = t / N_RANGES / N_RANGES % 3,
                  symmetric = t / N_RANGES / N_RANGES / 3 % 2, act = t / N_RANGES / N_RANGES / 6;
        a_shape("ranges %d and %d, follows %d, symmetric %d, act %d", first, second, how, symmetric, act);
        const quantizer q = a_quantizer(2);
        q.state->scale = 0.5f;
        EACH_RUN(follow)
            for (int i = 0; i < 2; i++) {
                const float *range = ranges[i ? second : first];
                const ib_following p = step_of(&q, i,
                                               (ib_following){.lo = how ? &range[0] : NULL,
                                                              .hi = &range[1],
                                                              .act = (ib_act)act,
                                                              .how = (ib_follows)how,
                                                              .symmetric = symmetric,
                                                              .averaging = 0.01f,
                                                              .at = {.fault = q.fault, .call = 3}});
                dev->k.follow(dev, &p);
            }
        const int odd = how && (first > 2 || second > 2);
        CHECK(odd || !raised(q.fault));
        CHECK(!how || first != 3 || raised(q.fault) == IB_FAULT_range_not_finite);
        CHECK(!how || first != 4 || raised(q.fault) == IB_FAULT_range_not_finite);
        CHECK(how != IB_FOLLOWS_EXTREMES || first != 5 || raised(q.fault) == IB_FAULT_range_step);
    }
    for (int t = 0; t < 2 * N_PARAMS; t++) {
        const float *param = &params[t / 2];
        a_shape("%s, parameter %g", t % 2 ? "PACT" : "LSQ", (double)*param);
        const quantizer q = a_quantizer(1);
        const ib_following p = step_of(&q, 0,
                                       (ib_following){.learned = t % 2 ? IB_PACT : IB_LSQ,
                                                      .param = param,
                                                      .param_at = {.fault = q.fault, .call = 1}});
        EACH_RUN(follow)
            dev->k.follow(dev, &p);
        const int bad = t % 2 ? *param < 0 : *param > 100;
        CHECK_INT(raised(q.fault), bad ? IB_FAULT_learned_scale : 0);
        CHECK_NEAR(*(const float *)made_by_ref(q.scale), bad ? 1 : t % 2 ? *param / 15 : expf(*param), 1e-9);
        CHECK_INT(*(const int32_t *)made_by_ref(q.zero), !bad && t % 2 ? -8 : 0);
    }
}

void case_constant_scale(void)
{
    static const float ranges[][2] = {{0, 0}, {-1, 3}, {0.25f, 9}, {NAN, NAN}, {-1, INFINITY}};
    for (int t = 0; t < 5; t++) {
        a_shape("%g to %g", (double)ranges[t][0], (double)ranges[t][1]);
        ib_quantizer_state *state = result("the state", DOUBLES, sizeof *state / 8, EXACT);
        ib_fault *fault = no_fault();
        EACH_RUN(constant_scale)
            dev->k.constant_scale(dev, &ranges[t][0], &ranges[t][1], -128, 127, state,
                                  (ib_site){.fault = fault, .call = 0});
        CHECK_INT(raised(fault), t == 4 ? IB_FAULT_constant_step : 0);
    }
}

void case_code_range(void)
{
    const float step = 0.25f;
    const int32_t zero = 3;
    for (int t = 0; t < 4; t++)
        EACH_SIZE(n) {
            a_shape("n %lld, form %d", (long long)n, t);
            int8_t *x = codes(n);
            if (t % 2) /* but for the last, or all */
                memset(x, 3, (size_t)(t == 1 ? n - 1 : n));
            float *lo = changed("lo", REALS, 1, EXACT), *hi = changed("hi", REALS, 1, EXACT);
            const ib_coded coded = {x, &step, &zero};
            EACH_RUN(code_range)
                dev->k.code_range(dev, &coded, n, -8, 7, lo, hi);
            if (t == 3)
                CHECK(!memcmp(made_by_ref(lo), lo, 4) && !memcmp(made_by_ref(hi), hi, 4));
        }
}

static const float steps[] = {0.5f, 0.0123f, 0.25f, 0.37f};
static const int32_t zeros[] = {3, 0, -128, 5};
static const int bounds[][2] = {{-8, 7}, {-127, 127}, {-128, 127}, {-120, 100}};

void case_lsq_grad(void)
{
    for (int form = 0; form < 4; form++)
        EACH_SIZE(n) {
            const int64_t rows = n % 3 ? 1 : 3;
            a_shape("%lldx%lld, codes %d..%d", (long long)rows, (long long)(n / rows), bounds[form][0],
                    bounds[form][1]);
            const float *dy = reals(n);
            float *x = reals(n), *scale = reals(rows), *dt = changed("the scales' gradient", REALS, rows, EXACT),
                  *dx = changed("the gradient", REALS, n, EXACT);
            for (int64_t r = 0; r < rows; r++)
                scale[r] = steps[form] * (1 + (float)r);
            for (int64_t i = 0; i < n; i++)
                x[i] *= 150 * steps[form];
            const ib_affine p = {scale, form == 1 ? NULL : &zeros[form], bounds[form][0], bounds[form][1], 0};
            const ib_lsq_grads g = {x, dy, n / rows, form == 2 ? NULL : dt, form == 3 ? NULL : dx};
            EACH_RUN(lsq_grad)
                dev->k.lsq_grad(dev, rows, n / rows, &p, &g);
        }
}

static const float pact_step = 0.25f / 15;
static const int32_t pact_zero = -8;
static const ib_affine pact = {&pact_step, &pact_zero, -8, 7, 0};

/* A shape of n values, of which the one at n / 2 is the bound. */
static float *pact_values(int64_t n)
{
    a_shape("n %lld", (long long)n);
    float *x = reals(n);
    x[n / 2] = pact_step * 15;
    return x;
}

void case_pact_grad(void)
{
    EACH_SIZE(n) { /* the bound counts */
        const float *x = pact_values(n), *dy = reals(n);
        float *dalpha = changed("the gradient", REALS, 1, EXACT);
        EACH_RUN(pact_grad)
            dev->k.pact_grad(dev, x, dy, n, &pact, dalpha);
    }
}

void case_pact_passes(void)
{
    EACH_SIZE(n) { /* the bound does not pass */
        const float *x = pact_values(n);
        uint8_t *mask = changed("mask", BITS, n, EXACT);
        EACH_RUN(pact_passes)
            dev->k.pact_passes(dev, x, n, &pact, mask);
        CHECK(!(((const uint8_t *)made_by_ref(mask))[n / 16] >> n / 2 % 8 & 1));
    }
}

void case_exp_scales(void)
{
    EACH_N(n) {
        const float *x = reals(n);
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(exp_scales)
            dev->k.exp_scales(dev, x, y, n);
        CHECK_NEAR(*(const float *)made_by_ref(y), expf(*x), 1e-6);
    }
}

void case_log_scales(void)
{
    EACH_N(n) {
        float *x = reals(n), *y = result("y", REALS, n, EXACT);
        for (int64_t i = 0; i < n; i++)
            x[i] = fabsf(x[i]) + 1e-6f;
        EACH_RUN(log_scales)
            dev->k.log_scales(dev, x, y, n);
        CHECK_NEAR(*(const float *)made_by_ref(y), logf(*x), 1e-6);
    }
}
