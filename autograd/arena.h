/* arena.h - memory of a step, the host's or a device's, aligned to 64 bytes and not zeroed. */
#ifndef IB_AUTOGRAD_ARENA_H
#define IB_AUTOGRAD_ARENA_H

#include <stddef.h>

#include <isobit/device.h>

struct ib_chunk;

/* A stack of chunks. */
typedef struct ib_arena {
    ib_device *dev;         /* whose memory; NULL: the host's */
    struct ib_chunk *chunk; /* newest first */
    struct ib_chunk *spare; /* emptied by a release */
    size_t bytes;           /* in all chunks */
    size_t used, peak;
} ib_arena;

typedef struct ib_arena_place {
    struct ib_chunk *chunk;
    size_t used, chunk_used;
} ib_arena_place;

void *ib_arena_alloc(ib_arena *a, size_t bytes); /* NULL with ib_error() */
ib_arena_place ib_arena_mark(const ib_arena *a);
void ib_arena_release(ib_arena *a, ib_arena_place m); /* all that was taken since */
/* Empties it. Several chunks become one for the next step. */
void ib_arena_begin(ib_arena *a);
ib_status ib_arena_reserve(ib_arena *a, size_t bytes);
/* Bytes from p to the end of what is taken of its chunk; 0 if it is not the arena's. */
size_t ib_arena_reach(const ib_arena *a, const void *p);
void ib_arena_free(ib_arena *a);

#endif
