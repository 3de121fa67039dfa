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
    int full;  /* pieces before it, of which a capture takes, so that `taken` cannot be recorded yet */
    int waits; /* the capture takes from pieces */
} ib_cuda_staging;

/* An address that is looked at without waiting (peek): what is known of it, and a copy that is on its way. */
enum { IB_CUDA_WATCHED = 128 };
typedef struct ib_cuda_watch {
    const char *from; /* NULL: its memory was given back, and it is free for other */
    size_t bytes;
    char known[IB_CUDA_WATCHED];
    char *pinned;
    cudaEvent_t arrived;
    int flies, is_old; /* is_old: what flies was overwritten behind it */
    int asked;         /* while the stream captured: a copy is to begin behind that */
} ib_cuda_watch;

/* A block of memory that was taken and not yet given back. */
typedef struct ib_cuda_block {
    const char *at;
    size_t bytes;
} ib_cuda_block;
typedef struct ib_cuda_blocks {
    ib_cuda_block *of; /* [n] by address, with room for more */
    size_t n, room;
} ib_cuda_blocks;

/* Executable graphs of steps, found by their number of nodes. */
enum { IB_CUDA_GRAPHS = 4 };
typedef struct ib_cuda_graph {
    cudaGraphExec_t exec;
    size_t nodes;
    int64_t used; /* the step that it was launched in last */
} ib_cuda_graph;

typedef struct ib_cuda_capture {
    int is_off, tells;   /* ISOBIT_CUDA_GRAPHS */
    int in_step, active; /* active: what is given to `compute` goes into a graph */
    int was_whole;       /* the step before this one would have been one graph */
    const char *why;     /* of this step: the first thing that no graph can hold */
    ib_cuda_graph graphs[IB_CUDA_GRAPHS];
} ib_cuda_capture;

typedef struct ib_cuda {
    ib_cuda_device own;
    ib_cuda_library library;
    int number;
    cudaStream_t compute, copy;
    ib_cuda_work_space *work; /* device memory */
    ib_cuda_staging staging;
    ib_cuda_blocks blocks;
    ib_cuda_watch *watch; /* [n_watches], with room for more */
    size_t n_watches, watch_room;
    ib_cuda_capture capture;
    struct ib_cuda_libraries *libraries; /* NULL: own kernels alone */
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

/* Before and behind a capture: nothing in it waits, what it took from pieces is known to be taken. */
cudaError_t ib_cuda_staging_launch(ib_cuda *d, cudaGraphExec_t exec);

/* capture.c */
ib_status ib_cuda_capture_open(ib_cuda *d, const char *asked);
void ib_cuda_capture_close(ib_cuda *d);
void ib_cuda_begin_step(ib_device *dev);
void ib_cuda_end_step(ib_device *dev);
/* Before all that a graph cannot hold: what was captured of this step is launched, the rest of it goes plainly. */
void ib_cuda_leave_step(ib_cuda *d, const char *why);

/* watch.c */
/* Copies that have come are looked at; those that were asked for in a capture begin. */
void ib_cuda_watches_land(ib_cuda *d);
void ib_cuda_watches_fly(ib_cuda *d);
void ib_cuda_watches_close(ib_cuda *d);
void ib_cuda_peek(ib_device *dev, void *to, const void *from, size_t bytes);
/* What is watched there changes: to these bytes, to that byte, or (both NULL and -1) to what is not known yet. */
void ib_cuda_watched_changes(ib_cuda *d, const void *at, size_t bytes, const void *with, int byte);
/* All that is watched in this block is over, and its places are free. */
void ib_cuda_watched_goes(ib_cuda *d, ib_cuda_block block);

/* host/host_given.c: each kernel looks at what it is given first */
void ib_cuda_look_at_given(ib_kernels *k);

/* blocks.c */
/* Room for one more among n of that size: `of`, or a copy of it that has it; NULL with the library's error. */
void *ib_cuda_roomy(ib_cuda *d, void *of, size_t n, size_t *room, size_t size);
ib_status ib_cuda_block_came(ib_cuda *d, const void *at, size_t bytes);
ib_cuda_block ib_cuda_block_goes(ib_cuda *d, const void *at); /* that begins there */
void ib_cuda_blocks_close(ib_cuda *d);

#endif
