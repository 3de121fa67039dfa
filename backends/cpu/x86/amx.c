/* amx.c - products of codes by tiles: sixteen rows of 64 raised codes by sixteen outputs an instruction (Intel,
 * Architecture Instruction Set Extensions, chapter 3, "Intel AMX"). Panels are those of vnni_tiles.c, a segment's
 * quads a multiple of sixteen. */
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/cpu/level.h"
#include "backends/cpu/peaks.h"
#include "backends/cpu/x86/amx_tiles.h"
#include "backends/cpu/x86/vnni/vnni.h"

void ib_amx_bf16_replace(ib_kernels *k); /* amx_bf16.c */

enum { LANES = 16, TILE_ROWS = 16, TILE_BYTES = 64, FEW = 4 /* rows that vpdpbusd multiplies faster */ };

/* The processor has tiles, products of 8 bits and of bfloat16 (CPUID 7.0, EDX bits 24, 25, 22), and Linux lets this
 * process use them. */
int ib_amx_is_there(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    uint32_t a = 7, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    (void)b;
    return (d >> 24 & 3) == 3 && (d >> 22 & 1) && !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
}

static void end(void)
{
    _tile_release();
}

/* One or two blocks of rows by one or two panels. */
enum { LD = IB_TILE_LD * 4, OTHER = IB_TILE_ROWS * IB_TILE_LD };
#define FOR_TILES(body)                                                                                                \
    for (int64_t s = 0; s < k->segments; s++)                                                                          \
        for (int64_t q = 0; q < k->quads; q += TILE_ROWS) {                                                            \
            const int64_t a = s * k->jump + 4 * q;                                                                     \
            const int32_t *b = w + (s * k->quads + q) * LANES;                                                         \
            body                                                                                                       \
        }
static void two_by_two(const ib_walk *k, const uint8_t *const *x, int64_t ldx, const int32_t *w, int64_t step,
                       const int32_t *bias, int32_t *out)
{
    _tile_loadd(0, bias, 0); /* the same row again and again */
    _tile_loadd(1, bias + step, 0);
    _tile_loadd(2, bias, 0);
    _tile_loadd(3, bias + step, 0);
    FOR_TILES({
        _tile_loadd(4, x[0] + a, ldx);
        _tile_loadd(6, b, TILE_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, b + step, TILE_BYTES);
        _tile_dpbusd(1, 4, 7);
        _tile_loadd(5, x[1] + a, ldx);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    })
    _tile_stored(0, out, LD);
    _tile_stored(1, out + LANES, LD);
    _tile_stored(2, out + OTHER, LD);
    _tile_stored(3, out + OTHER + LANES, LD);
}

static void two_by_one(const ib_walk *k, const uint8_t *const *x, int64_t ldx, const int32_t *w, const int32_t *bias,
                       int32_t *out)
{
    _tile_loadd(0, bias, 0);
    _tile_loadd(2, bias, 0);
    FOR_TILES({
        _tile_loadd(4, x[0] + a, ldx);
        _tile_loadd(6, b, TILE_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(5, x[1] + a, ldx);
        _tile_dpbusd(2, 5, 6);
    })
    _tile_stored(0, out, LD);
    _tile_stored(2, out + OTHER, LD);
}

static void one_by_two(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *w, int64_t step,
                       const int32_t *bias, int32_t *out)
{
    _tile_loadd(0, bias, 0);
    _tile_loadd(1, bias + step, 0);
    FOR_TILES({
        _tile_loadd(4, x + a, ldx);
        _tile_loadd(6, b, TILE_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_loadd(7, b + step, TILE_BYTES);
        _tile_dpbusd(1, 4, 7);
    })
    _tile_stored(0, out, LD);
    _tile_stored(1, out + LANES, LD);
}

static void one_by_one(const ib_walk *k, const uint8_t *x, int64_t ldx, const int32_t *w, const int32_t *bias,
                       int32_t *out)
{
    _tile_loadd(0, bias, 0);
    FOR_TILES({
        _tile_loadd(4, x + a, ldx);
        _tile_loadd(6, b, TILE_BYTES);
        _tile_dpbusd(0, 4, 6);
    })
    _tile_stored(0, out, LD);
}

static int64_t rows_of(int64_t panels)
{
    (void)panels;
    return TILE_ROWS;
}

static void run(const ib_tiles *t, const uint8_t *const *x, int blocks)
{
    const ib_walk *k = &t->k;
    const int64_t panels = t->panels, ldx = t->ldx, step = t->step;
    const int32_t *w = t->w, *bias = w + k->segments * k->quads * LANES;
    int32_t *out = t->out;
    for (int64_t v = 0; v < panels; v += 2, w += 2 * step, bias += 2 * step, out += 2 * LANES)
        if (blocks == 2 && v + 1 < panels)
            two_by_two(k, x, ldx, w, step, bias, out);
        else if (blocks == 2)
            two_by_one(k, x, ldx, w, bias, out);
        else if (v + 1 < panels)
            one_by_two(k, *x, ldx, w, step, bias, out);
        else
            one_by_one(k, *x, ldx, w, bias, out);
}

const ib_multiplier ib_amx_multiplier = {.unit = TILE_ROWS,
                                         .raise = 128,
                                         .blocks = 2,
                                         .rows = rows_of,
                                         .begin = ib_amx_configure,
                                         .end = end,
                                         .run = run,
                                         .finish = ib_vnni_finish};

/* Of windows with short rows, tiles would be filled with zeroes. */
static const ib_multiplier *multiplier_of(const ib_window *s)
{
    return s->kw * s->ic > 8 ? &ib_amx_multiplier : &ib_vnni_multiplier;
}

static int64_t nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                         void *packed)
{
    return ib_vnni_nhwc_pack(multiplier_of(s), s, in_zero, w, bias, packed);
}

static void nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    if (p->packed)
        ib_vnni_nhwc_conv2d(multiplier_of(s), s, p, share);
    else
        IB_BELOW(nhwc_conv2d)(dev, s, p, share);
}

static void qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    ib_qlinear_by(dev, rows < FEW ? &ib_vnni_multiplier : &ib_amx_multiplier, rows, k, out, p);
}

/* Four independent sums. */
static void chains(int64_t rounds)
{
    ib_amx_configure(TILE_ROWS);
    ib_amx_zero();
    for (int64_t i = 0; i < rounds; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 6);
        _tile_dpbusd(2, 4, 6);
        _tile_dpbusd(3, 4, 6);
    }
    end();
}

static double int8_peak(ib_device *dev, int way, int64_t rounds)
{
    return way ? 0 : ib_peak_of(chains, rounds, 4 * TILE_ROWS * LANES * TILE_BYTES);
}

void ib_amx_replace(ib_kernels *k)
{
    k->qlinear = qlinear;
    k->nhwc_pack = nhwc_pack;
    k->nhwc_conv2d = nhwc_conv2d;
    k->int8_peak = int8_peak;
    k->int4_peak = int8_peak; /* bytes all the same */
    ib_amx_bf16_replace(k);
}
