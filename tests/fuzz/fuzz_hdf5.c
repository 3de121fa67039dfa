/* fuzz_hdf5.c - data sets in HDF5 files: whatever the library does with a damaged one, it is read or an error. As
 * another process reads, coverage says nothing of it; so the input says how a good file is damaged. */
#include "tests/fuzz/fuzz.h"

#include <hdf5.h>
#include <hdf5_hl.h>

enum { KINDS = 3, ROOM = 1 << 16 };
static unsigned char good[KINDS][ROOM];
static size_t good_size[KINDS];

/* Contiguous; chunked and compressed; split in two. */
static void make_good(void)
{
    static float x[10 * 9];
    static int y[10];
    char path[100];
    const hsize_t images[] = {10, 3, 3}, labels[] = {10}, chunk[] = {5, 3, 3};
    for (int kind = 0; kind < KINDS; kind++) {
        snprintf(path, sizeof path, "/tmp/isobit-fuzz-hdf5-%ld.h5", (long)getpid());
        const hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        if (kind == 2)
            H5Gclose(H5Gcreate2(f, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        const hid_t space = H5Screate_simple(3, images, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
        if (kind == 1) {
            H5Pset_chunk(create, 3, chunk);
            H5Pset_deflate(create, 6);
        }
        const hid_t d = H5Dcreate2(f, kind == 2 ? "train/images" : "images", H5T_NATIVE_FLOAT, space, H5P_DEFAULT,
                                   create, H5P_DEFAULT);
        H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
        H5Dclose(d);
        H5Sclose(space);
        H5Pclose(create);
        H5LTmake_dataset_int(f, kind == 2 ? "train/labels" : "labels", 1, labels, y);
        H5Fclose(f);
        FILE *file = fopen(path, "rb");
        good_size[kind] = file ? fread(good[kind], 1, ROOM, file) : 0;
        if (!good_size[kind])
            abort();
        fclose(file);
        unlink(path);
    }
}

/* First byte: the file, and whether it is cut; then changes of three bytes: place (2), value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char bytes[ROOM];
    char spec[100];
    if (!*good_size)
        make_good();
    if (size < 1)
        return 0;
    const int kind = data[0] % KINDS;
    size_t n = good_size[kind];
    memcpy(bytes, good[kind], n);
    for (size_t k = 1; k + 3 <= size; k += 3)
        bytes[(size_t)(data[k] | data[k + 1] << 8) % n] = data[k + 2];
    if (data[0] >= 0xF0 && size > 2)
        n = (size_t)(data[1] | data[2] << 8) % n;
    /* HDF5 opens no file without a name */
    snprintf(spec, sizeof spec, "hdf5:/tmp/isobit-fuzz-hdf5-%ld.h5", (long)getpid());
    FILE *f = fopen(spec + 5, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
        abort();
    ib_dataset *d = ib_dataset_open(spec, IB_SPLIT_TRAIN);
    unlink(spec + 5);
    if (!d && size < 4 && n == good_size[kind]) /* nothing is changed */
        abort();
    if (!d && (!*ib_error() || strchr(ib_error(), '\n')))
        abort();
    ib_dataset_free(d);
    return 0;
}
