/* finetune.c - the training loop. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "lm/samples/samples.h"
#include "lm/train/resume_state.h"

typedef struct run {
    ib_lm *m;
    ib_graph *g;
    const ib_samples *train, *eval;
    const ib_finetune_opts *o;
    ib_optim *opt;
    ib_schedule schedule;
    int64_t steps, rows_per_step, deploy_from;
    int64_t *order, epoch; /* rows of the epoch that `order` is for; -1: none yet */
    ib_ids ids, pos, first, target;
    ib_tally *tally; /* device memory: of the step or evaluation under way */
} run;

static ib_status open_tally(run *r)
{
    r->tally = r->g->dev->v.allocate(r->g->dev, sizeof *r->tally);
    return r->tally ? IB_OK : ib_error_status();
}

static void begin_tally(const run *r)
{
    r->g->dev->v.fill(r->g->dev, r->tally, 0, sizeof *r->tally);
}

/* The sum of the losses; waits for them. */
static double read_tally(const run *r)
{
    ib_tally sums;
    r->g->dev->v.download(r->g->dev, &sums, r->tally, sizeof sums);
    return sums.loss;
}

static int is_finite(const run *r, const float *x, int64_t n)
{
    begin_tally(r);
    r->g->dev->k.add_sum_sq(r->g->dev, x, n, &r->tally->loss);
    return isfinite(read_tally(r));
}

static void free_run(run *r)
{
    ib_ids *all[] = {&r->ids, &r->pos, &r->first, &r->target};
    for (int i = 0; i < 4; i++)
        ib_free_ids(all[i]);
    r->g->dev->v.release(r->g->dev, r->tally);
    ib_optim_free(r->opt);
    ib_free(r->order);
}

/* Fisher-Yates by seed and epoch alone. */
static int64_t row_at(run *r, int64_t i)
{
    const int64_t n = r->train->info.rows, epoch = i / n;
    if (epoch != r->epoch) {
        for (int64_t j = 0; j < n; j++)
            r->order[j] = j;
        for (int64_t j = n - 1; j > 0 && !r->o->no_shuffle; j--) {
            const int64_t k = ib_rng_below((ib_rng){r->o->seed, 7000 + (uint64_t)epoch}, (uint64_t)j,
                                           (uint32_t)(j + 1)),
                          t = r->order[j];
            r->order[j] = r->order[k];
            r->order[k] = t;
        }
        r->epoch = epoch;
    }
    return r->order[i % n];
}

/* Rows number from .. from + n of the run, one behind the other. */
static ib_status gather(run *r, const ib_samples *s, int64_t from, int64_t n, int in_order)
{
    ib_status status = IB_OK;
    r->ids.n = r->pos.n = r->first.n = r->target.n = 0;
    for (int64_t i = 0; i < n && !status; i++) {
        const ib_row row = ib_samples_row(s, in_order ? from + i : row_at(r, from + i));
        const int32_t base = (int32_t)r->ids.n;
        for (int64_t j = 0; j < row.n && !status; j++)
            status = ib_ids_append(&r->ids, row.ids[j]) || ib_ids_append(&r->pos, row.pos[j]) ||
                             ib_ids_append(&r->first, base + row.first[j]) || ib_ids_append(&r->target, row.target[j])
                         ? IB_ENOMEM
                         : IB_OK;
    }
    return status;
}

static ib_lm_batch batch_of(const run *r)
{
    return (ib_lm_batch){r->ids.n, r->ids.id, r->pos.id, r->first.id};
}

static ib_status evaluate(run *r, const ib_samples *s, double *nll)
{
    begin_tally(r);
    for (int64_t i = 0; i < s->info.rows; i++) {
        ib_status status = gather(r, s, i, 1, 1);
        if (status)
            return status;
        const ib_lm_batch b = batch_of(r);
        ib_graph_begin(r->g, IB_EVAL);
        ib_tensor *loss = ib_lm_loss(r->m, r->g, ib_lm_hidden(r->m, r->g, &b, 0), r->target.id, 1.0f, NULL);
        if (!loss)
            return ib_error_status();
        r->g->dev->k.add_loss(r->g->dev, ib_f32(loss), 1, r->tally);
    }
    *nll = read_tally(r) / (double)(s->info.trained ? s->info.trained : 1);
    return isfinite(*nll) ? IB_OK : ib_fail(IB_ENUMERIC, "the loss of the evaluation set is %g", *nll);
}

ib_status ib_finetune_eval(ib_lm *m, ib_graph *g, const ib_samples *s, double *nll)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(s);
    IB_NEED(nll);
    run r = {.m = m, .g = g};
    const ib_status status = open_tally(&r) ? ib_error_status() : evaluate(&r, s, nll);
    free_run(&r);
    return status;
}

/* Which block turned finite numbers into others; the batch of the failed pass is still gathered. */
static ib_status name_the_place(run *r, int64_t step, double loss)
{
    for (int i = 0; i < r->opt->n_slots; i++) {
        const ib_tensor *p = r->opt->slots[i].param;
        if (!is_finite(r, ib_f32(p), p->size))
            return ib_fail(IB_ENUMERIC, "step %lld: the loss is %g: parameter '%s' is not finite", (long long)step + 1,
                           loss, p->name);
    }
    const ib_lm_batch b = batch_of(r);
    ib_graph_begin(r->g, IB_EVAL);
    ib_block_run block = ib_lm_run(r->m, r->g, &b, NULL, 0);
    ib_tensor *x = block.pos ? ib_lm_embed(r->m, r->g, &b) : NULL;
    for (int i = 0; x && i < r->m->c.layers; i++) {
        block.layer = i;
        if ((x = ib_lm_block(r->g, &block, x)) && !is_finite(r, ib_f32(x), x->size))
            return ib_fail(IB_ENUMERIC, "step %lld: the loss is %g: layer %d gives numbers that are not finite",
                           (long long)step + 1, loss, i);
    }
    return ib_fail(IB_ENUMERIC, "step %lld: the loss is %g: the head gives numbers that are not finite",
                   (long long)step + 1, loss);
}

/* A backward pass that was refused: the place, where its loss is why. */
static ib_status no_gradients(run *r, int64_t step, ib_tensor *loss)
{
    float value = 0;
    if (ib_error_status() == IB_ENUMERIC && ib_loss_value(r->g, loss, &value) && !isfinite(value))
        return name_the_place(r, step, fabs(value)); /* without a NaN's sign */
    return ib_error_status();
}

static ib_status one_step(run *r, int64_t step, ib_finetune_step *info)
{
    const ib_finetune_opts *o = r->o;
    const int64_t batch = o->batch ? o->batch : 1, passes = r->rows_per_step / batch, first = step * r->rows_per_step;
    int64_t learned = 0;
    for (int64_t i = 0; i < r->rows_per_step; i++) {
        const ib_row row = ib_samples_row(r->train, row_at(r, first + i));
        for (int64_t j = 0; j < row.n; j++)
            learned += row.target[j] >= 0;
    }
    if (o->deploy && step >= r->deploy_from && ib_lm_deploy(r->m, r->g->dev, o->deploy))
        return ib_error_status();
    info->tokens = 0;
    begin_tally(r);
    for (int64_t p = 0; p < passes; p++) {
        ib_status status = gather(r, r->train, first + p * batch, batch, 0);
        if (status)
            return status;
        const ib_lm_batch b = batch_of(r);
        info->tokens += b.n;
        ib_graph_seed(r->g, o->seed, (uint64_t)(step * passes + p));
        ib_graph_begin(r->g, IB_TRAIN);
        ib_tensor *hidden = ib_lm_hidden(r->m, r->g, &b, o->checkpoint);
        ib_tensor *loss = ib_lm_loss(r->m, r->g, hidden, r->target.id, 1.0f / (float)learned, NULL);
        if (!loss)
            return ib_error_status();
        r->g->dev->k.add_loss(r->g->dev, ib_f32(loss), 1, r->tally);
        if ((status = ib_backward(r->g, loss)))
            return no_gradients(r, step, loss);
    }
    const double most = o->clip > 0 ? o->clip : INFINITY;
    if (o->progress) { /* else nobody asks for either, and nothing waits */
        info->loss = read_tally(r);
        info->grad_norm = ib_optim_clip(r->opt, most);
    } else if (ib_optim_limit(r->opt, most))
        info->grad_norm = -1;
    if (info->grad_norm < 0) {
        for (int i = 0; i < r->opt->n_slots; i++) {
            const ib_tensor *p = r->opt->slots[i].param;
            if (!is_finite(r, p->grad, p->size))
                return ib_fail(IB_ENUMERIC, "step %lld: the gradient of '%s' is not finite", (long long)step + 1,
                               p->name);
        }
        return ib_fail(IB_ENUMERIC, "step %lld: the gradient is not finite", (long long)step + 1);
    }
    info->lr = ib_schedule_lr(&r->schedule, step);
    const ib_status status = ib_optim_set_lr(r->opt, (float)info->lr);
    return status ? status : ib_optim_step(r->opt);
}

/* The state comes first: one without its adapter gives it again, an adapter alone cannot go on. */
static ib_status save(run *r, int64_t step)
{
    if (!r->o->out)
        return IB_OK;
    const int begins = !ib_state_exists(r->o->out);
    ib_status status = ib_state_save(r->o->out, r->m, r->opt, r->o->settings, step, r->steps);
    if (!status && r->m->adapted && (status = ib_lm_adapter_save(r->m, r->o->out, r->o->base)) && begins)
        ib_state_remove(r->o->out); /* nothing has begun in a folder that may not hold an adapter */
    return status;
}

static ib_status loop(run *r)
{
    const ib_finetune_opts *o = r->o;
    int64_t step = 0, failed_at = -1;
    ib_status status = IB_OK;
    if (o->out && o->resume && ib_state_exists(o->out)) {
        status = ib_state_load(o->out, r->opt, o->settings, r->steps, &step);
        if (!status && r->m->adapted) /* a kill may have come between the state and the adapter */
            status = ib_lm_adapter_save(r->m, o->out, o->base);
    } else if (o->out)
        status = save(r, 0); /* what the first failure goes back to; and an unwritable folder is told at once */
    while (step < r->steps && !status) {
        ib_finetune_step info = {.steps = r->steps};
        const int last = step + 1 == r->steps;
        info.saved = last || (o->save_every && (step + 1) % o->save_every == 0);
        status = one_step(r, step, &info);
        if (!status && info.saved) /* a device that computes late may not have said what it found */
            status = ib_optim_synchronize(r->opt);
        if (status)
            ib_optim_forget(r->opt);
        if (status == IB_ENUMERIC && o->out && failed_at != step) {
            failed_at = step;
            char why[300];
            ib_snprintf(why, sizeof why, "%s", ib_error());
            if ((status = ib_state_load(o->out, r->opt, o->settings, r->steps, &step)))
                break;
            ib_fail(IB_ENUMERIC, "%s", why);
            info.rolled_back = 1;
            info.saved = 0;
            info.step = step;
            if (o->progress && o->progress(o->user, &info))
                status = IB_ESTOPPED;
            continue;
        }
        if (status)
            break;
        step++;
        info.step = step;
        if (r->eval && (last || (o->eval_every && step % o->eval_every == 0))) {
            if (o->deploy && step > r->deploy_from) /* the adapter has moved since the weights were merged */
                status = ib_lm_deploy(r->m, r->g->dev, o->deploy);
            if (status || (status = evaluate(r, r->eval, &info.eval_nll)))
                break;
        }
        if (info.saved && (status = save(r, step)))
            break;
        if (o->progress && o->progress(o->user, &info) && !last) {
            if (!info.saved && (status = save(r, step)))
                break;
            status = ib_fail(IB_ESTOPPED, "stopped after step %lld of %lld", (long long)step, (long long)r->steps);
        }
    }
    return status;
}

static int64_t rows_of_a_step(const ib_finetune_opts *o)
{
    return (int64_t)(o->batch ? o->batch : 1) * (o->accumulate ? o->accumulate : 1);
}

static int64_t count_steps(const char *function, const ib_samples *train, const ib_finetune_opts *o)
{
    IB_TAKE_FOR(function, o->batch, o->batch >= 0 && o->batch <= 1 << 20, -1, "is %d", o->batch);
    IB_TAKE_FOR(function, o->accumulate, o->accumulate >= 0 && o->accumulate <= 1 << 20, -1, "is %d", o->accumulate);
    IB_TAKE_FOR(function, o->steps, o->steps >= 0, -1, "is %lld", (long long)o->steps);
    IB_TAKE_FOR(function, o->epochs, o->epochs >= 0 && isfinite(o->epochs), -1, "is %g", o->epochs);
    const double passes = o->epochs > 0 ? o->epochs : 1;
    const double steps = ceil(passes * (double)train->info.rows / (double)rows_of_a_step(o));
    IB_TAKE_FOR(function, o->epochs, o->steps || steps < 1e15, -1, "is %g: %g steps", o->epochs, steps);
    return o->steps ? o->steps : (int64_t)steps;
}

int64_t ib_finetune_steps(const ib_samples *train, const ib_finetune_opts *o)
{
    IB_NEED_OR(train, -1);
    IB_NEED_OR(o, -1);
    return count_steps(__func__, train, o);
}

ib_status ib_finetune(ib_lm *m, ib_graph *g, const ib_samples *train, const ib_samples *eval, const ib_finetune_opts *o)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(train);
    IB_NEED(o);
    const int64_t steps = count_steps(__func__, train, o);
    if (steps < 0)
        return ib_error_status();
    IB_TAKE(o->clip, o->clip >= 0, "is %g", o->clip);
    IB_TAKE(o->checkpoint, o->checkpoint >= 0 && o->checkpoint <= m->c.layers, "is %d of %d layers", o->checkpoint,
            m->c.layers);
    IB_TAKE(o->deploy_steps, o->deploy_steps >= 0, "is %lld", (long long)o->deploy_steps);
    IB_TAKE(o->save_every, o->save_every >= 0, "is %lld", (long long)o->save_every);
    IB_TAKE(o->eval_every, o->eval_every >= 0, "is %lld", (long long)o->eval_every);
    IB_TAKE(o->resume, !o->resume || o->out, "is %d without o->out", o->resume);
    if (o->deploy && !ib_storage_writable(o->deploy))
        return ib_error_status();
    if (!m->trainable)
        return ib_fail(IB_ESTATE, "nothing to train: the model has no adapter");
    run r = {.m = m, .g = g, .train = train, .eval = eval, .o = o, .epoch = -1, .steps = steps};
    r.rows_per_step = rows_of_a_step(o);
    r.deploy_from = r.steps - (o->deploy_steps ? o->deploy_steps : (r.steps + 4) / 5);
    r.schedule = o->schedule;
    r.schedule.total = r.steps;
    r.order = ib_alloc((size_t)train->info.rows * sizeof *r.order);
    r.opt = r.order && !open_tally(&r) ? ib_adamw_new(m->trainable, g->dev, &o->adamw) : NULL;
    ib_status status = r.opt ? loop(&r) : ib_error_status();
    if (o->deploy && status == IB_OK)
        status = ib_lm_deploy(m, g->dev, o->deploy);
    free_run(&r);
    return status;
}
