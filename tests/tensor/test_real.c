/* test_real.c - exponential, logarithm, tanh and the rest of arithmetic/real.h against libm in double: within the
 * bounds that the header states, on a stride through all floats and around each border; with "all" on every float.
 * Broken by: a coefficient, a contracted product, a border on the wrong side, a level that computes otherwise. */
#include "tests/check.h"

#include "arithmetic/real.h"
#include "backends/kernels.h"

/* primes: through all exponents, other mantissas in each */
static uint32_t stride = 4093, stride_of_levels = 4093;

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double cos_turns(double v)
{
    const double twice = 2 * fabs(v - rint(v)); /* in [0, 1]: pi times that is where libm loses nothing */
    return twice == 0.5    ? 0
           : twice < 0.25  ? cos(M_PI * twice)
           : twice <= 0.75 ? sin(M_PI * (0.5 - twice))
                           : -cos(M_PI * (1 - twice));
}

typedef struct real_function {
    const char *name;
    float (*f)(float);
    double (*wanted)(double);
    double bound;     /* in units of the last place of the nearest float */
    float lo, hi;     /* where it holds; outside, and for NaN, there are cases of their own */
    float border[6];  /* each with its neighbours */
    float tail[2][2]; /* where it must not fall as x grows */
} real_function;

static const real_function functions[] = {
    {"exp",
     ib_exp,
     exp,
     0.9,
     -86.9f,
     INFINITY,
     {0, -86.9f, 88.3762f, 88.7228f, 89.0f, 89.5f},
     {{-87.5f, -86.5f}, {88, 89.5f}}},
    {"log",
     ib_log,
     log,
     0.9,
     0,
     INFINITY,
     {0, 0x1p-126f, 2.0f / 3, 1, 4.0f / 3, 0x1p127f},
     {{0.98f, 1.02f}, {0x1p-126f, 0x1.01p-126f}}},
    {"tanh",
     ib_tanh_of,
     tanh,
     1.5,
     -INFINITY,
     INFINITY,
     {0, 0.5625f, -0.5625f, 9.01f, -9.01f, 45},
     {{7.5f, 9.5f}, {-9.5f, -7.5f}}},
    {"sigmoid", ib_sigmoid_of, sigmoid, 2.5, -86.9f, INFINITY, {0, -86.9f, 87, 17, 16.6f, 88}, {{15, 18}, {-89, -86}}},
    {"erf", ib_erf, erf, 1.5, -INFINITY, INFINITY, {0, 0.875f, -0.875f, 3.92f, -3.92f, 4}, {{3, 4.1f}, {-4.1f, -3}}},
    {"exp, nearest",
     ib_exp_nearest,
     exp,
     0.5000001,
     -INFINITY,
     INFINITY,
     {0, -87.3f, 88.7228f, -103.97f, 1, 2},
     {{-104, -103}, {88, 89}}},
    {"log, nearest",
     ib_log_nearest,
     log,
     0.5000001,
     0,
     INFINITY,
     {0, 0x1p-126f, 2.0f / 3, 1, 4.0f / 3, 0x1p127f},
     {{0.98f, 1.02f}, {1, 2}}},
    {"tanh, nearest",
     ib_tanh_nearest,
     tanh,
     0.50001,
     -INFINITY,
     INFINITY,
     {0, 0.015625f, -0.015625f, 9.01f, -9.01f, 45},
     {{7.5f, 9.5f}, {-9.5f, -7.5f}}},
    {"cosine of turns",
     ib_cos_turns,
     cos_turns,
     2,
     -1,
     1,
     {0, 0.125f, 0.25f, 0.375f, 0.5f, 0.75f},
     {{0.5f, 0.51f}, {0.7f, 0.72f}}},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

/* |y - wanted| in units of the last place that a float near `wanted` has; 0 where both are the same infinity */
static double error_in_ulp(float y, double wanted)
{
    const float nearest = (float)wanted;
    if (isnan(y) || isnan(wanted) || isinf(nearest) || isinf(y))
        return (isnan(y) && isnan(wanted)) || y == nearest ? 0 : INFINITY;
    const int exponent = wanted == 0 ? -126 : ilogb(wanted);
    return fabs((double)y - wanted) / ldexp(1, (exponent < -126 ? -126 : exponent) - 23);
}

/* The largest error at the bits from `first` to `last`. */
static void measure(const real_function *r, uint64_t first, uint64_t last, uint32_t step, double *worst, float *where)
{
    for (uint64_t u = first; u <= last; u += step) {
        const float x = ib_float_of((uint32_t)u);
        if (!(x >= r->lo && x <= r->hi))
            continue;
        const double error = error_in_ulp(r->f(x), r->wanted(x));
        *where = error > *worst ? x : *where;
        *worst = error > *worst ? error : *worst;
    }
}

static void errors_are_within_what_the_header_says(void)
{
    enum { PARTS = 4096 };
    for (const real_function *r = functions; r < functions + N_FUNCTIONS; r++) {
        double worst[PARTS] = {0};
        float where[PARTS] = {0};
#pragma omp parallel for schedule(dynamic)
        for (int p = 0; p < PARTS; p++) {
            const uint64_t first = (uint64_t)p << 20;
            measure(r, (first + stride - 1) / stride * stride, first + (1 << 20) - 1, stride, &worst[p], &where[p]);
            if (p < 6)
                for (int sign = 0; sign < 2; sign++) {
                    const uint64_t at = ib_bits_of(r->border[p]) ^ (uint32_t)sign << 31, near = 4096;
                    measure(r, at < near ? 0 : at - near, at + near, 1, &worst[p], &where[p]);
                }
        }
        int most = 0;
        for (int p = 0; p < PARTS; p++)
            most = worst[p] > worst[most] ? p : most;
        printf("\n    %s: %.7f ulp at %.9g", r->name, worst[most], (double)where[most]);
        fflush(stdout);
        CHECK(worst[most] > 0 && worst[most] <= r->bound);
    }
}

static void tails_do_not_turn_back(void)
{
    for (const real_function *r = functions; r < functions + N_FUNCTIONS; r++)
        for (int t = 0; t < 2; t++) {
            int64_t falls = 0;
            float before = -INFINITY;
            for (float x = r->tail[t][0]; x <= r->tail[t][1]; x = nextafterf(x, INFINITY)) {
                const float y = r->f(x);
                falls += !(y >= before);
                before = y;
            }
            if (falls)
                printf("\n    %s falls %lld times from %g to %g\n", r->name, (long long)falls, (double)r->tail[t][0],
                       (double)r->tail[t][1]);
            CHECK_INT(falls, 0);
        }
}

/* What no polynomial gives. */
static void borders_are_the_limits(void)
{
    const float inf = INFINITY, subnormal = 0x1p-149f;
    for (const real_function *r = functions; r < functions + N_FUNCTIONS; r++)
        for (uint32_t payload = 0x7f800001u; payload < 0x80000000u; payload += 0x3ffff) {
            CHECK(r->f == ib_cos_turns || isnan(r->f(ib_float_of(payload))));
            CHECK(r->f == ib_cos_turns || isnan(r->f(ib_float_of(payload | 0x80000000u))));
        }
    CHECK(ib_exp(inf) == inf && ib_exp(-inf) == 0 && ib_exp(3e38f) == inf && ib_exp(-3e38f) == 0);
    CHECK(ib_exp(0) == 1 && ib_exp(-0.0f) == 1 && ib_exp(subnormal) == 1 && ib_exp(-87) == 0);
    CHECK(ib_exp(88.72283f) < inf && ib_exp(88.7229f) == inf);
    CHECK(ib_log(0) == -inf && ib_log(-0.0f) == -inf && ib_log(inf) == inf && ib_log(1) == 0 && !signbit(ib_log(1)));
    CHECK(isnan(ib_log(-1)) && isnan(ib_log(-subnormal)) && isnan(ib_log(-inf)));
    CHECK(ib_tanh_of(inf) == 1 && ib_tanh_of(-inf) == -1 && ib_erf(inf) == 1 && ib_erf(-inf) == -1);
    CHECK(ib_tanh_of(9.02f) == 1 && ib_erf(-3.93f) == -1 && ib_tanh_of(8.9f) < 1 && ib_erf(-3.8f) > -1);
    CHECK(ib_tanh_of(subnormal) == subnormal && ib_tanh_nearest(subnormal) == subnormal);
    CHECK(signbit(ib_tanh_of(-0.0f)) && ib_tanh_of(-0.0f) == 0 && signbit(ib_erf(-0.0f)) && ib_erf(-0.0f) == 0);
    CHECK(ib_sigmoid_of(inf) == 1 && ib_sigmoid_of(-inf) == 0 && ib_sigmoid_of(0) == 0.5f);
    CHECK(ib_exp_nearest(-103.9f) == subnormal && ib_exp_nearest(-104) == 0 && ib_exp_nearest(89) == inf);
    CHECK(ib_exp_double(-INFINITY) == 0 && ib_exp_double(INFINITY) == INFINITY && ib_exp_double(709.78) < INFINITY);
    CHECK(ib_log_double(0) == -INFINITY && isnan(ib_log_double(-1)) && ib_log_double(1) == 0);
    CHECK(ib_cos_turns(0) == 1 && ib_cos_turns(0.25f) == 0 && ib_cos_turns(0.5f) == -1 && ib_cos_turns(0.75f) == 0);
}

/* Against long double, at random doubles of every size. */
static void doubles_are_within_what_the_header_says(void)
{
    long double worst_exp = 0, worst_log = 0;
    for (uint64_t i = 0; i < 400000; i++) {
        uint32_t u[4];
        ib_rng_four((ib_rng){11, 1}, i, u);
        const double x = (ldexp(u[0], -32) + ldexp(u[1], -64)) * 1417 - 708,
                     y = i % 2 ? 0.5 + ldexp(u[2], -32) + ldexp(u[3], -64)
                               : ib_double_of(((uint64_t)u[2] << 32 | u[3]) % 0x7ff0000000000000u);
        const long double e = expl(x), l = logl(y);
        worst_exp = fmaxl(worst_exp, fabsl(ib_exp_double(x) - e) / ldexpl(1, ilogbl(e) - 52));
        worst_log = fmaxl(worst_log, l == 0 ? 0 : fabsl(ib_log_double(y) - l) / ldexpl(1, ilogbl(l) - 52));
    }
    printf("\n    exp of doubles: %.4f ulp, log: %.4f ulp", (double)worst_exp, (double)worst_log);
    CHECK(worst_exp > 0.4L && worst_exp < 1 && worst_log > 0.4L && worst_log < 1);
}

/* The table of an activation's codes: what `f` gives at every code, as lookup makes it. */
static void codes_of(float (*f)(float), float in, int zero, float out, int out_zero, int8_t table[256])
{
    for (int code = -128; code < 128; code++) {
        const float q = rintf(f(in * (float)(code - zero)) / out) + (float)out_zero;
        table[code + 128] = (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
    }
}

static float libm_sigmoid(float x)
{
    return 1.0f / (1.0f + (float)exp(-(double)x));
}

static float nearest_sigmoid(float x)
{
    return 1.0f / (1.0f + ib_exp_nearest(-x));
}

static float libm_tanh(float x)
{
    return (float)tanh((double)x);
}

/* Checkpoints keep scales and zero points, and their tables are made anew: so of functions that round to nearest. */
static void tables_of_codes_are_those_of_the_nearest_floats(void)
{
    enum { TABLES = 20000 };
    int64_t differ = 0;
    for (uint64_t t = 0; t < TABLES; t++) {
        const float in = ib_exp(ib_rng_uniform((ib_rng){5, 5}, 2 * t) * 8 - 8);
        const int zero = (int)ib_rng_below((ib_rng){5, 5}, 2 * t + 1, 256) - 128;
        int8_t ours[256], theirs[256];
        codes_of(nearest_sigmoid, in, zero, 0x1p-8f, -128, ours);
        codes_of(libm_sigmoid, in, zero, 0x1p-8f, -128, theirs);
        differ += memcmp(ours, theirs, 256) != 0;
        codes_of(ib_tanh_nearest, in, zero, 0x1p-7f, 0, ours);
        codes_of(libm_tanh, in, zero, 0x1p-7f, 0, theirs);
        differ += memcmp(ours, theirs, 256) != 0;
    }
    CHECK_INT(differ, 0);
}

/* The kernels that apply them, at each level, whose compilers' flags are others: y[i] of a block of inputs as here. */
enum { BLOCK = 4096 };
typedef struct block {
    float x[BLOCK], sigmoid[BLOCK], tanh[BLOCK], gelu[BLOCK], nll[BLOCK / 2], wanted[BLOCK];
} block;

static int64_t unlike(const float *y, const float *wanted, int n)
{
    int64_t count = 0;
    for (int i = 0; i < n; i++)
        count += ib_bits_of(y[i]) != ib_bits_of(wanted[i]) && !(isnan(y[i]) && isnan(wanted[i]));
    return count;
}

static int64_t unlike_here(ib_device *dev, block *b, uint64_t first)
{
    static float ones[BLOCK];
    static int32_t target[BLOCK / 2];
    float pairs[BLOCK];
    int64_t count = 0;
    for (int i = 0; i < BLOCK; i++) {
        b->x[i] = ib_float_of((uint32_t)(first + (uint64_t)i * stride_of_levels));
        ones[i] = 1;
        pairs[i] = b->x[i];
    }
    dev->k.sigmoid(dev, b->x, b->sigmoid, BLOCK);
    dev->k.tanh(dev, b->x, b->tanh, BLOCK);
    dev->k.glu(dev, b->x, ones, BLOCK, 2, b->gelu);
    dev->k.nll_rows(dev, pairs, target, BLOCK / 2, 2, 1, 0, b->nll);
    for (int i = 0; i < BLOCK; i++)
        b->wanted[i] = ib_sigmoid_of(b->x[i]);
    count += unlike(b->sigmoid, b->wanted, BLOCK);
    for (int i = 0; i < BLOCK; i++)
        b->wanted[i] = ib_tanh_of(b->x[i]);
    count += unlike(b->tanh, b->wanted, BLOCK);
    for (int i = 0; i < BLOCK; i++)
        b->wanted[i] = b->x[i] * (0.5f * (1.0f + ib_erf(0.70710678f * b->x[i])));
    count += unlike(b->gelu, b->wanted, BLOCK);
    for (int i = 0; i < BLOCK / 2; i++) {
        const float a = b->x[2 * i], c = b->x[2 * i + 1], max = c > a ? c : a;
        b->wanted[i] = ib_log(ib_exp(a - max) + ib_exp(c - max)) + max - a;
    }
    return count + unlike(b->nll, b->wanted, BLOCK / 2);
}

static void every_level_has_the_same_bits(void)
{
    static block b;
    const char *name;
    for (int i = 0; (name = ib_device_name_at(i)); i++) {
        ib_device *dev = ib_device_open(name);
        int64_t count = 0;
        for (uint64_t first = 0; dev && first < 0x100000000u; first += (uint64_t)BLOCK * stride_of_levels)
            count += unlike_here(dev, &b, first);
        if (count)
            printf("\n    %s: %lld results are others", name, (long long)count);
        CHECK_INT(count, 0);
        ib_device_close(dev);
    }
}

/* b^n beside the C library's, within what its comment says, and AdamW's corrections in fp32. */
static void powers_are_by_squares(void)
{
    static const float bases[] = {0, 0.5f, 0.8f, 0.9f, 0.95f, 0.98f, 0.99f, 0.995f, 0.999f, 0.9999f, 1};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        for (int64_t n = 0; n < 200000; n += n < 2000 ? 1 : 997) {
            const double b = bases[i], want = pow(b, (double)n);
            CHECK(fabs(ib_power(b, n) - want) <= ((double)n / 4 + 64) * 0x1p-53 * want);
            CHECK((float)(1 - ib_power(b, n)) == (float)(1 - want));
        }
}

int main(int argc, char **argv)
{
    static const test_case cases[] = {T(errors_are_within_what_the_header_says),
                                      T(tails_do_not_turn_back),
                                      T(borders_are_the_limits),
                                      T(doubles_are_within_what_the_header_says),
                                      T(powers_are_by_squares),
                                      T(tables_of_codes_are_those_of_the_nearest_floats),
                                      T(every_level_has_the_same_bits)};
    if (argc > 1 && !strcmp(argv[1], "all")) {
        stride = 1;
        stride_of_levels = 127;
    }
    return run_suite("real", cases, (int)(sizeof cases / sizeof *cases));
}
