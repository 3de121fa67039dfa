/* graph.h - the tape: operators that compute at once and remember how to differentiate.
 *
 *     ib_graph_begin(g, IB_TRAIN);
 *     ib_tensor *loss = ib_cross_entropy(g, ib_linear(g, x, w, b), labels, 0.0f);
 *     ib_backward(g, loss);          // adds to ib_tensor_grad(w) and ib_tensor_grad(b)
 *
 * What an operator returns belongs to the graph and is valid until the next ib_graph_begin(). An operator that cannot
 * be applied returns NULL with ib_error() set, and NULL inputs give NULL, so an expression needs one check at its end.
 * After the first step a loop of equal shapes allocates nothing.
 *
 * Letters in shapes: N batch, C channels, H height, W width, K inputs, O outputs. */
#ifndef ISOBIT_GRAPH_H
#define ISOBIT_GRAPH_H

#include <isobit/device.h>
#include <isobit/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ib_graph ib_graph;

typedef enum ib_mode {
    IB_EVAL,  /* no tape: nothing is kept for a backward pass */
    IB_TRAIN, /* tape; dropout drops, batch norm uses and updates batch statistics, observers move */
    IB_TRACE  /* evaluation that records which operators ran (used by ib_qat_prepare) */
} ib_mode;

ib_graph *ib_graph_new(ib_device *dev); /* dev must outlive the graph */
void ib_graph_free(ib_graph *g);        /* NULL is fine */

/* Forgets all results and starts a step. */
void ib_graph_begin(ib_graph *g, ib_mode mode);

/* Dropout masks of step number `step` under `seed`; every IB_TRAIN step then counts `step` up. */
void ib_graph_seed(ib_graph *g, uint64_t seed, uint64_t step);

/* Bytes that the current step's results, gradients and saved values take. */
size_t ib_graph_bytes(const ib_graph *g);
ib_device *ib_graph_device(const ib_graph *g);

/* Runs the tape backwards from `loss`, a tensor of one element. Gradients of leaves are added to what they hold. */
ib_status ib_backward(ib_graph *g, ib_tensor *loss);

/* Copies `data` into a tensor of the graph: an input without gradient. */
ib_tensor *ib_input(ib_graph *g, int ndim, const int64_t *shape, const float *data);

/* ---- products -------------------------------------------------------------------------------------------------- */
ib_tensor *ib_matmul(ib_graph *g, ib_tensor *a, ib_tensor *b);               /* [M,K] x [K,N] -> [M,N] */
ib_tensor *ib_linear(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b); /* [N,K] x [O,K]' + [O] or NULL */

typedef struct ib_conv_opts {
    int stride_h, stride_w; /* 0 means 1 */
    int pad_h, pad_w;
    int groups;             /* 0 means 1; = C with as many outputs is depthwise */
} ib_conv_opts;
/* x [N,C,H,W], w [O,C/groups,kh,kw], b [O] or NULL; output height (H + 2 pad_h - kh) / stride_h + 1. */
ib_tensor *ib_conv2d(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b, const ib_conv_opts *opts);

/* ---- element by element, with the broadcasting of NumPy --------------------------------------------------------- */
ib_tensor *ib_add(ib_graph *g, ib_tensor *a, ib_tensor *b);
ib_tensor *ib_mul(ib_graph *g, ib_tensor *a, ib_tensor *b);
ib_tensor *ib_relu(ib_graph *g, ib_tensor *x);
ib_tensor *ib_relu6(ib_graph *g, ib_tensor *x);
ib_tensor *ib_sigmoid(ib_graph *g, ib_tensor *x);
ib_tensor *ib_tanh(ib_graph *g, ib_tensor *x);
ib_tensor *ib_softmax(ib_graph *g, ib_tensor *x); /* over the last dimension */

/* ---- windows, norms ------------------------------------------------------------------------------------------------ */
typedef struct ib_pool_opts {
    int kernel_h, kernel_w;
    int stride_h, stride_w; /* 0 means the kernel's size */
    int pad_h, pad_w;       /* average: padding counts as zeros */
} ib_pool_opts;
ib_tensor *ib_max_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts);
ib_tensor *ib_avg_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts);
ib_tensor *ib_global_avg_pool(ib_graph *g, ib_tensor *x); /* [N,C,H,W] -> [N,C,1,1] */

/* x [N,C] or [N,C,H,W]; gamma, beta, running_mean, running_var [C]. Training normalizes with the batch's mean and biased
 * variance and moves the running values by `momentum` (0 means 0.1; variance unbiased), as PyTorch does. eps 0 means 1e-5. */
ib_tensor *ib_batch_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *running_mean,
                         ib_tensor *running_var, float momentum, float eps);
/* over the last dimension K; gamma, beta [K]; eps 0 means 1e-5 */
ib_tensor *ib_layer_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, float eps);
ib_tensor *ib_dropout(ib_graph *g, ib_tensor *x, float p); /* keeps with 1 - p and divides by it, in IB_TRAIN only */

/* ---- shapes and sums ------------------------------------------------------------------------------------------------ */
/* A first dimension of 0 means the input's (the batch). */
ib_tensor *ib_reshape(ib_graph *g, ib_tensor *x, int ndim, const int64_t *shape);
ib_tensor *ib_flatten(ib_graph *g, ib_tensor *x);                       /* [N,...] -> [N,K] */
ib_tensor *ib_concat(ib_graph *g, ib_tensor *const *x, int n, int axis); /* 2 to 8 inputs, axis 1 or more */
ib_tensor *ib_sum(ib_graph *g, ib_tensor *x);                           /* -> [1] */
ib_tensor *ib_mean(ib_graph *g, ib_tensor *x);                          /* -> [1] */

/* ---- losses, the mean over the batch, [1] ---------------------------------------------------------------------------- */
/* logits [N,O], labels[N] in [0, O), read until the next begin; smoothing in [0, 1): targets (1-s) onehot + s/O. */
ib_tensor *ib_cross_entropy(ib_graph *g, ib_tensor *logits, const int32_t *labels, float smoothing);
ib_tensor *ib_mse(ib_graph *g, ib_tensor *a, ib_tensor *b);

/* ---- simulated quantization, straight-through gradients --------------------------------------------------------------- */
/* (clamp(rne(x / scale) + zero, qmin, qmax) - zero) * scale; the gradient passes where nothing was clamped. */
ib_tensor *ib_fake_quantize(ib_graph *g, ib_tensor *x, float scale, int zero, int qmin, int qmax);
ib_tensor *ib_ste_round(ib_graph *g, ib_tensor *x);                     /* gradient 1 */
ib_tensor *ib_ste_clamp(ib_graph *g, ib_tensor *x, float lo, float hi); /* gradient 1 */

#ifdef __cplusplus
}
#endif
#endif
