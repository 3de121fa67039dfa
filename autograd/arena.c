/* arena.c - memory that is taken piece by piece and given back all at once, or back to a mark. */
#include "autograd/arena.h"
#include "backends/block.h"
#include "base/alloc.h"
#include "base/assert.h"

struct ib_chunk {
    struct ib_chunk *next;
    size_t size, used;
    unsigned char *data;
};

enum { ALIGN = 64, FIRST_CHUNK = 1 << 20 };

static struct ib_chunk *chunk_new(ib_device *dev, size_t size, struct ib_chunk *next)
{
    struct ib_chunk *c = ib_alloc(sizeof *c);
    if (c && !(c->data = ib_block_new(dev, size))) {
        ib_free(c);
        return NULL;
    }
    if (c) {
        c->size = size;
        c->next = next;
    }
    return c;
}

static void chunks_free(ib_device *dev, struct ib_chunk *c)
{
    while (c) {
        struct ib_chunk *next = c->next;
        ib_block_free(dev, c->data);
        ib_free(c);
        c = next;
    }
}

/* What a chunk holds from there on is not wanted any more. */
static void forget(const ib_arena *a, const struct ib_chunk *c, size_t from)
{
    if (a->dev && c->used > from)
        a->dev->v.forget(a->dev, c->data + from, c->used - from);
}

void *ib_arena_alloc(ib_arena *a, size_t bytes)
{
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->chunk || a->chunk->size - a->chunk->used < bytes) {
        struct ib_chunk **at = &a->spare;
        while (*at && (*at)->size < bytes)
            at = &(*at)->next;
        struct ib_chunk *c = *at;
        if (c) {
            *at = c->next;
            c->next = a->chunk;
            c->used = 0;
        } else {
            const size_t size = a->bytes / 2 > FIRST_CHUNK ? a->bytes / 2 : FIRST_CHUNK; /* grows by half at least */
            if (!(c = chunk_new(a->dev, size > bytes ? size : bytes, a->chunk)))
                return NULL;
            a->bytes += c->size;
        }
        a->chunk = c;
    }
    void *p = a->chunk->data + a->chunk->used;
    IB_ASSERT((uintptr_t)p % ALIGN == 0, "an arena's blocks are aligned to 64 bytes");
    IB_ASSERT(a->chunk->used + bytes <= a->chunk->size, "a block lies within its chunk");
    a->chunk->used += bytes;
    a->used += bytes;
    a->peak = a->used > a->peak ? a->used : a->peak;
    return p;
}

/* Empties the arena. Several chunks become one for the next step; if memory is out, a small one goes on serving. */
void ib_arena_begin(ib_arena *a)
{
    a->used = 0;
    while (a->spare) {
        struct ib_chunk *c = a->spare;
        a->spare = c->next;
        c->next = a->chunk;
        a->chunk = c;
    }
    if (a->chunk && a->chunk->next) {
        struct ib_chunk *keep = a->chunk;
        chunks_free(a->dev, keep->next);
        keep->next = NULL;
        struct ib_chunk *whole = chunk_new(a->dev, a->peak, NULL);
        if (whole) {
            chunks_free(a->dev, keep);
            keep = whole;
        }
        a->chunk = keep;
        a->bytes = keep->size;
    }
    if (a->chunk) {
        forget(a, a->chunk, 0);
        a->chunk->used = 0;
    }
}

ib_arena_place ib_arena_mark(const ib_arena *a)
{
    return (ib_arena_place){a->chunk, a->used, a->chunk ? a->chunk->used : 0};
}

void ib_arena_release(ib_arena *a, ib_arena_place m)
{
    while (a->chunk != m.chunk) {
        struct ib_chunk *c = a->chunk;
        IB_ASSERT(c, "a mark is of what its arena still holds");
        forget(a, c, 0);
        a->chunk = c->next;
        c->next = a->spare;
        a->spare = c;
    }
    IB_ASSERT(!a->chunk || m.chunk_used <= a->chunk->used, "marks are released in their order, the last first");
    if (a->chunk) {
        forget(a, a->chunk, m.chunk_used);
        a->chunk->used = m.chunk_used;
    }
    a->used = m.used;
}

ib_status ib_arena_reserve(ib_arena *a, size_t bytes)
{
    ib_arena_free(a);
    *a = (ib_arena){
        .dev = a->dev, .chunk = bytes ? chunk_new(a->dev, bytes, NULL) : NULL, .bytes = bytes, .peak = bytes};
    return bytes && !a->chunk ? IB_ENOMEM : IB_OK;
}

size_t ib_arena_reach(const ib_arena *a, const void *p)
{
    for (const struct ib_chunk *c = a->chunk; c; c = c->next)
        if ((uintptr_t)p >= (uintptr_t)c->data && (uintptr_t)p < (uintptr_t)c->data + c->used)
            return (uintptr_t)c->data + c->used - (uintptr_t)p;
    return 0;
}

void ib_arena_free(ib_arena *a)
{
    chunks_free(a->dev, a->chunk);
    chunks_free(a->dev, a->spare);
}
