/* narrow.h - inside backends/cpu: 4-bit and 2-bit weights of large linear layers, where reading them is what takes
 * time: several a byte, unpacked in registers for few rows, and into panels (panels.h) for many.
 *   panel [ceil(k / 4 per)][16][4] bytes, per = 8 / bits; weight k + 4 j in bits `bits j` .. of a byte, raised by half
 *   = 2^(bits - 1):
 *     sum (w + half - half) (x + 128) = sum (w + half) (x + 128) - half sum (x + 128),  the last sum once for each row
 *   then 16 biases that make up for inputs raised by 128 */
#ifndef IB_BACKENDS_CPU_NARROW_H
#define IB_BACKENDS_CPU_NARROW_H

#include "backends/cpu/panels.h"

enum { IB_NARROW_FROM = 1 << 20 }; /* weights of a layer that are more than this */
/* Bits that weights are packed ahead with: as they are, 4 or 2, if they are too many for the caches; else 8. */
static inline int ib_narrow_bits(int64_t k, int64_t out, const ib_qweights *w)
{
    return !w->bits || w->bits > 4 || k * out <= IB_NARROW_FROM ? 8 : w->bits > 2 ? 4 : 2;
}
/* Words of a lane of a panel, without the bias. */
static inline int64_t ib_narrow_quads(int64_t k, int bits)
{
    const int64_t per = 8 / bits;
    return (k + 4 * per - 1) / (4 * per);
}
static inline int64_t ib_narrow_words(int64_t k, int64_t out, int bits)
{
    return (out + 15) / 16 * 16 * (ib_narrow_quads(k, bits) + 1);
}
void ib_narrow_pack(int64_t k, int64_t out, const ib_qweights *w, int bits, int in_zero, const int32_t *bias,
                    int32_t *packed);

/* What a level brings. */
typedef struct ib_narrow {
    const ib_multiplier *m; /* of many rows: raise 128, unit 1, a block, no begin and end */
    /* out[16 panels] of one raised row; less: half times the sum of its codes */
    void (*row)(int bits, int64_t panels, int64_t k, const uint8_t *x, int32_t less, const int32_t *w, int32_t *out);
    /* panels of m, of ib_narrow_quads(k, bits) * per quads */
    void (*unpack)(int bits, int64_t panels, int64_t k, const int32_t *w, int32_t *to);
} ib_narrow;
/* y[rows][out] = x W' of weights packed by ib_narrow_pack, as ib_panels_linear has it: codes and 1, or accumulators and
 * 0; and fp32 words of work space. */
int ib_narrow_linear(const ib_narrow *how, int bits, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p);
int64_t ib_narrow_linear_words(int64_t rows, int64_t k, int64_t out);

#endif
