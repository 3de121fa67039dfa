/* gzip.h - files that may be gzip, read whole. */
#ifndef IB_FILES_GZIP_H
#define IB_FILES_GZIP_H

#include <stddef.h>

/* The whole file or pipe, inflated if it is gzip (all of its members), yours to ib_free(); NULL with ib_error() naming
 * the file: damaged or cut gzip, bytes behind it that are none, a name in .gz over what is not gzip. */
unsigned char *ib_file_read_unpacked(const char *path, size_t *size);

#endif
