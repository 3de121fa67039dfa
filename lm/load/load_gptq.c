/* load_gptq.c - matrices in the layouts of GPTQ and AWQ, which keep weights transposed, in words of 32 bits.
 *
 * GPTQ (GPTQModel's and AutoGPTQ's files): qweight [in b / 32][out] holds of each output a stream of b-bit codes along
 * the inputs, which is a row of ours; scales [groups][out]; qzeros [groups][out b / 32] streams of zeros along the
 * outputs; g_idx [in] groups of the columns. v1 keeps zeros less 1: of 2, 4 and 8 bits it was taken from whole words,
 * so that a zero of 0 borrows from its neighbour, and is added to words again; of 3 bits, whose codes lie across words,
 * from each code. Nothing in the tensors tells v1 from v2: config.json's checkpoint_format does.
 * AWQ (AutoAWQ's): GEMM has qweight [in][out / 8] along the outputs, nibble i of a word of column 0, 2, 4, 6, 1, 3, 5,
 * 7, zeros so too; GEMV has [out][in / 8] along the inputs in order, and zeros and scales by output. Zeros are raw. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lm/load/codes_hf.h"
#include "tensor/grid.h"

typedef struct source {
    const ib_entry *codes, *scales, *zeros, *order;
    int64_t scale_row, zero_row; /* of GEMV: columns of scales, words of zeros of an output */
} source;

static uint32_t word_at(const uint8_t *b, int64_t i)
{
    uint32_t w;
    memcpy(&w, b + 4 * i, sizeof w);
    return w;
}

static uint8_t *own(const uint8_t *part) /* of a matrix that is being made */
{
    return (uint8_t *)(uintptr_t)part;
}

/* Place of output o's nibble in a word of GEMM. */
static int nibble_of(int64_t o)
{
    return (int[]){0, 4, 1, 5, 2, 6, 3, 7}[o % 8];
}

/* Zero of a group and output. */
static int zero_of(const ib_hf_wanted *w, const source *s, int64_t g, int64_t o)
{
    const int bits = w->codes->bits, most = (1 << bits) - 1;
    const uint8_t *row = s->zeros->data + 4 * g * s->zero_row;
    switch (w->codes->layout) {
    case IB_HF_AWQ_GEMM: return (int)(word_at(row, o / 8) >> 4 * nibble_of(o) & 15);
    case IB_HF_AWQ_GEMV: return (int)ib_grid_code(s->zeros->data + 4 * o * s->zero_row, 4, g);
    case IB_HF_GPTQ:
        if (bits == 3)
            return ((int)ib_grid_code(row, bits, o) + 1) & most;
        /* 1 in every code of a word, and back into the neighbour what was borrowed from it */
        return (int)((word_at(row, o * bits / 32) + UINT32_MAX / (uint32_t)most) >> o * bits % 32 & (uint32_t)most);
    default: return (int)ib_grid_code(row, bits, o);
    }
}

static int is_gemv(const ib_hf_wanted *w)
{
    return w->codes->layout == IB_HF_AWQ_GEMV;
}

/* Scales, and the number of groups that they make. */
static ib_status find_scales(const ib_hf_wanted *w, int64_t group, source *s)
{
    const int64_t groups = (w->cols + group - 1) / group;
    const ib_entry *e = ib_hf_find(w->f, w->base, ".scales");
    char text[64];
    if (!e)
        return ib_fail(IB_EFORMAT, "has no tensor '%s.scales'", w->base);
    const int flat = e->format && e->format->block == 1 && e->format->reals && e->ndim == 2;
    const int fits = flat && (is_gemv(w) ? e->shape[0] == w->rows && e->shape[1] >= groups && e->shape[1] % 8 == 0
                                         : e->shape[0] == groups && e->shape[1] == w->rows);
    if (!fits)
        return ib_fail(IB_EFORMAT, "tensor '%s' is %s %s; [%lld,%lld] in groups of %lld have [%lld,%lld] reals",
                       e->name, e->type, ib_entry_shape_text(e, text, sizeof text), (long long)w->rows,
                       (long long)w->cols, (long long)group, (long long)(is_gemv(w) ? w->rows : groups),
                       (long long)(is_gemv(w) ? groups : w->rows));
    s->scales = e;
    s->scale_row = e->shape[1];
    return IB_OK;
}

/* g_idx, where the columns are not in order. */
static ib_status find_order(const ib_hf_wanted *w, int64_t group, int64_t groups, source *s)
{
    const ib_entry *e = ib_hf_find(w->f, w->base, ".g_idx");
    int in_order = 1;
    char text[64];
    if (!e && w->codes->act_order)
        return ib_fail(IB_EFORMAT, "'desc_act' is true, but there is no tensor '%s.g_idx'", w->base);
    if (!e)
        return IB_OK;
    if (strcmp(e->type, "I32") || e->ndim != 1 || e->shape[0] != w->cols)
        return ib_fail(IB_EFORMAT, "tensor '%s' is %s %s, not I32 [%lld]", e->name, e->type,
                       ib_entry_shape_text(e, text, sizeof text), (long long)w->cols);
    for (int64_t c = 0; c < w->cols; c++) {
        const int32_t g = (int32_t)word_at(e->data, c);
        if (g < 0 || g >= groups)
            return ib_fail(IB_EFORMAT, "tensor '%s' puts column %lld into group %d of %lld", e->name, (long long)c, g,
                           (long long)groups);
        in_order &= g == c / group;
    }
    s->order = in_order ? NULL : e;
    return IB_OK;
}

/* Rows o .. o + 8 of the codes. */
static void take_rows(const ib_hf_wanted *w, const source *s, int64_t o, uint8_t *to, int64_t pitch)
{
    const int64_t n = w->rows - o < 8 ? w->rows - o : 8;
    const uint8_t *from = s->codes->data;
    if (is_gemv(w)) {
        memcpy(to, from + o * pitch, (size_t)(n * pitch));
        return;
    }
    if (w->codes->layout == IB_HF_AWQ_GEMM) {
        for (int64_t c = 0; c < w->cols; c++) {
            const uint32_t word = word_at(from, c * (w->rows / 8) + o / 8);
            for (int64_t i = 0; i < n; i++)
                to[i * pitch + c / 2] |= (uint8_t)((word >> 4 * nibble_of(i) & 15) << (c & 1 ? 4 : 0));
        }
        return;
    }
    for (int64_t k = 0; k < pitch / 4; k++)
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * pitch + 4 * k, from + 4 * (k * w->rows + o + i), 4);
}

static ib_matrix *taken(const ib_hf_wanted *w, const source *s, const ib_grid_room *room)
{
    ib_matrix *m = ib_grid_new(room, w->rows, w->cols);
    if (!m)
        return NULL;
    const int64_t pitch = ib_grid_pitch(room->grid.bits, w->cols), groups = room->grid.groups;
    const int width = s->scales->format->bytes, along = is_gemv(w);
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < w->rows; o += 8)
        take_rows(w, s, o, own(m->data) + o * pitch, pitch);
    for (int64_t o = 0; o < w->rows; o++)
        for (int64_t g = 0; g < groups; g++) {
            const int64_t at = along ? o * s->scale_row + g : g * s->scale_row + o, to = o * groups + g;
            memcpy(own(m->grid_scale) + to * width, s->scales->data + at * width, (size_t)width);
            if (room->zeros)
                own(m->grid_zero)[to] = (uint8_t)zero_of(w, s, g, o);
        }
    if (room->order)
        memcpy((int32_t *)(uintptr_t)m->group_of, s->order->data, (size_t)w->cols * 4);
    ib_entry_give_back(s->codes);
    ib_entry_give_back(s->scales);
    ib_entry_give_back(s->zeros);
    return m;
}

/* codes [shape], zeros [of] words */
static ib_status read_grid(const ib_hf_wanted *w, const int64_t shape[2], const int64_t zeros[2], ib_matrix **out)
{
    const int64_t group = w->codes->group > 0 && w->codes->group < w->cols ? w->codes->group : w->cols,
                  groups = (w->cols + group - 1) / group;
    source s = {0};
    if (!(s.codes = ib_hf_need(w->f, w->base, ".qweight", "I32", shape)))
        return ib_error_status();
    ib_status status = find_scales(w, group, &s);
    if (!status && !(s.zeros = ib_hf_need(w->f, w->base, ".qzeros", "I32", zeros)))
        status = ib_error_status();
    if (!status)
        status = find_order(w, group, groups, &s);
    if (status)
        return status;
    s.zero_row = s.zeros->shape[1];
    ib_grid_room room = {
        {w->codes->bits, s.scales->format->index, zero_of(w, &s, 0, 0), group, groups}, 0, s.order != NULL};
    for (int64_t i = 0; i < w->rows * groups && !room.zeros; i++)
        room.zeros = zero_of(w, &s, i % groups, i / groups) != room.grid.zero;
    *out = taken(w, &s, &room);
    return *out ? IB_OK : ib_error_status();
}

ib_status ib_hf_read_gptq(const ib_hf_wanted *w, ib_matrix **out)
{
    const int bits = w->codes->bits;
    const int64_t group = w->codes->group > 0 ? w->codes->group : w->cols, groups = (w->cols + group - 1) / group;
    return read_grid(w, (const int64_t[]){(w->cols * bits + 31) / 32, w->rows},
                     (const int64_t[]){groups, (w->rows * bits + 31) / 32}, out);
}

ib_status ib_hf_read_awq(const ib_hf_wanted *w, ib_matrix **out)
{
    const int64_t group = w->codes->group > 0 ? w->codes->group : w->cols, groups = (w->cols + group - 1) / group;
    if (w->rows % 8 || w->cols % 8)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.qweight': awq has whole words of 8 codes, but it is [%lld,%lld]",
                       w->base, (long long)w->rows, (long long)w->cols);
    if (!is_gemv(w))
        return read_grid(w, (const int64_t[]){w->cols, w->rows / 8}, (const int64_t[]){groups, w->rows / 8}, out);
    const ib_entry *scales = ib_hf_find(w->f, w->base, ".scales"); /* padded, and the zeros as they are */
    return read_grid(w, (const int64_t[]){w->rows, w->cols / 8},
                     (const int64_t[]){w->rows, scales && scales->ndim == 2 ? scales->shape[1] / 8 : 0}, out);
}
