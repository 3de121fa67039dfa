/* idx.c - MNIST's format: big-endian magic 0x000008NN (bytes, NN dimensions), NN sizes, bytes. Plain or gzip. */
#include <stdio.h>

#include "base/number.h"
#include "data/dataset.h"
#include "files/gzip.h"

/* One of MNIST's files, unpacked. */
typedef struct idx_file {
    char path[1024];
    unsigned char *bytes;
    size_t size;
    int64_t sizes[3];
} idx_file;

static ib_status read_file(idx_file *f, const char *dir, const char *prefix, const char *kind, int ndim)
{
    static const char *const endings[] = {"", ".gz"};
    FILE *there = NULL;
    for (int i = 0; i < 2 && !there; i++) {
        const int n = ib_snprintf(f->path, sizeof f->path, "%s/%s-%s%s", dir, prefix, kind, endings[i]);
        if (n < 0 || n >= (int)sizeof f->path)
            return ib_fail(IB_EINVAL, "%s: the name is too long", dir);
        there = fopen(f->path, "rb");
    }
    if (!there)
        return ib_fail(IB_EIO, "%s/%s-%s: neither it nor %s-%s.gz can be opened", dir, prefix, kind, prefix, kind);
    fclose(there);
    if (!(f->bytes = ib_file_read_unpacked(f->path, &f->size)))
        return ib_error_status();
    const size_t want = 4 + 4 * (size_t)ndim;
    const unsigned char *b = f->bytes;
    if (f->size < want)
        return ib_fail(IB_EFORMAT, "%s: shorter than its header of %zu bytes", f->path, want);
    if (b[0] || b[1] || b[2] != 8 || b[3] != ndim)
        return ib_fail(IB_EFORMAT, "%s: starts with %02x%02x%02x%02x, not 000008%02x", f->path, b[0], b[1], b[2], b[3],
                       ndim);
    f->sizes[1] = f->sizes[2] = 1;
    for (int i = 0; i < ndim; i++)
        f->sizes[i] = (int64_t)b[4 + 4 * i] << 24 | b[5 + 4 * i] << 16 | b[6 + 4 * i] << 8 | b[7 + 4 * i];
    if (!f->sizes[0] || !f->sizes[1] || !f->sizes[2] || f->sizes[1] > 1 << 20 || f->sizes[2] > 1 << 20)
        return ib_fail(IB_EFORMAT, "%s: %lld samples of %lldx%lld", f->path, (long long)f->sizes[0],
                       (long long)f->sizes[1], (long long)f->sizes[2]);
    return IB_OK;
}

char *ib_idx_file(const char *dir, int i)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte"};
    return i < 8 ? ib_format_text("%s/%s%s", dir, names[i / 2], i & 1 ? ".gz" : "") : NULL;
}

/* What stands behind a header of `ndim` sizes is that many bytes, no more and no less. */
static ib_status check_size(const idx_file *f, int ndim)
{
    const int64_t left = (int64_t)f->size - 4 - 4 * ndim, size = f->sizes[1] * f->sizes[2];
    if (left / size < f->sizes[0])
        return ib_fail(IB_EFORMAT, "%s: ends before sample %lld of %lldx%lld", f->path, (long long)f->sizes[0],
                       (long long)f->sizes[1], (long long)f->sizes[2]);
    if (left != f->sizes[0] * size)
        return ib_fail(IB_EFORMAT, "%s: more bytes than the %lld samples of its header", f->path,
                       (long long)f->sizes[0]);
    return IB_OK;
}

static ib_dataset *read_part(const char *dir, ib_split split)
{
    const char *prefix = split == IB_SPLIT_TRAIN ? "train" : "t10k";
    idx_file images = {.bytes = NULL}, labels = {.bytes = NULL};
    ib_dataset *d = NULL;
    if (read_file(&images, dir, prefix, "images-idx3-ubyte", 3) ||
        read_file(&labels, dir, prefix, "labels-idx1-ubyte", 1))
        goto done;
    if (labels.sizes[0] != images.sizes[0]) {
        ib_fail(IB_EFORMAT, "%s: %lld labels for %lld images", labels.path, (long long)labels.sizes[0],
                (long long)images.sizes[0]);
        goto done;
    }
    if (!check_size(&images, 3) && !check_size(&labels, 1) &&
        (d = ib_dataset_reserve(images.path, images.sizes[0], 1, images.sizes[1], images.sizes[2], 255, 1))) {
        const int64_t size = images.sizes[1] * images.sizes[2];
        for (int64_t i = 0; i < d->n * size; i++)
            d->x[i] = (float)images.bytes[16 + i] / 255.0f;
        for (int64_t i = 0; i < d->n; i++)
            d->y[i] = labels.bytes[8 + i];
        d = ib_dataset_finish(images.path, d);
    }
done:
    ib_free(images.bytes);
    ib_free(labels.bytes);
    return d;
}

ib_dataset *ib_idx_open(const char *dir, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)task; /* these have classes, or no labels */
    (void)net;
    if (split != IB_SPLIT_ALL)
        return read_part(dir, split);
    ib_dataset *train = read_part(dir, IB_SPLIT_TRAIN);
    return train ? ib_dataset_join(train, read_part(dir, IB_SPLIT_TEST)) : NULL;
}
