/* plan.h - a traced network, each operator with its integer form.
 *
 * Steps stand in the order of computation. Value 0 is the network's input, value i the result of steps[i - 1]; in the
 * phases learn and frozen every value is codes. */
#ifndef IB_QAT_PLAN_H
#define IB_QAT_PLAN_H

#include <isobit/qat.h>

#include "layers/layer.h"
#include "qat/observer.h"

typedef struct ib_step ib_step;

/* The integer form of an operator: a row of forms.def. */
typedef struct ib_form {
    const char *name;
    const ib_op *op;
    int own_scale; /* its result has its own quantizer; else the input's scale goes on */
    int fuses_act; /* a ReLU behind it becomes its clamp */
    /* 1 if the traced node can take this form */
    int (*accepts)(const ib_node *n);
    /* codes in, codes out */
    ib_tensor *(*run)(ib_graph *g, ib_step *s, ib_tensor **in);
} ib_form;

struct ib_step {
    const ib_form *form; /* NULL: fp32 between dequantize and quantize */
    const ib_op *op;
    char *name;
    void *attrs; /* copy of the traced node's */
    int n_in;
    int value[IB_MAX_INPUTS];       /* index of the value, or -1: a leaf */
    ib_tensor *leaf[IB_MAX_INPUTS]; /* parameters, borrowed; NULL where absent */
    /* batch norm folded into a product: NULL if none */
    ib_tensor *gamma, *beta, *mean, *var;
    float eps;
    ib_act act;
    int is_constant;  /* made of parameters and constants alone: fp32 in every phase, and no instruction */
    char *float_form; /* "float: <operator>" where there is no integer form, else NULL */
    int keep_float;   /* by rule: fp32 although there is an integer form */
    int has_out;
    ib_quantizer out;
    ib_observer observer;
    int live_channels, lost_channels; /* when the first scale was set, see ib_qat_layer */
    float lost_ratio;
    int only_zeros;
    ib_weight_attrs weight;
    ib_tensor *ln_scale; /* learned weight scales, [channels] or [1], else NULL */
};

typedef struct ib_plan {
    ib_layer *net;
    ib_qat_opts opts; /* strings owned */
    ib_phase phase;
    ib_step *steps;
    int n_steps;
    int result;                 /* value that the network returns */
    int result_float;           /* the last step gives fp32 (softmax, ...) */
    ib_step input;              /* only its quantizer and observer */
    ib_device *dev;             /* whose memory the states are; NULL: the host's */
    ib_quantizer_state *states; /* [1 + n_steps] of input and steps, theirs to point at */
    ib_tensor **constants;      /* owned: values that a layer made itself, of a batch of one */
    int n_constants;
} ib_plan;

static inline ib_plan *ib_plan_of(const ib_layer *net)
{
    return net->quantization.plan;
}

const ib_form *ib_form_for(const ib_node *n);
int ib_has_params(const ib_node *n); /* a batch norm's gamma and beta are parameters */
#define FORM(op, name, accepts, own_scale, fuses_act) extern const ib_form ib_form_##op;
#include "qat/forms.def"
#undef FORM
static inline int ib_is_product(const ib_step *s)
{
    return s->form == &ib_form_linear || s->form == &ib_form_conv2d || (s->form && s->form->op == &ib_op_batch_norm);
}

ib_plan *ib_plan_new(ib_layer *net, ib_graph *g, const ib_qat_opts *opts);
void ib_plan_free(void *plan);
/* Moves the quantizers' states into this device's memory; nothing is done if they lie there. */
ib_status ib_plan_place(ib_plan *p, ib_device *dev);

/* The network by its plan: fp32 with observers (calibrate), integers (learn and later). */
ib_tensor *ib_plan_forward(ib_layer *net, ib_graph *g, ib_tensor *x);

/* A step's quantizer, with the range that its observer has seen. */
ib_quantizer_state ib_step_state(const ib_plan *p, const ib_step *s);

/* Weight (and *bias) of a product with its batch norm folded in, on the tape. */
ib_tensor *ib_step_weight(ib_graph *g, const ib_step *s, ib_tensor **bias);

/* IB_EINVAL, naming `function`, if the batch's samples are not the network's inputs. */
ib_status ib_plan_check_batch(const ib_layer *net, const ib_batch *b, const char *function);
/* ---- structure (structure.c) ---- */
/* Traces one sample of zeros; the network's result, or NULL with ib_error(). */
ib_tensor *ib_plan_trace(ib_layer *net, ib_graph *g);
/* Whether n samples x take the operators, options, wires and constants of the trace that g holds and y ends; else
 * IB_EUNSUPPORTED, naming the layer. g stays as it is. */
ib_status ib_trace_check(ib_layer *net, const ib_graph *g, const ib_tensor *y, int64_t n, const float *x);
/* The same of the plan's trace, with numbers drawn at random. */
ib_status ib_trace_check_drawn(ib_layer *net, const ib_graph *g, const ib_tensor *y);

/* ---- constants (constants.c) ---- */
/* Sets from_data along the tape: what the network's input x takes part in. */
void ib_plan_mark_data(const ib_graph *g, ib_tensor *x);
/* The plan's copy of what input `input` of node `node` is; NULL with ib_error(). */
ib_tensor *ib_plan_keep_constant(ib_plan *p, const ib_graph *g, int node, int input);
/* A tensor of this step that holds one value everywhere. */
ib_tensor *ib_constant_filled(ib_graph *g, int ndim, const int64_t *shape, float value);
/* c in fp32, repeated to this shape */
ib_tensor *ib_constant_expanded(ib_graph *g, ib_tensor *c, int ndim, const int64_t *shape);
/* The same as codes of 8 bits, by its own range. */
ib_tensor *ib_constant_codes(ib_graph *g, ib_tensor *c, int ndim, const int64_t *shape, const ib_quantizer *like);
/* Whether c differs along x's channels only; and c as `shape` of so many values as x has channels. */
int ib_is_by_channel(const ib_tensor *c, const ib_tensor *x);
ib_tensor *ib_constant_by_channel(ib_graph *g, ib_tensor *c, const ib_tensor *x, int ndim, const int64_t *shape);

/* IB_EUNSUPPORTED naming the first layer that keeps the network from being an integer program, but a softmax at the
 * end; asked: by a rule counts too. */
ib_status ib_plan_check_forms(const ib_plan *p, int asked);
/* ib_qat_prepare for a network that was trained as it is: without that check. */
ib_status ib_qat_prepare_again(ib_layer *net, ib_graph *g, const ib_qat_opts *opts);

/* Puts a restored plan, whose scales were read from a file, into its phase. */
ib_status ib_plan_restore_phase(ib_layer *net, ib_phase phase);

/* Bits, range, observer and learned parameters of each step, from the options and rules. */
ib_status ib_plan_configure(ib_plan *p);
/* rules.c: those whose pattern is the step's name, the last one last; and whether each is of some step. */
ib_status ib_apply_rules(const ib_plan *p, ib_step *s, int *act_bits);
ib_status ib_check_rules(ib_plan *p);

#endif
