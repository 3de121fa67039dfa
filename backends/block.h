/* block.h - a block of memory that is a device's, or the host's (dev NULL): what has not met its device yet lies there.
 * What went wrong in a verb is the device's fault; NULL comes with ib_error(). */
#ifndef IB_BACKENDS_BLOCK_H
#define IB_BACKENDS_BLOCK_H

#include <string.h>

#include "backends/kernels.h"
#include "base/alloc.h"
#include "base/error.h"

/* NULL for the host, whose memory is anybody's. */
static inline ib_device *ib_home(ib_device *dev)
{
    return dev->is_host ? NULL : dev;
}

/* Whose memory that is. */
static inline const char *ib_home_name(const ib_device *home)
{
    return home ? ib_device_name(home) : "the host";
}

/* Holding anything. */
static inline void *ib_block_new(ib_device *dev, size_t bytes)
{
    return dev ? dev->v.allocate(dev, bytes) : ib_alloc_raw(bytes);
}

static inline void ib_block_free(ib_device *dev, void *p)
{
    if (dev)
        dev->v.release(dev, p);
    else
        ib_free(p);
}

/* To the host, waiting for all that was begun. */
static inline void ib_block_read(ib_device *dev, void *to, const void *from, size_t bytes)
{
    if (dev)
        dev->v.download(dev, to, from, bytes);
    else
        memcpy(to, from, bytes);
}

/* From the host. */
static inline void ib_block_write(ib_device *dev, void *to, const void *from, size_t bytes)
{
    if (dev)
        dev->v.upload(dev, to, from, bytes);
    else
        memcpy(to, from, bytes);
}

/* IB_EUNSUPPORTED, with what it is and its name, unless one of both is the host or they are the same. */
static inline ib_status ib_block_can_move(ib_device *from, ib_device *to, const char *what, const char *name)
{
    if (!from || !to || from == to)
        return IB_OK;
    return ib_fail(IB_EUNSUPPORTED, "%s '%s' lies on %s, and the graph computes on %s", what, name,
                   ib_device_name(from), ib_device_name(to));
}

/* A copy of it in the other memory, one of both the host's. */
static inline void *ib_block_copied(ib_device *from, ib_device *to, const void *p, size_t bytes)
{
    void *copy = ib_block_new(to, bytes);
    if (copy && to)
        ib_block_write(to, copy, p, bytes);
    else if (copy)
        ib_block_read(from, copy, p, bytes);
    return copy;
}

#endif
