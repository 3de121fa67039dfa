/* states.c - what an optimizer remembers of each parameter: memory of its device, or of files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "optim/optim.h"

size_t ib_optim_state_bytes(const ib_optim *o, const ib_optim_slot *s)
{
    return o->cls->bytes ? o->cls->bytes(s->param->size) : (size_t)s->param->size * sizeof(float);
}

/* Pages of a file without a name, zeroed. */
static void *map_file(size_t bytes)
{
    const char *dir = getenv("TMPDIR");
    char path[512];
    ib_snprintf(path, sizeof path, "%s/isobit-paged-XXXXXX", dir && *dir ? dir : "/tmp");
    const int fd = mkstemp(path);
    void *p = MAP_FAILED;
    if (fd >= 0 && !unlink(path) && !ftruncate(fd, (off_t)bytes))
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        p = ib_fail_null(IB_EIO, "%s: cannot hold %zu bytes of optimizer state: %s", path, bytes, strerror(errno));
    if (fd >= 0)
        close(fd);
    return p;
}

ib_status ib_optim_state_new(const ib_optim *o, ib_optim_slot *s, int i)
{
    const size_t bytes = ib_optim_state_bytes(o, s);
    s->state[i] = o->paged ? map_file(bytes) : o->dev->v.allocate(o->dev, bytes);
    if (!s->state[i])
        return ib_error_status();
    if (!o->paged)
        o->dev->v.fill(o->dev, s->state[i], 0, bytes);
    return IB_OK;
}

void ib_optim_state_free(const ib_optim *o, ib_optim_slot *s, int i)
{
    if (!o->paged)
        o->dev->v.release(o->dev, s->state[i]);
    else if (s->state[i])
        munmap(s->state[i], ib_optim_state_bytes(o, s));
    s->state[i] = NULL;
}

const void *ib_optim_state_read(const ib_optim *o, const ib_optim_slot *s, int i, void **copy)
{
    const size_t bytes = ib_optim_state_bytes(o, s);
    *copy = NULL;
    if (o->dev->is_host)
        return s->state[i];
    if ((*copy = ib_alloc_raw(bytes)))
        o->dev->v.download(o->dev, *copy, s->state[i], bytes);
    return *copy;
}

void ib_optim_state_write(const ib_optim *o, ib_optim_slot *s, int i, const void *from)
{
    o->dev->v.upload(o->dev, s->state[i], from, ib_optim_state_bytes(o, s));
}
