/* grid.h - inside the library: matrices of the format "groups", and their values.
 *
 * A row of codes is a little-endian stream of bits, code c at bits * c, padded to whole words of 32 bits. Scale and
 * zero of a group lie apart (matrix_parts.def). */
#ifndef IB_TENSOR_GRID_H
#define IB_TENSOR_GRID_H

#include "tensor/matrix_fields.h"
#include "tensor/storage.h"

/* of ib_matrix_encode, which is told a format alone */
enum { IB_GRID_BITS = 4, IB_GRID_GROUP = 64, IB_GRID_PIECE = 256 };

/* Bytes of a row. */
static inline int64_t ib_grid_pitch(int bits, int64_t cols)
{
    return (cols * bits + 31) / 32 * 4;
}

/* Scale i = row * groups + group. */
static inline float ib_grid_scale(const ib_matrix *m, int64_t i)
{
    float x;
    if (m->grid.scale == IB_AT_f16)
        return half_at(m->grid_scale + 2 * i);
    if (m->grid.scale == IB_AT_bf16)
        return bf16_at(m->grid_scale + 2 * i);
    memcpy(&x, m->grid_scale + 4 * i, sizeof x);
    return x;
}

static inline int ib_grid_zero(const ib_matrix *m, int64_t i)
{
    return m->grid_zero ? m->grid_zero[i] : m->grid.zero;
}

/* Code c of a stream. */
static inline unsigned ib_grid_code(const uint8_t *b, int bits, int64_t c)
{
    const int64_t at = c * bits;
    unsigned v = (unsigned)b[at / 8] >> at % 8;
    if (at % 8 + bits > 8)
        v |= (unsigned)b[at / 8 + 1] << (8 - at % 8);
    return v & ((1u << bits) - 1);
}

/* Eight codes of `bits` bytes. */
static inline __attribute__((always_inline)) void ib_grid_eight(const uint8_t *restrict b, int bits,
                                                                uint8_t *restrict q)
{
    uint64_t v = 0;
    memcpy(&v, b, (size_t)bits);
    for (int i = 0; i < 8; i++)
        q[i] = (uint8_t)(v >> i * bits & ((1u << bits) - 1));
}

static inline __attribute__((always_inline)) void ib_grid_eights(const uint8_t *restrict b, int bits, int64_t n,
                                                                 uint8_t *restrict q)
{
    for (int64_t i = 0; i < n; i++)
        ib_grid_eight(b + i * bits, bits, q + 8 * i);
}

/* q[n] = codes c .. c + n of a stream */
static inline void ib_grid_unpack(const uint8_t *restrict b, int bits, int64_t c, int64_t n, uint8_t *restrict q)
{
    int64_t i = 0;
    for (; i < n && (c + i) % 8; i++)
        q[i] = (uint8_t)ib_grid_code(b, bits, c + i);
    const uint8_t *at = b + (c + i) / 8 * bits;
    const int64_t eights = (n - i) / 8;
    switch (bits) {
#define CASE(k)                                                                                                        \
    case k: ib_grid_eights(at, k, eights, q + i); break;
        CASE(2)
        CASE(3)
        CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
            default : memcpy(q + i, at, (size_t)(8 * eights));
    }
    for (i += 8 * eights; i < n; i++)
        q[i] = (uint8_t)ib_grid_code(b, bits, c + i);
}

/* y[n] of columns c .. c + n of row r, whose codes are q */
static inline void ib_grid_values(const ib_matrix *m, int64_t r, int64_t c, int64_t n, const uint8_t *restrict q,
                                  float *restrict y)
{
    const int64_t first = r * m->grid.groups;
    if (m->group_of) {
        for (int64_t i = 0; i < n; i++) {
            const int64_t g = first + m->group_of[c + i];
            y[i] = (float)((int)q[i] - ib_grid_zero(m, g)) * ib_grid_scale(m, g);
        }
        return;
    }
    for (int64_t i = 0; i < n;) {
        const int64_t g = (c + i) / m->grid.group, rest = (g + 1) * m->grid.group - c, end = rest < n ? rest : n;
        const float d = ib_grid_scale(m, first + g);
        const int zero = ib_grid_zero(m, first + g);
        for (; i < end; i++)
            y[i] = (float)((int)q[i] - zero) * d;
    }
}

/* y[n] = elements first .. first + n of the flattened matrix */
static inline void ib_grid_decode(const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    const int64_t pitch = ib_grid_pitch(m->grid.bits, m->cols);
    uint8_t q[IB_GRID_PIECE];
    for (int64_t i = 0; i < n;) {
        const int64_t r = (first + i) / m->cols, c = (first + i) % m->cols;
        int64_t k = m->cols - c < n - i ? m->cols - c : n - i;
        k = k < IB_GRID_PIECE ? k : IB_GRID_PIECE;
        ib_grid_unpack(m->data + r * pitch, m->grid.bits, c, k, q);
        ib_grid_values(m, r, c, k, q, y + i);
        i += k;
    }
}

/* A matrix of groups with room for its parts, in one block that it owns, all 0: what reads a file fills them. Zeros and
 * group_of only where they are wanted. NULL with ib_error(). */
typedef struct ib_grid_room {
    ib_grid_fields grid;
    int zeros, order;
} ib_grid_room;
ib_matrix *ib_grid_new(const ib_grid_room *room, int64_t rows, int64_t cols);
/* Puts code q at c into a stream that is 0 there. */
static inline void ib_grid_put(uint8_t *b, int bits, int64_t c, unsigned q)
{
    const int64_t at = c * bits;
    b[at / 8] |= (uint8_t)(q << at % 8);
    if (at % 8 + bits > 8)
        b[at / 8 + 1] |= (uint8_t)(q >> (8 - at % 8));
}

#endif
