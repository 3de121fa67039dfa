/* fingerprint.c - whether data are those of before. */
#include <zlib.h>

#include "data/dataset.h"
#include "data/pictures/pictures.h"

enum { SAMPLES = 1024 }; /* whose values are looked at, in even steps */

static uint32_t add(uint32_t crc, const void *bytes, size_t size)
{
    return (uint32_t)crc32_z(crc, bytes, size);
}

uint32_t ib_dataset_fingerprint(const ib_dataset *d)
{
    const size_t n = (size_t)d->n, size = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    const int64_t step = d->n / SAMPLES + 1, shape[] = {d->n, d->c, d->h, d->w, d->classes, d->raw_max, d->n_targets};
    uint32_t crc = add(0, shape, sizeof shape);
    if (d->y)
        crc = add(crc, d->y, n * sizeof *d->y);
    if (d->targets)
        crc = add(crc, d->targets, n * (size_t)d->n_targets * sizeof *d->targets);
    if (d->pictures) /* in memory or not */
        return add(crc, d->pictures->moments, n * sizeof *d->pictures->moments);
    for (int64_t i = 0; i < d->n; i += step)
        crc = add(crc, d->x + (size_t)i * size, size * sizeof *d->x);
    return crc;
}
