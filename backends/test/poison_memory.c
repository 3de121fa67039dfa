/* poison_memory.c - blocks of a region that is open to kernels and verbs alone; its holes are noted elsewhere. */
#include <string.h>
#include <sys/mman.h>

#include "backends/test/poison.h"
#include "base/alloc.h"
#include "base/assert.h"

enum { ALIGN = 64, PAGE = 4096 };

/* A released block, in the order of addresses; neighbours are one. */
typedef struct ib_poison_hole {
    struct ib_poison_hole *next;
    size_t at, bytes;
} hole;

/* A block's size stands before it, and a gap of NaN lies between two. */
typedef struct head {
    size_t bytes;
    unsigned char gap[ALIGN - sizeof(size_t)];
} head;

static void protect(ib_poison *p, int how)
{
    if (p->used)
        mprotect(p->memory, (p->used + PAGE - 1) / PAGE * PAGE, how);
}

void ib_poison_open(ib_poison *p)
{
    protect(p, PROT_READ | PROT_WRITE);
}

void ib_poison_shut(ib_poison *p)
{
    protect(p, PROT_NONE);
}

void *ib_poison_take(ib_poison *p, size_t bytes)
{
    const size_t whole = sizeof(head) + (bytes + ALIGN - 1) / ALIGN * ALIGN;
    hole **h = &p->holes;
    while (*h && (*h)->bytes < whole)
        h = &(*h)->next;
    size_t at = p->used;
    if (*h) {
        hole *found = *h;
        at = found->at;
        found->at += whole;
        if (!(found->bytes -= whole)) {
            *h = found->next;
            ib_free(found);
        }
    } else {
        p->used += whole;
    }
    ib_poison_open(p);
    memset(p->memory + at, 0xFF, whole);
    ((head *)(void *)(p->memory + at))->bytes = whole;
    ib_poison_shut(p);
    return p->memory + at + sizeof(head);
}

void ib_poison_drop(ib_poison *p, void *block)
{
    const size_t at = (size_t)((unsigned char *)block - p->memory) - sizeof(head);
    ib_poison_open(p);
    const size_t bytes = ((head *)(void *)(p->memory + at))->bytes;
    memset(p->memory + at, 0xFF, bytes);
    ib_poison_shut(p);
    hole **h = &p->holes, *last = NULL;
    for (; *h && (*h)->at < at; h = &(*h)->next)
        last = *h;
    hole *next = *h;
    IB_ASSERT(!last || last->at + last->bytes <= at, "a block is released once");
    if (last && last->at + last->bytes == at) {
        last->bytes += bytes;
    } else {
        hole *made = ib_alloc(sizeof *made);
        if (!made) /* then the block is lost to the region */
            return;
        *made = (hole){next, at, bytes};
        *h = last = made;
    }
    if (next && last->at + last->bytes == next->at) {
        last->bytes += next->bytes;
        last->next = next->next;
        ib_free(next);
    }
}

void ib_poison_free_holes(ib_poison *p)
{
    while (p->holes) {
        hole *next = p->holes->next;
        ib_free(p->holes);
        p->holes = next;
    }
}
