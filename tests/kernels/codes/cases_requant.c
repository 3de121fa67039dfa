/* cases_requant.c - what becomes of accumulators, and of sums and products of codes as real numbers: equal in every
 * bit. */
#include "tests/kernels/kernel_factors.h"

static const ib_planes planes[] = {{1, 1, 1},    {3, 5, 7},   {2, 3, 8},  {1, 4, 784}, {5, 13, 1},
                                   {33, 16, 16}, {3, 7, 225}, {9, 3, 17}, {5, 64, 225}};
enum { N_PLANES = sizeof planes / sizeof *planes };

static int64_t a_plane(const ib_planes *s, const char *what)
{
    a_shape("%lldx%lldx%lld, %s", (long long)s->n, (long long)s->c, (long long)s->hw, what);
    return s->n * s->c * s->hw;
}

/* Accumulators of all magnitudes. */
static int32_t *accumulators(int64_t n)
{
    int32_t *acc = integers(n, 0);
    for (int64_t i = 0; i < n; i++)
        acc[i] = i % 13 ? acc[i] >> i % 24 : (int32_t)(i % 3);
    return acc;
}

static isobit_scale *scales(int64_t n, int profile, int large)
{
    isobit_scale *s = given("the factors", INTS, 2 * n);
    for (int64_t j = 0; j < n; j++)
        s[j] = ib_requant_scale(
            ldexpf(0.5f + 0.49f * ib_rng_uniform((ib_rng){4, (uint64_t)n}, (uint64_t)j), large ? 3 : -(int)(j % 25)), 1,
            1, profile);
    return s;
}

/* The bits that are set where the accumulator lies between 0 and its channel's top, both excluded, too. */
static void check_top(const ib_planes *s, const int32_t *acc, ib_epilogue r, const uint8_t *got)
{
    const int64_t n = s->n * s->c * s->hw;
    const int32_t *top = r.top;
    r.top = NULL;
    r.codes = room(n);
    r.mask = room((n + 7) / 8);
    plain_device()->k.requant(plain_device(), s, acc, &r);
    for (int64_t i = 0; i < n; i++) {
        const int passes = acc[i] > 0 && acc[i] < top[i / s->hw % s->c];
        if ((got[i / 8] >> i % 8 & 1) != (passes && r.mask[i / 8] >> i % 8 & 1)) {
            CHECK(!"the mask between 0 and the top");
            return;
        }
    }
}

void case_requant(void)
{
    enum { CODES_ALONE, MASK, TOP, N_WANTED };
    static const char *const names[] = {"codes", "mask", "mask below the top"};
    for (int t = 0; t < N_PLANES * N_ROUNDINGS * 2 * N_WANTED; t++) {
        const int wanted = t % N_WANTED, large = t / N_WANTED % 2, profile = t / N_WANTED / 2 % N_ROUNDINGS;
        const ib_planes *s = &planes[t / N_WANTED / 2 / N_ROUNDINGS];
        char what[80];
        snprintf(what, sizeof what, "%s, profile %d, %s factors", names[wanted], profile, large ? "large" : "small");
        const int64_t n = a_plane(s, what);
        const int32_t *acc = accumulators(n);
        int32_t *top = wanted == TOP ? integers(s->c, 0) : NULL;
        for (int64_t j = 0; top && j < s->c; j++) /* accumulators at 0 and at the top, and next to them, do occur */
            top[j] = j % 3 ? acc[(j * 31 + 5) % n] : INT32_MAX;
        static const int32_t zero = -3, lo = -120, hi = 100;
        const ib_epilogue r = {scales(s->c, profile, large),
                               profile,
                               &zero,
                               &lo,
                               &hi,
                               result("codes", CODES, n, EXACT),
                               wanted == CODES_ALONE ? NULL : result("mask", BYTES, (n + 7) / 8, EXACT),
                               top};
        EACH_RUN(requant)
            dev->k.requant(dev, s, acc, &r);
        if (top)
            check_top(s, acc, r, made_by_ref(r.mask));
    }
}

void case_acc_range(void)
{
    for (int t = 0; t < N_PLANES; t++) {
        const ib_planes *s = &planes[t];
        const int64_t n = a_plane(s, "extremes");
        const int32_t *acc = accumulators(n);
        const float *scale = reals(s->c); /* of either sign */
        float *lo = result("lo", REALS, 1, EXACT), *hi = result("hi", REALS, 1, EXACT);
        EACH_RUN(acc_range)
            dev->k.acc_range(dev, s, acc, scale, lo, hi);
    }
}

void case_acc_real(void)
{
    for (int t = 0; t < N_PLANES; t++) {
        const ib_planes *s = &planes[t];
        const int64_t n = a_plane(s, "numbers");
        const int32_t *acc = accumulators(n);
        const float *scale = reals(s->c);
        float *y = result("y", REALS, n, EXACT);
        EACH_RUN(acc_real)
            dev->k.acc_real(dev, s, acc, scale, y);
    }
}

void case_real_range(void)
{
    for (int product = 0; product < 2; product++)
        EACH_SIZE(n) {
            a_shape("n %lld, %s", (long long)n, product ? "products" : "sums");
            const float steps[] = {0.031f, 0.27f};
            const int32_t zeros[] = {4, -9};
            const ib_coded a = {codes(n), &steps[0], &zeros[0]}, b = {codes(n), &steps[1], &zeros[1]};
            float *lo = result("lo", REALS, 1, EXACT), *hi = result("hi", REALS, 1, EXACT);
            EACH_RUN(real_range)
                dev->k.real_range(dev, &a, &b, n, product, lo, hi);
        }
}

/* Equal scales make sums of exactly 0, and 3 + 3 one of exactly 6. */
void case_real_passes(void)
{
    for (int form = 0; form < 4; form++)
        EACH_SIZE(n) {
            const int product = form & 1;
            const float scale = 0.0625f, top = form & 2 ? 6 : INFINITY;
            a_shape("n %lld, %s, top %g", (long long)n, product ? "products" : "sums", (double)top);
            const int32_t zeros[] = {4, -4};
            const ib_coded a = {codes(n), &scale, &zeros[0]}, b = {codes(n), &scale, &zeros[1]};
            uint8_t *mask = changed("mask", BITS, n, EXACT),
                    *before = memcpy(malloc((size_t)n), mask, (size_t)(n + 7) / 8);
            EACH_RUN(real_passes)
                dev->k.real_passes(dev, &a, &b, n, product, &top, mask);
            const uint8_t *got = made_by_ref(mask);
            int bounds = 0, wrong = 0;
            for (int64_t i = 0; i < n; i++) {
                const float x = scale * (float)(a.codes[i] - 4), y = scale * (float)(b.codes[i] + 4),
                            v = product ? x * y : x + y;
                bounds += v == 0 || v == 6;
                wrong += (got[i / 8] >> i % 8 & 1) != ((before[i / 8] >> i % 8 & 1) && v > 0 && v < top);
            }
            free(before);
            CHECK(!wrong);
            CHECK(n < 20000 || bounds > 20);
        }
}
