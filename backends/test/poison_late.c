/* poison_late.c - what was begun waits here until somebody needs it done. */
#include <string.h>

#include "backends/test/poison.h"

static void *room(ib_poison *p, size_t bytes)
{
    void *at = p->room + p->queued;
    p->queued += (bytes + 63) / 64 * 64;
    return at;
}

void *ib_poison_later(ib_poison *p, void (*run)(ib_poison *p, void *arguments), size_t bytes)
{
    if (p->queued > (size_t)1 << 30) /* a loop that never looks at its results */
        ib_poison_run(p);
    ib_late *late = room(p, sizeof *late);
    *late = (ib_late){NULL, run};
    *p->last = late;
    p->last = &late->next;
    return room(p, bytes); /* which begins where the entry ends */
}

void *ib_poison_keep(ib_poison *p, const void *from, size_t bytes)
{
    return from ? memcpy(room(p, bytes), from, bytes) : NULL;
}

void ib_poison_run(ib_poison *p)
{
    ib_late *late = p->first;
    p->first = NULL;
    p->last = &p->first;
    ib_poison_open(p); /* once: no other code runs before it is shut */
    for (; late; late = late->next)
        late->run(p, (unsigned char *)late + 64);
    ib_poison_shut(p);
    p->queued = 0;
}
