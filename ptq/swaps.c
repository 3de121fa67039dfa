/* swaps.c - see swaps.h */
#include "ptq/swaps.h"

#include "base/alloc.h"
#include "base/error.h"
#include "tensor/matrix.h"

/* The swap of a place, new ones with what lies there; NULL: memory is out. */
static ib_swap *swap_at(ib_swaps *s, const ib_swap *place)
{
    for (int i = s->n - 1; i >= 0; i--) /* the last layer's come first */
        if (s->swap[i].matrix == place->matrix && s->swap[i].tensor == place->tensor)
            return &s->swap[i];
    if (s->n == s->room) {
        const int room = 2 * s->room + 64;
        ib_swap *grown = ib_realloc(s->swap, (size_t)s->n * sizeof *grown, (size_t)room * sizeof *grown);
        if (!grown)
            return NULL;
        s->swap = grown;
        s->room = room;
    }
    s->swap[s->n] = *place;
    return &s->swap[s->n++];
}

ib_status ib_swap_matrix(ib_swaps *s, ib_matrix **at, ib_matrix *made)
{
    ib_swap *of = made ? swap_at(s, &(ib_swap){.matrix = at, .old_matrix = *at}) : NULL;
    if (!of) {
        ib_matrix_free(made);
        return made ? IB_ENOMEM : ib_error_status();
    }
    if (of->old_matrix == *at)
        ib_matrix_give_back(*at);
    else
        ib_matrix_free(*at);
    *at = made;
    return IB_OK;
}

ib_status ib_swap_tensor(ib_swaps *s, ib_tensor **at, ib_tensor *made)
{
    ib_swap *of = made ? swap_at(s, &(ib_swap){.tensor = at, .old_tensor = *at}) : NULL;
    if (!of) {
        ib_tensor_free(made);
        return made ? IB_ENOMEM : ib_error_status();
    }
    if (of->old_tensor != *at)
        ib_tensor_free(*at);
    *at = made;
    return IB_OK;
}

void ib_swaps_end(ib_swaps *s, int keep)
{
    for (int i = 0; i < s->n; i++) {
        ib_swap *of = &s->swap[i];
        if (of->matrix) {
            ib_matrix_free(keep ? of->old_matrix : *of->matrix);
            *of->matrix = keep ? *of->matrix : of->old_matrix;
        } else {
            ib_tensor_free(keep ? of->old_tensor : *of->tensor);
            *of->tensor = keep ? *of->tensor : of->old_tensor;
        }
    }
    ib_free(s->swap);
    *s = (ib_swaps){0};
}
