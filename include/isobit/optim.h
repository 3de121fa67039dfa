/* optim.h - from gradients to new values.
 *
 * An optimizer follows the trainable parameters of a network, also those that quantization adds later. A step uses the
 * gradients that backward passes have added up and then zeroes them. */
#ifndef ISOBIT_OPTIM_H
#define ISOBIT_OPTIM_H

#include <isobit/api.h>
#include <isobit/layer.h>

IB_BEGIN_API

typedef struct ib_optim ib_optim;

typedef struct ib_sgd_opts {
    float lr;       /* 0 means 0.01 */
    float momentum; /* Sutskever et al. 2013, in PyTorch's form v = mu v + g */
    float weight_decay;
    int nesterov;
} ib_sgd_opts;

typedef struct ib_adamw_opts {
    float lr;           /* 0 means 1e-3 */
    float beta1, beta2; /* 0 means 0.9, 0.999 */
    float eps;          /* 0 means 1e-8 */
    float weight_decay; /* decoupled: arXiv:1711.05101 */
    int bits8;          /* states of 4096 and more elements in 8 bits, blocks of 256 (arXiv:2110.02861) */
    int paged;          /* states in unlinked temporary files (TMPDIR) that the kernel can write out under memory
                           pressure; on devices whose memory is the host's */
} ib_adamw_opts;

/* Weight decay applies to parameters of two or more dimensions and PACT's clipping levels, not to biases, norms and
 * learned scales; opts may be NULL. Rates, decay and eps are finite and not negative, momentum and betas in [0, 1),
 * nesterov goes with momentum. The network and the device must outlive the optimizer; a step is refused while a
 * parameter lies elsewhere, where a graph of another device has used it (ib_to_device). */
ib_optim *ib_sgd_new(ib_layer *net, ib_device *dev, const ib_sgd_opts *opts);
ib_optim *ib_adamw_new(ib_layer *net, ib_device *dev, const ib_adamw_opts *opts);
void ib_optim_free(ib_optim *opt); /* NULL is fine */

/* Parameters whose name matches `pattern` (shell wildcards) learn at lr_factor times the rate and decay; the last
 * group that matches counts. At most 16 groups. A pattern must match a parameter that exists: groups of scales come
 * after quantization has begun. */
ib_status ib_optim_group(ib_optim *opt, const char *pattern, float lr_factor, float decay_factor);

/* A step is refused where a backward pass that has used one of its parameters was, since the last step, for its loss or
 * data were not finite, or where the gradients' norm was not (ib_optim_clip, ib_optim_limit): it changes no parameter,
 * is not counted in AdamW's corrections, and forgets its gradients. (Statistics of batch norms, which the forward pass
 * moves, it does not take back.) IB_ENUMERIC then; also, naming it, if a parameter is not finite after the step. A
 * device that computes late is not waited for: the first step that knows of it says it, this one or a later one, which
 * has been taken all the same; of several that nobody knew of the first. Parameters come to the same bits as on a CPU,
 * but where an operator itself fails: there a CPU has no loss and the rest of the step's gradients is taken, and what
 * computes late refuses the step. */
ib_status ib_optim_step(ib_optim *opt);
/* Waits for the steps taken so far, and says what they have found that nobody was told of. */
ib_status ib_optim_synchronize(ib_optim *opt);
/* Forgets the gradients, of learned scales too, and that a backward pass since the last step was refused. */
ib_status ib_optim_zero(ib_optim *opt);
ib_status ib_optim_set_lr(ib_optim *opt, float lr);
float ib_optim_lr(const ib_optim *opt);

/* Scales the gradients so that their joint 2-norm is at most max_norm; the norm before it, or -1 if it is not finite:
 * the step is refused then. Reading the norm waits for the device. */
double ib_optim_clip(ib_optim *opt, double max_norm);
/* The same for who does not ask for the norm, which waits for nothing. IB_ENUMERIC if it is not finite, which on a
 * device that computes late ib_optim_step says; the step is refused in either case. */
ib_status ib_optim_limit(ib_optim *opt, double max_norm);

/* ---- learning rate schedules ---- */
typedef enum ib_schedule_kind { IB_CONSTANT, IB_STEP, IB_COSINE, IB_LINEAR, IB_PLATEAU } ib_schedule_kind;

typedef struct ib_schedule {
    ib_schedule_kind kind;
    float lr;       /* the highest rate */
    int64_t total;  /* steps in all (cosine, linear: down to lr * final) */
    int64_t warmup; /* first steps, rising linearly */
    float final;    /* last rate as a share of lr */
    int64_t every;  /* step: lr *= gamma each `every` steps; plateau: after `every` reports without improvement */
    float gamma;    /* 0 means 0.1 */
    double best;    /* plateau: state, kept by ib_schedule_report */
    int64_t bad, drops;
} ib_schedule;

/* The rate of step 0, 1, ...; NaN and ib_error() for a schedule that is none: a negative rate, share, gamma or number
 * of steps, cosine and linear without total, step without every. */
float ib_schedule_lr(const ib_schedule *s, int64_t step);
/* Plateau: tells the schedule a loss (smaller is better), for example once an epoch. */
ib_status ib_schedule_report(ib_schedule *s, double loss);
/* "constant", "step", "cosine", "linear", "plateau"; IB_EINVAL for others. */
ib_status ib_schedule_parse(const char *name, ib_schedule_kind *out);

IB_END_API
#endif
