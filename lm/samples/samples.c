/* samples.c - training rows: packing without contamination. */
#include "lm/samples/samples.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"

ib_status ib_samples_add(ib_samples *s, const int32_t *ids, const int32_t *mask, int64_t n, int seq, int alone)
{
    const int64_t rows = s->info.rows, used = rows ? s->from[rows] - s->from[rows - 1] : 0;
    int64_t learned = 0, whole = 0;
    s->info.samples++;
    s->info.truncated += n > seq;
    for (int64_t i = 1; i < n; i++) {
        whole += mask[i] != 0;
        learned += mask[i] != 0 && i < seq;
    }
    s->info.cut_short += learned && learned < whole;
    s->info.cut_away += !learned && whole;
    if (ib_ids_append(&s->length, (int32_t)n))
        return IB_ENOMEM;
    n = n > seq ? seq : n;
    if (!learned) {
        s->info.skipped++;
        return IB_OK;
    }
    if (!rows || alone || used + n > seq) {
        if (rows + 2 > s->room) {
            const int64_t room = 2 * s->room + 64;
            int64_t *grown = ib_realloc(s->from, (size_t)s->room * sizeof *grown, (size_t)room * sizeof *grown);
            if (!grown)
                return IB_ENOMEM;
            s->from = grown;
            s->room = room;
        }
        s->info.rows++;
        s->from[s->info.rows] = s->from[s->info.rows - 1];
    }
    const int64_t start = s->from[s->info.rows] - s->from[s->info.rows - 1];
    for (int64_t i = 0; i < n; i++)
        if (ib_ids_append(&s->ids, ids[i]) || ib_ids_append(&s->pos, (int32_t)i) ||
            ib_ids_append(&s->first, (int32_t)start) ||
            ib_ids_append(&s->target, i + 1 < n && mask[i + 1] ? ids[i + 1] : -1))
            return IB_ENOMEM;
    s->from[s->info.rows] += n;
    s->info.tokens += n;
    s->info.trained += learned;
    return IB_OK;
}

static int by_number(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

void ib_samples_measure(ib_samples *s)
{
    const int64_t n = s->length.n;
    if (n) {
        qsort(s->length.id, (size_t)n, sizeof *s->length.id, by_number);
        s->info.longest = s->length.id[n - 1];
        s->info.length95 = s->length.id[(95 * n + 99) / 100 - 1];
    }
    ib_free_ids(&s->length);
    const ib_ids *const rows[] = {&s->ids, &s->first, &s->target};
    for (int i = 0; i < 3; i++)
        s->info.sum =
            (uint32_t)crc32_z(s->info.sum, (const Bytef *)rows[i]->id, (size_t)rows[i]->n * sizeof *rows[i]->id);
}

void ib_samples_free(ib_samples *s)
{
    if (!s)
        return;
    if (!s->whole) {
        ib_free_ids(&s->ids);
        ib_free_ids(&s->pos);
        ib_free_ids(&s->first);
        ib_free_ids(&s->target);
        ib_free_ids(&s->length);
        ib_free(s->from);
    }
    ib_free(s);
}

ib_samples_info ib_samples_info_of(const ib_samples *s)
{
    IB_NEED_OR(s, (ib_samples_info){0});
    return s->info;
}

ib_row ib_samples_row(const ib_samples *s, int64_t i)
{
    IB_NEED_OR(s, (ib_row){0});
    IB_TAKE_OR(i, i >= 0 && i < s->info.rows, (ib_row){0}, "is %lld of %lld rows", (long long)i,
               (long long)s->info.rows);
    const ib_samples *w = s->whole ? s->whole : s;
    const int64_t from = w->from[s->offset + i], n = w->from[s->offset + i + 1] - from;
    IB_ASSERT(n >= 0 && from >= 0 && from + n <= w->ids.n, "a row lies within the samples' tokens");
    IB_ASSERT(w->pos.n == w->ids.n && w->first.n == w->ids.n && w->target.n == w->ids.n, "each token has its place");
    return (ib_row){n, w->ids.id + from, w->pos.id + from, w->first.id + from, w->target.id + from};
}

static void count(ib_samples *s)
{
    s->info.tokens = s->info.trained = 0;
    for (int64_t i = 0; i < s->info.rows; i++) {
        const ib_row r = ib_samples_row(s, i);
        s->info.tokens += r.n;
        for (int64_t j = 0; j < r.n; j++)
            s->info.trained += r.target[j] >= 0;
    }
}

ib_samples *ib_samples_split(ib_samples *s, int64_t rows)
{
    IB_NEED_OR(s, NULL);
    if (rows < 1 || rows >= s->info.rows)
        return ib_fail_null(IB_EINVAL, "ib_samples_split: rows: %lld cannot be set aside of %lld", (long long)rows,
                            (long long)s->info.rows);
    ib_samples *part = ib_alloc(sizeof *part);
    if (!part)
        return NULL;
    s->info.rows -= rows;
    part->whole = s->whole ? s->whole : s;
    part->offset = s->offset + s->info.rows;
    part->info.rows = rows;
    count(s);
    count(part);
    return part;
}
