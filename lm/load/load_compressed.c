/* load_compressed.c - matrices as compressed-tensors stores them.
 *
 * pack-quantized: weight_packed [out][in b / 32] holds code + 2^(b - 1) as a stream of bits along the inputs, a row of
 * ours; weight_scale [out][groups]; weight_zero_point, where there is one, packed so along the outputs, or int8;
 * weight_g_idx [in], of files with act-order by groups. int-quantized: weight int8 [out][in], its scales and zeros as
 * they are. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lm/load/codes_hf.h"
#include "tensor/grid.h"

typedef struct source {
    const ib_entry *packed, *bytes, *scales, *zeros, *order;
    ib_grid_room room;
} source;

static uint8_t *own(const uint8_t *part) /* of a matrix that is being made */
{
    return (uint8_t *)(uintptr_t)part;
}

static ib_status refuse(const ib_hf_wanted *w, const ib_entry *e)
{
    char text[64];
    return ib_fail(IB_EFORMAT,
                   "tensor '%s' is %s %s, which does not fit [%lld,%lld] in the groups (%d columns) and bits that "
                   "config.json has",
                   e->name, e->type, ib_entry_shape_text(e, text, sizeof text), (long long)w->rows, (long long)w->cols,
                   w->codes->group);
}

/* Bits of a code, of those that the configuration names: the ones that fill rows of so many words. */
static ib_status find_bits(const ib_hf_wanted *w, source *s)
{
    int found = 0;
    if (s->bytes) {
        s->room.grid.bits = 8;
        return s->bytes->ndim == 2 && s->bytes->shape[0] == w->rows && s->bytes->shape[1] == w->cols
                   ? IB_OK
                   : refuse(w, s->bytes);
    }
    for (int bits = 2; bits <= 8; bits++)
        if (w->codes->packed_bits >> bits & 1 && s->packed->ndim == 2 && s->packed->shape[0] == w->rows &&
            s->packed->shape[1] == ib_grid_pitch(bits, w->cols) / 4) {
            s->room.grid.bits = bits;
            found++;
        }
    return found == 1 && !strcmp(s->packed->type, "I32") ? IB_OK : refuse(w, s->packed);
}

/* Groups are as many as there are scales of a row. */
static ib_status find_groups(const ib_hf_wanted *w, source *s)
{
    const ib_entry *e = s->scales;
    const int flat = e && e->format && e->format->block == 1 && e->format->reals && e->ndim >= 1 && e->ndim <= 2 &&
                     e->shape[0] == w->rows;
    if (!e)
        return ib_fail(IB_EFORMAT, "has no tensor '%s.weight_scale'", w->base);
    const int64_t groups = flat && e->ndim == 2 ? e->shape[1] : 1;
    int64_t group = groups == 1 ? w->cols : w->codes->group;
    if (groups > 1 && groups <= w->cols && (group < 1 || (w->cols + group - 1) / group != groups))
        group = w->codes->mixed && w->cols % groups == 0 ? w->cols / groups : 0;
    if (!flat || groups < 1 || group < 1 || (w->cols + group - 1) / group != groups)
        return refuse(w, e);
    s->room.grid.scale = e->format->index;
    s->room.grid.group = group;
    s->room.grid.groups = groups;
    s->room.grid.zero = 1 << (s->room.grid.bits - 1);
    return IB_OK;
}

static ib_status find_zeros(const ib_hf_wanted *w, source *s)
{
    const ib_entry *e = s->zeros;
    const int bits = s->room.grid.bits;
    const int64_t groups = s->room.grid.groups, words = ib_grid_pitch(bits, w->rows) / 4;
    if (!e)
        return w->codes->needs_zeros
                   ? ib_fail(IB_EFORMAT, "'symmetric' is false, but there is no tensor '%s.weight_zero_point'", w->base)
                   : IB_OK;
    const int packed = e->ndim == 2 && !strcmp(e->type, "I32") && e->shape[0] == words && e->shape[1] == groups,
              plain = !strcmp(e->type, "I8") && e->shape[0] == w->rows && ib_entry_size(e) == w->rows * groups;
    if (!packed && !plain)
        return refuse(w, e);
    for (int64_t i = 0; plain && i < w->rows * groups; i++) {
        const int z = (int8_t)e->data[i], most = 1 << (bits - 1);
        if (z < -most || z >= most)
            return ib_fail(IB_EFORMAT, "tensor '%s' has the zero %d, beyond %d bits", e->name, z, bits);
        s->room.zeros |= z != 0;
    }
    s->room.zeros |= packed;
    return IB_OK;
}

static ib_status find_order(const ib_hf_wanted *w, source *s)
{
    const ib_entry *e = s->order;
    const int64_t groups = s->room.grid.groups;
    char text[64];
    if (!e)
        return w->codes->by_group
                   ? ib_fail(IB_EFORMAT, "'actorder' is group, but there is no tensor '%s.weight_g_idx'", w->base)
                   : IB_OK;
    if (strcmp(e->type, "I32") || e->ndim != 1 || e->shape[0] != w->cols)
        return ib_fail(IB_EFORMAT, "tensor '%s' is %s %s, not I32 [%lld]", e->name, e->type,
                       ib_entry_shape_text(e, text, sizeof text), (long long)w->cols);
    int64_t none = 0;
    for (int64_t c = 0; c < w->cols; c++) {
        int32_t g;
        memcpy(&g, e->data + 4 * c, sizeof g);
        none += g == -1; /* of columns in order all are */
        s->room.order |= g != c / s->room.grid.group;
        if (g < -1 || g >= groups || (none && none != c + 1))
            return ib_fail(IB_EFORMAT, "tensor '%s' puts column %lld into group %d of %lld", e->name, (long long)c, g,
                           (long long)groups);
    }
    s->room.order &= !none;
    return IB_OK;
}

/* The file's shape beside the packed codes is ours. */
static ib_status check_shape(const ib_hf_wanted *w)
{
    const ib_entry *e = ib_hf_find(w->f, w->base, ".weight_shape");
    int64_t shape[2] = {0};
    if (!e)
        return IB_OK;
    const int wide = !strcmp(e->type, "I64"), fits = ib_entry_size(e) == 2 && (wide || !strcmp(e->type, "I32"));
    for (int i = 0; fits && i < 2; i++)
        memcpy(&shape[i], e->data + (wide ? 8 : 4) * i, wide ? 8 : 4);
    return fits && shape[0] == w->rows && shape[1] == w->cols
               ? IB_OK
               : ib_fail(IB_EFORMAT, "tensor '%s' says [%lld,%lld], not [%lld,%lld]", e->name, (long long)shape[0],
                         (long long)shape[1], (long long)w->rows, (long long)w->cols);
}

/* int4 in groups of 32 with halves is a format of blocks, which has products in integers. */
static ib_matrix *blocks_of(const ib_hf_wanted *w, const source *s)
{
    const int64_t blocks = w->rows * w->cols / 32;
    uint8_t *to = ib_alloc((size_t)blocks * 18);
    if (!to)
        return NULL;
    for (int64_t b = 0; b < blocks; b++) {
        memcpy(to + 18 * b, s->scales->data + 2 * b, 2);
        for (int j = 0; j < 16; j++)
            to[18 * b + 2 + j] = s->packed->data[16 * b + j] ^ 0x88;
    }
    return ib_matrix_new(ib_storage_find("int4"), w->rows, w->cols, &(ib_matrix_parts){.data = to}, to);
}

/* int8 with a scale a row and no zeros borrows its bytes. */
static ib_matrix *bytes_of(const ib_hf_wanted *w, const source *s)
{
    float *scale = ib_alloc((size_t)w->rows * sizeof *scale);
    if (!scale)
        return NULL;
    ib_entry_decode(s->scales, 0, w->rows, scale);
    return ib_matrix_new(ib_storage_find("int8"), w->rows, w->cols,
                         &(ib_matrix_parts){.data = s->bytes->data, .absmax = scale}, scale);
}

static ib_matrix *grid_of(const ib_hf_wanted *w, const source *s)
{
    ib_matrix *m = ib_grid_new(&s->room, w->rows, w->cols);
    if (!m)
        return NULL;
    const int bits = s->room.grid.bits;
    const int64_t pitch = ib_grid_pitch(bits, w->cols), groups = s->room.grid.groups, n = w->rows * groups,
                  size = w->rows * w->cols;
    if (s->packed)
        memcpy(own(m->data), s->packed->data, (size_t)(w->rows * pitch));
    for (int64_t i = 0; s->bytes && i < size; i++)
        own(m->data)[i / w->cols * pitch + i % w->cols] = s->bytes->data[i] ^ 0x80;
    memcpy(own(m->grid_scale), s->scales->data, (size_t)(n * s->scales->format->bytes));
    const int packed = s->zeros && !strcmp(s->zeros->type, "I32");
    for (int64_t i = 0; s->room.zeros && i < n; i++) {
        const int64_t r = i / groups, g = i % groups, at = r * bits; /* code r of a stream of words, groups apart */
        if (!packed) {
            own(m->grid_zero)[i] = (uint8_t)((int8_t)s->zeros->data[i] + (1 << (bits - 1)));
            continue;
        }
        uint8_t two[8] = {0};
        memcpy(two, s->zeros->data + 4 * (at / 32 * groups + g), 4);
        if (at % 32 + bits > 32)
            memcpy(two + 4, s->zeros->data + 4 * ((at / 32 + 1) * groups + g), 4);
        uint64_t v;
        memcpy(&v, two, sizeof v);
        own(m->grid_zero)[i] = (uint8_t)(v >> at % 32 & ((1u << bits) - 1));
    }
    if (s->room.order)
        memcpy((int32_t *)(uintptr_t)m->group_of, s->order->data, (size_t)w->cols * 4);
    ib_entry_give_back(s->packed ? s->packed : s->bytes);
    return m;
}

ib_status ib_hf_read_compressed(const ib_hf_wanted *w, ib_matrix **out)
{
    source s = {.packed = ib_hf_find(w->f, w->base, ".weight_packed"),
                .scales = ib_hf_find(w->f, w->base, ".weight_scale"),
                .zeros = ib_hf_find(w->f, w->base, ".weight_zero_point"),
                .order = ib_hf_find(w->f, w->base, ".weight_g_idx")};
    if (!s.packed)
        s.bytes = ib_hf_find(w->f, w->base, ".weight");
    if (w->codes->layout != IB_HF_COMPRESSED)
        return ib_fail(IB_EUNSUPPORTED,
                       "tensor '%s.%s': config.json has no 'quantization_config' of compressed-tensors", w->base,
                       s.packed ? "weight_packed" : "weight");
    ib_status status = find_bits(w, &s);
    if (!status)
        status = find_groups(w, &s);
    if (!status)
        status = find_zeros(w, &s);
    if (!status)
        status = find_order(w, &s);
    if (!status)
        status = check_shape(w);
    if (status)
        return status;
    const int plain = !s.room.zeros && !s.room.order;
    const ib_grid_fields *f = &s.room.grid;
    if (s.packed && plain && f->bits == 4 && f->group == 32 && w->cols % 32 == 0 && f->scale == IB_AT_f16)
        *out = blocks_of(w, &s);
    else if (s.bytes && plain && f->groups == 1)
        *out = bytes_of(w, &s);
    else
        *out = grid_of(w, &s);
    return *out ? IB_OK : ib_error_status();
}
