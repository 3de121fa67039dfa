/* graph.h - the tape: operators that compute at once and remember how to differentiate.
 *
 *     ib_graph_begin(g, IB_TRAIN);
 *     ib_tensor *loss = ib_cross_entropy(g, ib_linear(g, x, w, b), labels, 0.0f);
 *     ib_backward(g, loss);          // adds to ib_tensor_grad(w) and ib_tensor_grad(b)
 *
 * What an operator returns belongs to the graph and is valid until the next ib_graph_begin() or ib_graph_free(). A
 * result of an earlier step, or of another graph, is refused wherever it is used (IB_ESTATE; what is older than three
 * steps may be taken for one of this). An operator that cannot be applied returns NULL with ib_error() set, and NULL
 * inputs give NULL, so an expression needs one check at its end: ib_error() is then about the first failure. Tensors
 * that live by themselves may be used in several graphs, one thread at a time. After the first steps a loop of equal
 * shapes allocates nothing.
 *
 * Letters in shapes: N batch, C channels, H height, W width, K inputs, O outputs. */
#ifndef ISOBIT_GRAPH_H
#define ISOBIT_GRAPH_H

#include <isobit/api.h>
#include <isobit/device.h>
#include <isobit/matrix.h>
#include <isobit/tensor.h>
#include <stdio.h>

IB_BEGIN_API

typedef struct ib_graph ib_graph;

typedef enum ib_mode {
    IB_EVAL,  /* no tape: nothing is kept for a backward pass */
    IB_TRAIN, /* tape; dropout drops, batch norm uses and updates batch statistics, observers move */
    IB_TRACE  /* evaluation that records which operators ran (used by ib_qat_prepare) */
} ib_mode;

ib_graph *ib_graph_new(ib_device *dev); /* dev must outlive the graph */
void ib_graph_free(ib_graph *g);        /* NULL is fine; its results are gone */

/* Forgets all results and starts a step. */
ib_status ib_graph_begin(ib_graph *g, ib_mode mode);

/* Dropout masks of step number `step` under `seed`; every IB_TRAIN step then counts `step` up. */
ib_status ib_graph_seed(ib_graph *g, uint64_t seed, uint64_t step);

/* Bytes that the current step's results, gradients and saved values take. */
size_t ib_graph_bytes(const ib_graph *g);
/* After a forward pass: the part that it keeps for the backward pass and that grows with the batch: results, codes,
 * masks, statistics, and the batch where a gradient reads it; not weights and what is made of weights alone. */
size_t ib_graph_saved_bytes(const ib_graph *g);
ib_device *ib_graph_device(const ib_graph *g);

/* Runs the tape backwards from `loss`, a tensor of one element that is a result of this step. Gradients of leaves are
 * added to what they hold, so that several losses on one tape, one call each, add up as their sum would; gradients of
 * results are those of the last call. IB_ENUMERIC, naming the step and the value, if the loss or a value of an
 * ib_input() of this step is not finite: there are no gradients then, and the next steps of optimizers of what this
 * step has used are refused, too. A device that computes late is not waited for: ib_loss_value or the optimizer says it
 * then, and gradients of what no optimizer follows may be left NaN. */
ib_status ib_backward(ib_graph *g, ib_tensor *loss);
/* Reads a loss, which waits for the device: *value, and IB_ENUMERIC where ib_backward would say so. Of both:
 * IB_ESTATE for a tensor that lives by itself, and for a view of one that was moved (see ib_to_device()). */
ib_status ib_loss_value(ib_graph *g, ib_tensor *loss, float *value);

/* Waits for all that this step has begun, and says what kernels have found in it: IB_OK, or the first failure of an
 * operator (IB_ENUMERIC, ...), with its name and its layer's, as ib_error(). On a CPU each operator is done when it
 * returns and has failed itself; a device that computes late may return a tensor there, and says it here, in a later
 * operator, or when a number is read, in the same words. The failure stands until the next ib_graph_begin(); that of
 * the device itself (memory, a kernel that cannot run) stands for good, and is said with no operator's name if none was
 * applied in this step. Of a loss or data that are not finite ib_loss_value() and ib_backward() tell. */
ib_status ib_graph_synchronize(ib_graph *g);

/* Name of the operator that made t, "softmax", on a tape (IB_TRAIN, IB_TRACE) and seen through changes of shape; ""
 * for an input. */
const char *ib_tensor_made_by(const ib_graph *g, const ib_tensor *t);

/* What stands on the tape (IB_TRAIN, IB_TRACE), a line an operator: number, name, layer, shape and bytes of the result,
 * inputs, of codes width, scale and zero point, and the bytes that it keeps for backward: result, options, and what it
 * saved; at the end their sum. For a debugger: call ib_graph_print(g, stderr). */
ib_status ib_graph_print(const ib_graph *g, FILE *to);
/* The same as a picture in Graphviz's language: dot -Tsvg FILE -o tape.svg */
ib_status ib_graph_dot(const ib_graph *g, const char *path);

/* Copies `data` into a tensor of the graph, on the graph's device: an input without gradient. Its values should be
 * finite: where one is not, the results of one element (losses) that it has a part in are NaN, as ReLU and pooling
 * might hide it. */
ib_tensor *ib_input(ib_graph *g, int ndim, const int64_t *shape, const float *data);

/* A copy of x, a result of fp32, on another device; what is applied to it is computed there, and its gradient comes
 * back. x itself where it lies there already. An operator is computed where its inputs that are results lie; one on
 * parameters alone where this step has used one of them; else, and without inputs, where the layer's or segment's
 * input lies in which it is applied, and outside of them on the graph's own device, whatever was computed last. Waits
 * for the device that x comes from; such a step's ib_backward waits for its loss. Refused: a parameter used on two
 * devices in one step. An optimizer is of one device and refuses parameters elsewhere, so that each device wants a
 * network and an optimizer of its own; ib_train and ib_evaluate have one, and want the network's result on the
 * graph's device. A parameter that another graph has moved since this step used it is missed: its views, whoever
 * reads them, and ib_backward are refused (IB_ESTATE). A network that crosses devices has no integer form, which
 * ib_qat_prepare says; networks in integers, each on its device, may follow each other across.
 * examples/10_two_devices.c trains across. At most 8 devices a graph; dev must outlive it. */
ib_tensor *ib_to_device(ib_graph *g, ib_tensor *x, ib_device *dev);

/* ---- products -------------------------------------------------------------------------------------------------- */
ib_tensor *ib_matmul(ib_graph *g, ib_tensor *a, ib_tensor *b);               /* [M,K] x [K,N] -> [M,N] */
ib_tensor *ib_linear(ib_graph *g, ib_tensor *x, ib_tensor *w, ib_tensor *b); /* [N,K] x [O,K]' + [O] or NULL */

typedef struct ib_conv_opts {
    int stride_h, stride_w; /* 0 means 1 */
    int pad_h, pad_w;
    int groups; /* 0 means 1; = C with as many outputs is depthwise */
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

/* ---- windows, norms ---- */
typedef struct ib_pool_opts {
    int kernel_h, kernel_w;
    int stride_h, stride_w; /* 0 means the kernel's size */
    int pad_h, pad_w;       /* average: padding counts as zeros */
} ib_pool_opts;
ib_tensor *ib_max_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts);
ib_tensor *ib_avg_pool(ib_graph *g, ib_tensor *x, const ib_pool_opts *opts);
ib_tensor *ib_global_avg_pool(ib_graph *g, ib_tensor *x); /* [N,C,H,W] -> [N,C,1,1] */

/* x [N,C] or [N,C,H,W]; gamma, beta, running_mean, running_var [C]. Training normalizes with the batch's mean and
 * biased variance and moves the running values by `momentum` (0 means 0.1; variance unbiased), as PyTorch does. eps
 * 0 means 1e-5. */
ib_tensor *ib_batch_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *running_mean,
                         ib_tensor *running_var, float momentum, float eps);
/* relu(batch_norm(x)) in one pass */
ib_tensor *ib_batch_norm_relu(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, ib_tensor *running_mean,
                              ib_tensor *running_var, float momentum, float eps);
/* over the last dimension K; gamma, beta [K]; eps 0 means 1e-5 */
ib_tensor *ib_layer_norm(ib_graph *g, ib_tensor *x, ib_tensor *gamma, ib_tensor *beta, float eps);
ib_tensor *ib_dropout(ib_graph *g, ib_tensor *x, float p); /* keeps with 1 - p and divides by it, in IB_TRAIN only */

/* ---- shapes and sums ---- */
/* A first dimension of 0 means the input's (the batch). */
ib_tensor *ib_reshape(ib_graph *g, ib_tensor *x, int ndim, const int64_t *shape);
ib_tensor *ib_flatten(ib_graph *g, ib_tensor *x);     /* [N,...] -> [N,K] */
ib_tensor *ib_flatten_hwc(ib_graph *g, ib_tensor *x); /* the same of [N,C,H,W] in the order H,W,C, as of images whose
                                                         channels lie last */
ib_tensor *ib_concat(ib_graph *g, ib_tensor *const *x, int n, int axis); /* 2 to 8 inputs, axis 1 or more */
ib_tensor *ib_sum(ib_graph *g, ib_tensor *x);                            /* -> [1] */
ib_tensor *ib_mean(ib_graph *g, ib_tensor *x);                           /* -> [1] */

/* ---- losses, the mean over the batch, [1] ---- */
/* logits [N,O], labels[N] in [0, O); smoothing in [0, 1): targets (1-s) onehot + s/O. */
ib_tensor *ib_cross_entropy(ib_graph *g, ib_tensor *logits, const int32_t *labels, float smoothing);
/* The same with weights[O], 0 or more, of the classes: the sum over samples of -sum_j w_j t_j log p_j, divided by the
 * sum of the weights of their labels, as torch.nn.CrossEntropyLoss(weight, label_smoothing) with reduction "mean" has
 * it. */
ib_tensor *ib_weighted_cross_entropy(ib_graph *g, ib_tensor *logits, const int32_t *labels, const float *weights,
                                     float smoothing);
/* Over all elements. */
ib_tensor *ib_mse(ib_graph *g, ib_tensor *a, ib_tensor *b);

/* ---- simulated quantization, straight-through gradients ---- */
/* (clamp(rne(x / scale) + zero, qmin, qmax) - zero) * scale; the gradient passes where nothing was clamped. */
ib_tensor *ib_fake_quantize(ib_graph *g, ib_tensor *x, float scale, int zero, int qmin, int qmax);
ib_tensor *ib_ste_round(ib_graph *g, ib_tensor *x);                     /* gradient 1 */
ib_tensor *ib_ste_clamp(ib_graph *g, ib_tensor *x, float lo, float hi); /* gradient 1 */

/* ---- decoders: T tokens in rows, several sequences one behind the other ----
 * Pointers in options (ids, positions, targets, matrices) must stay valid until the backward pass is over. */
ib_tensor *ib_embedding(ib_graph *g, ib_tensor *table, const int32_t *ids, int64_t n, float scale); /* [V,D] -> [n,D] */
ib_tensor *ib_embedding_frozen(ib_graph *g, const ib_matrix *table, const int32_t *ids, int64_t n, float scale);

/* x / sqrt(mean x^2 + eps) w over groups of w's size: whole rows, or each head of a row (arXiv:1910.07467) */
ib_tensor *ib_rms_norm(ib_graph *g, ib_tensor *x, ib_tensor *w, float eps);

/* Rotary positions (arXiv:2104.09864): in each head pairs (2i, 2i+1), or (i, i + rotated/2), turn by the row's
 * angles. */
typedef struct ib_rope_opts {
    int heads, dim, rotated;
    int pairs;
    const int32_t *pos; /* [T] */
    ib_tensor *table;   /* [positions,rotated]: cosine and sine of each pair; takes no gradient */
} ib_rope_opts;
ib_tensor *ib_rope(ib_graph *g, ib_tensor *x, const ib_rope_opts *opts);

/* f(gate) up; kind 0: SiLU, 1: GELU in its tanh form, 2: GELU x Phi(x), 3: ReLU */
ib_tensor *ib_glu(ib_graph *g, ib_tensor *gate, ib_tensor *up, int kind);
/* f(x) alone */
ib_tensor *ib_activation(ib_graph *g, ib_tensor *x, int kind);
/* cap tanh(x / cap) */
ib_tensor *ib_soft_cap(ib_graph *g, ib_tensor *x, float cap);

/* Grouped-query attention. Row i looks at rows max(first[i], i - window + 1) .. i. A score s = scale q k becomes
 * cap tanh(s / cap) where there is a cap (Gemma 2, arXiv:2408.00118), then less slope times the distance of the rows
 * (ALiBi, arXiv:2108.12409: of heads that are a power of two, slope h is 2^(-alibi (h + 1) / heads)). */
typedef struct ib_attention_opts {
    int heads, groups, dim; /* q [T, heads dim]; k, v [T, groups dim]; dim at most 256 */
    float scale;
    int64_t window;       /* 0: unlimited */
    const int32_t *first; /* [T] */
    int keep;             /* a segment may remember the result */
    float cap, alibi;     /* 0: none */
} ib_attention_opts;
ib_tensor *ib_causal_attention(ib_graph *g, ib_tensor *q, ib_tensor *k, ib_tensor *v, const ib_attention_opts *opts);

/* y = x W' + bias with a frozen W [O,K] in any storage format, decoded tile by tile in both directions. bias may be
 * NULL. */
ib_tensor *ib_frozen_linear(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias);

/* y = c (x W' + scale drop(x) A' B') + bias: LoRA; c = m / ||W + scale B A|| of each row where m is given (DoRA). */
typedef struct ib_lora_opts {
    ib_tensor *a, *b; /* [r,K], [O,r]; both NULL: no adapter */
    ib_tensor *m;     /* [O] or NULL */
    float scale;      /* alpha / r, or alpha / sqrt r (rsLoRA) */
    float dropout;
    const ib_matrix *merged; /* requantized merge of W and the adapter: the forward runs on it, the gradient goes
                                through */
    int keep;                /* a segment may remember y; on a device of bfloat16 products y is rounded to bfloat16 */
    int no_output;           /* y is not wanted, only what the backward pass needs (ignored with m) */
    int integer;             /* x W' in integers: x's rows as codes of 8 bits, where W's format and length of rows have
                                such products (lm.h, ib_lm_set_path), else as ever; not in training */
} ib_lora_opts;
ib_tensor *ib_lora_linear(ib_graph *g, ib_tensor *x, const ib_matrix *w, ib_tensor *bias, const ib_lora_opts *opts);

/* scale * sum over rows with a target of -log softmax(x W')[target]; target -1: none. W is `head`, frozen [V,D], or the
 * trained tensor w. nll (may be NULL) [T] receives each row's loss. Logits live for 256 rows at a time. */
ib_tensor *ib_language_loss(ib_graph *g, ib_tensor *x, const ib_matrix *head, ib_tensor *w, const int32_t *target,
                            float scale, float *nll);

/* y = run(g, context, x), of x's shape and on its device, keeping x alone: `run` runs again in the backward pass. It
 * must do the same each time, and return what an operator that it applies has made; context must live until then. It
 * may cross to other devices (ib_to_device()) and back, and is refused where it ends elsewhere. `remember`: results
 * of operators with `keep` set are kept too and not computed again. */
typedef ib_tensor *(*ib_segment_fn)(ib_graph *g, void *context, ib_tensor *x);
ib_tensor *ib_checkpoint_segment(ib_graph *g, ib_segment_fn run, void *context, int remember, ib_tensor *x);

IB_END_API
#endif
