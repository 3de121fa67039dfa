/* file_map.c - a file mapped for reading, see file.h */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "files/file.h"

ib_status ib_file_map(const char *path, ib_mapped *out)
{
    struct stat info;
    const int fd = open(path, O_RDONLY);
    void *p = NULL;
    *out = (ib_mapped){0};
    if (fd < 0 || fstat(fd, &info)) {
        ib_fail(IB_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        ib_fail(IB_EIO, "%s: is not a regular file", path);
    } else if (!info.st_size) {
        ib_fail(IB_EFORMAT, "%s: is empty", path);
    } else if ((p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
        p = ib_fail_null(IB_EIO, "%s: cannot be mapped: %s", path, strerror(errno));
    } else {
        *out = (ib_mapped){p, (size_t)info.st_size};
    }
    if (fd >= 0)
        close(fd);
    return p ? IB_OK : ib_error_status();
}

void ib_file_unmap(ib_mapped *m)
{
    if (m->data)
        munmap((void *)m->data, m->size);
    *m = (ib_mapped){0};
}
