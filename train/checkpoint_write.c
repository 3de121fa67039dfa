/* checkpoint_write.c - see checkpoint.h */
#include "train/checkpoint.h"

#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "data/tables/schema_hdf5.h"
#include "layers/wired.h"
#include "optim/optim.h"
#include "qat/plan.h"

static int write_header(hid_t f, const ib_layer *net, const ib_checkpoint *c)
{
    const ib_input_info *in = &net->input;
    const int version = IB_CHECKPOINT_VERSION, phase = (int)ib_qat_phase(net),
              input[] = {in->c, in->h, in->w, in->classes, in->raw_max};
    const float norm[] = {in->mean, in->std};
    const int64_t place[] = {c->epoch, c->step, c->total_steps};
    const double best[] = {c->best, c->loss_sum};
    return ib_h5_set_text(f, "format", "isobit checkpoint") || ib_h5_set(f, "version", H5T_NATIVE_INT, 1, &version) ||
           ib_h5_set_text(f, "model", c->model) || ib_h5_set_text(f, "notes", c->notes) ||
           ib_h5_set(f, "seed", H5T_NATIVE_UINT64, 1, &c->seed) || ib_h5_set(f, "place", H5T_NATIVE_INT64, 3, place) ||
           ib_h5_set(f, "best", H5T_NATIVE_DOUBLE, 2, best) || ib_h5_set(f, "state", H5T_NATIVE_DOUBLE, 8, c->state) ||
           ib_h5_set(f, "phase", H5T_NATIVE_INT, 1, &phase) || ib_h5_set(f, "input", H5T_NATIVE_INT, 5, input) ||
           ib_h5_set(f, "normalization", H5T_NATIVE_FLOAT, 2, norm) ||
           (net->text &&
            ib_h5_write(f, "network", H5T_NATIVE_CHAR, 1, (int64_t[]){(int64_t)strlen(net->text)}, net->text)) ||
           ib_schema_write(f, net->schema) || (strlen(c->data) && ib_h5_set_text(f, "data", c->data)) ||
           (c->n_history &&
            ib_h5_write(f, "history", H5T_NATIVE_FLOAT, 2, (int64_t[]){c->n_history, IB_HISTORY}, c->history)) ||
           (c->n_history && c->measures &&
            ib_h5_write(f, "measures", H5T_NATIVE_FLOAT, 2, (int64_t[]){c->n_history, IB_MEASURES}, c->measures)) ||
           (c->step && ib_h5_set(f, "right", H5T_NATIVE_INT64, 1, &c->right));
}

static int write_params(hid_t f, const ib_layer *net)
{
    const hid_t g = ib_h5_group(f, "params");
    int failed = g < 0;
    for (int i = 0; i < net->n_all && !failed; i++) {
        const ib_tensor *t = net->all[i]->t;
        void *copy;
        const void *values = ib_tensor_look(t, &copy);
        failed = !values || ib_h5_write(g, ib_tensor_name(t), H5T_NATIVE_FLOAT, t->ndim, t->shape, values);
        ib_free(copy);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

/* Codes and their scales as bytes, else the reals that they are. */
static int write_state(hid_t group, const ib_optim *o, const ib_optim_slot *s, int i)
{
    void *copy;
    const int64_t bytes = (int64_t)ib_optim_state_bytes(o, s);
    const void *state = ib_optim_state_read(o, s, i, &copy);
    const int failed =
        !state || ib_h5_write(group, i ? "state1" : "state0", o->cls->bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT, 1,
                              o->cls->bytes ? &bytes : &s->param->size, state);
    ib_free(copy);
    return failed;
}

static int write_optim(hid_t f, const ib_optim *o)
{
    const hid_t g = ib_h5_group(f, "optim");
    int failed = g < 0 || ib_h5_set_text(g, "kind", o->cls->name);
    for (int i = 0; i < o->n_slots && !failed; i++) {
        const ib_optim_slot *s = &o->slots[i];
        const int64_t taken = ib_optim_taken(o, s);
        const hid_t p = ib_h5_group(g, ib_tensor_name(s->param));
        failed = p < 0 || ib_h5_set(p, "t", H5T_NATIVE_INT64, 1, &taken);
        for (int j = 0; j < o->cls->n_states && !failed; j++)
            failed = write_state(p, o, s, j);
        if (p >= 0)
            H5Gclose(p);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int write_step(hid_t g, const ib_plan *p, const ib_step *s)
{
    const ib_quantizer_state state = ib_step_state(p, s);
    const hid_t q = ib_h5_group(g, s->name);
    const float range[] = {state.lo, state.hi, state.scale};
    const int64_t count[] = {state.count, state.zero};
    const int failed =
        q < 0 || ib_h5_set(q, "range", H5T_NATIVE_FLOAT, 3, range) || ib_h5_set(q, "count", H5T_NATIVE_INT64, 2, count);
    if (q >= 0)
        H5Gclose(q);
    return failed;
}

static int write_qat(hid_t f, const ib_plan *p)
{
    const ib_qat_opts *o = &p->opts;
    const int numbers[] = {o->weight_bits, o->act_bits,  o->input_bits,   o->output_bits, (int)o->granularity,
                           o->group_size,  o->symmetric, (int)o->profile, o->dynamic};
    const hid_t g = ib_h5_group(f, "qat");
    int failed = g < 0 || ib_h5_set(g, "options", H5T_NATIVE_INT, 9, numbers) ||
                 ib_h5_set(g, "percentile", H5T_NATIVE_FLOAT, 1, &o->percentile) ||
                 ib_h5_set_text(g, "observer", o->observer) ||
                 ib_h5_set_text(g, "weight_observer", o->weight_observer) || ib_h5_set_text(g, "rules", o->rules) ||
                 write_step(g, p, &p->input) ||
                 (o->averaging_constant > 0 &&
                  ib_h5_set(g, IB_CHECKPOINT_AVERAGING, H5T_NATIVE_FLOAT, 1, &o->averaging_constant));
    for (int i = 0; i < p->n_steps && !failed; i++)
        failed = p->steps[i].has_out ? write_step(g, p, &p->steps[i]) : 0;
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

ib_status ib_checkpoint_save(const char *path, const ib_layer *net, const ib_optim *opt, const ib_checkpoint *c)
{
    IB_NEED(path);
    IB_NEED(net);
    IB_NEED(c);
    IB_TAKE(opt, !opt || opt->net == net, "is %s", "of another network");
    IB_TAKE(c->model, memchr(c->model, 0, sizeof c->model), "has no 0 within its %zu bytes", sizeof c->model);
    IB_TAKE(c->notes, memchr(c->notes, 0, sizeof c->notes), "has no 0 within its %zu bytes", sizeof c->notes);
    IB_TAKE(c->data, memchr(c->data, 0, sizeof c->data), "has no 0 within its %zu bytes", sizeof c->data);
    IB_TAKE(c->n_history, c->n_history >= 0, "is %lld", (long long)c->n_history);
    IB_TAKE(c->history, c->history || !c->n_history, "is NULL, but n_history is %lld", (long long)c->n_history);
    const hid_t f = ib_h5_create();
    if (f < 0)
        return ib_error_status();
    if (write_header(f, net, c) || write_params(f, net) || (opt && write_optim(f, opt)) ||
        (net->quantization.plan && write_qat(f, ib_plan_of(net)))) {
        H5Fclose(f);
        ib_error_prefix("%s", path);
        return ib_error_status();
    }
    return ib_h5_finish(f, path);
}
