/* poison_memory.c - blocks of a region that is open to kernels and verbs alone; its holes are noted elsewhere, where no
 * allocation is counted. */
#include <string.h>
#include <sys/mman.h>

#include "backends/test/poison.h"
#include "base/assert.h"
#include "base/number.h"

enum { ALIGN = 64, PAGE = 4096 };

/* Released blocks; neighbours are one. */
typedef struct ib_poison_hole {
    size_t at, bytes;
} hole;

/* A block's size stands before it, and a gap of NaN lies between two. */
typedef struct head {
    size_t bytes;
    unsigned char gap[ALIGN - sizeof(size_t)];
} head;

/* The pages of this part. */
static void protect(const void *at, size_t bytes, int how)
{
    const size_t over = (uintptr_t)at % PAGE;
    if (bytes)
        mprotect((unsigned char *)(uintptr_t)at - over, bytes + over, how);
}

void ib_poison_open(ib_poison *p)
{
    if (!p->opened++)
        protect(p->memory, p->used, PROT_READ | PROT_WRITE);
}

void ib_poison_shut(ib_poison *p)
{
    if (!--p->opened)
        protect(p->memory, p->used, PROT_NONE);
}

int ib_poison_has(const ib_poison *p, const void *at)
{
    const unsigned char *byte = at;
    return !at || p->takes_any || (byte >= p->memory && byte <= p->memory + p->used);
}

void ib_poison_refuse(ib_poison *p, const char *what, const char *given)
{
    if (!*p->dev.failure)
        ib_snprintf(p->dev.failure, sizeof p->dev.failure, "%s: %s is no memory of the device", what, given);
}

void ib_poison_look(ib_poison *p, void *to, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    const size_t own = at >= p->memory && at < p->memory + p->used ? bytes : 0; /* else the host's, which is open */
    protect(from, own, PROT_READ);
    memcpy(to, from, bytes);
    protect(from, own, PROT_NONE);
}

static void remove_hole(ib_poison *p, size_t i)
{
    memmove(p->holes + i, p->holes + i + 1, (--p->n_holes - i) * sizeof *p->holes);
}

void *ib_poison_take(ib_poison *p, size_t bytes)
{
    const size_t whole = sizeof(head) + (bytes + ALIGN - 1) / ALIGN * ALIGN;
    size_t at = p->used, i = 0;
    while (i < p->n_holes && p->holes[i].bytes < whole)
        i++;
    if (i < p->n_holes) {
        at = p->holes[i].at;
        p->holes[i].at += whole;
        if (!(p->holes[i].bytes -= whole))
            remove_hole(p, i);
    } else {
        p->used += whole;
    }
    head *block = (head *)(void *)(p->memory + at);
    protect(block, whole, PROT_READ | PROT_WRITE);
    memset(block, 0xFF, whole);
    block->bytes = whole;
    protect(block, whole, PROT_NONE);
    return block + 1;
}

void ib_poison_drop(ib_poison *p, void *block)
{
    const size_t at = (size_t)((unsigned char *)block - p->memory) - sizeof(head);
    ib_poison_open(p);
    const size_t bytes = ((head *)(void *)(p->memory + at))->bytes;
    memset(p->memory + at, 0xFF, bytes);
    ib_poison_shut(p);
    size_t i = 0;
    while (i < p->n_holes && p->holes[i].at < at)
        i++;
    IB_ASSERT(!i || p->holes[i - 1].at + p->holes[i - 1].bytes <= at, "a block is released once");
    memmove(p->holes + i + 1, p->holes + i, (p->n_holes++ - i) * sizeof *p->holes);
    p->holes[i] = (hole){at, bytes};
    for (size_t j = i + 1; j >= (i ? i : 1); j--) /* with the one behind it, then with the one before it */
        if (j < p->n_holes && p->holes[j - 1].at + p->holes[j - 1].bytes == p->holes[j].at) {
            p->holes[j - 1].bytes += p->holes[j].bytes;
            remove_hole(p, j);
        }
}
