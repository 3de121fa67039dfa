/* idx.c - MNIST's format: big-endian magic 0x000008NN (bytes, NN dimensions), NN sizes, bytes. Plain or gzip. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "data/dataset.h"

static gzFile open_either(const char *dir, const char *name, char *path, size_t size)
{
    static const char *const endings[] = {"", ".gz"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, size, "%s/%s%s", dir, name, endings[i]);
        FILE *f = fopen(path, "rb"); /* gzopen succeeds on folders */
        if (f) {
            fclose(f);
            return gzopen(path, "rb");
        }
    }
    snprintf(path, size, "%s/%s", dir, name);
    return ib_fail_null(IB_EIO, "%s: neither it nor %s.gz can be opened", path, name);
}

static ib_status read_header(gzFile f, const char *path, int ndim, int64_t *sizes)
{
    unsigned char b[16];
    const int want = 4 + 4 * ndim;
    if (gzread(f, b, (unsigned)want) != want)
        return ib_fail(IB_EFORMAT, "%s: shorter than its header of %d bytes", path, want);
    if (b[0] || b[1] || b[2] != 8 || b[3] != ndim)
        return ib_fail(IB_EFORMAT, "%s: starts with %02x%02x%02x%02x, not 000008%02x", path, b[0], b[1], b[2], b[3], ndim);
    for (int i = 0; i < ndim; i++)
        sizes[i] = (int64_t)b[4 + 4 * i] << 24 | b[5 + 4 * i] << 16 | b[6 + 4 * i] << 8 | b[7 + 4 * i];
    return IB_OK;
}

static ib_dataset *read_part(const char *dir, ib_split split)
{
    const char *prefix = split == IB_SPLIT_TRAIN ? "train" : "t10k";
    char name[64], images[1024], labels[1024];
    ib_dataset *d = NULL;
    unsigned char *line = NULL;
    int64_t shape[3] = {0}, count = 0;
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
    gzFile fi = open_either(dir, name, images, sizeof images), fl = NULL;
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
    if (!fi || !(fl = open_either(dir, name, labels, sizeof labels)))
        goto done;
    if (read_header(fi, images, 3, shape) || read_header(fl, labels, 1, &count))
        goto done;
    if (count != shape[0]) {
        ib_fail(IB_EFORMAT, "%s: %lld labels for %lld images", labels, (long long)count, (long long)shape[0]);
        goto done;
    }
    /* The file cannot hold more than it unpacks to: reserve as it is read would cost a copy; the header is checked
     * against the last byte first. */
    const int64_t size = shape[1] * shape[2];
    if (size > 0 && shape[0] > 0 && size < 1 << 26 && gzseek(fi, 16 + shape[0] * size - 1, SEEK_SET) >= 0 && gzgetc(fi) < 0) {
        ib_fail(IB_EFORMAT, "%s: ends before image %lld of %lldx%lld", images, (long long)shape[0], (long long)shape[1], (long long)shape[2]);
        goto done;
    }
    gzseek(fi, 16, SEEK_SET);
    if (!(d = ib_dataset_reserve(images, shape[0], 1, shape[1], shape[2], 255, 1)) || !(line = ib_alloc((size_t)size)))
        goto bad;
    for (int64_t i = 0; i < d->n; i++) {
        if (gzread(fi, line, (unsigned)size) != (int)size) {
            ib_fail(IB_EFORMAT, "%s: damaged or cut at image %lld of %lld", images, (long long)i, (long long)d->n);
            goto bad;
        }
        for (int64_t j = 0; j < size; j++)
            d->x[i * size + j] = (float)line[j] / 255.0f;
        const int y = gzgetc(fl);
        if (y < 0) {
            ib_fail(IB_EFORMAT, "%s: damaged or cut at label %lld of %lld", labels, (long long)i, (long long)d->n);
            goto bad;
        }
        d->y[i] = y;
    }
    if (gzgetc(fi) >= 0 || gzgetc(fl) >= 0) {
        ib_fail(IB_EFORMAT, "%s: more bytes than the %lld samples of its header", images, (long long)d->n);
        goto bad;
    }
    int errors[2];
    gzerror(fi, &errors[0]); /* a wrong checksum at the very end shows here */
    gzerror(fl, &errors[1]);
    if (errors[0] < 0 || errors[1] < 0) {
        ib_fail(IB_EFORMAT, "%s: gzip's checksum is wrong", errors[0] < 0 ? images : labels);
        goto bad;
    }
    d = ib_dataset_finish(images, d);
    goto done;
bad:
    ib_dataset_free(d);
    d = NULL;
done:
    ib_free(line);
    if (fi)
        gzclose(fi);
    if (fl)
        gzclose(fl);
    return d;
}

ib_dataset *ib_idx_open(const char *dir, ib_split split, const ib_input_info *net)
{
    (void)net;
    if (split != IB_SPLIT_ALL)
        return read_part(dir, split);
    ib_dataset *train = read_part(dir, IB_SPLIT_TRAIN);
    return train ? ib_dataset_join(train, read_part(dir, IB_SPLIT_TEST)) : NULL;
}
