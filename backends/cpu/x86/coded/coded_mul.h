/* coded_mul.h - rows of codes by frozen matrices in integers, equal in every bit to coded.c (formulas/row_codes.h), by
 * the instructions of the compilation: few rows by blocks that are taken apart in registers (coded_row.h), more by
 * panels (coded_panel.h, coded_tile.h). */
#ifndef IB_BACKENDS_CPU_X86_CODED_MUL_H
#define IB_BACKENDS_CPU_X86_CODED_MUL_H

#include "backends/cpu/x86/coded/coded_tile.h"

enum { FEW_ROWS = 2 }; /* up to which taking a panel apart costs more than it gives */

typedef struct coded_functions {
    const coded_format *format;
    void (*one_row)(const product *t, int64_t o, int64_t i);
    void (*fill)(const product *t, int64_t o, int64_t from, int blocks, coded_panel *to);
    void (*rows)(const coded_panel *w, const tile_rows *x, int blocks); /* ROWS of them */
    void (*row)(const coded_panel *w, const tile_rows *x, int blocks);
} coded_functions;

#define FUNCTIONS(name, own_scales, own_wide, ...)                                                                     \
    static void one_row_##name(const product *t, int64_t o, int64_t i)                                                 \
    {                                                                                                                  \
        one_row(t, o, i, &format_##name, part_##name, scales_##own_scales, wide_##own_wide);                           \
    }                                                                                                                  \
    static void fill_##name(const product *t, int64_t o, int64_t from, int blocks, coded_panel *to)                    \
    {                                                                                                                  \
        fill_panel(t, o, from, blocks, to, &format_##name, part_##name, scales_##own_scales, wide_##own_wide);         \
    }                                                                                                                  \
    static void rows_##name(const coded_panel *w, const tile_rows *x, int blocks)                                      \
    {                                                                                                                  \
        tile(w, x, blocks, ROWS, &format_##name);                                                                      \
    }                                                                                                                  \
    static void row_##name(const coded_panel *w, const tile_rows *x, int blocks)                                       \
    {                                                                                                                  \
        tile(w, x, blocks, 1, &format_##name);                                                                         \
    }
CODED_FORMATS(FUNCTIONS)
#undef FUNCTIONS

#define OF_FORMAT(name)                                                                                                \
    {                                                                                                                  \
        &format_##name, one_row_##name, fill_##name, rows_##name, row_##name                                           \
    }
static const coded_functions coded_table[IB_N_STORAGE] = {CODED_ROWS};
#undef OF_FORMAT

/* Rows i .. i + rows of blocks from `from` on, and the last one again for what a tile has more of them; words: room for
 * their codes in 16 bits. */
static void take_rows(const product *t, const coded_format *f, int64_t i, int rows, int64_t from, int blocks,
                      int16_t (*words)[PANEL_STEPS * 2], tile_rows *x)
{
    for (int k = 0; k < rows; k++) {
        const int64_t at = (i + k) * t->blocks + from;
        const int8_t *c = t->c + at * f->block;
        x->c[k] = c;
        x->d[k] = t->d + at;
        const int16_t *by = x->m[k] = t->m + at * (f->block / 16);
        x->s[k] = t->s + at * (f->block / 16);
        for (int j = 0; in_words(f) && j < blocks * f->block; j += 16)
            _mm256_store_si256((__m256i *)(words[k] + j),
                               _mm256_mullo_epi16(_mm256_cvtepi8_epi16(load16((const uint8_t *)c + j)),
                                                  _mm256_set1_epi16(by[j / 16])));
        if (in_words(f))
            x->c[k] = words[k];
    }
    for (int k = rows; k < ROWS; k++) {
        x->c[k] = x->c[rows - 1];
        x->d[k] = x->d[rows - 1];
        x->m[k] = x->m[rows - 1];
        x->s[k] = x->s[rows - 1];
    }
}

/* y[n][o .. o + 15] */
static void by_panel(const product *t, const coded_functions *by, int64_t o, int64_t n)
{
    const coded_format *f = by->format;
    const int room = panel_blocks(f);
    const size_t bytes = (size_t)ib_min64(PANEL, t->outputs - o) * sizeof(float);
    coded_panel w;
    _Alignas(64) int16_t words[ROWS][PANEL_STEPS * 2];
    _Alignas(64) float y[ROWS][PANEL] = {{0}};
    tile_rows x = {.y = y};
    for (int64_t from = 0; from < t->blocks; from += room) {
        const int blocks = (int)ib_min64(room, t->blocks - from);
        by->fill(t, o, from, blocks, &w);
        for (int64_t i = 0; i < n;) {
            const int left = (int)ib_min64(ROWS, n - i), rows = left > ROWS / 2 ? left : 1;
            for (int k = 0; k < rows; k++) {
                if (from)
                    memcpy(y[k], t->y + (i + k) * t->outputs + o, bytes);
                else
                    memset(y[k], 0, sizeof y[k]);
            }
            take_rows(t, f, i, rows, from, blocks, words, &x);
            (rows == 1 ? by->row : by->rows)(&w, &x, blocks);
            for (int k = 0; k < rows; k++)
                memcpy(t->y + (i + k) * t->outputs + o, y[k], bytes);
            i += rows;
        }
    }
}

static void coded_mul(ib_device *dev, const ib_matrix *w, int64_t n, const ib_row_codes *x, float *y)
{
    const coded_functions *by = &coded_table[w->format->index];
    if (!by->format) {
        IB_BELOW(coded_mul)(dev, w, n, x, y);
        return;
    }
    const product t = {w->data, x->codes, x->scale, x->multiple, x->sums, w->cols / x->block, w->rows, w, y};
    if (n > FEW_ROWS) {
#pragma omp parallel for schedule(static)
        for (int64_t o = 0; o < t.outputs; o += PANEL)
            by_panel(&t, by, o, n);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < t.outputs; o += EIGHT)
        for (int64_t i = 0; i < n; i++)
            by->one_row(&t, o, i);
}

#endif
