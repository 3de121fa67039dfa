/* dataset.c - samples in memory. */
#include "data/dataset.h"

#include <math.h>
#include <string.h>

extern const unsigned char ib_embedded_digits[];
extern const unsigned long ib_embedded_digits_size;

ib_dataset *ib_dataset_reserve(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max)
{
    const int64_t most = (int64_t)1 << 32;
    if (n < 1 || c < 1 || h < 1 || w < 1 || c > 65536 || h > 65536 || w > 65536 || c * h > most / w || n > most / (c * h * w))
        return ib_fail_null(IB_EFORMAT, "%s: %lld samples of %lldx%lldx%lld", file, (long long)n, (long long)c, (long long)h, (long long)w);
    ib_dataset *d = ib_alloc(sizeof *d);
    if (!d)
        return NULL;
    *d = (ib_dataset){.n = n, .c = (int)c, .h = (int)h, .w = (int)w, .raw_max = raw_max};
    d->x = ib_alloc((size_t)(n * c * h * w) * sizeof *d->x);
    d->y = ib_alloc((size_t)n * sizeof *d->y);
    if (!d->x || !d->y) {
        ib_dataset_free(d);
        return NULL;
    }
    return d;
}

ib_dataset *ib_dataset_finish(const char *file, ib_dataset *d)
{
    if (!d)
        return NULL;
    const int64_t size = (int64_t)d->c * d->h * d->w;
    for (int64_t i = 0; i < d->n; i++) {
        if (d->y[i] < 0 || d->y[i] >= 65536) {
            ib_fail(IB_EFORMAT, "%s: label %d of sample %lld is not in 0..65535", file, d->y[i], (long long)i);
            goto bad;
        }
        d->classes = d->y[i] >= d->classes ? d->y[i] + 1 : d->classes;
        for (int64_t j = 0; j < size; j++)
            if (!isfinite(d->x[i * size + j])) {
                ib_fail(IB_ENUMERIC, "%s: value %lld of sample %lld is %g", file, (long long)j, (long long)i, d->x[i * size + j]);
                goto bad;
            }
    }
    return d;
bad:
    ib_dataset_free(d);
    return NULL;
}

void ib_dataset_every_fifth(ib_dataset *d, ib_split split)
{
    const int64_t size = (int64_t)d->c * d->h * d->w;
    int64_t kept = 0;
    for (int64_t i = 0; i < d->n; i++)
        if ((i % 5 == 4) == (split == IB_SPLIT_TEST)) {
            memmove(d->x + kept * size, d->x + i * size, (size_t)size * sizeof *d->x);
            d->y[kept++] = d->y[i];
        }
    d->n = kept;
}

ib_dataset *ib_dataset_new(int64_t n, int c, int h, int w, int classes, int raw_max, const float *x, const int32_t *y)
{
    ib_dataset *d = ib_dataset_reserve("data set", n, c, h, w, raw_max);
    if (!d)
        return NULL;
    memcpy(d->x, x, (size_t)(n * c * h * w) * sizeof *x);
    memcpy(d->y, y, (size_t)n * sizeof *y);
    d = ib_dataset_finish("data set", d);
    if (d && d->classes > classes) {
        ib_fail(IB_EINVAL, "data set: label %d, but %d classes", d->classes - 1, classes);
        ib_dataset_free(d);
        return NULL;
    }
    if (d)
        d->classes = classes;
    return d;
}

void ib_dataset_free(ib_dataset *d)
{
    if (!d)
        return;
    ib_free(d->x);
    ib_free(d->y);
    ib_free(d);
}

ib_dataset *ib_digits_new(ib_split split)
{
    return ib_hdf5_open_image(ib_embedded_digits, ib_embedded_digits_size, "digits", split);
}

ib_dataset *ib_dataset_open(const char *spec, ib_split split)
{
    if (!strcmp(spec, "digits"))
        return ib_digits_new(split);
    if (!strncmp(spec, "idx:", 4))
        return ib_idx_open(spec + 4, split);
    if (!strncmp(spec, "hdf5:", 5))
        return ib_hdf5_open(spec + 5, split);
    if (!strncmp(spec, "csv:", 4))
        return ib_csv_open(spec + 4, split);
    return ib_fail_null(IB_EINVAL, "data '%s': digits, idx:DIR, hdf5:FILE and csv:FILE are possible", spec);
}

int64_t ib_dataset_count(const ib_dataset *d)
{
    return d->n;
}

const float *ib_dataset_image(const ib_dataset *d, int64_t i)
{
    return d->x + i * d->c * d->h * d->w;
}

int32_t ib_dataset_label(const ib_dataset *d, int64_t i)
{
    return d->y[i];
}

void ib_dataset_limit(ib_dataset *d, int64_t n)
{
    if (n > 0 && n < d->n)
        d->n = n;
}

ib_input_info ib_dataset_info(const ib_dataset *d)
{
    const int64_t size = d->n * d->c * d->h * d->w;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < size; i++) {
        sum += d->x[i];
        square += (double)d->x[i] * d->x[i];
    }
    double mean = sum / (double)size;
    const double var = square / (double)size - mean * mean;
    if (d->raw_max)
        mean = rint(mean * d->raw_max) / d->raw_max;
    return (ib_input_info){d->c, d->h, d->w, d->classes, (float)mean, var > 1e-12 ? (float)sqrt(var) : 1.0f, d->raw_max};
}

ib_status ib_dataset_check(const ib_dataset *d, const ib_input_info *net)
{
    if (d->c != net->c || d->h != net->h || d->w != net->w)
        return ib_fail(IB_EINVAL, "the data are %dx%dx%d, the model was made for %dx%dx%d", d->c, d->h, d->w, net->c, net->h, net->w);
    if (d->classes > net->classes)
        return ib_fail(IB_EINVAL, "the data hold label %d, the model has %d classes", d->classes - 1, net->classes);
    if (net->std > 0 && d->raw_max != net->raw_max)
        return ib_fail(IB_EINVAL, "the data's raw values end at %d, the model's at %d", d->raw_max, net->raw_max);
    return IB_OK;
}
