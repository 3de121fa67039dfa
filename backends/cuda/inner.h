/* inner.h - inside the CUDA plugin: what a device keeps. */
#ifndef IB_BACKENDS_CUDA_INNER_H
#define IB_BACKENDS_CUDA_INNER_H

#include "backends/cuda/device.h"
#include "backends/cuda/plugin.h"

/* Uploads pass a ring of pieces, each once in pinned memory and once in the device's: from the host's half to the
 * device's on the stream that copies, while kernels run, and from there to where they belong in the order of the stream
 * that computes. As long as a piece has room they follow one another in it. */
enum { IB_CUDA_PIECES = 8, IB_CUDA_PIECE = 1 << 20 };
typedef struct ib_cuda_staging {
    char *pinned, *device;               /* [IB_CUDA_PIECES][IB_CUDA_PIECE] */
    cudaEvent_t arrived[IB_CUDA_PIECES]; /* in the device's half: pinned memory may be written, and the rest read */
    cudaEvent_t taken[IB_CUDA_PIECES];   /* from the device's half, which may be written */
    size_t used;                         /* of piece number `at` */
    int at;
} ib_cuda_staging;

/* An address that is looked at without waiting (peek): what is known of it, and a copy that is on its way. */
enum { IB_CUDA_WATCHES = 8, IB_CUDA_WATCHED = 128 };
typedef struct ib_cuda_watch {
    const char *from;
    size_t bytes;
    char known[IB_CUDA_WATCHED];
    char *pinned;
    cudaEvent_t arrived;
    int flies, is_old; /* is_old: what flies was overwritten behind it */
} ib_cuda_watch;

typedef struct ib_cuda {
    ib_cuda_device own;
    ib_cuda_library library;
    int number;
    cudaStream_t compute, copy;
    ib_cuda_staging staging;
    ib_cuda_watch watch[IB_CUDA_WATCHES];
    int n_watches;
} ib_cuda;

static inline ib_cuda *ib_cuda_of(ib_device *dev)
{
    return (ib_cuda *)(void *)dev;
}

extern const ib_verbs ib_cuda_verbs; /* memory.c */

/* staging.c */
cudaError_t ib_cuda_staging_open(ib_cuda *d);
void ib_cuda_staging_close(ib_cuda *d);
void ib_cuda_upload(ib_device *dev, void *to, const void *from, size_t bytes);

/* watch.c */
void ib_cuda_watches_close(ib_cuda *d);
void ib_cuda_peek(ib_device *dev, void *to, const void *from, size_t bytes);
/* What is watched there changes: to these bytes, to that byte, or (both NULL and -1) to what is not known yet. */
void ib_cuda_watched_changes(ib_cuda *d, const void *at, size_t bytes, const void *with, int byte);
void ib_cuda_watched_goes(ib_cuda *d, const void *at);

#endif
