/* tensor.h - inside the library: what a tensor is made of. */
#ifndef IB_AUTOGRAD_TENSOR_H
#define IB_AUTOGRAD_TENSOR_H

#include <isobit/graph.h>
#include <isobit/tensor.h>

#include "backends/block.h"

/* real = scale[c] * (code - zero), c = 0 for n_scales == 1, else the index along dimension 0 */
typedef struct ib_qparams {
    int bits;
    int qmin, qmax;
    int n_scales;
    const float *scale;          /* [n_scales]; these live as long as the tensor, in its memory */
    const int32_t *zero;         /* [1], or NULL: 0 */
    int group_size, n_groups;    /* weights in groups: real = scale * factor * code; 0: none */
    const uint8_t *group_factor; /* [rows][n_groups] */
} ib_qparams;

/* Who takes steps by gradients, and is to hear of a backward pass that gave none. */
typedef struct ib_follower {
    ib_device *dev;
    ib_fault *refused; /* dev's memory: why its next step may change nothing; empty: there is no reason */
    uint64_t told;     /* the pass that it has heard of last */
} ib_follower;

/* Of a tensor and one of its followers, whose it is. */
typedef struct ib_follow_link {
    ib_follower *who;
    struct ib_tensor *of; /* NULL: it is gone */
    struct ib_follow_link *next;
} ib_follow_link;

struct ib_tensor {
    ib_dtype dtype;
    int ndim;
    int64_t shape[IB_MAX_DIMS];
    int64_t size;
    void *data;
    float *grad; /* [size] or NULL */
    int needs_grad;
    int from_data;            /* made of a batch, not of parameters alone */
    struct ib_tensor *passes; /* its gradient is that of this tensor, for what passes it on unchanged; else NULL */
    ib_qparams q;             /* of codes */
    char *name;               /* leaves only */
    int node;                 /* index of the node that made it, -1 for a leaf */
    ib_device *dev; /* whose memory holds data, gradient and scales; NULL: the host's, which hosts' kernels read */
    uint64_t step;  /* which step of which graph made it, 0: it lives by itself; no two steps of the process are
                        alike */
    uint64_t used; /* of what lives by itself: the step that used it last, on the device where it lies; and how often */
    uint32_t moves; /* it was moved. Of a result that reads such a tensor's memory, leaf's: how often that had been
                       moved then */
    const struct ib_tensor *leaf;
    int is_view;               /* its numbers are those of its operator's first input */
    ib_graph *graph;           /* of a result: whose it is */
    struct ib_side *side;      /* of a result: the device that holds it, host or not */
    int owned;                 /* belongs to a layer and goes with it */
    ib_follow_link *followers; /* of what lives by itself */
};

/* Frees also what belongs to a layer. */
void ib_tensor_release(ib_tensor *t);

static inline float *ib_f32(const ib_tensor *t)
{
    return (float *)t->data;
}
static inline int8_t *ib_codes(const ib_tensor *t)
{
    return (int8_t *)t->data;
}

/* Its numbers in the host's memory: where they are, or a copy in *copy, the caller's to ib_free() (NULL: none was
 * needed); NULL with ib_error(). */
const void *ib_tensor_look(const ib_tensor *t, void **copy);
/* Moves a tensor that lives by itself, with its gradient, into the memory of this device. */
ib_status ib_tensor_place(ib_tensor *t, ib_device *dev);

/* A new link, that ib_tensor_unfollow() frees, before or after the tensor; NULL with ib_error(). */
ib_follow_link *ib_tensor_follow(ib_tensor *t, ib_follower *who);
void ib_tensor_unfollow(ib_follow_link *link); /* NULL is fine */

size_t ib_dtype_bytes(ib_dtype dtype);

/* Fills in ndim, shape and size; IB_EINVAL when a dimension is below 1 or the whole exceeds 2^40 elements. */
ib_status ib_tensor_set_shape(ib_tensor *t, int ndim, const int64_t *shape);

#endif
