/* hdf5.c - data sets in HDF5 files. The library crashes on some damaged ones, so files are read in a process apart (apart.c). */
#include <hdf5.h>
#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

/* [N,K] -> N,K,1,1 (a square K: N,1,s,s);  [N,H,W] -> N,1,H,W;  [N,C,H,W] */
static int image_shape(int ndim, const hsize_t *dims, int64_t s[4])
{
    s[0] = (int64_t)dims[0];
    s[1] = s[2] = s[3] = 1;
    if (ndim == 2) {
        s[1] = (int64_t)dims[1];
        for (int64_t side = 2; side * side <= s[1]; side++)
            if (side * side == (int64_t)dims[1]) {
                s[1] = 1;
                s[2] = s[3] = side;
                break;
            }
    } else if (ndim == 3) {
        s[2] = (int64_t)dims[1];
        s[3] = (int64_t)dims[2];
    } else if (ndim == 4) {
        s[1] = (int64_t)dims[1];
        s[2] = (int64_t)dims[2];
        s[3] = (int64_t)dims[3];
    }
    return ndim >= 2 && ndim <= 4;
}

/* More than any compression that HDF5 knows takes out (deflate: 1032 to 1) was never stored. */
static int declares_too_much(hid_t set, hid_t space, hid_t type, const char *name)
{
    const double stored = (double)H5Dget_storage_size(set), declared = (double)H5Sget_simple_extent_npoints(space) * (double)H5Tget_size(type);
    return declared > 1100 * stored + 65536 ? ib_fail(IB_EFORMAT, "%s: declares images of %.0f bytes and holds %.0f", name, declared, stored) : 0;
}

static ib_dataset *read_sets(hid_t file, const char *name, const char *images, const char *labels)
{
    ib_dataset *d = NULL;
    hsize_t dims[8] = {0}, count[8] = {0};
    int64_t s[4];
    int raw_max = 0;
    hid_t di = H5Dopen2(file, images, H5P_DEFAULT), dl = H5Dopen2(file, labels, H5P_DEFAULT);
    hid_t si = di < 0 ? -1 : H5Dget_space(di), sl = dl < 0 ? -1 : H5Dget_space(dl), type = di < 0 ? -1 : H5Dget_type(di);
    if (di < 0 || dl < 0 || si < 0 || sl < 0 || type < 0) {
        ib_fail(IB_EFORMAT, "%s: lacks the datasets %s and %s", name, images, labels);
        goto done;
    }
    const int ndim = H5Sget_simple_extent_ndims(si), nl = H5Sget_simple_extent_ndims(sl);
    if (ndim < 2 || ndim > 4 || nl < 1 || nl > 2 || H5Sget_simple_extent_dims(si, dims, NULL) < 0 ||
        H5Sget_simple_extent_dims(sl, count, NULL) < 0 || !image_shape(ndim, dims, s)) {
        ib_fail(IB_EFORMAT, "%s: %s has %d dimensions, 2 to 4 are possible; %s has %d, 1 is", name, images, ndim, labels, nl);
        goto done;
    }
    if (count[0] != dims[0] || (nl == 2 && count[1] != 1)) {
        ib_fail(IB_EFORMAT, "%s: %llu labels for %llu images", name, (unsigned long long)count[0], (unsigned long long)dims[0]);
        goto done;
    }
    if (declares_too_much(di, si, type, name))
        goto done;
    if (!H5Dget_storage_size(di) || !H5Dget_storage_size(dl)) {
        ib_fail(IB_EFORMAT, "%s: %s is declared but holds no data", name, images);
        goto done;
    }
    if (H5Tget_class(type) == H5T_INTEGER)
        raw_max = 255;
    if (raw_max && H5Aexists(file, "raw_max") > 0 && H5LTget_attribute_int(file, "/", "raw_max", &raw_max) < 0)
        raw_max = 255;
    if (raw_max < 0 || raw_max > 65535) {
        ib_fail(IB_EFORMAT, "%s: raw_max is %d", name, raw_max);
        goto done;
    }
    if (!(d = ib_dataset_reserve(name, s[0], s[1], s[2], s[3], raw_max)))
        goto done;
    if (H5Dread(di, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, d->x) < 0 ||
        H5Dread(dl, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, d->y) < 0) {
        ib_fail(IB_EFORMAT, "%s: %s or %s cannot be read: the file is damaged or cut", name, images, labels);
        ib_dataset_free(d);
        d = NULL;
        goto done;
    }
    for (int64_t i = 0; raw_max && i < s[0] * s[1] * s[2] * s[3]; i++)
        d->x[i] /= (float)raw_max;
    d = ib_dataset_finish(name, d);
done:
    if (type >= 0)
        H5Tclose(type);
    if (si >= 0)
        H5Sclose(si);
    if (sl >= 0)
        H5Sclose(sl);
    if (di >= 0)
        H5Dclose(di);
    if (dl >= 0)
        H5Dclose(dl);
    return d;
}

static ib_dataset *read_file(hid_t file, const char *name, ib_split split)
{
    const int grouped = H5Lexists(file, "train", H5P_DEFAULT) > 0;
    if (grouped)
        return split == IB_SPLIT_TRAIN ? read_sets(file, name, "train/images", "train/labels")
                                       : read_sets(file, name, "test/images", "test/labels");
    ib_dataset *d = read_sets(file, name, "images", "labels");
    if (d)
        ib_dataset_every_fifth(d, split);
    return d;
}

static ib_dataset *read_path(const char *path, ib_split split)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    FILE *f = fopen(path, "rb");
    if (!f)
        return ib_fail_null(IB_EIO, "%s: cannot be opened", path);
    fclose(f);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return ib_fail_null(IB_EFORMAT, "%s: is no HDF5 file, or is damaged or cut", path);
    ib_dataset *d = read_file(file, path, split);
    H5Fclose(file);
    return d;
}

ib_dataset *ib_hdf5_open(const char *path, ib_split split)
{
    return ib_dataset_apart(read_path, path, split);
}

ib_dataset *ib_hdf5_open_image(const void *bytes, size_t size, const char *name, ib_split split)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = H5LTopen_file_image((void *)bytes, size, 0);
    if (file < 0)
        return ib_fail_null(IB_EFORMAT, "%s: HDF5 cannot open it", name);
    ib_dataset *d = read_file(file, name, split);
    H5Fclose(file);
    return d;
}
