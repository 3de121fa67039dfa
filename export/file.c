/* file.c - see file.h */
#include "export/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/alloc.h"
#include "tensor/error.h"

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        const ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return 0;
        p += done;
        n -= (size_t)done;
    }
    return 1;
}

static void sync_folder(const char *path)
{
    char *copy = ib_strdup(path);
    const int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    ib_free(copy);
}

ib_status ib_file_replace(const char *path, const void *bytes, size_t size)
{
    struct stat old;
    if (!stat(path, &old) && !S_ISREG(old.st_mode)) /* /dev/null, /dev/full, a pipe: nothing to rename over */
        return ib_fail(IB_EIO, "%s: is not a regular file", path);
    char *temporary = ib_format_text("%s.tmp%ld", path, (long)getpid());
    if (!temporary)
        return IB_ENOMEM;
    ib_status status = IB_OK;
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        status = ib_fail(IB_EIO, "%s: cannot be written: %s", path, strerror(errno));
    else if (!write_all(fd, bytes, size) || fsync(fd))
        status = ib_fail(IB_EIO, "%s: cannot write %zu bytes: %s", path, size, strerror(errno));
    if (fd >= 0 && close(fd) && !status)
        status = ib_fail(IB_EIO, "%s: %s", path, strerror(errno));
    if (!status && rename(temporary, path))
        status = ib_fail(IB_EIO, "%s: cannot be replaced: %s", path, strerror(errno));
    if (status && fd >= 0)
        unlink(temporary);
    if (!status)
        sync_folder(path);
    ib_free(temporary);
    return status;
}

unsigned char *ib_file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    struct stat info;
    unsigned char *bytes = NULL;
    if (!f || fstat(fileno(f), &info))
        ib_fail(IB_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        ib_fail(IB_EIO, "%s: is not a regular file", path);
    else if ((bytes = ib_alloc((size_t)info.st_size + 1))) {
        *size = fread(bytes, 1, (size_t)info.st_size, f);
        if (*size != (size_t)info.st_size) {
            ib_fail(IB_EIO, "%s: cannot be read", path);
            ib_free(bytes);
            bytes = NULL;
        }
    }
    if (f)
        fclose(f);
    return bytes;
}
