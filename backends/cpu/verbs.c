/* verbs.c - the host's memory as a device's, and how much work space the kernels of every level need. */
#include <omp.h>
#include <string.h>

#include "backends/cpu/levels.h"
#include "backends/cpu/narrow.h"
#include "backends/cpu/taps.h"
#include "backends/cpu/x86/avx2/avx2.h"
#include "backends/cpu/x86/avx2/avx2_window.h"
#include "backends/cpu/x86/vnni/vnni.h"
#include "base/alloc.h"
#include "tensor/matrix_fields.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* all CPUs are alike */

static void *allocate(ib_device *dev, size_t bytes)
{
    return ib_alloc_raw(bytes);
}

static void release(ib_device *dev, void *p)
{
    ib_free(p);
}

/* What one thread writes at a time of so much that others share it. */
enum { PIECE = 1 << 18, SHARED = 1 << 20 };

static void copy(ib_device *dev, void *to, const void *from, size_t bytes)
{
#pragma omp parallel for schedule(static) if (bytes >= SHARED)
    for (size_t i = 0; i < bytes; i += PIECE)
        memcpy((char *)to + i, (const char *)from + i, bytes - i < PIECE ? bytes - i : PIECE);
}

static void upload(ib_device *dev, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void download(ib_device *dev, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void peek(ib_device *dev, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

static void fill(ib_device *dev, void *to, int byte, size_t bytes)
{
#pragma omp parallel for schedule(static) if (bytes >= SHARED)
    for (size_t i = 0; i < bytes; i += PIECE)
        memset((char *)to + i, byte, bytes - i < PIECE ? bytes - i : PIECE);
}

static void forget(ib_device *dev, void *p, size_t bytes)
{
}

static void synchronize(ib_device *dev)
{
}

static void begin_step(ib_device *dev)
{
    ib_company_begin();
}

static void end_step(ib_device *dev)
{
    ib_company_end();
}

/* See conv.c: unfolded patches, or planes (taps.h), of each thread, and IB_PARTS weight gradients. */
static int64_t conv2d_words(ib_device *dev, const ib_window *w)
{
    const int64_t k = w->ic / w->groups * w->kh * w->kw;
    const int64_t patches = k * w->oh * w->ow, planes = ib_taps_room(w);
    return omp_get_max_threads() * (patches > planes ? patches : planes) + IB_PARTS * w->oc * k + ib_taps_shared(w);
}

/* See conv.c: dy and x of the whole batch in fp32, and the same again; and conv_taps_grads.c. */
static int64_t conv2d_grads_words(ib_device *dev, const ib_window *w)
{
    return w->n * (w->oc * w->oh * w->ow + w->ic * w->ih * w->iw) + 32 + ib_taps_parts(w) + conv2d_words(dev, w);
}

/* See avx2_integer.c: all weights as int16 pairs, and the panel with its planes (here) or 16 rows (below) of each
 * thread; avx2_conv.c: packed weights, an image and its sums; narrow.c: raised rows, unpacked panels; and vnni_*.c:
 * packed weights, and planes or raised rows. */
static int64_t qconv2d_words(ib_device *dev, const ib_window *w)
{
    const int64_t pairs = (w->ic / w->groups * w->kh * w->kw + 1) / 2, threads = omp_get_max_threads();
    const int64_t folded = pairs * w->oc + threads * (pairs * (w->oh * w->ow + 16) + ib_avx2_window_words(w) + 1),
                  panels = ib_avx2_conv_words(w, threads), avx2 = folded > panels ? folded : panels;
#ifdef __x86_64__
    if (!ib_level_is_there("cpu:vnni")) /* what would say is compiled for AVX-512 */
        return avx2;
    const int64_t vnni = ib_vnni_packed_words(w) + 16 + threads * ib_vnni_conv_room(w);
    return avx2 > vnni ? avx2 : vnni;
#else
    return avx2;
#endif
}

static int64_t qlinear_words(ib_device *dev, int64_t rows, int64_t k, int64_t out)
{
    const int64_t pairs = (k + 1) / 2,
                  pairs_words = pairs * (out + 16 + 16 * omp_get_max_threads()) + omp_get_max_threads(),
                  panels = ib_panels_linear_words(rows, k, out), plain = pairs_words > panels ? pairs_words : panels;
#ifdef __x86_64__
    const int64_t narrow = ib_narrow_linear_words(rows, k, out), x86 = plain > narrow ? plain : narrow;
    if (!ib_level_is_there("cpu:vnni"))
        return x86;
    const int64_t vnni = ib_vnni_linear_words(k, out) + ib_vnni_linear_room(rows, k);
    return x86 > vnni ? x86 : vnni;
#else
    return plain;
#endif
}

/* See frozen.c (64 rows or 8 long ones in fp32) and bf16_frozen.c (32 rows and their panel, or 256 columns' panels,
 * in bf16). */
int64_t ib_frozen_room(const ib_matrix *w)
{
    const int64_t tile = 65536 > 8 * w->cols ? 65536 : 8 * w->cols, rows = 34 * (w->cols + 1),
                  taken = w->rows < IB_FROZEN_ROWS ? w->rows : IB_FROZEN_ROWS, columns = 512 + 128 * (taken + 1);
    const int64_t room = tile > rows ? tile : rows;
    return (room > columns ? room : columns) + 64;
}

/* Levels that round a product's rows to bfloat16 first, keep values so too. */
static int64_t frozen_words(ib_device *dev, const ib_matrix *w, int64_t n)
{
    const int64_t longest = w->cols > w->rows ? w->cols : w->rows,
                  rounded = dev->k.kept_bytes(dev, 1) < 4 ? n * (longest + 1) / 2 : 0;
    return omp_get_max_threads() * ib_frozen_room(w) + rounded + 16;
}

/* See bf16_attention.c: q and dy three times, k and v four times, in bf16, rows rounded up to 64; and fp32_attention.h:
 * q and dy once, and a band of queries by all keys. */
static int64_t attention_words(ib_device *dev, const ib_attention *a, int64_t rows)
{
    const int64_t length = (rows + 63) / 64 * 64, rounded = length * a->dim / 2 * (6 * a->heads + 8 * a->groups),
                  once = length * a->heads * (2 * a->dim + IB_ATTENTION_BAND);
    return (rounded > once ? rounded : once) + 64;
}

const ib_verbs ib_cpu_verbs = {
#define VERB(result, name, args) .name = name,
#include "backends/verbs.def"
#undef VERB
};
