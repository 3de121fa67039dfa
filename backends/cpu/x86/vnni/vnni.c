/* vnni.c - the level's table: products of codes, requantization and what else moves codes, sixteen at a time, equal in
 * every bit to integer.c and quantize.c. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/level.h"
#include "backends/cpu/x86/peak_chains.h"
#include "backends/cpu/x86/requant16.h"
#include "backends/cpu/x86/vnni/vnni.h"

enum { SERIAL = 16384, BLOCK = 4096 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The first `count` of sixteen lanes, and their bits in a mask: two bytes, or one at the end. */
static __mmask16 lanes(int64_t count)
{
    return (__mmask16)((1u << count) - 1);
}
static void put_bits(uint8_t *mask, int64_t i, __mmask16 on, int64_t count)
{
    const uint16_t bits = (uint16_t)(on & lanes(count));
    memcpy(mask + i / 8, &bits, (size_t)(count + 7) / 8);
}
static __mmask16 get_bits(const uint8_t *mask, int64_t i, int64_t count)
{
    uint16_t bits = 0;
    memcpy(&bits, mask + i / 8, (size_t)(count + 7) / 8);
    return (__mmask16)(bits & lanes(count));
}

/* ---- requantization ---- */

static void requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r)
{
    const int64_t c = s->c, hw = s->hw, size = s->n * c * hw;
    const isobit_scale *scale = r->scale;
    const int32_t *top = r->top;
    const int profile = r->profile, zero = *r->zero, lo = *r->lo, hi = *r->hi;
    int8_t *q = r->codes;
    uint8_t *mask = r->mask;
    if (!ib_scales_are_small(scale, c, profile)) {
        IB_BELOW(requant)(dev, s, acc, r);
        return;
    }
#pragma omp parallel for schedule(static) if (size > SERIAL)
    for (int64_t block = 0; block < size; block += BLOCK) {
        int64_t plane = block / hw, end = (plane + 1) * hw; /* of the plane that holds element i */
        for (int64_t i = block, stop = least(size, block + BLOCK); i < stop; i += 16) {
            const int64_t count = least(16, stop - i);
            const __mmask16 live = lanes(count);
            const __m512i a = _mm512_maskz_loadu_epi32(live, acc + i);
            __m512i mult, exp, most = _mm512_setzero_si512();
            __mmask16 inside;
            for (; i >= end; end += hw)
                plane++;
            if (i + count <= end) {
                mult = _mm512_set1_epi32(scale[plane % c].mult);
                exp = _mm512_set1_epi32(scale[plane % c].exp);
                if (top)
                    most = _mm512_set1_epi32(top[plane % c]);
            } else if (hw == 1 && i % c + 16 <= c) {
                ib_load_scales(scale + i % c, &mult, &exp);
                if (top)
                    most = _mm512_loadu_si512(top + i % c);
            } else {
                isobit_scale own[16] = {{0, -24}};
                int32_t own_top[16] = {0};
                for (int64_t j = 0; j < count; j++) {
                    own[j] = scale[(i + j) / hw % c];
                    own_top[j] = top ? top[(i + j) / hw % c] : 0;
                }
                ib_load_scales(own, &mult, &exp);
                most = _mm512_loadu_si512(own_top);
            }
            _mm_mask_storeu_epi8(q + i, live, ib_codes16(ib_requant16(a, mult, exp, profile), zero, lo, hi, &inside));
            if (top)
                inside &= _mm512_cmpgt_epi32_mask(a, _mm512_setzero_si512()) & _mm512_cmpgt_epi32_mask(most, a);
            if (mask)
                put_bits(mask, i, inside, count);
        }
    }
}

static void acc_range(ib_device *dev, const ib_planes *planes, const int32_t *acc, const float *scale, float *lo,
                      float *hi)
{
    const int64_t n = planes->n, c = planes->c, hw = planes->hw;
    float a = INFINITY, b = -INFINITY;
#pragma omp parallel for schedule(static) reduction(min : a) reduction(max : b) if (n * c * hw > SERIAL)
    for (int64_t j = 0; j < c; j += hw == 1 ? 16 : 1) {
        __m512i low = _mm512_set1_epi32(INT32_MAX), high = _mm512_set1_epi32(INT32_MIN);
        const int64_t count = hw == 1 ? least(16, c - j) : hw;
        for (int64_t i = 0; i < n; i++) {
            const int32_t *row = acc + (i * c + j) * hw;
            for (int64_t l = 0; l < count; l += 16) {
                const __mmask16 live = lanes(least(16, count - l));
                const __m512i v = _mm512_maskz_loadu_epi32(live, row + l);
                low = _mm512_mask_min_epi32(low, live, low, v);
                high = _mm512_mask_max_epi32(high, live, high, v);
            }
        }
        if (hw > 1) {
            const float s = scale[j], x = (float)_mm512_reduce_min_epi32(low) * s,
                        y = (float)_mm512_reduce_max_epi32(high) * s;
            a = x < a ? x : a;
            b = y > b ? y : b;
            continue;
        }
        int32_t lows[16], highs[16];
        _mm512_storeu_si512(lows, low);
        _mm512_storeu_si512(highs, high);
        for (int64_t l = 0; l < count; l++) {
            const float s = scale[j + l], x = (float)lows[l] * s, y = (float)highs[l] * s;
            a = x < a ? x : a;
            b = y > b ? y : b;
        }
    }
    *lo = a;
    *hi = b;
}

/* What sixteen codes stand for. */
static inline __m512 real16(const int8_t *codes, __mmask16 live, __m512 scale, __m512i zero)
{
    const __m512i wide = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(live, codes));
    return _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, zero)));
}

static void real_range(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, float *lo,
                       float *hi)
{
    float least_of = INFINITY, most_of = -INFINITY;
    const int8_t *ca = a->codes, *cb = b->codes;
    const __m512i za = _mm512_set1_epi32(ib_zero_of(a->zero)), zb = _mm512_set1_epi32(ib_zero_of(b->zero));
    const __m512 sa = _mm512_set1_ps(*a->scale), sb = _mm512_set1_ps(*b->scale);
#pragma omp parallel for schedule(static) reduction(min : least_of) reduction(max : most_of) if (n > SERIAL)
    for (int64_t block = 0; block < n; block += BLOCK) {
        __m512 low = _mm512_set1_ps(INFINITY), high = _mm512_set1_ps(-INFINITY);
        for (int64_t i = block; i < least(n, block + BLOCK); i += 16) {
            const __mmask16 live = lanes(least(16, n - i));
            const __m512 x = real16(ca + i, live, sa, za), y = real16(cb + i, live, sb, zb);
            const __m512 v = product ? _mm512_mul_ps(x, y) : _mm512_add_ps(x, y);
            low = _mm512_mask_min_ps(low, live, low, v);
            high = _mm512_mask_max_ps(high, live, high, v);
        }
        const float l = _mm512_reduce_min_ps(low), h = _mm512_reduce_max_ps(high);
        least_of = l < least_of ? l : least_of;
        most_of = h > most_of ? h : most_of;
    }
    *lo = least_of;
    *hi = most_of;
}

/* mask &= the lanes where 0 < a + b < top, or the product of the two */
static void real_passes(ib_device *dev, const ib_coded *a, const ib_coded *b, int64_t n, int product, const float *top,
                        uint8_t *mask)
{
    const int8_t *ca = a->codes, *cb = b->codes;
    const __m512 sa = _mm512_set1_ps(*a->scale), sb = _mm512_set1_ps(*b->scale), most = _mm512_set1_ps(*top);
    const __m512i za = _mm512_set1_epi32(ib_zero_of(a->zero)), zb = _mm512_set1_epi32(ib_zero_of(b->zero));
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i);
        const __mmask16 live = lanes(count);
        const __m512 x = real16(ca + i, live, sa, za), y = real16(cb + i, live, sb, zb);
        const __m512 v = product ? _mm512_mul_ps(x, y) : _mm512_add_ps(x, y);
        const __mmask16 inside =
            _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GT_OQ) & _mm512_cmp_ps_mask(v, most, _CMP_LT_OQ);
        put_bits(mask, i, get_bits(mask, i, count) & inside, count);
    }
}

/* ---- products ---- */

static int fuses(const ib_epilogue *r, int64_t c)
{
    return r && !r->mask && ib_scales_are_small(r->scale, c, r->profile);
}

static void qconv2d(ib_device *dev, const ib_window *s, const ib_qproduct *p)
{
    if (!ib_vnni_conv_fits(s, p->w)) {
        IB_BELOW(qconv2d)(dev, s, p);
        return;
    }
    ib_qproduct own = *p;
    if (!p->packed) {
        ib_vnni_conv_pack(s, p->w, ib_zero_of(p->in_zero), p->bias, (int32_t *)(void *)p->scratch);
        own.packed = p->scratch;
        own.scratch += (ib_vnni_packed_words(s) + 15) / 16 * 16;
    }
    const int fused = fuses(p->r, s->oc);
    own.r = fused ? p->r : NULL;
    ib_vnni_conv_run(s, &own);
    if (p->r && !fused)
        requant(dev, &(ib_planes){s->n, s->oc, s->oh * s->ow}, p->acc, p->r);
}

void ib_qlinear_by(ib_device *dev, const ib_multiplier *m, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    if (p->w->group_size) {
        IB_BELOW(qlinear)(dev, rows, k, out, p);
        return;
    }
    ib_qproduct own = *p;
    const int bits = p->packed ? ib_narrow_bits(k, out, p->w) : 8;
    if (!p->packed) {
        ib_vnni_linear_pack(k, out, p->w, ib_zero_of(p->in_zero), p->bias, (int32_t *)(void *)p->scratch);
        own.packed = p->scratch;
        own.scratch += ib_vnni_linear_words(k, out);
    }
    const int fused = fuses(p->r, out);
    own.r = fused ? p->r : NULL;
    ib_vnni_linear_run(m, rows, k, out, &own, bits);
    if (p->r && !fused)
        requant(dev, &(ib_planes){rows, out, 1}, p->acc, p->r);
}

static void qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    ib_qlinear_by(dev, &ib_vnni_multiplier, rows, k, out, p);
}

static int64_t qconv2d_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                            void *packed)
{
    if (!ib_vnni_conv_fits(s, w))
        return 0;
    if (packed)
        ib_vnni_conv_pack(s, w, in_zero, bias, packed);
    return ib_vnni_packed_words(s) * 4;
}

static int64_t qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                            const int32_t *bias, void *packed)
{
    if (w->group_size)
        return 0;
    const int bits = ib_narrow_bits(k, out, w);
    if (packed && bits < 8)
        ib_narrow_pack(k, out, w, bits, in_zero, bias, packed);
    else if (packed)
        ib_vnni_linear_pack(k, out, w, in_zero, bias, packed);
    return 4 * (bits < 8 ? ib_narrow_words(k, out, bits) : ib_vnni_linear_words(k, out));
}

/* ---- between fp32 and codes ---- */

/* round(x / scale) to even, clamped, + zero; NaN becomes `zero` */
static inline __m128i to_codes(__m512 x, __m512 scale, int zero, float lo, float hi, int half_away, __mmask16 *inside)
{
    const __m512 t = _mm512_div_ps(x, scale);
    __m512 r = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    if (half_away) { /* trunc(t + copysign(the largest below 1/2, t)), as roundf */
        const __m512 half = _mm512_or_ps(_mm512_and_ps(t, _mm512_set1_ps(-0.0f)), _mm512_set1_ps(0.49999997f));
        r = _mm512_roundscale_ps(_mm512_add_ps(t, half), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    }
    const __m512 low = _mm512_set1_ps(lo), high = _mm512_set1_ps(hi);
    *inside = _mm512_cmp_ps_mask(r, low, _CMP_GE_OQ) & _mm512_cmp_ps_mask(r, high, _CMP_LE_OQ);
    const __mmask16 number = _mm512_cmp_ps_mask(r, r, _CMP_ORD_Q);
    r = _mm512_maskz_mov_ps(number, _mm512_min_ps(_mm512_max_ps(r, low), high));
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(r), _mm512_set1_epi32(zero)));
}

static void quantize(ib_device *dev, const float *x, int64_t n, const ib_affine *p, int8_t *q, uint8_t *mask)
{
    const __m512 s = _mm512_set1_ps(*p->scale);
    const int zero = ib_zero_of(p->zero), half_away = p->half_away;
    const float lo = (float)(p->qmin - zero), hi = (float)(p->qmax - zero);
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i);
        const __mmask16 live = lanes(count);
        __mmask16 inside;
        _mm_mask_storeu_epi8(q + i, live,
                             to_codes(_mm512_maskz_loadu_ps(live, x + i), s, zero, lo, hi, half_away, &inside));
        if (mask)
            put_bits(mask, i, inside, count);
    }
}

static void quantize_rows(ib_device *dev, int64_t rows, int64_t cols, const ib_weight_codes *p)
{
    const int64_t n = rows * cols, part = n / p->n_scales;
    const float *w = p->w, *scale = p->scale;
    const int qmax = p->qmax;
    int8_t *q = p->q;
    uint8_t *mask = p->mask;
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i), row = i / part;
        const __mmask16 live = lanes(count);
        __m512 s = _mm512_set1_ps(scale[row]);
        __mmask16 inside;
        for (int64_t next = (row + 1) * part; next < i + count; next += part) /* rows that begin within the vector */
            s = _mm512_mask_mov_ps(s, (__mmask16)(0xFFFFu << (next - i)), _mm512_set1_ps(scale[next / part]));
        _mm_mask_storeu_epi8(q + i, live,
                             to_codes(_mm512_maskz_loadu_ps(live, w + i), s, 0, (float)-qmax, (float)qmax, 0, &inside));
        if (mask)
            put_bits(mask, i, inside, count);
    }
}

static void abs_max_rows(ib_device *dev, const float *w, int64_t rows, int64_t cols, float *y)
{
#pragma omp parallel for schedule(static) if (rows * cols > SERIAL)
    for (int64_t r = 0; r < rows; r++) {
        __m512 best = _mm512_setzero_ps();
        for (int64_t i = 0; i < cols; i += 16) {
            const __mmask16 live = lanes(least(16, cols - i));
            const __m512 v = _mm512_abs_ps(_mm512_maskz_loadu_ps(live, w + r * cols + i));
            /* a NaN is passed over, as in quantize.c */
            best = _mm512_mask_mov_ps(best, _mm512_cmp_ps_mask(v, best, _CMP_GT_OQ), v);
        }
        y[r] = _mm512_reduce_max_ps(best);
    }
}

/* dz = dy where the mask's bit is set, else 0 */
static void where(ib_device *dev, const float *dy, const uint8_t *mask, float *dz, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i);
        _mm512_mask_storeu_ps(dz + i, lanes(count), _mm512_maskz_loadu_ps(get_bits(mask, i, count), dy + i));
    }
}

/* dx += dy where the mask's bit is set */
static void grad_where(ib_device *dev, const float *dy, const uint8_t *mask, float *dx, int64_t n)
{
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i);
        const __mmask16 live = lanes(count), on = get_bits(mask, i, count);
        const __m512 x = _mm512_maskz_loadu_ps(live, dx + i);
        _mm512_mask_storeu_ps(dx + i, live, _mm512_add_ps(x, _mm512_maskz_loadu_ps(on, dy + i)));
    }
}

/* ---- addition ---- */

static void qadd(ib_device *dev, const struct isobit_add *p, int64_t n, const int8_t *x, const int8_t *y, int profile,
                 int8_t *q, uint8_t *mask)
{
    if (!ib_add_is_small(p, profile)) {
        IB_BELOW(qadd)(dev, p, n, x, y, profile, q, mask);
        return;
    }
    const ib_add16 k = ib_add16_of(p, 0);
#pragma omp parallel for schedule(static) if (n > SERIAL)
    for (int64_t i = 0; i < n; i += 16) {
        const int64_t count = least(16, n - i);
        const __mmask16 live = lanes(count);
        __mmask16 inside;
        const __m512i v = ib_sum16(&k, _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(live, x + i)),
                                   _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(live, y + i)), profile);
        _mm_mask_storeu_epi8(q + i, live, ib_codes16(v, p->out_zero, p->lo, p->hi, &inside));
        if (mask)
            put_bits(mask, i, inside, count);
    }
}

static void chains(int64_t rounds)
{
    for (int64_t i = 0; i < rounds; i++)
        __asm__ volatile(IB_TWELVE_CHAINS("vpdpbusd")::: IB_CLOBBERS);
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 12 * IB_PEAK_BYTES);
}

void ib_vnni_replace(ib_kernels *k)
{
    k->qconv2d = qconv2d;
    k->qlinear = qlinear;
    k->qconv2d_pack = qconv2d_pack;
    k->qlinear_pack = qlinear_pack;
    k->requant = requant;
    k->acc_range = acc_range;
    k->real_range = real_range;
    k->real_passes = real_passes;
    k->quantize = quantize;
    k->quantize_rows = quantize_rows;
    k->abs_max_rows = abs_max_rows;
    k->where = where;
    k->grad_where = grad_where;
    k->qadd = qadd;
    k->int8_peak = int8_peak;
    k->int4_peak = int8_peak; /* bytes all the same */
    ib_vnni_coded_replace(k);
    ib_vnni_nhwc_replace(k);
}
