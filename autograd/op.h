/* op.h - what an operator is. A new one is a file (or a part of its family's) in autograd/ops/ and a line in ops.def.
 *
 * An operator is a descriptor: `shape` checks the inputs and says what comes out, `forward` fills it, `backward` adds
 * to the gradients of the inputs, `samples` are the cases on which the tests compare backward with finite differences
 * and the levels of the device with each other. */
#ifndef IB_AUTOGRAD_OP_H
#define IB_AUTOGRAD_OP_H

#include <isobit/graph.h>

#include "autograd/arena.h"
#include "autograd/sides.h"
#include "backends/fault.h"
#include "backends/kernels.h"
#include "backends/placed_matrix.h"
#include "base/error.h"
#include "autograd/tensor.h"
#include "tensor/matrix.h"

enum { IB_MAX_INPUTS = 8, IB_MAX_SAVED = 4 };

typedef struct ib_node ib_node;

/* One case: inputs of these shapes, uniform in [lo, hi] (but not close to 0 and 6, where differences would
 * straddle a kink), and how to apply the operator to them. */
typedef struct ib_sample {
    const char *name;
    int n_inputs;
    struct {
        int ndim;
        int64_t shape[IB_MAX_DIMS];
        float lo, hi;
    } in[4];
    ib_tensor *(*build)(ib_graph *g, ib_tensor **in);
    int straight_through; /* the gradient is an estimate: backward is compared at another level only */
    int n_constant;       /* the last inputs, which take no gradient (running statistics) */
} ib_sample;

typedef struct ib_op {
    const char *name;
    const char *inputs; /* as the public header calls them, "x w b"; the last name stands for all behind it */
    size_t attrs_bytes;
    int n_required;  /* the first inputs that must not be NULL */
    int takes_codes; /* inputs may be codes, of which `shape` knows; else all are fp32 */
    ib_status (*shape)(ib_node *n, ib_tensor *out);
    ib_status (*forward)(ib_graph *g, ib_node *n);
    ib_status (*backward)(ib_graph *g, ib_node *n); /* NULL: no gradient passes */
    const ib_sample *samples;                       /* ends with name == NULL; NULL: tested with the integer
                                                       operators */
} ib_op;

struct ib_node {
    const ib_op *op;
    ib_tensor *in[IB_MAX_INPUTS];
    int n_in;
    ib_tensor *out;
    void *attrs;
    void *saved[IB_MAX_SAVED];
    size_t noted, took; /* bytes of the graph's arenas: of its notes, of both: attributes, result, what is saved */
    const char *scope;  /* name of the layer that applied it, borrowed from the layer */
    int call;           /* which operator of the step it is */
};

/* A tensor that lives by itself and that a step uses, and how often it had been moved then. */
typedef struct ib_leaf_use {
    const ib_tensor *t;
    uint32_t moves;
} ib_leaf_use;

/* What is known of each operator and input of a step, also of those that the tape does not hold; or of a place that is
 * neither (op and data NULL). */
typedef struct ib_call {
    const ib_op *op;
    const char *scope;     /* "": of none */
    const char *of;        /* the name of what it is about, borrowed; or NULL */
    const ib_tensor *data; /* the input itself; NULL: an operator */
} ib_call;

/* Checks, allocates and computes. `attrs` is copied. NULL on failure; a NULL among the required inputs passes on, and
 * is a failure itself if none came before it in this step. */
ib_tensor *ib_apply(ib_graph *g, const ib_op *op, ib_tensor *const *in, int n_in, const void *attrs);
/* What a public function that makes operators was given: a NULL tensor is the argument's failure, or that of what
 * should have made it. */
int ib_graph_given(const ib_graph *g, const ib_tensor *x, const char *function, const char *argument);
#define IB_GIVEN(x)                                                                                                    \
    do {                                                                                                               \
        if (!ib_graph_given(g, x, __func__, #x))                                                                       \
            return NULL;                                                                                               \
    } while (0)
#define IB_APPLY(g, op, attrs, ...)                                                                                    \
    ib_apply(g, op, (ib_tensor *[]){__VA_ARGS__}, sizeof((ib_tensor *[]){__VA_ARGS__}) / sizeof(ib_tensor *), attrs)

/* The table: ops.def in order; NULL behind the last. */
const ib_op *ib_op_at(int i);
#define OP(name) extern const ib_op ib_op_##name;
#include "autograd/ops.def"
#undef OP

/* ---- for the operators ---- */

/* A value that the first run of a segment leaves for the second. */
struct ib_memo {
    struct ib_memo *next;
    void *data;
    size_t bytes;
};

enum { IB_GRACE = 4 };

struct ib_graph {
    ib_side *here;                /* where is computed now: outside of operators and layers the first side */
    ib_device *dev;               /* its device */
    ib_side *sides[IB_MAX_SIDES]; /* the first is of the graph's own device */
    int n_sides;
    ib_mode mode;
    uint64_t now;             /* this step's number among all of the process; a tensor of another is refused */
    ib_arena heads[IB_GRACE]; /* tensors without values, of this step and the last ones: old ones are known as such */
    uint64_t failures;        /* of the thread, when the step began */
    int backwards;            /* backward passes in this step */
    ib_node *nodes;
    int n_nodes, max_nodes;
    ib_call *calls;
    int n_calls, max_calls;
    ib_leaf_use *leaves; /* on a tape: what a backward pass may read and write */
    int n_leaves, max_leaves;
    ib_arena notes, memo_notes; /* of this step, what the host notes; of what segments remember for their second run */
    uint64_t seed, step;
    uint64_t draws;   /* random masks drawn in this step: with seed and step the number of a mask's stream */
    int no_tape;      /* inside a checkpoint's forward: train, but keep nothing */
    int replaying;    /* inside its second run: nobody reads the segment's result any more */
    float *free_grad; /* gradient of a segment's result that has been used up, for the next segment's input */
    int64_t free_grad_size;
    struct ib_memo **memo; /* where the next memo of the segment under way stands or is to be put; NULL: it has none */
    const char *scope;
    const struct ib_tap *tap; /* who listens to the values of layers, see tap.h; NULL: nobody */
    size_t kept;              /* bytes that operators on data left, see ib_graph_saved_bytes */
    int dropout_off;          /* training without dropout: the same codes as evaluation, for verification */
};

/* The kernels of the graph's device. */
#define K(g) (&(g)->dev->k)
#define V(g) (&(g)->dev->v)

/* Of a step or a backward pass: no two of the process are alike. */
uint64_t ib_graph_number(void);
/* Whether something has failed in this step, so that a NULL is its consequence. */
int ib_graph_failed(const ib_graph *g);
/* IB_OK if t lives by itself or is a result of this step; else a line that calls it `what` of `function`. */
ib_status ib_graph_owns(const ib_graph *g, const ib_tensor *t, const char *function, const char *what);
/* An uninitialized fp32 tensor of the graph that stands for data. */
ib_tensor *ib_graph_tensor(ib_graph *g, int ndim, const int64_t *shape);

/* A tensor that lives by itself, to be read by this step: where the graph computes from now on. Refused where this step
 * has used it on another device. */
ib_status ib_graph_use(ib_graph *g, ib_tensor *t);
/* Fails where what this step has used was moved since, by another graph: it, or what t is a view of. */
ib_status ib_check_used(const ib_graph *g);
ib_status ib_check_view(const ib_tensor *t);

/* Memory until the next begin, not zeroed, for what the host notes; NULL with ib_error(). */
void *ib_graph_alloc(ib_graph *g, size_t bytes);
/* The same on the device, for what kernels read and write. */
void *ib_graph_numbers(ib_graph *g, size_t bytes);
/* The same for what the caller has in the host's memory, which is read now; NULL with ib_error(). */
static inline void *ib_graph_uploaded(ib_graph *g, const void *from, size_t bytes)
{
    void *to = ib_graph_numbers(g, bytes);
    if (to)
        g->dev->v.upload(g->dev, to, from, bytes);
    return to;
}
/* Values in the device's memory as a frozen matrix; NULL with ib_error(). */
static inline const ib_matrix *ib_graph_matrix(ib_graph *g, int64_t rows, int64_t cols, const float *values)
{
    void *room = ib_graph_alloc(g, ib_matrix_room());
    return room ? ib_matrix_view(room, values, rows, cols, ib_home(g->dev)) : NULL;
}
/* Memory for the duration of one function. */
typedef struct ib_mark {
    ib_arena_place notes, numbers;
    ib_side *side;
} ib_mark;
ib_mark ib_graph_mark(ib_graph *g);
void ib_graph_release(ib_graph *g, ib_mark m);

/* In a segment with memory: in its first run space for `bytes`, in its second run what the first has put there, in the
 * same order. NULL elsewhere (no failure), or if memory is out (then *failed is set). */
void *ib_memo_next(ib_graph *g, size_t bytes, ib_status *failed);

/* One chunk of so many bytes each for the steps to come, so that the first is not made of pieces. */
ib_status ib_graph_reserve(ib_graph *g, size_t numbers, size_t memos);

/* Where the kernels of n report what they cannot use. */
static inline ib_site ib_site_of(const ib_graph *g, const ib_node *n)
{
    return (ib_site){g->here->fault, n->call, g->now};
}
/* The number of an operator that begins; -1 if memory is out. */
int ib_graph_call(ib_graph *g, const ib_op *op);
/* Where kernels report what is no operator's, but of a layer (or "") and of something with a name (or NULL). */
ib_status ib_site_apart(ib_graph *g, const char *scope, const char *of, ib_site *at);
/* The step's fault, as its operator's failure; IB_OK where there is none. wait: for all kernels that were begun; else
 * as far as is known. */
ib_status ib_graph_fault(ib_graph *g, int wait);

/* Where to add the gradient of t; NULL if it needs none (or, with *failed set, if memory is out). */
float *ib_grad_of(ib_graph *g, ib_tensor *t, ib_status *failed);
/* The same for who can also set it: *fresh tells that it was just made and holds nothing yet, not even zeroes. */
float *ib_grad_fresh(ib_graph *g, ib_tensor *t, int *fresh, ib_status *failed);
/* The gradient of n's input t, if it needs one, grows by n's where the bits of saved[0] are set. */
void ib_pass_inside(ib_graph *g, const ib_node *n, ib_tensor *t, ib_status *failed);

/* "name: text" with the operator's and the layer's name. */
ib_status ib_op_fail(const ib_node *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The error that ib_error() is, with the same before it. */
ib_status ib_op_refuse(const ib_node *n);

/* Completes n's window over x, of which the kernel, stride, padding, groups and oc are given; IB_EINVAL if nothing
 * would come out. */
ib_status ib_window_of(const ib_node *n, const ib_tensor *x, ib_window *w);
/* The window of a convolution of images x, of reals or codes, by n's weights [O,C/groups,kh,kw], its second input, and
 * the bias, its third or none; IB_EINVAL where they do not fit (convolution.c). */
ib_status ib_conv_window_of(const ib_node *n, const ib_tensor *x, const ib_conv_opts *o, ib_window *s);
/* The window of a linear layer x[N,K] w[O,K]' + b[O] in the same way: rows are images of one pixel (product.c). */
ib_status ib_linear_window_of(const ib_node *n, ib_window *s);

/* Of pooling, of reals or codes: n's attrs are ib_pool_opts or begin with them. Kernel 0x0 is the whole image, stride 0
 * the kernel's size; saved[0] of max pooling is where each largest value stood. */
ib_status ib_pool_window(const ib_node *n, ib_window *w);
ib_status ib_pool_shape(ib_node *n, ib_tensor *out);
ib_status ib_max_pool_backward(ib_graph *g, ib_node *n);

/* Runs the backward functions of nodes last .. first, in that order. */
ib_status ib_backward_range(ib_graph *g, int last, int first);

/* Elements of x in one step along the dimensions before `axis`. */
int64_t ib_run_of(const ib_tensor *x, int axis);

/* out has the shape of x (dtype fp32 unless x is codes and `codes` is set, then with x's quantization). */
ib_status ib_same_shape(const ib_tensor *x, ib_tensor *out, int codes);

#endif
