/* panels_nhwc.c - convolution of codes on images with channels last. A row of the window is one piece of memory, so
 * that output pixels are the rows of a matrix product without anything being unfolded, 16 output channels are a panel,
 * and codes go where the next layer reads them. The bias makes up for raised inputs:  sum w (x - zero) + bias = sum
 * w (x + raise) + bias - (raise + zero) sum w */
#include <string.h>

#include "backends/cpu/panels.h"

enum { LANES = 16, PANELS = IB_TILE_PANELS };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static int64_t up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/* A convolution. */
typedef struct product {
    const ib_multiplier *m;
    const ib_window *s;
    const ib_nhwc *x, *y;
    const ib_epilogue *r;
    const int32_t *packed;
    int32_t *acc;
    int64_t fold; /* pixels that are one */
    ib_walk k;
} product;

/* Few output channels leave lanes empty: then as many neighbouring pixels as there is room for are one with a wider
 * window, whose outputs lie side by side as those of the pixels do. */
static int64_t fold_of(const ib_window *s)
{
    int64_t fold = s->oc < LANES ? LANES / s->oc : 1;
    while (s->ow % fold)
        fold--;
    return fold;
}

/* A segment is a row of the window. */
static ib_walk walk_of(const ib_multiplier *m, const ib_window *s, int64_t jump)
{
    return (ib_walk){s->kh, up(((s->kw + (fold_of(s) - 1) * s->sw) * s->ic + 3) / 4, m->unit), jump};
}

int64_t ib_panels_words(const ib_window *s)
{
    const ib_multiplier most = {.unit = IB_MOST_UNIT, .wide = 1};
    const ib_walk k = walk_of(&most, s, 0);
    return (ib_panel_words(&most, &k) + LANES) * up(s->oc, LANES) / LANES;
}

/* Code c of a lane, of [quads][16][4] int8 or [2 quads][16][2] int16. */
static inline void put(const ib_multiplier *m, void *panel, int64_t lane, int64_t c, int8_t v)
{
    if (m->wide)
        ((int16_t *)panel)[c / 2 * 2 * LANES + lane * 2 + c % 2] = v;
    else
        ((int8_t *)panel)[c / 4 * 4 * LANES + lane * 4 + c % 4] = v;
}

typedef int32_t four __attribute__((vector_size(16)));

/* to[i][16] = from[row][i] of four rows, `ld` words apart, and four words i */
static inline void turn(const int32_t *from, int64_t ld, int32_t *to)
{
    four r[4];
    for (int k = 0; k < 4; k++)
        memcpy(&r[k], from + k * ld, sizeof r[k]);
    const four lo = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5),
               hi = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7),
               lo2 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5),
               hi2 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    const four t[4] = {__builtin_shufflevector(lo, lo2, 0, 1, 4, 5), __builtin_shufflevector(lo, lo2, 2, 3, 6, 7),
                       __builtin_shufflevector(hi, hi2, 0, 1, 4, 5), __builtin_shufflevector(hi, hi2, 2, 3, 6, 7)};
    for (int k = 0; k < 4; k++)
        memcpy(to + k * LANES, &t[k], sizeof t[k]);
}

/* Codes of `rows` windows of one pixel, n each, into a panel of `words` words a lane; what is behind them is 0. Some
 * words of all rows at a time, in the panel's width. */
static void pack_rows(const ib_multiplier *m, const int8_t *w, int64_t n, int64_t rows, int64_t words, int32_t *panel)
{
    enum { SOME = 32 };
    const int64_t each = m->wide ? 2 : 4; /* codes of a word */
    int32_t part[LANES][SOME];
    memset(part, 0, sizeof part);
    for (int64_t i = 0; i < words; i += SOME) {
        const int64_t count = least(SOME, words - i), codes = least(count * each, n > i * each ? n - i * each : 0);
        for (int64_t r = 0; r < rows; r++) {
            const int8_t *from = w + r * n + i * each;
            if (m->wide) {
                int16_t *to = (int16_t *)part[r];
                for (int64_t c = 0; c < codes; c++)
                    to[c] = from[c];
                memset(to + codes, 0, sizeof part[r] - (size_t)codes * 2);
            } else {
                memcpy(part[r], from, (size_t)codes);
                memset((int8_t *)part[r] + codes, 0, sizeof part[r] - (size_t)codes);
            }
        }
        for (int64_t k = 0; k < count; k += 4)
            for (int r = 0; r < LANES && k + 4 <= count; r += 4)
                turn(&part[r][k], SOME, panel + (i + k) * LANES + r);
        for (int64_t k = count / 4 * 4; k < count; k++)
            for (int r = 0; r < LANES; r++)
                panel[(i + k) * LANES + r] = part[r][k];
    }
}

static int32_t sum_of(const int8_t *w, int64_t n)
{
    int32_t sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += w[c];
    return sum;
}

/* One lane, of any window. */
static void pack_lane(const ib_multiplier *m, const ib_window *s, const ib_walk *k, const int8_t *w, int64_t o,
                      int32_t *panel)
{
    const int64_t pixel = o / s->oc, row = o % s->oc;
    for (int64_t c = 0; c < s->ic; c++)
        for (int ky = 0; ky < s->kh; ky++)
            for (int kx = 0; kx < s->kw; kx++)
                put(m, panel, o % LANES, ky * k->quads * 4 + (kx + pixel * s->sw) * s->ic + c,
                    w[((row * s->ic + c) * s->kh + ky) * s->kw + kx]);
}

int64_t ib_panels_pack(const ib_multiplier *m, const ib_window *s, int in_zero, const ib_qweights *w,
                       const int32_t *bias, void *packed, ib_share share)
{
    const ib_walk k = walk_of(m, s, 0);
    const int64_t words = ib_panel_words(m, &k), step = words + LANES, panels = up(s->oc, LANES) / LANES,
                  outputs = fold_of(s) * s->oc, size = s->ic * s->kh * s->kw;
    const int is_row = s->kh * s->kw == 1 && fold_of(s) == 1;
    if (!packed)
        return panels * step * 4;
    for (int64_t v = ib_share_first(share, panels); v < ib_share_end(share, panels); v++) {
        int32_t *panel = (int32_t *)packed + v * step;
        const int64_t first = v * LANES, end = least(first + LANES, outputs);
        if (is_row)
            pack_rows(m, w->codes + first * size, size, end - first, words / LANES, panel);
        else
            memset(panel, 0, (size_t)words * sizeof *panel);
        memset(panel + words, 0, LANES * sizeof *panel);
        for (int64_t o = first; o < end; o++) {
            const int64_t row = o % s->oc;
            if (!is_row)
                pack_lane(m, s, &k, w->codes, o, panel);
            panel[words + o % LANES] =
                ib_raised_bias(bias[row], m->raise + in_zero, sum_of(w->codes + row * size, size));
        }
    }
    return panels * step * 4;
}

void ib_finish_plainly(const ib_epilogue *e, const isobit_scale *scale, int64_t count, int64_t rows, const int32_t *acc,
                       uint8_t *y, int64_t ldy)
{
    for (int64_t r = 0; r < rows; r++)
        ib_finish_row(e, scale, count, acc + r * IB_TILE_LD, y + r * ldy);
}

/* Rows of pixels first .. last - 1 of sample i, or all samples' only pixels as one row; in blocks of equal numbers of
 * pixels, of which the last of a row goes over again what the one before had. */
static void group_of(const product *p, int64_t panel, int64_t i, int64_t first, int64_t last)
{
    const ib_window *s = p->s;
    const int64_t panels = least(PANELS, (s->oc + LANES - 1) / LANES - panel),
                  step = ib_panel_words(p->m, &p->k) + LANES;
    const int flat = s->oh == 1 && s->ow == 1;
    const int64_t count = flat ? s->n : s->ow / p->fold, rows = ib_rows_at_once(p->m, panels, count),
                  pieces = (count + rows - 1) / rows;
    const int64_t ldx = flat ? ib_nhwc_bytes(p->x) : p->fold * s->sw * p->x->c, ldy = !p->y  ? 0
                                                                                      : flat ? ib_nhwc_bytes(p->y)
                                                                                             : p->fold * p->y->c;
    isobit_scale scale[PANELS * LANES] = {{0, -24}};
    const int64_t first_lane = panel * LANES, n_lanes = least(panels * LANES, p->fold * s->oc - first_lane);
    for (int64_t j = 0, o = first_lane; p->r && j < n_lanes; j++, o++) {
        o = o < s->oc ? o : 0; /* of the next pixel */
        scale[j] = p->r->scale[o];
    }
    for (int64_t j = n_lanes; j < panels * LANES; j++)
        scale[j] = (isobit_scale){0, -24};
    const int small = p->r && ib_scales_are_small(scale, panels * LANES, p->r->profile);
    ib_finish *const finish = small ? p->m->finish : ib_finish_plainly;
    _Alignas(64) int32_t acc[2 * IB_TILE_ROWS * IB_TILE_LD];
    const ib_tiles tiles = {rows, panels, p->k, ldx, p->packed + panel * step, step, acc};
    if (p->m->begin)
        p->m->begin(rows);
    for (int64_t t = first * pieces; t < last * pieces; t += p->m->blocks) {
        const int blocks = (int)least(p->m->blocks, last * pieces - t);
        const uint8_t *x[2];
        uint8_t *y[2];
        for (int j = 0; j < blocks; j++) {
            const int64_t oy = (t + j) / pieces, from = least((t + j) % pieces * rows, count - rows);
            x[j] = ib_nhwc_at(p->x, i, oy * s->sh - s->ph, -s->pw) + from * ldx;
            y[j] = p->y ? ib_nhwc_at(p->y, i, oy, 0) + from * ldy + panel * LANES : NULL;
        }
        p->m->run(&tiles, x, blocks);
        for (int j = 0; j < blocks; j++)
            for (int64_t v = 0; v < panels; v++)
                if (p->r)
                    finish(p->r, scale + v * LANES, least(LANES, n_lanes - v * LANES), rows,
                           acc + j * IB_TILE_ROWS * IB_TILE_LD + v * LANES, y[j] + v * LANES, ldy);
        for (int64_t j = 0; j < rows * blocks && !p->r; j++) { /* pixels that are one lie side by side */
            const int64_t at = t + j / rows, line = flat ? 0 : (i * s->oh + at / pieces) * count,
                          row = line + least(at % pieces * rows, count - rows) + j % rows;
            memcpy(p->acc + row * p->fold * s->oc + first_lane, acc + (j / rows * IB_TILE_ROWS + j % rows) * IB_TILE_LD,
                   (size_t)n_lanes * sizeof *acc);
        }
    }
    if (p->m->end)
        p->m->end();
}

void ib_panels_conv2d(const ib_multiplier *m, const ib_window *s, const ib_nhwc_product *of, int32_t *acc,
                      ib_share share)
{
    const product p = {.m = m,
                       .s = s,
                       .x = of->x,
                       .y = of->y,
                       .r = of->r,
                       .packed = of->packed,
                       .acc = acc,
                       .fold = fold_of(s),
                       .k = walk_of(m, s, ib_nhwc_line(of->x))};
    const int64_t groups = ((s->oc + LANES - 1) / LANES + PANELS - 1) / PANELS;
    const int flat = s->oh == 1 && s->ow == 1;
    if (flat) {
        for (int64_t g = ib_share_first(share, groups); g < ib_share_end(share, groups); g++)
            group_of(&p, g * PANELS, 0, 0, 1);
        return;
    }
    const int64_t first = ib_share_first(share, s->oh), end = ib_share_end(share, s->oh);
    for (int64_t i = 0; i < s->n && first < end; i++)
        for (int64_t g = 0; g < groups; g++)
            group_of(&p, g * PANELS, i, first, end);
}
