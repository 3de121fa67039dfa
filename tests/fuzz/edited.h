/* edited.h - HDF5 files whose checksum is right and that say other things than the library wrote: the input edits
 * elements of attributes and data sets of a good file. */
#ifndef IB_TESTS_FUZZ_EDITED_H
#define IB_TESTS_FUZZ_EDITED_H

#include "tests/fuzz/fuzz.h"

#include <hdf5_hl.h>

#include "files/h5.h"

enum { EDITED_PLACES = 1024, EDITED_TRAILER = 49 };

typedef struct place {
    char object[200], attribute[40]; /* attribute "": the object is a dataset */
} place;
static place places[EDITED_PLACES];
static int n_places;

static herr_t see_attribute(hid_t object, const char *name, const H5A_info_t *info, void *path)
{
    (void)object, (void)info;
    if (n_places < EDITED_PLACES) {
        snprintf(places[n_places].object, sizeof places->object, "%s", (const char *)path);
        snprintf(places[n_places++].attribute, sizeof places->attribute, "%s", name);
    }
    return 0;
}

static herr_t see_object(hid_t root, const char *name, const H5O_info_t *info, void *context)
{
    (void)context;
    if (info->type == H5O_TYPE_DATASET && n_places < EDITED_PLACES) {
        snprintf(places[n_places].object, sizeof places->object, "%s", name);
        *places[n_places++].attribute = 0;
    }
    const hid_t o = H5Oopen(root, name, H5P_DEFAULT);
    H5Aiterate2(o, H5_INDEX_NAME, H5_ITER_INC, NULL, see_attribute, (void *)name);
    H5Oclose(o);
    return 0;
}

/* Reads or writes all of an attribute, or of a data set. */
static int transfer(hid_t o, hid_t a, hid_t type, void *data, int write)
{
    if (a >= 0)
        return write ? H5Awrite(a, type, data) : H5Aread(a, type, data);
    return write ? H5Dwrite(o, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data)
                 : H5Dread(o, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
}

/* Element `at` of a place becomes `value`: an integer, a float of these bits, or a letter of a text. */
static void edit(hid_t f, const place *p, unsigned at, int32_t value)
{
    enum { ROOM = 1 << 16 };
    static int64_t data[ROOM];
    const hid_t o = H5Oopen(f, p->object, H5P_DEFAULT);
    const hid_t a = o >= 0 && *p->attribute ? H5Aopen(o, p->attribute, H5P_DEFAULT) : -1;
    const hid_t space = *p->attribute ? H5Aget_space(a) : H5Dget_space(o);
    const hid_t type = *p->attribute ? H5Aget_type(a) : H5Dget_type(o);
    const int64_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : 0;
    const H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    const hid_t memory = kind == H5T_INTEGER ? H5T_NATIVE_INT64 : kind == H5T_FLOAT ? H5T_NATIVE_FLOAT : type;
    const size_t letters = kind == H5T_STRING ? H5Tget_size(type) : 0;
    if (n > 0 && n <= ROOM && letters * (size_t)n <= sizeof data &&
        (kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_STRING) && transfer(o, a, memory, data, 0) >= 0) {
        if (kind == H5T_INTEGER)
            data[at % n] = value;
        else if (kind == H5T_FLOAT)
            memcpy((char *)data + at % n * sizeof value, &value, sizeof value);
        else if (letters)
            ((char *)data)[at % (letters * (size_t)n)] = (char)value;
        transfer(o, a, memory, data, 1);
    }
    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (a >= 0)
        H5Aclose(a);
    if (o >= 0)
        H5Oclose(o);
}

/* Writes the good file, edited, with a right checksum. Edits of seven bytes: place (2), element, value (4). */
static void write_edited(const unsigned char *good, size_t good_size, const uint8_t *data, size_t size,
                         const char *path)
{
    enum { EDIT = 7, EDITS = 8 };
    const hid_t f = H5LTopen_file_image((void *)good, good_size - EDITED_TRAILER, H5LT_FILE_IMAGE_OPEN_RW);
    if (f < 0)
        abort();
    n_places = 0;
    H5Ovisit(f, H5_INDEX_NAME, H5_ITER_INC, see_object, NULL);
    for (size_t k = 0; k < EDITS && (k + 1) * EDIT <= size; k++) {
        const uint8_t *e = data + k * EDIT;
        int32_t value;
        memcpy(&value, e + 3, 4);
        edit(f, &places[(e[0] | e[1] << 8) % n_places], e[2], value);
    }
    if (ib_h5_finish(f, path))
        abort();
}

/* All bytes of a file, which is removed. */
static inline unsigned char *taken(const char *path, size_t *size)
{
    enum { ROOM = 1 << 21 };
    unsigned char *bytes = malloc(ROOM);
    FILE *f = fopen(path, "rb");
    *size = f && bytes ? fread(bytes, 1, ROOM, f) : 0;
    if (!*size || *size == ROOM)
        abort();
    fclose(f);
    unlink(path);
    return bytes;
}

#endif
