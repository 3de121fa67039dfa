/* placed_matrix.c - see placed_matrix.h */
#include "backends/placed_matrix.h"

#include "backends/block.h"
#include "tensor/matrix_fields.h"

static void drop(ib_matrix *copy)
{
    ib_block_free(copy->home, copy->owned);
    ib_free(copy);
}

/* Bytes of a part in the copy's block, whose parts begin where a block may. */
static size_t room_of(const ib_matrix *m, int part)
{
    return (ib_matrix_part_bytes(m, part) + 63) / 64 * 64;
}

static ib_matrix *copied(const ib_matrix *m, ib_device *to)
{
    size_t total = 0;
    for (int i = 0; i < IB_N_PARTS; i++)
        total += room_of(m, i);
    ib_matrix *copy = ib_alloc(sizeof *copy);
    unsigned char *at = copy ? ib_block_new(to, total) : NULL;
    if (!at) {
        ib_free(copy);
        return NULL;
    }
    *copy = *m;
    copy->owned = at;
    copy->home = to;
#define MATRIX_PART(type, name, count)                                                                                 \
    if (m->name) {                                                                                                     \
        ib_block_write(to, at, m->name, ib_matrix_part_bytes(m, IB_PART_##name));                                      \
        copy->name = (const type *)(void *)at;                                                                         \
        at += room_of(m, IB_PART_##name);                                                                              \
    }
#include "tensor/matrix_parts.def"
#undef MATRIX_PART
    return copy;
}

const ib_matrix *ib_matrix_on(const ib_matrix *m, ib_device *dev)
{
    ib_device *to = ib_home(dev), *from = m->copy && to ? m->copy->home : m->home;
    if (m->home == to)
        return m;
    if (ib_block_can_move(from, to, "matrix", m->format->name))
        return NULL;
    if (!m->copy) {
        ib_matrix *own = (ib_matrix *)(uintptr_t)m; /* what it holds stays the same */
        if (!(own->copy = copied(m, to)))
            return NULL;
        own->drop = drop;
    }
    return m->copy;
}
