/* h5.h - HDF5 files in memory: built there, written whole; read whole, checked, opened there. The library's own file
 * access would leave half a file behind when the disk is full, and follows pointers of damaged files. */
#ifndef IB_FILES_H5_H
#define IB_FILES_H5_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

hid_t ib_h5_create(void); /* -1 with ib_error() */
/* Closes file and writes its image, followed by a line with size and CRC-32, to `path`. */
ib_status ib_h5_finish(hid_t file, const char *path);
/* Opens the checked image of a file that ib_h5_finish wrote. */
hid_t ib_h5_open(const char *path);

/* A group without times, so that equal content is equal bytes. */
hid_t ib_h5_group(hid_t parent, const char *name);
/* 0 or -1; `type` is a native type of HDF5. */
int ib_h5_write(hid_t parent, const char *name, hid_t type, int ndim, const int64_t *shape, const void *data);
int ib_h5_set(hid_t object, const char *name, hid_t type, int64_t n, const void *data);
int ib_h5_set_text(hid_t object, const char *name, const char *text);
/* Exactly n elements, else -1 with ib_error(); data NULL: only whether they are there. */
int ib_h5_read(hid_t parent, const char *name, hid_t type, int64_t n, void *data);
/* The characters of data set `name`, *n of them and a 0 behind, to be given to ib_free(); NULL with "has a WHAT of n
 * bytes" if they are more than `most`. */
char *ib_h5_read_text(hid_t parent, const char *name, const char *what, int64_t most, int64_t *n);
int ib_h5_get(hid_t object, const char *name, hid_t type, int64_t n, void *data);
int64_t ib_h5_count(hid_t object, const char *name); /* values of an attribute; -1: there is none */
int ib_h5_get_text(hid_t object, const char *name, char *text, size_t size);

#endif
