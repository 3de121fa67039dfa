/* grid.c - matrices of codes in groups of columns: by rounding to nearest, and of codes that others chose. */
#include "tensor/grid.h"

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"

int64_t ib_grid_groups(const ib_grid *g, int64_t cols)
{
    IB_NEED_OR(g, -1);
    IB_TAKE_OR(cols, cols > 0, -1, "is %lld", (long long)cols);
    IB_TAKE_OR(g, g->group >= 0, -1, "has groups of %lld columns", (long long)g->group);
    return g->group ? (cols + g->group - 1) / g->group : 1;
}

/* What can be used, in whole. */
static ib_status fields_of(const char *function, const ib_grid *g, int64_t rows, int64_t cols, ib_grid_fields *to)
{
    IB_TAKE_FOR(function, rows, rows > 0, IB_EINVAL, "is %lld", (long long)rows);
    IB_TAKE_FOR(function, cols, cols > 0 && cols <= INT64_MAX / rows / 64, IB_EINVAL, "is %lld", (long long)cols);
    IB_TAKE_FOR(function, g, g->bits >= 2 && g->bits <= 8, IB_EINVAL, "has codes of %d bits; there are 2 to 8",
                g->bits);
    IB_TAKE_FOR(function, g, g->group >= 0, IB_EINVAL, "has groups of %lld columns", (long long)g->group);
    const int scale = g->scale ? g->scale->index : IB_AT_f16;
    IB_TAKE_FOR(function, g, scale == IB_AT_f16 || scale == IB_AT_bf16 || scale == IB_AT_f32, IB_EINVAL,
                "has scales in %s; there are f16, bf16 "
                "and f32",
                ib_storage_at(scale)->name);
    *to = (ib_grid_fields){.bits = g->bits,
                           .scale = scale,
                           .zero = 1 << (g->bits - 1),
                           .group = g->group && g->group < cols ? g->group : cols,
                           .groups = ib_grid_groups(g, cols)};
    return IB_OK;
}

int64_t ib_grid_bytes(const ib_grid *g, int64_t rows, int64_t cols)
{
    IB_NEED_OR(g, -1);
    ib_grid_fields f;
    if (fields_of(__func__, g, rows, cols, &f))
        return -1;
    return rows * (ib_grid_pitch(f.bits, cols) + f.groups * (ib_storage_at(f.scale)->bytes + !g->symmetric));
}

static int64_t aligned(int64_t n)
{
    return (n + 63) / 64 * 64;
}

ib_matrix *ib_grid_new(const ib_grid_room *room, int64_t rows, int64_t cols)
{
    const ib_grid_fields *f = &room->grid;
    const int64_t codes = aligned(rows * ib_grid_pitch(f->bits, cols)),
                  scales = aligned(rows * f->groups * ib_storage_at(f->scale)->bytes),
                  zeros = room->zeros ? aligned(rows * f->groups) : 0;
    uint8_t *at = ib_alloc((size_t)(codes + scales + zeros + (room->order ? 4 * cols : 0)));
    if (!at)
        return NULL;
    const ib_matrix_parts p = {.data = at,
                               .grid_scale = at + codes,
                               .grid_zero = room->zeros ? at + codes + scales : NULL,
                               .group_of = room->order ? (const int32_t *)(void *)(at + codes + scales + zeros) : NULL,
                               .grid = *f};
    return ib_matrix_new(ib_storage_at(IB_AT_groups), rows, cols, &p, at);
}

/* x as the type holds it, and its bytes at b. */
static float put_scale(int type, float x, uint8_t *b)
{
    const uint16_t h = type == IB_AT_bf16 ? ib_float_to_bf16(x) : ib_float_to_half(x);
    if (type == IB_AT_f32) {
        memcpy(b, &x, sizeof x);
        return x;
    }
    memcpy(b, &h, sizeof h);
    return type == IB_AT_bf16 ? ib_bf16_to_float(h) : ib_half_to_float(h);
}

static uint8_t *own(const uint8_t *part) /* a part of a matrix that is being made */
{
    return (uint8_t *)(uintptr_t)part;
}

/* Scale and zero of n values, to place i of m. */
static float fit(const ib_matrix *m, int64_t i, const float *x, int64_t n, int *zero)
{
    const int most = (1 << m->grid.bits) - 1, width = ib_storage_at(m->grid.scale)->bytes;
    float low = 0, high = 0;
    for (int64_t j = 0; j < n; j++) {
        low = x[j] < low ? x[j] : low;
        high = x[j] > high ? x[j] : high;
    }
    if (!m->grid_zero) {
        high = high > -low ? high : -low;
        low = -high;
    }
    /* halves first: high - low may be beyond fp32 */
    float d = put_scale(m->grid.scale, (high / (float)most) - (low / (float)most), own(m->grid_scale) + i * width);
    if (!(d > 0)) /* zeroes alone, or so small that the type has no scale for them */
        d = put_scale(m->grid.scale, 1, own(m->grid_scale) + i * width);
    *zero = m->grid_zero && (low < 0 || high > 0) ? clamp_int(nearest(-low / d), 0, most) : m->grid.zero;
    if (m->grid_zero)
        own(m->grid_zero)[i] = (uint8_t)*zero;
    return d;
}

ib_matrix *ib_matrix_of_grid(const ib_grid *g, int64_t rows, int64_t cols, const float *x)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(x, NULL);
    ib_grid_room room = {.zeros = !g->symmetric};
    if (fields_of(__func__, g, rows, cols, &room.grid))
        return NULL;
    for (int64_t i = 0; i < rows * cols; i++)
        if (!isfinite(x[i]))
            return ib_fail_null(IB_ENUMERIC, "element %lld of row %lld is %g, which groups cannot hold",
                                (long long)(i % cols), (long long)(i / cols), (double)x[i]);
    ib_matrix *m = ib_grid_new(&room, rows, cols);
    if (!m)
        return NULL;
    const int most = (1 << g->bits) - 1;
    const int64_t group = room.grid.group, groups = room.grid.groups, pitch = ib_grid_pitch(g->bits, cols);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < groups; k++) {
            const int64_t from = k * group, n = cols - from < group ? cols - from : group;
            const float *v = x + r * cols + from;
            int zero;
            const float d = fit(m, r * groups + k, v, n, &zero);
            if (!isfinite(d)) {
                ib_matrix_free(m);
                return ib_fail_null(IB_ENUMERIC, "row %lld, columns %lld to %lld: their scale is beyond %s",
                                    (long long)r, (long long)from, (long long)(from + n - 1),
                                    ib_storage_at(room.grid.scale)->name);
            }
            for (int64_t j = 0; j < n; j++) {
                const float q = rintf(v[j] / d) + (float)zero; /* may be beyond int */
                ib_grid_put(own(m->data) + r * pitch, g->bits, from + j,
                            (unsigned)(q < 0             ? 0
                                       : q > (float)most ? (float)most
                                                         : q));
            }
        }
    return m;
}

/* What the lists say fits the grid. */
static ib_status check_codes(const ib_grid_fields *f, int64_t rows, int64_t cols, const ib_grid_codes *c)
{
    const int most = (1 << f->bits) - 1;
    for (int64_t i = 0; i < rows * cols; i++)
        IB_TAKE_FOR("ib_matrix_of_codes", c, c->code[i] <= most, IB_EINVAL,
                    "has the code %d in row %lld, column %lld, beyond %d bits", c->code[i], (long long)(i / cols),
                    (long long)(i % cols), f->bits);
    for (int64_t i = 0; i < rows * f->groups; i++) {
        uint8_t b[4];
        IB_TAKE_FOR("ib_matrix_of_codes", c,
                    isfinite(c->scale[i]) && put_scale(f->scale, c->scale[i], b) == c->scale[i], IB_EINVAL,
                    "has the scale %.9g in row %lld, group %lld, which %s does not hold", (double)c->scale[i],
                    (long long)(i / f->groups), (long long)(i % f->groups), ib_storage_at(f->scale)->name);
        IB_TAKE_FOR("ib_matrix_of_codes", c, !c->zero || c->zero[i] <= most, IB_EINVAL,
                    "has the zero %d in row %lld, group %lld, beyond %d bits", c->zero[i], (long long)(i / f->groups),
                    (long long)(i % f->groups), f->bits);
    }
    for (int64_t i = 0; c->group_of && i < cols; i++)
        IB_TAKE_FOR("ib_matrix_of_codes", c, c->group_of[i] >= 0 && c->group_of[i] < f->groups, IB_EINVAL,
                    "has column %lld in group %d of %lld", (long long)i, (int)c->group_of[i], (long long)f->groups);
    return IB_OK;
}

ib_matrix *ib_matrix_of_codes(const ib_grid *g, int64_t rows, int64_t cols, const ib_grid_codes *c)
{
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(c, NULL);
    ib_grid_room room = {.zeros = !g->symmetric, .order = c->group_of != NULL};
    if (fields_of(__func__, g, rows, cols, &room.grid))
        return NULL;
    IB_NEED_OR(c->code, NULL);
    IB_NEED_OR(c->scale, NULL);
    IB_TAKE_OR(c, g->symmetric == !c->zero, NULL, "%s",
               c->zero ? "has zeros, but the grid is symmetric" : "has no zeros, but the grid is not symmetric");
    ib_matrix *m = check_codes(&room.grid, rows, cols, c) ? NULL : ib_grid_new(&room, rows, cols);
    if (!m)
        return NULL;
    const int64_t pitch = ib_grid_pitch(g->bits, cols), scales = rows * room.grid.groups;
    for (int64_t i = 0; i < rows * cols; i++)
        ib_grid_put(own(m->data) + i / cols * pitch, g->bits, i % cols, c->code[i]);
    for (int64_t i = 0; i < scales; i++)
        put_scale(room.grid.scale, c->scale[i], own(m->grid_scale) + i * ib_storage_at(room.grid.scale)->bytes);
    if (c->zero)
        memcpy(own(m->grid_zero), c->zero, (size_t)scales);
    if (c->group_of)
        memcpy((int32_t *)(uintptr_t)m->group_of, c->group_of, (size_t)cols * sizeof *c->group_of);
    return m;
}

ib_grid ib_matrix_grid(const ib_matrix *m)
{
    IB_NEED_OR(m, (ib_grid){0});
    if (m->format->index != IB_AT_groups)
        return (ib_grid){0};
    return (ib_grid){m->grid.bits, !m->grid_zero && m->grid.zero == 1 << (m->grid.bits - 1),
                     m->grid.groups > 1 ? m->grid.group : 0, ib_storage_at(m->grid.scale)};
}

void ib_matrix_codes(const ib_matrix *m, uint8_t *code, float *scale, uint8_t *zero, int32_t *group_of)
{
    IB_NEED_OR(m, );
    IB_TAKE_OR(m, m->format->index == IB_AT_groups, , "is of %s, which is no grid", m->format->name);
    IB_ASSERT(!m->home, "what is looked at lies in the host's memory");
    const int64_t pitch = ib_grid_pitch(m->grid.bits, m->cols), scales = m->rows * m->grid.groups;
    for (int64_t r = 0; code && r < m->rows; r++)
        ib_grid_unpack(m->data + r * pitch, m->grid.bits, 0, m->cols, code + r * m->cols);
    for (int64_t i = 0; i < scales; i++) {
        if (scale)
            scale[i] = ib_grid_scale(m, i);
        if (zero)
            zero[i] = (uint8_t)ib_grid_zero(m, i);
    }
    for (int64_t c = 0; group_of && c < m->cols; c++)
        group_of[c] = m->group_of ? m->group_of[c] : (int32_t)(c / m->grid.group);
}
