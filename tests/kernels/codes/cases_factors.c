/* cases_factors.c - constants of products, sums, tables, weights and folded batch norms: equal in every bit, and what
 * is raised of those that fp32 or 32 bits cannot hold. */
#include "tests/kernels/kernel_factors.h"
#include "tests/kernels/kernel_faults.h"

/* Positive numbers about `middle`. */
static float *about(int64_t n, float middle)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = middle * (1.5f + x[i]);
    return x;
}

static const float result_scale = 0.05f;
static const int32_t result_zero = -5;
static ib_result_codes a_result(int profile, int act, int learned)
{
    return (ib_result_codes){&result_scale, &result_zero, -128, 127, profile, (ib_act)act, (ib_learned)learned};
}

/* What a product is given: all well, or something that one of its two kernels raises. */
enum { WELL, TINY_STEP, LARGE_BIAS, BIAS_NOT_FINITE, LARGE_FACTOR, LOST_BIAS, N_PRODUCTS };
static ib_product_constants a_product(int what, int64_t outputs, int profile, int act, ib_fault *fault)
{
    float *in = about(1, 0.02f), *w = about(outputs, 0.01f), *bias = reals(outputs);
    const int64_t odd = outputs / 2;
    *in = 0.02f;
    if (what == TINY_STEP)
        w[odd] = 1e-38f;
    if (what == LARGE_FACTOR) {
        *in = 1e25f;
        w[odd] = 3e13f;
    }
    if (what == LARGE_BIAS)
        bias[odd] = 1e30f;
    if (what == BIAS_NOT_FINITE)
        bias[odd] = NAN;
    if (what == LOST_BIAS) {
        w[odd] = 1e6f;
        bias[odd] = 100;
    }
    return (ib_product_constants){.outputs = outputs,
                                  .in_scale = in,
                                  .w_scale = w,
                                  .n_w_scales = (int)outputs,
                                  .bias = bias,
                                  .out = a_result(profile, act, IB_NOT_LEARNED),
                                  .at = {fault, 0}};
}

void case_product_steps(void)
{
    static const int want[] = {0, IB_FAULT_product_step, IB_FAULT_bias_too_large, IB_FAULT_bias_too_large, 0, 0};
    for (int t = 0; t < 3 * N_PRODUCTS; t++) {
        const int64_t outputs = (int64_t[]){1, 7, 33}[t / N_PRODUCTS];
        a_shape("%lld outputs, form %d", (long long)outputs, t % N_PRODUCTS);
        ib_fault *fault = no_fault();
        ib_product_constants p = a_product(t % N_PRODUCTS, outputs, IB_FP32_RNE, IB_ACT_NONE, fault);
        p.acc_scale = result("steps", REALS, outputs, EXACT);
        p.bias_code = result("bias", INTS, outputs, EXACT);
        EACH_RUN(product_steps)
            dev->k.product_steps(dev, &p);
        CHECK_INT(raised(fault), want[t % N_PRODUCTS]);
    }
    a_shape("an area");
    const float step = 0.3f;
    ib_product_constants p = {.outputs = 1, .area = 9, .in_scale = &step};
    p.acc_scale = result("step", REALS, 1, EXACT);
    EACH_RUN(product_steps)
        dev->k.product_steps(dev, &p);
    CHECK_NEAR(*(const float *)made_by_ref(p.acc_scale), 0.3 / 9, 1e-8);
}

void case_product_factors(void)
{
    for (int t = 0; t < 3 * 4 * 3 * 2; t++) {
        const int profile = t % 4, act = t / 4 % 3, what = (int[]){WELL, LARGE_FACTOR, LOST_BIAS}[t / 12 % 3];
        const int64_t outputs = t / 36 ? 33 : 5;
        a_shape("%lld outputs, profile %d, act %d, form %d", (long long)outputs, profile, act, what);
        ib_fault *fault = no_fault();
        ib_product_constants p = a_product(what, outputs, profile, act, fault);
        p.acc_scale = about(outputs, 0.0002f);
        p.bias_code = integers(outputs, 16);
        if (what == LOST_BIAS)
            p.bias_code[outputs / 2] = 0;
        p.factor = result("factors", INTS, 2 * outputs, EXACT);
        p.lo = result("lo", INTS, 1, EXACT);
        p.hi = result("hi", INTS, 1, EXACT);
        p.top = act ? result("top", INTS, outputs, EXACT) : NULL;
        EACH_RUN(product_factors)
            dev->k.product_factors(dev, &p);
        CHECK_INT(raised(fault), what == WELL           ? 0
                                 : what == LARGE_FACTOR ? IB_FAULT_factor_too_large
                                                        : IB_FAULT_bias_lost);
        CHECK_INT(*(const int32_t *)made_by_ref(p.lo), act ? -5 : -128);
        CHECK_INT(*(const int32_t *)made_by_ref(p.hi), act == IB_ACT_RELU6 ? 115 : 127);
        const isobit_scale of = ib_requant_scale(*p.in_scale, p.w_scale[0], result_scale, profile);
        CHECK(what == LARGE_FACTOR || !memcmp(made_by_ref(p.factor), &of, sizeof of));
    }
    for (int t = 0; t < 8; t++) {
        const float step = t % 2 ? 1e-38f : 0.3f;
        a_shape("an area, profile %d, step %g", t / 2, (double)step);
        ib_fault *fault = no_fault();
        ib_product_constants p = {
            .outputs = 1, .area = 9, .in_scale = &step, .out = a_result(t / 2, 0, IB_NOT_LEARNED), .at = {fault, 0}};
        p.factor = result("factor", INTS, 2, EXACT);
        p.lo = result("lo", INTS, 1, EXACT);
        p.hi = result("hi", INTS, 1, EXACT);
        EACH_RUN(product_factors)
            dev->k.product_factors(dev, &p);
        CHECK_INT(raised(fault), t % 2 ? IB_FAULT_two_steps : 0);
    }
}

/* Both operands' steps; the last are too large, or too small, for the result's. */
static const float both[][2] = {{0.02f, 0.5f}, {0.7f, 0.01f}, {1e8f, 1}, {1e-30f, 1e-12f}, {1e30f, 1e8f}};
static const int32_t operand_zero[] = {7, -100};

void case_add_factors(void)
{
    for (int t = 0; t < 5 * 4 * 3; t++) {
        const int form = t % 5, profile = t / 5 % 4, act = t / 20;
        a_shape("steps %g and %g, profile %d, act %d", (double)both[form][0], (double)both[form][1], profile, act);
        const ib_coded a = {NULL, &both[form][0], &operand_zero[0]}, b = {NULL, &both[form][1], &operand_zero[1]};
        const ib_result_codes r = a_result(profile, act, IB_NOT_LEARNED);
        ib_fault *fault = no_fault();
        int32_t *made = result("the factors", INTS, 12, EXACT);
        float *top = result("top", REALS, 1, EXACT);
        EACH_RUN(add_factors)
            dev->k.add_factors(dev, &a, &b, &r, (struct isobit_add *)(void *)made, top,
                               (ib_site){.fault = fault, .call = 0});
        CHECK_INT(raised(fault), form == 2 || form == 4 ? IB_FAULT_addend_too_large : 0);
        CHECK_INT(((const int32_t *)made_by_ref(made))[2], -100);
    }
}

void case_mul_factors(void)
{
    static const int want[] = {0, 0, 0, IB_FAULT_two_steps, IB_FAULT_factor_too_large};
    for (int t = 0; t < 5 * 4 * 3; t++) {
        const int form = t % 5, profile = t / 5 % 4, act = t / 20;
        a_shape("steps %g and %g, profile %d, act %d", (double)both[form][0], (double)both[form][1], profile, act);
        const ib_coded a = {NULL, &both[form][0], &operand_zero[0]}, b = {NULL, &both[form][1], &operand_zero[1]};
        const ib_result_codes r = a_result(profile, act, IB_PACT);
        ib_fault *fault = no_fault();
        int32_t *made = result("the factor", INTS, 8, EXACT);
        float *top = result("top", REALS, 1, EXACT);
        EACH_RUN(mul_factors)
            dev->k.mul_factors(dev, &a, &b, &r, (struct isobit_mul *)(void *)made, top,
                               (ib_site){.fault = fault, .call = 0});
        CHECK_INT(raised(fault), want[form]);
        CHECK_NEAR(*(const float *)made_by_ref(top), 132 * 0.05, 1e-6);
    }
}

void case_lookup_table(void)
{
    const float step = 0.05f;
    for (int t = 0; t < 3 * 3 * 2; t++) {
        const int f = t % 3, act = t / 3 % 3;
        const ib_result_codes r = a_result(IB_FP32_RNE, act, IB_NOT_LEARNED);
        a_shape("function %d, act %d", f, act);
        int8_t *table = result("table", CODES, 256, EXACT);
        float *slope = result("slope", REALS, 256, EXACT);
        EACH_RUN(lookup_table)
            dev->k.lookup_table(dev, &step, t / 9 ? &operand_zero[0] : NULL, f, &r, table, slope);
        const int8_t *made = made_by_ref(table);
        const double x = 0.05 * (28 - (t / 9 ? 7 : 0)), y = f == IB_IDENTITY ? x
                                                            : f == IB_TANH   ? tanh(x)
                                                                             : 1 / (1 + exp(-x));
        CHECK_NEAR(made[128 + 28], y / 0.05 - 5, 0.501);
    }
}

/* What one channel of weights and its bias are. */
enum { PLAIN, EMPTY, NOT_FINITE, RAISED, FAR_BIAS, ODD_BIAS, HIDDEN_BIAS, TOO_SMALL, N_WEIGHTS };

void case_weight_scales(void)
{
    static const float in_scale = 0.01f;
    for (int t = 0; t < 2 * 2 * 2 * N_WEIGHTS; t++) {
        const int what = t % N_WEIGHTS, one = t / N_WEIGHTS % 2, groups = t / N_WEIGHTS / 2 % 2,
                  alone = t / N_WEIGHTS / 4;
        enum { ROWS = 5, COLS = 12 };
        const int count = one && !groups ? 1 : ROWS;
        a_shape("form %d, %d scale(s)%s%s", what, count, groups ? ", groups" : "", alone ? ", of no product" : "");
        ib_fault *fault = no_fault();
        float *w = reals(ROWS * COLS), *bias = reals(ROWS), *scale = changed("scale", REALS, count, EXACT),
              *chosen = groups ? changed("chosen", REALS, count, EXACT) : NULL;
        for (int64_t i = 0; i < ROWS * COLS; i++) {
            w[i] = what == TOO_SMALL ? 1e-45f : w[i];
            if ((i / COLS == 2 || count == 1) && (what == EMPTY || what == FAR_BIAS))
                w[i] = 0;
        }
        if (what == NOT_FINITE)
            w[2 * COLS] = INFINITY;
        bias[2] = what == RAISED ? 1e9f : what == ODD_BIAS ? NAN : what == HIDDEN_BIAS ? -1e9f : 0.5f;
        plain_device()->k.abs_max_rows(plain_device(), w, count, ROWS * COLS / count, scale);
        if (groups)
            memcpy(chosen, scale, sizeof(float) * (size_t)count);
        const ib_weight_scaling p = {.w = w,
                                     .size = ROWS * COLS,
                                     .count = count,
                                     .qmax = groups ? 0 : 127,
                                     .scale = scale,
                                     .chosen = chosen,
                                     .in_scale = alone ? NULL : &in_scale,
                                     .bias = bias,
                                     .n_bias = ROWS,
                                     .act = IB_ACT_RELU,
                                     .at = {fault, 0}};
        EACH_RUN(weight_scales)
            dev->k.weight_scales(dev, &p);
        const int want = what == NOT_FINITE                            ? IB_FAULT_weights_not_finite
                         : what == TOO_SMALL && !groups                ? IB_FAULT_weight_step
                         : what == ODD_BIAS && !alone                  ? IB_FAULT_bias_not_finite
                         : what == HIDDEN_BIAS && !alone && count == 1 ? IB_FAULT_bias_of_one_scale
                                                                       : IB_NO_FAULT;
        CHECK_INT(raised(fault), want);
        for (int c = 0; c < count; c++)
            CHECK(((const float *)made_by_ref(scale))[c] > 0);
    }
}

void case_requantize_groups(void)
{
    for (int t = 0; t < 6; t++) {
        const int64_t rows = 5, cols = t % 2 ? 21 : 64;
        const int group = t / 2 ? 4 * (t / 2) : 33;
        const int64_t groups = (cols + group - 1) / group;
        a_shape("%lldx%lld, groups of %d", (long long)rows, (long long)cols, group);
        float *chosen = about(rows, 0.01f), *scale = memcpy(reals(rows), chosen, (size_t)rows * sizeof *chosen);
        for (int64_t r = 0; r < rows; r += 2) /* every other row has a larger one */
            scale[r] *= 1.75f;
        const ib_weight_codes p = {.w = reals(rows * cols),
                                   .qmax = 7,
                                   .scale = scale,
                                   .group_size = group,
                                   .factor = changed("factor", BYTES, rows * groups, EXACT),
                                   .q = changed("q", CODES, rows * cols, EXACT)};
        EACH_RUN(requantize_groups)
            dev->k.requantize_groups(dev, rows, cols, &p, chosen);
        CHECK(!memcmp((const int8_t *)made_by_ref(p.q) + cols, p.q + cols, (size_t)cols));
    }
}

void case_row_steps(void)
{
    for (int t = 0; t < 3; t++) {
        a_shape("rows, form %d", t);
        ib_fault *fault = no_fault();
        float *scale = changed("scale", REALS, 9, EXACT);
        for (int i = 0; i < 9; i++)
            scale[i] = fabsf(scale[i]);
        scale[3] = t ? 1e-40f : 0;
        scale[6] = t > 1 ? INFINITY : 1;
        EACH_RUN(row_steps)
            dev->k.row_steps(dev, 9, scale, (ib_site){.fault = fault, .call = 0});
        CHECK_INT(raised(fault), t > 1 ? IB_FAULT_row_not_finite : 0);
    }
}

void case_acc_rows(void)
{
    for (int t = 0; t < 4; t++) {
        const int64_t rows = 13, out = 17, n = t % 2 ? out : 1;
        a_shape("13x17, %lld scale(s)%s", (long long)n, t > 1 ? ", bias" : "");
        const int32_t *acc = integers(rows * out, 8);
        const float *row_scale = reals(rows), *scale = reals(n), *bias = t > 1 ? reals(out) : NULL;
        float *y = result("y", REALS, rows * out, EXACT);
        EACH_RUN(acc_rows)
            dev->k.acc_rows(dev, rows, out, acc, row_scale, scale, (int)n, bias, y);
    }
}

/* ---- batch norms ---- */

static ib_fold a_fold(int64_t n, int with_bias)
{
    return (ib_fold){.n = n,
                     .gamma = reals(n),
                     .beta = reals(n),
                     .bias = with_bias ? reals(n) : NULL,
                     .mean = reals(n),
                     .var = about(n, 0.3f),
                     .eps = 1e-3f,
                     .gain = reals(n)};
}

void case_fold_gain(void)
{
    EACH_N(n) {
        const ib_fold p = a_fold(n, 0);
        float *gain = result("gain", REALS, n, EXACT);
        EACH_RUN(fold_gain)
            dev->k.fold_gain(dev, &p, gain);
        CHECK_NEAR(*(const float *)made_by_ref(gain), *p.gamma / sqrt(*p.var + 1e-3), 1e-6);
    }
}

void case_fold_gain_grad(void)
{
    EACH_N(n) {
        const ib_fold p = a_fold(n, 0);
        const float *dot = reals(n);
        float *dgamma = changed("dgamma", REALS, n, EXACT);
        EACH_RUN(fold_gain_grad)
            dev->k.fold_gain_grad(dev, &p, dot, dgamma);
    }
}

void case_fold_bias(void)
{
    EACH_N(n) {
        const ib_fold p = a_fold(n, n % 2);
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(fold_bias)
            dev->k.fold_bias(dev, &p, y);
    }
}

void case_fold_bias_grad(void)
{
    EACH_N(n) {
        const ib_fold p = a_fold(n, n % 2);
        const float *dy = reals(n);
        float *dgamma = changed("dgamma", REALS, n, EXACT), *dbeta = changed("dbeta", REALS, n, EXACT),
              *dbias = n % 2 ? changed("dbias", REALS, n, EXACT) : NULL;
        EACH_RUN(fold_bias_grad)
            dev->k.fold_bias_grad(dev, &p, dy, dgamma, dbeta, dbias);
    }
}

/* Channels with a gamma of 0 keep theirs. */
void case_fold_reestimate(void)
{
    EACH_N(n) {
        float *gamma = reals(n), *mean = changed("mean", REALS, n, EXACT), *var = changed("var", REALS, n, EXACT);
        const float *batch_mean = reals(n), *batch_var = about(n, 0.5f);
        for (int64_t i = 0; i < n; i++)
            var[i] = fabsf(var[i]);
        gamma[n / 2] = 0;
        EACH_RUN(fold_reestimate)
            dev->k.fold_reestimate(dev, n, gamma, 1e-3f, 0.1f, batch_mean, batch_var, mean, var);
        CHECK(((const float *)made_by_ref(mean))[n / 2] == mean[n / 2]);
    }
}
