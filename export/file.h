/* file.h - files written whole or not at all. */
#ifndef IB_EXPORT_FILE_H
#define IB_EXPORT_FILE_H

#include <stddef.h>

#include <isobit/status.h>

/* Writes bytes to a temporary file beside `path`, syncs and renames it. On failure `path` is as it was. */
ib_status ib_file_replace(const char *path, const void *bytes, size_t size);
/* The whole file, yours to ib_free(); NULL with ib_error(). */
unsigned char *ib_file_read(const char *path, size_t *size);

#endif
