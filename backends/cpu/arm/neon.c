/* neon.c - products of codes with the dot product instructions of Armv8.2: sixteen codes of a row, by panels of 16
 * outputs (panels.h); codes are raised in memory and put back as they are loaded, so that the bias makes up for
 * nothing. Equal in every bit to integer.c and nhwc.c. */
#include <arm_neon.h>
#include <string.h>
#include <sys/auxv.h>

#include "backends/cpu/level.h"
#include "backends/cpu/panels.h"

enum { LANES = 16, UNIT = 4, MOST_ROWS = 4 };

int ib_neon_is_there(void)
{
    enum { HWCAP_ASIMDDP_BIT = 1 << 20 };
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP_BIT) != 0;
}

/* Quad q of the sixteen codes in x by sixteen outputs: acc[4] of four. */
#define QUAD(q)                                                                                                        \
    for (int v = 0; v < 4; v++) {                                                                                      \
        const int8x16_t b = vld1q_s8(w + (q * 4 + v) * 16);                                                            \
        for (int r = 0; r < ROWS; r++)                                                                                 \
            acc[r][v] = vdotq_laneq_s32(acc[r][v], b, a[r], q);                                                        \
    }
#define TILE(rows)                                                                                                     \
    static void tile_##rows(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *panel, int32_t *out)       \
    {                                                                                                                  \
        enum { ROWS = rows };                                                                                          \
        const int8_t *w = (const int8_t *)panel;                                                                       \
        const int32_t *bias = panel + k->segments * k->quads * LANES;                                                  \
        int32x4_t acc[ROWS][4];                                                                                        \
        for (int r = 0; r < ROWS; r++)                                                                                 \
            for (int v = 0; v < 4; v++)                                                                                \
                acc[r][v] = vld1q_s32(bias + 4 * v);                                                                   \
        for (int64_t s = 0; s < k->segments; s++, x += k->jump)                                                        \
            for (int64_t i = 0; i < k->quads; i += UNIT, w += UNIT * LANES * 4) {                                      \
                int8x16_t a[ROWS];                                                                                     \
                for (int r = 0; r < ROWS; r++)                                                                         \
                    a[r] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x + r * ldx + 4 * i), vdupq_n_u8(128)));              \
                QUAD(0) QUAD(1) QUAD(2) QUAD(3)                                                                        \
            }                                                                                                          \
        for (int r = 0; r < ROWS; r++)                                                                                 \
            for (int v = 0; v < 4; v++)                                                                                \
                vst1q_s32(out + r * IB_TILE_LD + 4 * v, acc[r][v]);                                                    \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)

static int64_t rows_of(int64_t panels)
{
    (void)panels;
    return MOST_ROWS;
}
static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    static void (*const tiles[MOST_ROWS])(const ib_walk *, const uint8_t *, int64_t, const int32_t *,
                                          int32_t *) = {tile_1, tile_2, tile_3, tile_4};
    (void)blocks;
    for (int64_t v = 0; v < t->panels; v++)
        tiles[t->rows - 1](&t->k, *x, t->ldx, t->w + v * t->step, t->out + v * LANES);
}

/* fp32_rne's factors are numbers of fp32, so that four requantizations are one product and one conversion to nearest
 * even. */
static void finish(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                   uint8_t *y, int64_t ldy)
{
    if (e->profile != ISOBIT_FP32_RNE) {
        ib_finish_plainly(e, scale, count, rows, acc, y, ldy);
        return;
    }
    const int32x4_t lo = vdupq_n_s32(*e->lo - *e->zero), hi = vdupq_n_s32(*e->hi - *e->zero),
                    zero = vdupq_n_s32(*e->zero + 128);
    float factor[LANES];
    for (int j = 0; j < LANES; j++)
        factor[j] = __builtin_ldexpf((float)scale[j].mult, scale[j].exp);
    for (int64_t r = 0; r < rows; r++, acc += IB_TILE_LD, y += ldy) {
        uint8_t code[LANES];
        for (int v = 0; v < LANES; v += 8) {
            int16x4_t half[2];
            for (int h = 0; h < 2; h++) {
                const int32x4_t q =
                    vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(vld1q_s32(acc + v + 4 * h)), vld1q_f32(factor + v + 4 * h)));
                half[h] = vmovn_s32(vaddq_s32(vmaxq_s32(lo, vminq_s32(hi, q)), zero));
            }
            vst1_u8(code + v, vmovn_u16(vreinterpretq_u16_s16(vcombine_s16(half[0], half[1]))));
        }
        memcpy(y, code, (size_t)count);
    }
}

static const ib_multiplier neon = {.unit = UNIT, .blocks = 1, .rows = rows_of, .run = run, .finish = finish};

/* ---- the table ---- */

static int64_t nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                         void *packed)
{
    return w->group_size || s->groups > 1 ? 0 : ib_panels_pack(&neon, s, in_zero, w, bias, packed, (ib_share){0, 1});
}

static void nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    if (p->packed)
        ib_panels_conv2d(&neon, s, p, NULL, share);
    else
        IB_BELOW(nhwc_conv2d)(dev, s, p, share);
}

static int64_t qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                            const int32_t *bias, void *packed)
{
    const ib_window s = ib_window_of_rows(1, k, out);
    return nhwc_pack(dev, &s, in_zero, w, bias, packed);
}

static void qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    if (p->w->group_size)
        IB_BELOW(qlinear)(dev, rows, k, out, p);
    else if (!ib_panels_linear(&neon, rows, k, out, p) && p->r)
        IB_BELOW(requant)(dev, &(ib_planes){rows, out, 1}, p->acc, p->r);
}

void ib_neon_coded_replace(ib_kernels *k); /* neon_coded.c */
void ib_neon_peaks_replace(ib_kernels *k); /* neon_peaks.c */

void ib_neon_replace(ib_kernels *k)
{
    k->qlinear = qlinear;
    k->qlinear_pack = qlinear_pack;
    k->nhwc_pack = nhwc_pack;
    k->nhwc_conv2d = nhwc_conv2d;
    ib_neon_coded_replace(k);
    ib_neon_peaks_replace(k);
}
