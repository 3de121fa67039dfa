/* step.c - one step of a training: a batch forward, its loss backward, the optimizer. */
#include <math.h>

#include "autograd/op.h"
#include "optim/optim.h"
#include "train/loop.h"

static ib_tensor *loss_of(const ib_train_run *r, ib_tensor *y, const ib_batch *b)
{
    const ib_train_opts *o = r->o;
    if (b->targets)
        return ib_mse(r->g, y, ib_input(r->g, 2, (int64_t[]){b->n, b->n_targets}, b->targets));
    return o->class_weights ? ib_weighted_cross_entropy(r->g, y, b->y, o->class_weights, o->smoothing)
                            : ib_cross_entropy(r->g, y, b->y, o->smoothing);
}

/* Behind it stands the checkpoint's path. */
static const char *what_is_left(const ib_train_run *r)
{
    return !r->o->out                        ? "nothing was written"
           : r->t->at.epoch || r->first_step ? "the last good checkpoint is "
                                             : "no epoch was finished, so nothing was written to ";
}

static ib_status not_finite(const ib_train_run *r, const char *what, double value)
{
    const ib_checkpoint *c = &r->t->at;
    return ib_fail(IB_ENUMERIC, "epoch %lld, step %lld: the %s is %g: training stops; %s%s", (long long)c->epoch + 1,
                   (long long)c->step + 1, what, value, what_is_left(r), r->o->out ? r->o->out : "");
}

ib_status ib_train_settle(ib_train_run *r)
{
    ib_train_read_tally(r, 1);
    if (!ib_optim_synchronize(r->opt))
        return IB_OK;
    return ib_fail(ib_error_status(), "epoch %lld: %s: training stops; %s%s", (long long)r->t->at.epoch + 1, ib_error(),
                   what_is_left(r), r->o->out ? r->o->out : "");
}

/* The rate of this step: each schedule counts its own. */
static ib_status set_rate(ib_train_run *r)
{
    const int quantized = ib_train_in_integers(r);
    const int64_t before = quantized ? r->o->qat_from * ib_loader_batches(r->fit) : 0;
    const float lr = ib_schedule_lr(&r->schedule[quantized], r->t->at.total_steps - before);
    return isnan(lr) ? ib_error_status() : ib_optim_set_lr(r->opt, lr);
}

/* A step that has no gradients: its loss, where that is why. */
static ib_status refused(ib_train_run *r, ib_tensor *loss)
{
    float value = 0;
    ib_optim_forget(r->opt); /* the training ends: its optimizer's next step is another */
    if (ib_error_status() == IB_ENUMERIC && ib_loss_value(r->g, loss, &value) && !isfinite(value))
        return not_finite(r, "loss", value);
    return ib_error_status();
}

/* What was right, as far as it is counted; labels are those of b on the device. */
static void count(ib_train_run *r, const ib_tensor *loss, const ib_tensor *y, const int32_t *labels)
{
    K(r->g)->add_loss(r->g->dev, ib_f32(loss), 1, r->tally);
    if (labels)
        K(r->g)->count_right(r->g->dev, ib_f32(y), y->shape[0], y->shape[1], labels, r->tally);
}

ib_status ib_train_step(ib_train_run *r, const ib_batch *b)
{
    ib_checkpoint *c = &r->t->at;
    const int32_t *labels = NULL;
    if (set_rate(r))
        return ib_error_status();
    ib_graph_seed(r->g, c->seed, (uint64_t)c->total_steps);
    ib_graph_begin(r->g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(r->g, r->net, ib_input(r->g, 4, b->shape, b->x));
    ib_tensor *loss = y && !ib_check_at_home(r->g, y) ? loss_of(r, y, b) : NULL;
    if (!loss)
        return ib_error_status();
    if (b->y && c->right >= 0 && !(labels = ib_graph_uploaded(r->g, b->y, (size_t)b->n * sizeof *labels)))
        return ib_error_status();
    if (ib_backward(r->g, loss))
        return refused(r, loss);
    if (ib_optim_limit(r->opt, r->o->clip > 0 ? r->o->clip : 1e300)) { /* all gradients, before the step */
        ib_optim_forget(r->opt);
        return ib_error_status() == IB_ENUMERIC ? not_finite(r, "gradient's norm", INFINITY) : ib_error_status();
    }
    count(r, loss, y, labels); /* before the optimizer ends the step */
    if (ib_optim_step(r->opt))
        return ib_error_status();
    c->total_steps++;
    c->step++;
    return IB_OK;
}
