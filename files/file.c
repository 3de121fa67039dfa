/* file.c - see file.h; files that are mapped: file_map.c */
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

int ib_fd_write(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n;) {
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

int ib_fd_read(int fd, void *bytes, size_t n)
{
    for (char *p = bytes; n;) {
        const ssize_t done = read(fd, p, n);
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

struct ib_file_writer {
    int fd;
    char *path, *target, *temporary; /* as it was told; the file itself, where path is a link; beside it, until it is
                                        whole */
    size_t written;
    ib_status status;
};

/* The file itself: what a link points at is written, and the link stays. */
static char *resolve(const char *path)
{
    struct stat old, link;
    const int there = !stat(path, &old), linked = !lstat(path, &link) && S_ISLNK(link.st_mode);
    if (there && !S_ISREG(old.st_mode)) /* /dev/null, /dev/full, a pipe: nothing to rename over */
        return ib_fail_null(IB_EIO, "%s: is %s", path,
                            S_ISDIR(old.st_mode) ? "a folder: a file is to be written" : "not a regular file");
    if (!there && linked)
        return ib_fail_null(IB_EIO, "%s: is a link to nothing: remove it, or give another name", path);
    char *real = linked ? realpath(path, NULL) : NULL, *target = ib_strdup(real ? real : path);
    free(real);
    return target;
}

ib_file_writer *ib_file_writer_open(const char *path)
{
    char *target = resolve(path);
    ib_file_writer *w = target ? ib_alloc(sizeof *w) : NULL;
    if (!w) {
        ib_free(target);
        return NULL;
    }
    *w = (ib_file_writer){.fd = -1, .target = target};
    if ((w->path = ib_strdup(path)) && (w->temporary = ib_format_text("%s.tmp%ld", target, (long)getpid()))) {
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (w->fd >= 0)
            return w;
        ib_fail(IB_EIO, "%s: cannot be written: %s", path, strerror(errno));
    }
    ib_file_writer_drop(w);
    return NULL;
}

void ib_file_write(ib_file_writer *w, const void *bytes, size_t size)
{
    if (!w || w->status)
        return;
    if (!ib_fd_write(w->fd, bytes, size))
        w->status = ib_fail(IB_EIO, "%s: cannot write %zu bytes: %s", w->path, w->written + size, strerror(errno));
    w->written += size;
}

size_t ib_file_written(const ib_file_writer *w)
{
    return w ? w->written : 0;
}

void ib_file_writer_drop(ib_file_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary)
        unlink(w->temporary);
    ib_free(w->temporary);
    ib_free(w->target);
    ib_free(w->path);
    ib_free(w);
}

ib_status ib_file_writer_finish(ib_file_writer *w)
{
    if (!w)
        return ib_error_status() ? ib_error_status() : IB_EIO;
    if (!w->status && fsync(w->fd))
        w->status = ib_fail(IB_EIO, "%s: cannot write %zu bytes: %s", w->path, w->written, strerror(errno));
    if (close(w->fd) && !w->status)
        w->status = ib_fail(IB_EIO, "%s: %s", w->path, strerror(errno));
    w->fd = -1;
    if (!w->status && rename(w->temporary, w->target))
        w->status = ib_fail(IB_EIO, "%s: cannot be replaced: %s", w->path, strerror(errno));
    const ib_status status = w->status;
    if (!status)
        sync_folder(w->target);
    ib_file_writer_drop(w);
    return status;
}

ib_status ib_file_replace(const char *path, const void *bytes, size_t size)
{
    ib_file_writer *w = ib_file_writer_open(path);
    ib_file_write(w, bytes, size);
    return ib_file_writer_finish(w);
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
