/* qat.h - training with the integers in the loop.
 *
 * A network goes through phases, in this order and no other:
 *
 *   IB_FLOAT      as built
 *   IB_CALIBRATE  ib_qat_prepare(): batch norms are folded, the forward is fp32, observers watch
 *   IB_LEARN      the forward is the integer program, the backward goes straight through; moving observers follow the
 *                 training batches, learned scales learn
 *   IB_FROZEN     scales stand still (weights may still learn)
 *   IB_EXPORTED   lowered to an integer program; nothing changes any more
 *
 * IB_LEARN may be left out: calibrate, then freeze, is static post-training quantization. Any other order is an error
 * (IB_ESTATE). Evaluation never moves an observer. Preparing needs no marks in the network: it traces one evaluation
 * and gives each operator it finds its integer form. What has none is refused then, by layer (a softmax at the end is
 * left to the caller), or runs in fp32 between a dequantize and a quantize if a rule "layer=float" asks for it, in a
 * network that becomes no integer program. What a layer makes itself, with ib_input() or of parameters alone, is a
 * constant in every phase and of the program; one that is not the same in each call is refused by name. */
#ifndef ISOBIT_QAT_H
#define ISOBIT_QAT_H

#include <isobit/api.h>
#include <isobit/data.h>

IB_BEGIN_API

typedef enum ib_phase { IB_FLOAT, IB_CALIBRATE, IB_LEARN, IB_FROZEN, IB_EXPORTED } ib_phase;

/* How an accumulator becomes a code: the rounding of the runtime that the model is for (runtime/isobit_rt.h).
 * IB_XNNPACK is IB_FP32_RNE but for additions. */
typedef enum ib_profile { IB_TFLITE_DOUBLE, IB_TFLITE_SINGLE, IB_FP32_RNE, IB_XNNPACK } ib_profile;

typedef enum ib_granularity { IB_PER_CHANNEL, IB_PER_TENSOR, IB_PER_GROUP } ib_granularity;

typedef struct ib_qat_opts {
    int weight_bits, act_bits;  /* 8, 4 or 2; 0 means 8 */
    int input_bits;             /* 0: act_bits */
    int output_bits;            /* of the network's results; 0 means 8 */
    ib_granularity granularity; /* of the weights' scales */
    int group_size;             /* with IB_PER_GROUP only: weights in a group, a multiple of 4; 0 means 32 */
    int symmetric;              /* activations with zero point 0 */
    ib_profile profile;
    /* Activation ranges, NULL means "auto" (ema at 8 bits, lsq below):
     *   minmax, ema          follow the training batches (ema: x += c (new - x), as torch)
     *   histogram, percentile, mse, kl   from the calibration batches; docs/quantization.md says what each may cut off:
     *                        never more than (100 - percentile) % of the values, no range of larger squared
     *                        error (histogram, mse) than the whole one, no value that a hundredth of them share (kl)
     *   lsq                  step size learned by gradient (arXiv:1902.08153), in ln(scale)
     *   pact                 clipping level learned after each ReLU (arXiv:1805.06085); elsewhere ema */
    const char *observer;
    /* Weight scales, NULL means "auto" (absmax at 8 bits, lsq below): absmax, mse (each step anew), lsq. */
    const char *weight_observer;
    float percentile;         /* 0 means 99.99 */
    float averaging_constant; /* c of ema's x += c (new - x), above 0 and at most 1; 0 means 0.01 */
    /* Exceptions, blank-separated "pattern=w8a8" or "pattern=float", shell wildcards over layer names, the last match
     * counts: "conv1*=w8a8 fc2=w8a8". NULL: none. */
    const char *rules;
    /* Dynamic quantization: linear layers get int8 weights, their inputs are quantized when they arrive (one scale a
     * row), everything else stays fp32. Needs no calibration and cannot be exported as an integer program. */
    int dynamic;
} ib_qat_opts;

/* "w4a8" and the like into weight_bits and act_bits. */
ib_status ib_qat_bits_parse(const char *text, ib_qat_opts *opts);
/* "tflite_double", "tflite_single", "fp32_rne", "xnnpack" */
ib_status ib_profile_parse(const char *text, ib_profile *out);
const char *ib_profile_name(ib_profile profile);
const char *ib_phase_name(ib_phase phase);
/* The rounding of another runtime from here on, with the scales and weights that there are: a result may move by one
 * step. IB_ESTATE in IB_FLOAT and IB_EXPORTED. */
ib_status ib_qat_set_profile(ib_layer *net, ib_profile profile);

/* IB_FLOAT -> IB_CALIBRATE; IB_EUNSUPPORTED: a layer that has no integer form, one whose operators, options, wires or
 * constants are not the same for zeros and for numbers drawn at random, since a program has one structure, or one that
 * goes to another device (ib_to_device): networks on several devices, one behind the other on a tape, are prepared each
 * on a graph of its device. Needs ib_layer_init() and ib_layer_set_input(); the graph is used for the trace. */
ib_status ib_qat_prepare(ib_layer *net, ib_graph *g, const ib_qat_opts *opts);
/* What ib_qat_prepare() would answer, the network staying as it is: options and rules can be asked before a long
 * training. */
ib_status ib_qat_check(ib_layer *net, ib_graph *g, const ib_qat_opts *opts);
/* Shows up to `batches` batches (0: all) to the observers. IB_EUNSUPPORTED: the first batch takes other operators
 * through a layer than ib_qat_prepare() saw; what a layer does with the batches behind it is not asked again. */
ib_status ib_qat_calibrate(ib_layer *net, ib_graph *g, ib_loader *loader, int64_t batches);
/* Moves on to `phase`. From IB_CALIBRATE this fixes the first scales, all on the graph's device; nothing seen yet is an
 * error. */
ib_status ib_qat_set_phase(ib_layer *net, ib_graph *g, ib_phase phase);
ib_phase ib_qat_phase(const ib_layer *net);
/* The three calls above in one, up to IB_LEARN, with 10 batches. */
ib_status ib_qat_begin(ib_layer *net, ib_graph *g, ib_loader *loader, const ib_qat_opts *opts);

/* Moves the statistics of folded batch norms towards those that the integer layers now see, over `batches` batches, in
 * IB_LEARN. On request, between epochs. */
ib_status ib_qat_reestimate_bn(ib_layer *net, ib_graph *g, ib_loader *loader, int64_t batches);

/* The quantized layers, for inspection; NULL strings and 0 for what does not apply. */
typedef struct ib_qat_layer {
    const char *name; /* layer path */
    const char *form; /* "conv2d", "add", ..., or "float: softmax" */
    const char *observer;
    int weight_bits, act_bits;
    float scale;
    int zero_point;
    /* Of what calibration showed (0 in a network from a file): the channels that are not all 0; how many of them lie
     * within half a step of 0 and so have one code only; how many times their largest magnitude the layer's is, 0 if
     * none is lost. */
    int channels, lost_channels;
    float lost_ratio;
    int only_zeros; /* calibration showed nothing but 0, of which no scale follows: it is 1 */
} ib_qat_layer;
int ib_qat_layer_count(const ib_layer *net);
ib_qat_layer ib_qat_layer_at(const ib_layer *net, int i);
/* After an IB_TRACE forward: the real values behind the codes of one layer's results, *n of them, yours to
 * ib_free(); NULL if no layer of that name ran. */
float *ib_trace_output(ib_graph *g, const char *layer, int64_t *n);
/* The weights of one layer that is a product of codes, likewise, with the batch norm behind it folded in and in steps
 * of their scales: the code is the nearest whole number from -*most to *most, what lies beyond by more than half a
 * step is clipped. */
float *ib_trace_weights(ib_graph *g, const char *layer, int64_t *n, int *most);
/* The quantized layers in fp32, batch norms folded and activations applied: what their codes stand for before rounding
 * and clipping. x [N,C,H,W] as ib_layer_forward() takes it, in IB_EVAL or, for ib_trace_output() of real values,
 * IB_TRACE. IB_ESTATE in IB_FLOAT. */
ib_tensor *ib_qat_forward_real(ib_graph *g, ib_layer *net, ib_tensor *x);

IB_END_API
#endif
