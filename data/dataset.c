/* dataset.c - samples in memory. */
#include "base/argument.h"
#include "data/dataset.h"
#include "data/pictures/pictures.h"

#include <math.h>
#include <string.h>

static ib_dataset *reserve(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max, int labelled,
                           int read)
{
    const int64_t most = (int64_t)1 << 32;
    if (n < 1 || c < 1 || h < 1 || w < 1 || c > 65536 || h > 65536 || w > 65536 || c * h > most / w ||
        n > (read ? most / (c * h * w) : most))
        return ib_fail_null(IB_EFORMAT,
                            "%s: %lld samples of %lldx%lldx%lld: from 1 to 65536 of each size are possible, and "
                            "2^32 values in all",
                            file, (long long)n, (long long)c, (long long)h, (long long)w);
    ib_dataset *d = ib_alloc(sizeof *d);
    if (!d)
        return NULL;
    *d = (ib_dataset){.n = n, .c = (int)c, .h = (int)h, .w = (int)w, .raw_max = raw_max};
    float *x = ib_alloc((size_t)((read ? n : 1) * c * h * w) * sizeof *x);
    *(read ? &d->x : &d->shown) = x;
    d->y = labelled ? ib_alloc((size_t)n * sizeof *d->y) : NULL;
    d->name = ib_strdup(file);
    if (!x || (labelled && !d->y) || !d->name) {
        ib_dataset_free(d);
        return NULL;
    }
    return d;
}

ib_dataset *ib_dataset_reserve(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max, int labelled)
{
    return reserve(file, n, c, h, w, raw_max, labelled, 1);
}

ib_dataset *ib_dataset_reserve_unread(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max,
                                      int labelled)
{
    return reserve(file, n, c, h, w, raw_max, labelled, 0);
}

ib_status ib_dataset_reserve_targets(ib_dataset *d, int n_targets)
{
    d->n_targets = d->classes = n_targets;
    return (d->targets = ib_alloc((size_t)d->n * (size_t)n_targets * sizeof *d->targets)) ? IB_OK : IB_ENOMEM;
}

ib_status ib_dataset_read(const ib_dataset *d, int64_t n, const uint32_t *at, float *x)
{
    const size_t size = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    if (!d->x)
        return ib_pictures_read(d->pictures, n, at, x);
    for (int64_t i = 0; i < n; i++)
        memcpy(x + (size_t)i * size, d->x + at[i] * size, size * sizeof *x);
    return IB_OK;
}

ib_dataset *ib_dataset_finish(const char *file, ib_dataset *d)
{
    if (!d)
        return NULL;
    const int64_t size = (int64_t)d->c * d->h * d->w;
    for (int64_t i = 0; i < d->n; i++) {
        if (d->y && (d->y[i] < 0 || d->y[i] >= 65536)) {
            ib_fail(IB_EFORMAT, "%s: label %d of sample %lld is not in 0..65535", file, d->y[i], (long long)i);
            goto bad;
        }
        d->classes = d->y && d->y[i] >= d->classes ? d->y[i] + 1 : d->classes;
        for (int64_t j = 0; j < size; j++)
            if (!isfinite(d->x[i * size + j])) {
                ib_fail(IB_ENUMERIC, "%s: value %lld of sample %lld is %g", file, (long long)j, (long long)i,
                        d->x[i * size + j]);
                goto bad;
            }
        for (int k = 0; k < d->n_targets; k++)
            if (!isfinite(d->targets[i * d->n_targets + k])) {
                ib_fail(IB_ENUMERIC, "%s: target %d of sample %lld is %g", file, k, (long long)i,
                        d->targets[i * d->n_targets + k]);
                goto bad;
            }
    }
    return d;
bad:
    ib_dataset_free(d);
    return NULL;
}

ib_dataset *ib_dataset_every_fifth(ib_dataset *d, ib_split split)
{
    const int64_t size = d ? (int64_t)d->c * d->h * d->w : 0, n = d ? d->n : 0;
    int64_t kept = 0;
    if (!d || split == IB_SPLIT_ALL)
        return d;
    for (int64_t i = 0; i < n; i++)
        if ((i % 5 == 4) == (split == IB_SPLIT_TEST)) {
            memmove(d->x + kept * size, d->x + i * size, (size_t)size * sizeof *d->x);
            if (d->y)
                d->y[kept] = d->y[i];
            if (d->targets)
                memmove(d->targets + kept * d->n_targets, d->targets + i * d->n_targets,
                        (size_t)d->n_targets * sizeof *d->targets);
            kept++;
        }
    d->n = kept;
    if (kept)
        return d;
    ib_fail(IB_EFORMAT, "%s: too few samples for a test set, which every fifth one is: there are %lld", d->name,
            (long long)n);
    ib_dataset_free(d);
    return NULL;
}

ib_dataset *ib_dataset_rows(const ib_dataset *d, int64_t n, const uint32_t *at)
{
    ib_dataset *rows = ib_dataset_reserve(d->name, n, d->c, d->h, d->w, d->raw_max, d->y != NULL);
    if (!rows || (d->targets && ib_dataset_reserve_targets(rows, d->n_targets))) {
        ib_dataset_free(rows);
        return NULL;
    }
    ib_dataset_read(d, n, at, rows->x);
    for (int64_t i = 0; i < n; i++) {
        if (d->y)
            rows->y[i] = d->y[at[i]];
        if (d->targets)
            memcpy(rows->targets + i * d->n_targets, d->targets + at[i] * (int64_t)d->n_targets,
                   (size_t)d->n_targets * sizeof *d->targets);
    }
    rows->classes = d->classes;
    rows->schema = ib_schema_hold(d->schema);
    return rows;
}

ib_dataset *ib_dataset_join(ib_dataset *a, ib_dataset *b)
{
    ib_dataset *d = NULL;
    if (a && b && (a->c != b->c || a->h != b->h || a->w != b->w || a->raw_max != b->raw_max))
        ib_fail(IB_EFORMAT, "%s: training images are %dx%dx%d up to %d, test images %dx%dx%d up to %d", a->name, a->c,
                a->h, a->w, a->raw_max, b->c, b->h, b->w, b->raw_max);
    else if (a && b && a->targets && b->targets && a->n_targets != b->n_targets)
        ib_fail(IB_EFORMAT, "%s: training samples have %d numbers to learn, test samples %d", a->name, a->n_targets,
                b->n_targets);
    else if (a && b && (d = ib_dataset_reserve(a->name, a->n + b->n, a->c, a->h, a->w, a->raw_max, a->y && b->y))) {
        const int64_t size = (int64_t)a->c * a->h * a->w;
        memcpy(d->x, a->x, (size_t)(a->n * size) * sizeof *d->x);
        memcpy(d->x + a->n * size, b->x, (size_t)(b->n * size) * sizeof *d->x);
        if (d->y) {
            memcpy(d->y, a->y, (size_t)a->n * sizeof *d->y);
            memcpy(d->y + a->n, b->y, (size_t)b->n * sizeof *d->y);
            d->classes = a->classes > b->classes ? a->classes : b->classes;
        }
        if (a->targets && b->targets && ib_dataset_reserve_targets(d, a->n_targets)) {
            ib_dataset_free(d);
            d = NULL;
        } else if (d->targets) {
            memcpy(d->targets, a->targets, (size_t)(a->n * a->n_targets) * sizeof *d->targets);
            memcpy(d->targets + a->n * a->n_targets, b->targets, (size_t)(b->n * b->n_targets) * sizeof *d->targets);
        }
    }
    ib_dataset_free(a);
    ib_dataset_free(b);
    return d;
}

ib_dataset *ib_dataset_new(int64_t n, int c, int h, int w, int classes, int raw_max, const float *x, const int32_t *y)
{
    IB_NEED_OR(x, NULL);
    IB_TAKE_OR(n, n > 0 && n <= (int64_t)1 << 32, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(c, c > 0 && c <= 65536, NULL, "is %d, 1 to 65536 are possible", c);
    IB_TAKE_OR(h, h > 0 && h <= 65536, NULL, "is %d, 1 to 65536 are possible", h);
    IB_TAKE_OR(w, w > 0 && w <= 65536, NULL, "is %d, 1 to 65536 are possible", w);
    IB_TAKE_OR(classes, classes >= 0 && (classes > 0 || !y), NULL, "is %d", classes);
    IB_TAKE_OR(raw_max, raw_max >= 0, NULL, "is %d", raw_max);
    ib_dataset *d = ib_dataset_reserve("data set", n, c, h, w, raw_max, y != NULL);
    if (!d)
        return NULL;
    memcpy(d->x, x, (size_t)(n * c * h * w) * sizeof *x);
    if (y)
        memcpy(d->y, y, (size_t)n * sizeof *y);
    d = ib_dataset_finish("data set", d);
    if (d && d->classes > classes) {
        ib_fail(IB_EINVAL, "data set: label %d, but %d classes", d->classes - 1, classes);
        ib_dataset_free(d);
        return NULL;
    }
    if (d && y)
        d->classes = classes;
    return d;
}

ib_dataset *ib_dataset_hold(const ib_dataset *d)
{
    ib_dataset *held = (ib_dataset *)d; /* only the count changes */
    atomic_fetch_add(&held->held, 1);
    return held;
}

void ib_dataset_free(ib_dataset *d)
{
    if (!d || atomic_fetch_sub(&d->held, 1) > 0)
        return;
    ib_free(d->x);
    ib_free(d->y);
    ib_free(d->targets);
    ib_free(d->line);
    ib_free(d->name);
    ib_free(d->note);
    ib_free(d->shown);
    ib_pictures_free(d->pictures);
    ib_schema_free(d->schema);
    ib_free(d);
}

const ib_schema *ib_dataset_schema(const ib_dataset *d)
{
    IB_NEED_OR(d, NULL);
    return d->schema;
}

const char *ib_dataset_note(const ib_dataset *d)
{
    IB_NEED_OR(d, "");
    return d->note ? d->note : "";
}

int64_t ib_dataset_count(const ib_dataset *d)
{
    IB_NEED_OR(d, 0);
    return d->n;
}

const float *ib_dataset_image(const ib_dataset *d, int64_t i)
{
    IB_NEED_OR(d, NULL);
    IB_TAKE_OR(i, i >= 0 && i < d->n, NULL, "is %lld of %lld samples", (long long)i, (long long)d->n);
    if (d->x)
        return d->x + i * d->c * d->h * d->w;
    return ib_dataset_read(d, 1, &(uint32_t){(uint32_t)i}, d->shown) ? NULL : d->shown;
}

int32_t ib_dataset_label(const ib_dataset *d, int64_t i)
{
    IB_NEED_OR(d, 0);
    IB_TAKE_OR(i, i >= 0 && i < d->n, -1, "is %lld of %lld samples", (long long)i, (long long)d->n);
    return d->y ? d->y[i] : -1;
}

int ib_dataset_labelled(const ib_dataset *d)
{
    return d && d->y != NULL;
}

ib_status ib_dataset_limit(ib_dataset *d, int64_t n)
{
    IB_NEED(d);
    IB_TAKE(n, n > 0, "is %lld", (long long)n);
    d->n = n < d->n ? n : d->n;
    return IB_OK;
}

ib_input_info ib_dataset_info(const ib_dataset *d)
{
    IB_NEED_OR(d, (ib_input_info){0});
    const int64_t size = d->n * d->c * d->h * d->w;
    double sum = 0, square = 0;
    if (d->schema && ib_schema_of(d->schema)->n_columns) /* each column has its own scale, and they have it already */
        return (ib_input_info){d->c, d->h, d->w, d->classes, 0, 1, 0};
    if (d->pictures)
        ib_pictures_moments(d->pictures, d->n, &sum, &square);
    for (int64_t i = 0; !d->pictures && i < size; i++) {
        sum += d->x[i];
        square += (double)d->x[i] * d->x[i];
    }
    double mean = sum / (double)size;
    const double var = square / (double)size - mean * mean;
    if (d->raw_max)
        mean = rint(mean * d->raw_max) / d->raw_max;
    return (ib_input_info){d->c,      d->h, d->w, d->classes, (float)mean, var > 1e-12 ? (float)sqrt(var) : 1.0f,
                           d->raw_max};
}
