/* optim.h - inside the library: one optimizer is a row of states per parameter and an update. */
#ifndef IB_OPTIM_OPTIM_H
#define IB_OPTIM_OPTIM_H

#include <isobit/optim.h>

#include "layers/layer.h"

enum { IB_MAX_GROUPS = 16 };

typedef struct ib_optim_class {
    const char *name;
    int n_states;
    size_t (*bytes)(int64_t n); /* of one state of a parameter of n elements; NULL: fp32 */
    int (*update)(ib_optim *opt, ib_tensor *p, float *const *state, int64_t t, float lr,
                  float decay); /* 1: p is finite */
} ib_optim_class;

/* States of one parameter, found by its name. */
typedef struct ib_optim_slot {
    ib_tensor *param;
    float *state[2];
    int64_t t; /* steps this parameter has taken */
} ib_optim_slot;

struct ib_optim {
    const ib_optim_class *cls;
    ib_layer *net;
    ib_device *dev;
    ib_sgd_opts sgd;
    ib_adamw_opts adamw;
    float dynamic[2][256]; /* what the codes of 8-bit states say: signed for m, unsigned for v */
    float lr, decay;
    int paged; /* states lie in unlinked temporary files that the kernel writes out under memory pressure */
    ib_optim_slot *slots;
    int n_slots;
    struct {
        char *pattern;
        float lr, decay;
    } groups[IB_MAX_GROUPS];
    int n_groups;
};

ib_optim *ib_optim_new(const ib_optim_class *cls, ib_layer *net, ib_device *dev, int paged);
size_t ib_optim_state_bytes(const ib_optim *opt, const ib_optim_slot *slot);
/* Slots for every trainable parameter, also new ones; what is there is kept. */
ib_status ib_optim_sync(ib_optim *opt);

#endif
