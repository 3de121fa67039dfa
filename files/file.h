/* file.h - files written whole or not at all, and files mapped for reading. */
#ifndef IB_FILES_FILE_H
#define IB_FILES_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

/* Writes bytes to a temporary file beside `path`, syncs and renames it. On failure `path` is as it was. */
ib_status ib_file_replace(const char *path, const void *bytes, size_t size);
/* The whole file, yours to ib_free(); NULL with ib_error(). */
unsigned char *ib_file_read(const char *path, size_t *size);

/* All n bytes, however many calls that takes; 0: an error or an early end, as errno says. */
int ib_fd_write(int fd, const void *bytes, size_t n);
int ib_fd_read(int fd, void *bytes, size_t n);

/* A file that grows piece by piece under a temporary name; finish syncs it and renames it to `path`. The first failure
 * is kept and answered by finish, so that a series of writes needs one check. */
typedef struct ib_file_writer ib_file_writer;
ib_file_writer *ib_file_writer_open(const char *path);
void ib_file_write(ib_file_writer *w, const void *bytes, size_t size);
size_t ib_file_written(const ib_file_writer *w);
ib_status ib_file_writer_finish(ib_file_writer *w); /* frees w; NULL answers IB_EIO */
void ib_file_writer_drop(ib_file_writer *w);        /* gives up: nothing is left behind; NULL is fine */

/* A file mapped for reading. */
typedef struct ib_mapped {
    const uint8_t *data;
    size_t size;
} ib_mapped;
ib_status ib_file_map(const char *path, ib_mapped *out);
void ib_file_unmap(ib_mapped *m);

#endif
