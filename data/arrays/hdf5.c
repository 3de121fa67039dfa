/* hdf5.c - data sets in HDF5 files. The library crashes on some damaged ones, so files are read in a process apart
 * (apart.c). */
#include <hdf5.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/dataset.h"

/* More than any compression that HDF5 knows takes out (deflate: 1032 to 1) was never stored. */
static int declares_too_much(hid_t set, hid_t space, hid_t type, const char *name)
{
    const double stored = (double)H5Dget_storage_size(set),
                 declared = (double)H5Sget_simple_extent_npoints(space) * (double)H5Tget_size(type);
    return declared > 1100 * stored + 65536
               ? ib_fail(IB_EFORMAT, "%s: declares images of %.0f bytes and holds %.0f", name, declared, stored)
               : 0;
}

/* Chunks that are not there would be read as the fill value, so each is asked for by its place. */
static int lacks_chunks(hid_t set)
{
    hsize_t dims[IB_MAX_FILE_DIMS] = {0}, chunk[IB_MAX_FILE_DIMS] = {0}, at[IB_MAX_FILE_DIMS] = {0}, size = 0;
    const hid_t how = H5Dget_create_plist(set), space = H5Dget_space(set);
    const int chunked = how >= 0 && space >= 0 && H5Pget_layout(how) == H5D_CHUNKED;
    const int ndim = chunked ? H5Pget_chunk(how, IB_MAX_FILE_DIMS, chunk) : 0;
    int lacking = ndim > 0 && H5Sget_simple_extent_dims(space, dims, NULL) != ndim, more = ndim > 0;
    while (more && !lacking) {
        unsigned mask;
        haddr_t place = HADDR_UNDEF;
        lacking = H5Dget_chunk_info_by_coord(set, at, &mask, &place, &size) < 0 || place == HADDR_UNDEF;
        more = 0;
        for (int i = ndim - 1; i >= 0 && !more; i--) {
            more = chunk[i] && at[i] + chunk[i] < dims[i];
            at[i] = more ? at[i] + chunk[i] : 0;
        }
    }
    if (space >= 0)
        H5Sclose(space);
    if (how >= 0)
        H5Pclose(how);
    return lacking;
}

static ib_status check_stored(hid_t set, const char *name, const char *what)
{
    if (!H5Dget_storage_size(set))
        return ib_fail(IB_EFORMAT, "%s: %s is declared but holds no data", name, what);
    return lacks_chunks(set) ? ib_fail(IB_EFORMAT, "%s: parts of %s were never written, or are lost", name, what)
                             : IB_OK;
}

/* The labels: one integer a sample, or (n_targets not NULL) as many numbers. */
static ib_status open_labels(hid_t file, const char *name, const char *labels, int64_t n, hid_t *set, int *n_targets)
{
    hsize_t count[IB_MAX_FILE_DIMS] = {0};
    const hid_t space = (*set = H5Dopen2(file, labels, H5P_DEFAULT)) < 0 ? -1 : H5Dget_space(*set),
                type = *set < 0 ? -1 : H5Dget_type(*set);
    const int ndim = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    ib_status status = IB_OK;
    if (ndim < 0 || type < 0 || H5Sget_simple_extent_dims(space, count, NULL) < 0)
        status = ib_fail(IB_EFORMAT, "%s: %s is no dataset that can be read", name, labels);
    else if (ndim < 1 || ndim > 2 || (ndim == 2 && (n_targets ? count[1] < 1 || count[1] > 65536 : count[1] != 1)) ||
             (int64_t)count[0] != n)
        status = ib_fail(IB_EFORMAT, "%s: %s of %d dimensions: %llu labels for %lld images", name, labels, ndim,
                         (unsigned long long)count[0], (long long)n);
    else if (H5Tget_class(type) != H5T_INTEGER && H5Tget_class(type) != H5T_FLOAT)
        status = ib_fail(IB_EFORMAT, "%s: %s are no %s", name, labels, n_targets ? "numbers" : "integers");
    else
        status = check_stored(*set, name, labels);
    if (!status && n_targets)
        *n_targets = ndim == 2 ? (int)count[1] : 1;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

/* The attribute raw_max of the file: one integer. */
static ib_status read_attribute(hid_t file, const char *name, int *raw_max)
{
    const hid_t a = H5Aopen(file, "raw_max", H5P_DEFAULT), space = a < 0 ? -1 : H5Aget_space(a);
    const hid_t type = a < 0 ? -1 : H5Aget_type(a);
    const H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    double v = -1;
    ib_status status = IB_OK;
    if (space < 0 || H5Sget_simple_extent_npoints(space) != 1 || (kind != H5T_INTEGER && kind != H5T_FLOAT) ||
        H5Aread(a, H5T_NATIVE_DOUBLE, &v) < 0)
        status = ib_fail(IB_EFORMAT, "%s: its attribute raw_max is no integer", name);
    else if (!(v >= 0 && v <= 65535) || v != (int)v)
        status =
            ib_fail(IB_EFORMAT, "%s: its attribute raw_max is %.9g, an integer from 0 to 65535 is expected", name, v);
    else
        *raw_max = (int)v;
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (a >= 0)
        H5Aclose(a);
    return status;
}

static ib_status unreadable(const char *name, const char *what)
{
    return ib_fail(IB_EFORMAT, "%s: %s cannot be read: the file is damaged or cut", name, what);
}

/* 255 for bytes, or what the file says of integers; 0 for reals. */
static ib_status read_raw_max(hid_t file, hid_t type, const char *name, const char *images, int *raw_max)
{
    const H5T_class_t kind = H5Tget_class(type);
    *raw_max = kind == H5T_INTEGER ? 255 : 0;
    if (kind != H5T_INTEGER && kind != H5T_FLOAT)
        return ib_fail(IB_EFORMAT, "%s: %s are no numbers", name, images);
    if (H5Aexists(file, "raw_max") > 0)
        return *raw_max ? read_attribute(file, name, raw_max)
                        : ib_fail(IB_EFORMAT,
                                  "%s: has the attribute raw_max, which is of integers, but %s are reals: remove one",
                                  name, images);
    if (*raw_max && H5Tget_size(type) > 1)
        return ib_fail(IB_EFORMAT,
                       "%s: %s are integers of %d bits: the attribute raw_max of the file has to say where raw "
                       "values end",
                       name, images, 8 * (int)H5Tget_size(type));
    return IB_OK;
}

/* A whole set as fp32, or the labels (x NULL) as int32: read as doubles where a value could be lost on the way. */
static ib_status read_values(hid_t set, hid_t type, const char *name, const char *what, int64_t n, int64_t each,
                             float *x, int32_t *y)
{
    if (x && (H5Tget_class(type) != H5T_FLOAT || H5Tget_size(type) <= sizeof *x))
        return H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0 ? unreadable(name, what) : IB_OK;
    double *v = ib_alloc((size_t)n * sizeof *v);
    ib_status status = v ? IB_OK : IB_ENOMEM;
    if (v && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) < 0)
        status = unreadable(name, what);
    for (int64_t i = 0; i < n && !status; i++) {
        if (x)
            x[i] = (float)v[i];
        if (x && isinf(x[i]) && isfinite(v[i]))
            status = ib_fail(IB_ENUMERIC, "%s: %s: value %.9g in sample %lld is beyond single precision", name, what,
                             v[i], (long long)(i / each));
        if (!x && (!(v[i] >= 0 && v[i] <= 65535) || v[i] != floor(v[i])))
            status = ib_fail(IB_EFORMAT,
                             "%s: %s: label %.17g of sample %lld is no integer from 0 to 65535 (--task "
                             "regression learns numbers)",
                             name, what, v[i], (long long)i);
        if (!x && !status)
            y[i] = (int32_t)v[i];
    }
    ib_free(v);
    return status;
}

static ib_status read_targets(hid_t set, const char *name, const char *what, ib_dataset *d, int n_targets)
{
    const hid_t type = H5Dget_type(set);
    ib_status status = type < 0 ? unreadable(name, what) : ib_dataset_reserve_targets(d, n_targets);
    if (!status)
        status = read_values(set, type, name, what, d->n * n_targets, n_targets, d->targets, NULL);
    if (type >= 0)
        H5Tclose(type);
    return status;
}

/* Integers 0..raw_max become 0..1. */
static ib_status scale(ib_dataset *d)
{
    const int64_t size = (int64_t)d->c * d->h * d->w;
    for (int64_t i = 0; d->raw_max && i < d->n * size; i++) {
        if (!(d->x[i] >= 0 && d->x[i] <= (float)d->raw_max))
            return ib_fail(IB_EFORMAT,
                           "%s: value %g in sample %lld is not in 0..%d (the attribute raw_max of the file says where "
                           "raw values end)",
                           d->name, d->x[i], (long long)(i / size), d->raw_max);
        d->x[i] /= (float)d->raw_max;
    }
    return IB_OK;
}

static ib_dataset *read_sets(hid_t file, const char *name, const char *images, const char *labels,
                             const ib_input_info *net, ib_task task)
{
    ib_dataset *d = NULL;
    hsize_t dims[IB_MAX_FILE_DIMS] = {0};
    int64_t sizes[IB_MAX_FILE_DIMS], s[4];
    int raw_max = 0, n_targets = 1;
    const int numbers = task == IB_REGRESSION;
    hid_t di = H5Dopen2(file, images, H5P_DEFAULT), dl = -1;
    hid_t si = di < 0 ? -1 : H5Dget_space(di), type = di < 0 ? -1 : H5Dget_type(di);
    const int ndim = si < 0 ? -1 : H5Sget_simple_extent_ndims(si), labelled = H5Lexists(file, labels, H5P_DEFAULT) > 0;
    if (ndim < 0 || type < 0 || H5Sget_simple_extent_dims(si, dims, NULL) < 0) {
        ib_fail(IB_EFORMAT, "%s: lacks the dataset %s", name, images);
        goto done;
    }
    for (int i = 0; i < ndim; i++)
        sizes[i] = dims[i] < (hsize_t)INT64_MAX ? (int64_t)dims[i] : INT64_MAX;
    if (ib_dataset_shape(name, ndim, sizes, net, s) ||
        (labelled && open_labels(file, name, labels, s[0], &dl, numbers ? &n_targets : NULL)) ||
        declares_too_much(di, si, type, name) || read_raw_max(file, type, name, images, &raw_max) ||
        check_stored(di, name, images))
        goto done;
    if (!(d = ib_dataset_reserve(name, s[0], s[1], s[2], s[3], raw_max, labelled && !numbers)))
        goto done;
    const int64_t each = s[1] * s[2] * s[3];
    if (read_values(di, type, name, images, s[0] * each, each, d->x, NULL) ||
        (labelled && (numbers ? read_targets(dl, name, labels, d, n_targets)
                              : read_values(dl, -1, name, labels, s[0], 1, NULL, d->y))) ||
        scale(d)) {
        ib_dataset_free(d);
        d = NULL;
    }
    d = ib_dataset_finish(name, d);
done:
    if (type >= 0)
        H5Tclose(type);
    if (si >= 0)
        H5Sclose(si);
    if (di >= 0)
        H5Dclose(di);
    if (dl >= 0)
        H5Dclose(dl);
    return d;
}

/* What the group holds besides `known` would be passed over. */
static ib_status check_names(hid_t file, const char *name, const char *group, const char *const known[2])
{
    H5G_info_t info;
    const hid_t g = H5Gopen2(file, group, H5P_DEFAULT);
    ib_status status = g < 0 || H5Gget_info(g, &info) < 0 ? unreadable(name, group) : IB_OK;
    for (hsize_t i = 0; !status && i < info.nlinks; i++) {
        char link[64] = "";
        H5Lget_name_by_idx(g, ".", H5_INDEX_NAME, H5_ITER_INC, i, link, sizeof link, H5P_DEFAULT);
        if (strcmp(link, known[0]) && strcmp(link, known[1]))
            status = ib_fail(IB_EFORMAT, "%s: holds '%s' in %s, which nothing reads: %s and %s are known there", name,
                             link, group, known[0], known[1]);
    }
    if (g >= 0)
        H5Gclose(g);
    return status;
}

static ib_dataset *read_file(hid_t file, const char *name, ib_split split, const ib_input_info *net, ib_task task)
{
    const int train = H5Lexists(file, "train", H5P_DEFAULT) > 0, test = H5Lexists(file, "test", H5P_DEFAULT) > 0;
    static const char *const sets[] = {"images", "labels"}, *const parts[] = {"train", "test"};
    if ((train || test) && H5Lexists(file, "images", H5P_DEFAULT) > 0)
        return ib_fail_null(IB_EFORMAT, "%s: holds both images and %s: which is meant?", name,
                            train ? "train" : "test");
    if (check_names(file, name, "/", train || test ? parts : sets) ||
        (train && check_names(file, name, "/train", sets)) || (test && check_names(file, name, "/test", sets)))
        return NULL;
    if (!train && !test)
        return ib_dataset_every_fifth(read_sets(file, name, "images", "labels", net, task), split);
    if (split == IB_SPLIT_TRAIN || (split == IB_SPLIT_ALL && !test))
        return read_sets(file, name, "train/images", "train/labels", net, task);
    if (split == IB_SPLIT_TEST || !train)
        return read_sets(file, name, "test/images", "test/labels", net, task);
    ib_dataset *a = read_sets(file, name, "train/images", "train/labels", net, task);
    return a ? ib_dataset_join(a, read_sets(file, name, "test/images", "test/labels", net, task)) : NULL;
}

static ib_dataset *read_path(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    FILE *f = fopen(path, "rb");
    if (!f)
        return ib_fail_null(IB_EIO, "%s: cannot be opened", path);
    fclose(f);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return ib_fail_null(IB_EFORMAT, "%s: is no HDF5 file, or is damaged or cut", path);
    ib_dataset *d = read_file(file, path, split, net, task);
    H5Fclose(file);
    return d;
}

ib_dataset *ib_hdf5_open(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    return ib_dataset_apart(read_path, path, split, net, task);
}

ib_dataset *ib_hdf5_open_image(const void *bytes, size_t size, const char *name, ib_split split)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = H5LTopen_file_image((void *)bytes, size, 0);
    if (file < 0)
        return ib_fail_null(IB_EFORMAT, "%s: HDF5 cannot open it", name);
    ib_dataset *d = read_file(file, name, split, NULL, IB_CLASSIFICATION);
    H5Fclose(file);
    return d;
}
