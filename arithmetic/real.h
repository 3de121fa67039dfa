/* real.h - exponential, logarithm, tanh, erf and cosine as arithmetic: the same bits on every level and device.
 *
 * libm's functions and CUDA's are different ones, and libm's differ between its versions and, where it picks variants
 * with fused products, between processors. Those below are sums, products, quotients and operations on bits in a fixed
 * order, each rounded once as IEEE 754 says. This file is C, C++ and CUDA; three things are the compiler's part:
 *
 *   no contraction            -ffp-contract=off; nvcc: -fmad=false, which is not its default
 *   IEEE's division, square   the defaults of gcc, clang and nvcc; no -ffast-math, no --use_fast_math
 *   root, subnormal numbers
 *   no excess precision       SSE2, NEON, GPUs; not x87
 *
 * They branch nowhere, so that loops over them vectorize. What IEEE 754 defines needs no function here: sqrt, fabs,
 * rint (to nearest even), floor, ceil, frexp, ldexp, conversions of what fits. Where it leaves C and CUDA free they do
 * differ: in the bits of a NaN, so that results are compared as NaN and never by their bits; in fmin and fmax of zeros
 * of both signs (of a NaN and a number both give the number, `a < b ? a : b` gives b); in integers made of a NaN or of
 * more than they hold, which no kernel may ask for.
 *
 * Errors are in units of the last place (ulp) of the result: tests/tensor/test_real.c. The polynomials are those of
 * scripts/real-coefficients. Reductions: W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980. */
#ifndef IB_ARITHMETIC_REAL_H
#define IB_ARITHMETIC_REAL_H

#include <stdint.h>

#ifdef __CUDACC__
#define IB_DEVICE_FN __host__ __device__
#else
#define IB_DEVICE_FN
#endif

/* ---- bits ---- */

IB_DEVICE_FN static inline uint32_t ib_bits_of(float x)
{
    union {
        float f;
        uint32_t u;
    } b;
    b.f = x;
    return b.u;
}

IB_DEVICE_FN static inline float ib_float_of(uint32_t u)
{
    union {
        uint32_t u;
        float f;
    } b;
    b.u = u;
    return b.f;
}

IB_DEVICE_FN static inline uint64_t ib_bits_of_double(double x)
{
    union {
        double f;
        uint64_t u;
    } b;
    b.f = x;
    return b.u;
}

IB_DEVICE_FN static inline double ib_double_of(uint64_t u)
{
    union {
        uint64_t u;
        double f;
    } b;
    b.u = u;
    return b.f;
}

#define IB_REAL_INF ib_float_of(0x7f800000u)
#define IB_REAL_NAN ib_float_of(0x7fc00000u)

/* ---- fp32 ---- */

/* e^x within 0.9 ulp. Below -86.99, where it nears the smallest normal number, 0; infinite from 88.723 on.
 *
 * x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 = 0.693359375 - 2.12194440e-4, of which the first times n is exact, and so is
 * what x leaves of it. Adding 1.5 2^23 + 126 rounds n to nearest and leaves n + 126 in the lowest bits. Shifted to the
 * exponent's place they are 2^(n - 1), or 0 for n = -126 and infinite for n = 129, the least and the most that the
 * bounds of x let through. */
IB_DEVICE_FN static inline float ib_exp(float x)
{
    const float above = x < -87.3f ? -87.3f : x, c = above > 89.4f ? 89.4f : above;
    const float shifted = c * 1.44269504f + 12583038.0f, n = shifted - 12583038.0f;
    const float hi = c - n * 0.693359375f, lo = n * 2.12194440e-4f, r = hi + lo;
    const float q = (((0.00138385047f * r + 0.00836918037f) * r + 0.0416681021f) * r + 0.166665167f) * r + 0.49999994f;
    const float p = 1.0f + (hi + (lo + r * r * q));
    return (p + p) * ib_float_of(ib_bits_of(shifted) << 23);
}

/* ln x within 0.9 ulp; -inf of zeros, NaN below.
 *
 * x = 2^n (1 + f), 2/3 <= 1 + f < 4/3; n ln 2 + f in two numbers, the second what rounding the first lost. */
IB_DEVICE_FN static inline float ib_log(float x)
{
    const int small = x < 1.17549435e-38f;
    const uint32_t u = ib_bits_of(small ? x * 8388608.0f : x); /* subnormal numbers times 2^23 */
    const int32_t e = (int32_t)(u - 0x3f2aaaabu) >> 23;
    const float f = ib_float_of(u - ((uint32_t)e << 23)) - 1.0f, n = (float)(small ? e - 23 : e), f2 = f * f;
    float p = 0.117469236f;
    p = p * f - 0.128760323f;
    p = p * f + 0.108203501f;
    p = p * f - 0.121884651f;
    p = p * f + 0.142989561f;
    p = p * f - 0.166800857f;
    p = p * f + 0.199997649f;
    p = p * f - 0.249998108f;
    p = p * f + 0.333333343f;
    const float hi = n * 0.693359375f, sum = hi + f, lost = f - (sum - hi);
    const float y = sum + (lost + ((f * (f2 * p) - 0.5f * f2) - n * 2.12194440e-4f));
    return x > 0.0f ? (x < IB_REAL_INF ? y : x) : (x == 0.0f ? -IB_REAL_INF : IB_REAL_NAN);
}

/* tanh x within 1.5 ulp: x + x^3 P(x^2) near 0, else 1 - 2 / (e^2|x| + 1) with the sign of x. */
IB_DEVICE_FN static inline float ib_tanh_of(float x)
{
    const uint32_t sign = ib_bits_of(x) & 0x80000000u;
    const float a = ib_float_of(ib_bits_of(x) ^ sign), z = a * a;
    const float p = (((-0.00617011543f * z + 0.0210005082f) * z - 0.0538357571f) * z + 0.13332437f) * z - 0.333333135f;
    const float near = a + a * (z * p), far = 1.0f - 2.0f / (ib_exp(a + a) + 1.0f);
    return ib_float_of(ib_bits_of(a < 0.5625f ? near : far) | sign);
}

/* 1 / (1 + e^-x) within 2.5 ulp; 0 below -88.72. */
IB_DEVICE_FN static inline float ib_sigmoid_of(float x)
{
    return 1.0f / (1.0f + ib_exp(-x));
}

/* erf x within 1.5 ulp: x + x P(x^2) near 0, else 1 - e^G(|x|) with the sign of x. */
IB_DEVICE_FN static inline float ib_erf(float x)
{
    const uint32_t sign = ib_bits_of(x) & 0x80000000u;
    const float a = ib_float_of(ib_bits_of(x) ^ sign), t = a > 4.0f ? 4.0f : a, z = t * t;
    float p = 7.8691839e-05f;
    p = p * z - 0.000802659953f;
    p = p * z + 0.00519094663f;
    p = p * z - 0.0268553644f;
    p = p * z + 0.112836227f;
    p = p * z - 0.376126289f;
    p = p * z + 0.128379166f;
    float g = 0.000199891976f;
    g = g * t - 0.00308194966f;
    g = g * t + 0.022380963f;
    g = g * t - 0.104250193f;
    g = g * t - 0.636820614f;
    g = g * t - 1.12788939f;
    g = g * t - 0.00014421597f;
    const float near = a + a * p, far = 1.0f - ib_exp(g);
    return ib_float_of(ib_bits_of(a < 0.875f ? near : far) | sign);
}

/* cos(2 pi v) within 2 ulp, |v| <= 2^20: v = n / 4 + r, |r| <= 1/8, exact; the cosine or the sine of r. */
IB_DEVICE_FN static inline float ib_cos_turns(float v)
{
    const float shifted = v * 4.0f + 12582912.0f, r = v - (shifted - 12582912.0f) * 0.25f, z = r * r;
    const float sine = r * (((-76.7749557f * z + 81.6256256f) * z - 41.3418655f) * z + 6.28318548f);
    const float cosine = 1.0f + z * (((58.5610237f * z - 85.4231186f) * z + 64.9391403f) * z - 19.7392082f);
    const uint32_t n = ib_bits_of(shifted),
                   sign = (n + 1) << 30 & 0x80000000u; /* minus in the second and third quarter */
    return ib_float_of(ib_bits_of(n & 1 ? sine : cosine) ^ sign);
}

/* ---- fp64, and fp32 rounded from it: for few numbers on which codes depend ---- */

/* e^x and ln x as above, within an ulp each; e^x is 0 below -708.05. */
IB_DEVICE_FN static inline double ib_exp_double(double x)
{
    const double above = x < -708.3 ? -708.3 : x, c = above > 710.4 ? 710.4 : above;
    const double shifted = c * 1.4426950408889634 + 6755399441056766.0, n = shifted - 6755399441056766.0;
    const double hi = c - n * 0.6931471806019545, lo = n * 4.2009150726810846e-11, r = hi + lo;
    double q = 2.5398411526818235e-08;
    q = q * r + 2.7634124685725358e-07;
    q = q * r + 2.7556686751329233e-06;
    q = q * r + 2.4801484441859652e-05;
    q = q * r + 0.00019841270012545454;
    q = q * r + 0.0013888888949367922;
    q = q * r + 0.008333333333559104;
    q = q * r + 0.041666666666519456;
    q = q * r + 0.16666666666665686;
    q = q * r + 0.50000000000000111;
    const double p = 1.0 + (hi + (lo + r * r * q));
    return (p + p) * ib_double_of(ib_bits_of_double(shifted) << 52);
}

/* ln(1 + f) = f - f^2 / 2 + s (f^2 / 2 + s^2 P(s^2)), s = f / (2 + f) (fdlibm's form) */
IB_DEVICE_FN static inline double ib_log_double(double x)
{
    const int small = x < 2.2250738585072014e-308;
    const uint64_t u = ib_bits_of_double(small ? x * 4503599627370496.0 : x);
    const int64_t e = (int64_t)(u - 0x3fe5555555555555u) >> 52;
    const double f = ib_double_of(u - ((uint64_t)e << 52)) - 1.0, n = (double)(small ? e - 52 : e);
    const double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    double p = 0.15367165954777681;
    p = p * z + 0.15250327035508005;
    p = p * z + 0.18186348793707335;
    p = p * z + 0.22222138688853335;
    p = p * z + 0.28571429392850411;
    p = p * z + 0.39999999996176494;
    p = p * z + 0.6666666666667268;
    const double hi = n * 0.6931471806019545, sum = hi + f, lost = f - (sum - hi);
    const double y = sum + (lost + ((s * (half + z * p) - half) - n * 4.2009150726810846e-11));
    return x > 0.0 ? (x < (double)IB_REAL_INF ? y : x) : (double)(x == 0.0 ? -IB_REAL_INF : IB_REAL_NAN);
}

/* The float nearest to e^x, also a subnormal one, but for one of 10^7. */
IB_DEVICE_FN static inline float ib_exp_nearest(float x)
{
    return (float)ib_exp_double(x);
}

IB_DEVICE_FN static inline float ib_log_nearest(float x)
{
    return (float)ib_log_double(x);
}

/* b^n, n >= 0, by squares: within n / 4 + 64 units of 2^-53 for b in [0, 1]. */
IB_DEVICE_FN static inline double ib_power(double b, int64_t n)
{
    double p = 1;
    for (; n > 0; n >>= 1, b *= b)
        p = n & 1 ? p * b : p;
    return p;
}

/* Near 0 by three terms of its series, where 1 - 2 / (e^2x + 1) would cancel. */
IB_DEVICE_FN static inline float ib_tanh_nearest(float x)
{
    const double d = x, z = d * d;
    const double near = d + d * (z * (z * (2.0 / 15) - 1.0 / 3)), far = 1.0 - 2.0 / (ib_exp_double(d + d) + 1.0);
    return (float)(z < 2.44140625e-4 ? near : far);
}

#endif
