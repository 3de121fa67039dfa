/* test_runtime.c - the shipped arithmetic against independent statements of it. Broken by: any other rounding. */
#include "tests/check.h"

#include "arithmetic/requant.h"
#include "arithmetic/runtime.h"

static int32_t random_acc(uint64_t i)
{
    const uint32_t u = ib_rng_u32((ib_rng){11, 1}, i);
    return (int32_t)u >> (ib_rng_u32((ib_rng){11, 2}, i) % 31);
}

static double random_factor(uint64_t i)
{
    return ldexp(0.5 + 0.5 * ib_rng_uniform((ib_rng){11, 3}, i), -(int)(ib_rng_u32((ib_rng){11, 4}, i) % 30) + 4);
}

static void fp32_rne_is_what_a_float_unit_does(void)
{
    for (uint64_t i = 0; i < 1000000; i++) {
        const int32_t acc = random_acc(i);
        const float factor = (float)random_factor(i);
        const isobit_scale s = ib_requant_scale(factor, 1, 1, ISOBIT_FP32_RNE);
        const float product = (float)acc * factor;
        if (fabsf(product) < 2e9f && isobit_requant_fp32_rne(acc, s) != (int32_t)lrintf(product)) {
            printf("\n    acc %d factor %.9g\n", acc, factor);
            CHECK(0);
            return;
        }
    }
    CHECK_INT(isobit_requant_fp32_rne(INT32_MIN, ib_requant_scale(0.5f, 1, 1, ISOBIT_FP32_RNE)), -1073741824);
    CHECK_INT(isobit_requant_fp32_rne(INT32_MAX, ib_requant_scale(1e9f, 1, 1, ISOBIT_FP32_RNE)), INT32_MAX);
    CHECK_INT(isobit_requant_fp32_rne(3, ib_requant_scale(0.5f, 1, 1, ISOBIT_FP32_RNE)), 2); /* ties to even */
    CHECK_INT(isobit_requant_fp32_rne(1, ib_requant_scale(0.5f, 1, 1, ISOBIT_FP32_RNE)), 0);
}

static void tflite_single_is_the_exact_product_rounded_upward(void)
{
    for (uint64_t i = 0; i < 1000000; i++) {
        const int32_t acc = random_acc(i);
        const isobit_scale s = ib_requant_scale((float)random_factor(i), 1, 1, ISOBIT_TFLITE_SINGLE);
        const int shift = 31 - s.exp;
        __int128 v = (__int128)acc * s.mult * 2 + ((__int128)1 << shift); /* floor(x + 1/2) = floor((2x + 1) / 2) */
        v = v >> (shift + 1);
        const int32_t want = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
        if (isobit_requant_tflite_single(acc, s) != want) {
            printf("\n    acc %d mult %d exp %d\n", acc, s.mult, s.exp);
            CHECK(0);
            return;
        }
    }
}

/* gemmlowp's two steps as its documentation states them: SaturatingRoundingDoublingHighMul rounds to nearest with
 * truncating division, RoundingDivideByPOT rounds half away from zero. */
static int32_t gemmlowp(int32_t acc, isobit_scale s)
{
    int64_t x = (int64_t)acc * (s.exp > 0 ? 1LL << s.exp : 1);
    x = x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x;
    const int64_t ab = x * s.mult, nudge = ab >= 0 ? 1LL << 30 : 1 - (1LL << 30);
    const int64_t high = (ab + nudge) / (1LL << 31);
    const double exact = (double)high / ldexp(1, s.exp > 0 ? 0 : -s.exp);
    return (int32_t)(exact < 0 ? -floor(-exact + 0.5) : floor(exact + 0.5));
}

static void tflite_double_is_gemmlowps(void)
{
    for (uint64_t i = 0; i < 1000000; i++) {
        const int32_t acc = random_acc(i);
        const isobit_scale s = ib_requant_scale((float)random_factor(i), 1, 1, ISOBIT_TFLITE_DOUBLE);
        if (isobit_requant_tflite_double(acc, s) != gemmlowp(acc, s)) {
            printf("\n    acc %d mult %d exp %d: %d, not %d\n", acc, s.mult, s.exp,
                   isobit_requant_tflite_double(acc, s), gemmlowp(acc, s));
            CHECK(0);
            return;
        }
    }
}

static void factors_stand_for_their_number(void)
{
    for (int profile = IB_TFLITE_DOUBLE; profile <= IB_XNNPACK; profile++)
        for (uint64_t i = 0; i < 1000; i++) {
            const float m = (float)random_factor(i);
            CHECK_NEAR(ib_requant_value(ib_requant_scale(m, 1, 1, profile), profile) / m, 1, 1e-6);
        }
    CHECK_INT(ib_requant_scale(0, 1, 1, ISOBIT_TFLITE_DOUBLE).mult, 0);
    CHECK_INT(ib_requant_scale(1e-30f, 1e-5f, 1, ISOBIT_TFLITE_DOUBLE).mult, 0);
    CHECK_INT(ib_requant_scale(0, 1, 1, ISOBIT_FP32_RNE).mult, 0);
}

static void addition_is_within_one_step_of_the_real_sum(void)
{
    for (int profile = IB_TFLITE_DOUBLE; profile <= IB_XNNPACK; profile++)
        for (uint64_t i = 0; i < 200; i++) {
            const float sa = 0.01f + ib_rng_uniform((ib_rng){5, 1}, i), sb = 0.01f + ib_rng_uniform((ib_rng){5, 2}, i),
                        so = sa + sb;
            isobit_add p = {1, 3, -7, 11, -128, 127, {0, 0}, {0, 0}, {0, 0}};
            ib_requant_add(sa, sb, so, profile, &p.a, &p.b, &p.out);
            for (int a = -128; a < 128; a += 5)
                for (int b = -128; b < 128; b += 7) {
                    const double real = ((double)sa * (a - 3) + (double)sb * (b + 7)) / so;
                    CHECK_NEAR(isobit_add_codes(&p, a, b, ib_rounding(profile)), real, 0.5001);
                }
        }
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* The factors by the bits of fp32, as XNNPACK's microparams-init.c makes them; scales whose sums end in halves, and
 * any others. */
static void xnnpack_addition_is_xnnpacks(void)
{
    int64_t ties = 0;
    for (uint64_t i = 0; i < 400; i++) {
        const float so = i % 2 ? 1.0f : 0.01f + ib_rng_uniform((ib_rng){6, 3}, i);
        const float sa = i % 2 ? ldexpf(1, (int)(i % 15) - 9)
                               : so * ldexpf(1 + ib_rng_uniform((ib_rng){6, 1}, i), (int)(i / 2 % 17) - 10);
        const float sb = i % 4 == 1 ? 0.5f : so * ldexpf(1 + ib_rng_uniform((ib_rng){6, 2}, i), (int)(i / 3 % 17) - 10);
        const float a_factor = sa / so, b_factor = sb / so;
        const uint32_t shift = 20 - (bits_of(a_factor > b_factor ? a_factor : b_factor) >> 23) + 127;
        const int32_t ma = (int32_t)lrintf(ldexpf(a_factor, (int)shift)),
                      mb = (int32_t)lrintf(ldexpf(b_factor, (int)shift));
        isobit_add p = {1, 3, -7, 11, -128, 127, {0, 0}, {0, 0}, {0, 0}};
        ib_requant_add(sa, sb, so, IB_XNNPACK, &p.a, &p.b, &p.out);
        CHECK(p.a.mult == ma && p.b.mult == mb && p.a.exp == -(int)shift && p.b.exp == -(int)shift && p.out.mult == 1);
        for (int a = -128; a < 128; a++)
            for (int b = -128; b < 128; b += 3) {
                const int64_t sum = (int64_t)(a - 3) * ma + (int64_t)(b + 7) * mb;
                ties += 2 * (sum & ((1LL << shift) - 1)) == 1LL << shift;
                if (isobit_add_codes(&p, a, b, ISOBIT_FP32_RNE) !=
                    (int32_t)floor(ldexp((double)sum, -(int)shift) + 0.5)) {
                    CHECK(!"another sum than XNNPACK's");
                    return;
                }
            }
    }
    CHECK(ties > 100000);
}

static void clamps_without_overflow(void)
{
    CHECK_INT(isobit_clamp(INT32_MAX, 100, -128, 127), 127);
    CHECK_INT(isobit_clamp(INT32_MIN, -100, -128, 127), -128);
    CHECK_INT(isobit_clamp(5, -3, -128, 127), 2);
}

/* A convolution with everything: groups of channels and of weights, strides, padding, 4 and 2 bits, both zero
 * points. */
static void convolution_is_its_definition(void)
{
    enum { IC = 4, IH = 5, IW = 6, OC = 6, KH = 3, KW = 2, OH = 3, OW = 4, K = 2 * KH * KW };
    for (int bits = 2; bits <= 8; bits *= 2)
        for (int grouped = 0; grouped < 2; grouped++) {
            const ib_format *f = ib_format_for_bits(bits);
            int8_t x[IC * IH * IW], w[OC * K], y[OC * OH * OW];
            uint8_t packed[OC * K], factor[OC * 3];
            int32_t bias[OC];
            isobit_scale scale[OC];
            int16_t patch[K];
            const int row = (int)ib_format_bytes(f, K);
            for (int i = 0; i < IC * IH * IW; i++)
                x[i] = (int8_t)ib_rng_u32((ib_rng){1, 1}, (uint64_t)i);
            for (int i = 0; i < OC * K; i++)
                w[i] = (int8_t)((int)ib_rng_below((ib_rng){1, 2}, (uint64_t)i, (uint32_t)(2 * f->qmax + 1)) - f->qmax);
            for (int o = 0; o < OC; o++) {
                f->pack(w + o * K, K, packed + o * row);
                bias[o] = 100 * o - 200;
                scale[o] = ib_requant_scale(0.01f + 0.001f * (float)o, 1, 1, ISOBIT_TFLITE_SINGLE);
                for (int g = 0; g < 3; g++)
                    factor[o * 3 + g] = (uint8_t)(1 + (o + g) % 15);
            }
            const isobit_conv2d c = {IC,
                                     IH,
                                     IW,
                                     OC,
                                     OH,
                                     OW,
                                     KH,
                                     KW,
                                     2,
                                     2,
                                     1,
                                     2,
                                     2,
                                     bits,
                                     row,
                                     grouped ? 4 : 0,
                                     grouped ? 3 : 0,
                                     -5,
                                     9,
                                     -100,
                                     90,
                                     packed,
                                     grouped ? factor : 0,
                                     bias,
                                     scale};
            isobit_run_conv2d(&c, x, y, patch, ISOBIT_TFLITE_SINGLE);
            for (int o = 0; o < OC; o++)
                for (int oy = 0; oy < OH; oy++)
                    for (int ox = 0; ox < OW; ox++) {
                        int acc = bias[o], k = 0;
                        for (int i = 0; i < 2; i++)
                            for (int ky = 0; ky < KH; ky++)
                                for (int kx = 0; kx < KW; kx++, k++) {
                                    const int iy = 2 * oy - 1 + ky, ix = 2 * ox - 2 + kx, ic = o / 3 * 2 + i;
                                    if (iy >= 0 && iy < IH && ix >= 0 && ix < IW)
                                        acc += w[o * K + k] * (grouped ? factor[o * 3 + k / 4] : 1) *
                                               (x[(ic * IH + iy) * IW + ix] + 5);
                                }
                        const int v = isobit_requant_tflite_single(acc, scale[o]) + 9;
                        CHECK_INT(y[(o * OH + oy) * OW + ox], v < -100 ? -100 : v > 90 ? 90 : v);
                    }
        }
}

SUITE("runtime", T(fp32_rne_is_what_a_float_unit_does), T(tflite_single_is_the_exact_product_rounded_upward),
      T(tflite_double_is_gemmlowps), T(factors_stand_for_their_number), T(addition_is_within_one_step_of_the_real_sum),
      T(xnnpack_addition_is_xnnpacks), T(clamps_without_overflow), T(convolution_is_its_definition))
