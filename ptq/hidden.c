/* hidden.c - see hidden.h */
#include "ptq/hidden.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"

ib_status ib_hidden_new(ib_hidden *h, const char *folder, int64_t windows, int64_t values)
{
    const char *in = folder ? folder : getenv("TMPDIR");
    *h = (ib_hidden){.fd = -1, .windows = windows, .values = values};
    h->path = ib_format_text("%s/isobit-hidden-XXXXXX", in && *in ? in : "/tmp");
    h->row = h->path ? ib_alloc_raw((size_t)values * sizeof *h->row) : NULL;
    if (!h->row)
        return IB_ENOMEM;
    if ((h->fd = mkstemp(h->path)) < 0)
        return ib_fail(IB_EIO, "%s: %s", h->path, strerror(errno));
    unlink(h->path);
    return IB_OK;
}

void ib_hidden_release(ib_hidden *h)
{
    if (h->path && h->fd >= 0)
        close(h->fd);
    ib_free(h->path);
    ib_free(h->row);
    *h = (ib_hidden){.fd = -1};
}

static ib_status failed(const ib_hidden *h, const char *what)
{
    return ib_fail(IB_EIO, "%s: %s: %s", h->path, what, errno ? strerror(errno) : "it ends early");
}

static int seek(const ib_hidden *h, int64_t window)
{
    errno = 0;
    return lseek(h->fd, (off_t)(window * h->values * (int64_t)sizeof *h->row), SEEK_SET) >= 0;
}

ib_status ib_hidden_read(ib_hidden *h, int64_t window)
{
    const size_t bytes = (size_t)h->values * sizeof *h->row;
    return seek(h, window) && ib_fd_read(h->fd, h->row, bytes) ? IB_OK : failed(h, "reading");
}

ib_status ib_hidden_write(ib_hidden *h, int64_t window, const float *row)
{
    const size_t bytes = (size_t)h->values * sizeof *row;
    return seek(h, window) && ib_fd_write(h->fd, row, bytes) ? IB_OK : failed(h, "writing");
}
