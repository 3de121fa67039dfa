/* h5.c - see h5.h */
#include "files/h5.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/begins.h"
#include "files/file.h"

enum { TRAILER = 49 };

static uint32_t checksum(const unsigned char *p, size_t n)
{
    uLong crc = crc32(0, NULL, 0);
    while (n) {
        const uInt part = n > 1u << 30 ? 1u << 30 : (uInt)n;
        crc = crc32(crc, p, part);
        p += part;
        n -= part;
    }
    return (uint32_t)crc;
}

static void trailer(char text[TRAILER + 1], size_t size, uint32_t crc)
{
    ib_snprintf(text, TRAILER + 1, "\nisobit size=%-20zu crc32=%08x\n", size, crc);
}

hid_t ib_h5_create(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 20, 0);
    /* The first superblock: the image of a newer one, taken while the file is open, has a wrong checksum (HDF5
     * 1.10). */
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
    H5Pset_obj_track_times(create, 0);
    const hid_t file = H5Fcreate("isobit", H5F_ACC_TRUNC, create, access);
    H5Pclose(access);
    H5Pclose(create);
    if (file < 0)
        ib_fail(IB_ENOMEM, "HDF5 cannot make a file in memory");
    return file;
}

ib_status ib_h5_finish(hid_t file, const char *path)
{
    ib_status status = IB_ENOMEM;
    unsigned char *bytes = NULL;
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    const ssize_t size = H5Fget_file_image(file, NULL, 0);
    if (size > 0 && (bytes = ib_alloc((size_t)size + TRAILER + 1)) &&
        H5Fget_file_image(file, bytes, (size_t)size) == size) {
        trailer((char *)bytes + size, (size_t)size, checksum(bytes, (size_t)size));
        status = ib_file_replace(path, bytes, (size_t)size + TRAILER);
    } else if (size <= 0) {
        ib_fail(status, "%s: HDF5 gives no image of the file", path);
    }
    ib_free(bytes);
    H5Fclose(file);
    return status;
}

hid_t ib_h5_open(const char *path)
{
    size_t size;
    char want[TRAILER + 1];
    hid_t file = -1;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    unsigned char *bytes = ib_file_read(path, &size);
    if (!bytes)
        return -1;
    const int ends = size > TRAILER && !memcmp(bytes + size - TRAILER, "\nisobit size=", 13);
    const size_t said = ends ? strtoull((const char *)bytes + size - TRAILER + 13, NULL, 10) : 0;
    if (!ends) {
        const int hdf5 = size >= 8 && !memcmp(bytes, "\211HDF\r\n\032\n", 8);
        ib_fail(IB_EFORMAT, "%s: is %s%s (%zu bytes)", path,
                hdf5 ? "HDF5 without isobit's line at its end: cut, or of another program" : "no HDF5 file of isobit",
                hdf5 ? "" : ib_begins_as(bytes, size), size);
    } else if (said != size - TRAILER) {
        ib_fail(IB_EFORMAT, "%s: is damaged: %zu bytes where its end says %zu", path, size - TRAILER, said);
    } else {
        trailer(want, size - TRAILER, checksum(bytes, size - TRAILER));
        if (memcmp(want, bytes + size - TRAILER, TRAILER))
            ib_fail(IB_EFORMAT, "%s: is damaged: its checksum says %.8s, its %zu bytes give %.8s", path,
                    (const char *)bytes + size - 9, size - TRAILER, want + TRAILER - 9);
        else if ((file = H5LTopen_file_image(bytes, size - TRAILER, 0)) < 0)
            ib_fail(IB_EFORMAT, "%s: HDF5 cannot open it", path);
    }
    ib_free(bytes);
    return file;
}

hid_t ib_h5_group(hid_t parent, const char *name)
{
    const hid_t create = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(create, 0);
    const hid_t group = H5Gcreate2(parent, name, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Pclose(create);
    return group;
}

int ib_h5_write(hid_t parent, const char *name, hid_t type, int ndim, const int64_t *shape, const void *data)
{
    hsize_t dims[8];
    for (int i = 0; i < ndim; i++)
        dims[i] = (hsize_t)shape[i];
    const hid_t space = H5Screate_simple(ndim, dims, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(create, 0);
    const hid_t set = H5Dcreate2(parent, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    const int failed = set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0;
    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    H5Pclose(create);
    return failed ? ib_fail(IB_ENOMEM, "HDF5 cannot hold '%s'", name) : 0;
}

int ib_h5_set(hid_t object, const char *name, hid_t type, int64_t n, const void *data)
{
    const hsize_t dims[] = {(hsize_t)n};
    const hid_t space = H5Screate_simple(1, dims, NULL),
                a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const int failed = a < 0 || H5Awrite(a, type, data) < 0;
    if (a >= 0)
        H5Aclose(a);
    H5Sclose(space);
    return failed ? ib_fail(IB_ENOMEM, "HDF5 cannot hold '%s'", name) : 0;
}

/* A fixed-length string of HDF5, with its terminating 0. */
static hid_t text_type(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    return type;
}

int ib_h5_set_text(hid_t object, const char *name, const char *text)
{
    const hid_t type = text_type(strlen(text) + 1), space = H5Screate(H5S_SCALAR);
    const hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const int failed = a < 0 || H5Awrite(a, type, text) < 0;
    if (a >= 0)
        H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
    return failed ? ib_fail(IB_ENOMEM, "HDF5 cannot hold '%s'", name) : 0;
}

int ib_h5_read(hid_t parent, const char *name, hid_t type, int64_t n, void *data)
{
    const hid_t set = H5Dopen2(parent, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
    const int64_t held = space < 0 ? -1 : (int64_t)H5Sget_simple_extent_npoints(space);
    int failed = held != n || (data && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    if (!failed)
        return 0;
    return held < 0
               ? ib_fail(IB_EFORMAT, "lacks '%s'", name)
               : ib_fail(IB_EFORMAT, "'%s' has %lld values, %lld are expected", name, (long long)held, (long long)n);
}

int64_t ib_h5_count(hid_t object, const char *name)
{
    const hid_t a = H5Aopen(object, name, H5P_DEFAULT), space = a < 0 ? -1 : H5Aget_space(a);
    const int64_t held = space < 0 ? -1 : (int64_t)H5Sget_simple_extent_npoints(space);
    if (space >= 0)
        H5Sclose(space);
    if (a >= 0)
        H5Aclose(a);
    return held;
}

int ib_h5_get(hid_t object, const char *name, hid_t type, int64_t n, void *data)
{
    const hid_t a = H5Aopen(object, name, H5P_DEFAULT), space = a < 0 ? -1 : H5Aget_space(a);
    const int64_t held = space < 0 ? -1 : (int64_t)H5Sget_simple_extent_npoints(space);
    const int failed = held != n || H5Aread(a, type, data) < 0;
    if (space >= 0)
        H5Sclose(space);
    if (a >= 0)
        H5Aclose(a);
    if (!failed)
        return 0;
    return held < 0 ? ib_fail(IB_EFORMAT, "lacks the attribute '%s'", name)
                    : ib_fail(IB_EFORMAT, "the attribute '%s' has %lld values, %lld are expected", name,
                              (long long)held, (long long)n);
}

int ib_h5_get_text(hid_t object, const char *name, char *text, size_t size)
{
    const hid_t a = H5Aopen(object, name, H5P_DEFAULT), held = a < 0 ? -1 : H5Aget_type(a);
    const size_t n = held < 0 || H5Tget_class(held) != H5T_STRING ? 0 : H5Tget_size(held);
    const hid_t type = n && n <= size ? text_type(n) : -1;
    const int failed = type < 0 || H5Aread(a, type, text) < 0;
    if (!failed)
        text[n - 1] = 0;
    if (type >= 0)
        H5Tclose(type);
    if (held >= 0)
        H5Tclose(held);
    if (a >= 0)
        H5Aclose(a);
    return failed ? ib_fail(IB_EFORMAT, "lacks the text '%s', or it is too long", name) : 0;
}

char *ib_h5_read_text(hid_t parent, const char *name, const char *what, int64_t most, int64_t *n)
{
    const hid_t set = H5Dopen2(parent, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
    *n = space < 0 ? -1 : (int64_t)H5Sget_simple_extent_npoints(space);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    if (*n < 0 || *n > most)
        return ib_fail_null(IB_EFORMAT, "has a %s of %lld bytes", what, (long long)*n);
    char *text = ib_alloc((size_t)*n + 1);
    if (text && !ib_h5_read(parent, name, H5T_NATIVE_CHAR, *n, text))
        return text;
    ib_free(text);
    return NULL;
}
