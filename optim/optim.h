/* optim.h - inside the library: one optimizer is a row of states per parameter and an update. */
#ifndef IB_OPTIM_OPTIM_H
#define IB_OPTIM_OPTIM_H

#include <isobit/optim.h>

#include "backends/kernels.h"
#include "layers/layer.h"

enum { IB_MAX_GROUPS = 16 };

typedef struct ib_optim_class {
    const char *name;
    int n_states;
    size_t (*bytes)(int64_t n); /* of one state of a parameter of n elements; NULL: fp32 */
    void (*update)(ib_optim *opt, const ib_update *u, ib_tensor *p, void *const *state, float lr, float decay);
} ib_optim_class;

/* States of one parameter, found by its name. */
typedef struct ib_optim_slot {
    ib_tensor *param;
    void *state[2]; /* device memory */
    int32_t rests;  /* as its progress has it: it does not learn now */
    ib_follow_link *link;
} ib_optim_slot;

/* What an optimizer keeps on its device besides. */
typedef struct ib_optim_numbers {
    ib_fault refused;      /* why the next step may change nothing; empty: there is no reason */
    ib_fault fault;        /* the first that nobody was told of yet; call: which slot */
    double square, norm;   /* of all gradients, when they were last clipped, */
    float factor;          /* by this */
    float dynamic[2][256]; /* of adamw8: what the codes of states say, signed for m, unsigned for v */
} ib_optim_numbers;

struct ib_optim {
    const ib_optim_class *cls;
    ib_layer *net;
    ib_device *dev;
    ib_follower follower; /* of its parameters */
    ib_sgd_opts sgd;
    ib_adamw_opts adamw;
    ib_optim_numbers *numbers; /* device memory */
    float lr, decay;
    int paged; /* states lie in unlinked temporary files that the kernel writes out under memory pressure */
    ib_optim_slot *slots;
    ib_progress *progress; /* [n_slots] of room for `room`, device memory */
    int n_slots, room;
    struct {
        char *pattern;
        float lr, decay;
    } groups[IB_MAX_GROUPS];
    int n_groups;
};

ib_optim *ib_optim_new(const ib_optim_class *cls, ib_layer *net, ib_device *dev, int paged);
/* Slots for every trainable parameter, also new ones; what is there is kept. */
ib_status ib_optim_sync(ib_optim *opt);
/* As ib_optim_zero, and what nobody was told of is forgotten, too: its next step is another training's. */
ib_status ib_optim_forget(ib_optim *opt);
/* How many steps a slot has taken, which waits for the device; and that it has taken so many. */
int64_t ib_optim_taken(const ib_optim *opt, const ib_optim_slot *slot);
void ib_optim_set_taken(ib_optim *opt, const ib_optim_slot *slot, int64_t steps);

/* ---- states.c ---- */
size_t ib_optim_state_bytes(const ib_optim *opt, const ib_optim_slot *slot);
ib_status ib_optim_state_new(const ib_optim *opt, ib_optim_slot *slot, int i); /* zero */
void ib_optim_state_free(const ib_optim *opt, ib_optim_slot *slot, int i);
/* State i for the host to read: the device's memory where that is the host's, else a copy, which is *copy, to be freed.
 * NULL with ib_error(). */
const void *ib_optim_state_read(const ib_optim *opt, const ib_optim_slot *slot, int i, void **copy);
void ib_optim_state_write(const ib_optim *opt, ib_optim_slot *slot, int i, const void *from);

/* ---- bus.c: where the gradients of a step pass, between the backward passes and the optimizer ---- */
/* Hands each slot with its gradient to `take`, in the order of slots, which ib_optim_sync has made. */
void ib_bus_pass(ib_optim *opt, void (*take)(ib_optim *opt, ib_optim_slot *slot));

#endif
