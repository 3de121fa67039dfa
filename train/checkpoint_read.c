/* checkpoint_read.c - from a checkpoint into a network of the same shape. */
#include "train/checkpoint.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "data/tables/schema_hdf5.h"
#include "optim/optim.h"
#include "qat/plan.h"

enum { TEXT = 4096 };

static int read_options(hid_t f, ib_qat_opts *o, char text[3][TEXT])
{
    int n[9];
    float constant = 0;
    const hid_t g = H5Gopen2(f, "qat", H5P_DEFAULT);
    const int failed = g < 0 || ib_h5_get(g, "options", H5T_NATIVE_INT, 9, n) ||
                       ib_h5_get(g, "percentile", H5T_NATIVE_FLOAT, 1, &o->percentile) ||
                       ib_h5_get_text(g, "observer", text[0], TEXT) ||
                       ib_h5_get_text(g, "weight_observer", text[1], TEXT) ||
                       ib_h5_get_text(g, "rules", text[2], TEXT) ||
                       (H5Aexists(g, IB_CHECKPOINT_AVERAGING) > 0 &&
                        ib_h5_get(g, IB_CHECKPOINT_AVERAGING, H5T_NATIVE_FLOAT, 1, &constant));
    if (g >= 0)
        H5Gclose(g);
    if (failed)
        return -1;
    *o = (ib_qat_opts){.weight_bits = n[0],
                       .act_bits = n[1],
                       .input_bits = n[2],
                       .output_bits = n[3],
                       .granularity = (ib_granularity)n[4],
                       .group_size = n[5],
                       .symmetric = n[6],
                       .profile = (ib_profile)n[7],
                       .dynamic = n[8],
                       .percentile = o->percentile,
                       .averaging_constant = constant,
                       .observer = text[0],
                       .weight_observer = text[1],
                       .rules = text[2]};
    return 0;
}

static int read_step(hid_t g, const ib_plan *p, ib_step *s, ib_phase phase)
{
    float range[3];
    int64_t count[2];
    const hid_t q = H5Gopen2(g, s->name, H5P_DEFAULT);
    const int failed =
        q < 0 || ib_h5_get(q, "range", H5T_NATIVE_FLOAT, 3, range) || ib_h5_get(q, "count", H5T_NATIVE_INT64, 2, count);
    if (q >= 0)
        H5Gclose(q);
    if (failed)
        return ib_fail(IB_EFORMAT, "has no quantizer for layer '%s'", s->name);
    if (count[1] < s->out.qmin || count[1] > s->out.qmax)
        return ib_fail(IB_EFORMAT, "layer '%s': its zero point is %lld, its codes are %d to %d", s->name,
                       (long long)count[1], s->out.qmin, s->out.qmax);
    if (!ib_usable_scale(range[2]) && (phase > IB_CALIBRATE || range[2] != 0)) /* before there is one it is 0 */
        return ib_fail(IB_EFORMAT, "layer '%s': its scale is %g", s->name, range[2]);
    if (!isfinite(range[0]) || !isfinite(range[1]))
        return ib_fail(IB_EFORMAT, "layer '%s': its range is %g to %g", s->name, range[0], range[1]);
    s->observer.lo = range[0];
    s->observer.hi = range[1];
    s->observer.count = count[0];
    ib_quantizer_write(
        p->dev, &s->out,
        &(ib_quantizer_state){
            .scale = range[2], .zero = (int32_t)count[1], .lo = range[0], .hi = range[1], .count = count[0]});
    return 0;
}

static int read_qat(hid_t f, ib_layer *net, ib_graph *graph, ib_phase phase)
{
    ib_qat_opts o = {0};
    char text[3][TEXT];
    if (phase == IB_FLOAT)
        return 0;
    if (ib_qat_phase(net) == IB_FLOAT && (read_options(f, &o, text) || ib_qat_prepare_again(net, graph, &o)))
        return -1;
    ib_plan *p = ib_plan_of(net);
    const hid_t g = H5Gopen2(f, "qat", H5P_DEFAULT);
    int failed = g < 0 || read_step(g, p, &p->input, phase);
    for (int i = 0; i < p->n_steps && !failed; i++)
        failed = p->steps[i].has_out ? read_step(g, p, &p->steps[i], phase) : 0;
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

/* Into the network, or only whether all are there. */
static int read_params(hid_t f, ib_layer *net, int look)
{
    const hid_t g = H5Gopen2(f, "params", H5P_DEFAULT);
    int failed = g < 0 ? ib_fail(IB_EFORMAT, "lacks 'params'") : 0;
    for (int i = 0; i < net->n_all && !failed; i++) {
        ib_tensor *t = net->all[i]->t;
        float *values = look ? NULL : ib_alloc_raw((size_t)t->size * sizeof *values);
        failed = (!look && !values) || ib_h5_read(g, ib_tensor_name(t), H5T_NATIVE_FLOAT, t->size, values) ||
                 (values && ib_tensor_write(t, values));
        ib_free(values);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int read_state(hid_t group, const ib_optim *o, ib_optim_slot *s, int i)
{
    const int64_t bytes = (int64_t)ib_optim_state_bytes(o, s);
    void *state = ib_alloc_raw((size_t)bytes);
    const int failed =
        !state || ib_h5_read(group, i ? "state1" : "state0", o->cls->bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT,
                             o->cls->bytes ? bytes : s->param->size, state);
    if (!failed)
        ib_optim_state_write(o, s, i, state);
    ib_free(state);
    return failed;
}

static int read_optim(hid_t f, ib_optim *o, int look)
{
    char kind[32];
    const hid_t g = H5Gopen2(f, "optim", H5P_DEFAULT);
    if (g < 0)
        return ib_fail(IB_EFORMAT, "holds no optimizer: it cannot be resumed");
    int failed = ib_h5_get_text(g, "kind", kind, sizeof kind);
    if (!failed && strcmp(kind, o->cls->name))
        failed = ib_fail(IB_EFORMAT, "was trained with %s, not %s", kind, o->cls->name);
    if (look) {
        H5Gclose(g);
        return failed;
    }
    failed = failed || ib_optim_sync(o);
    for (int i = 0; i < o->n_slots && !failed; i++) {
        ib_optim_slot *s = &o->slots[i];
        int64_t taken;
        const hid_t p = H5Gopen2(g, ib_tensor_name(s->param), H5P_DEFAULT);
        if (p < 0)
            continue; /* a parameter that had not taken a step */
        failed = ib_h5_get(p, "t", H5T_NATIVE_INT64, 1, &taken);
        if (!failed)
            ib_optim_set_taken(o, s, taken);
        for (int j = 0; j < o->cls->n_states && !failed; j++)
            failed = read_state(p, o, s, j);
        H5Gclose(p);
    }
    H5Gclose(g);
    return failed;
}

ib_status ib_checkpoint_read(hid_t f, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c)
{
    ib_input_info in;
    int phase;
    if (ib_checkpoint_read_header(f, c, &in, &phase))
        return ib_error_status();
    if (read_params(f, net, 1) || (opt && read_optim(f, opt, 1))) { /* another network's: this one stays as it is */
        ib_checkpoint_release(c);
        return ib_error_status();
    }
    net->input = in;
    ib_schema_free(net->schema);
    net->schema = NULL;
    if (ib_schema_read(f, &net->schema) || ib_schema_check(net->schema, (int64_t)in.c * in.h * in.w, in.classes)) {
        ib_checkpoint_release(c);
        return ib_error_status();
    }
    if (phase < IB_FLOAT || phase > IB_EXPORTED)
        ib_fail(IB_EFORMAT, "is in phase %d", phase);
    else if (!read_qat(f, net, g, (ib_phase)phase) && !read_params(f, net, 0) && !(opt && read_optim(f, opt, 0))) {
        if (phase != IB_FLOAT && ib_plan_restore_phase(net, (ib_phase)phase) == IB_OK)
            return IB_OK;
        if (phase == IB_FLOAT)
            return IB_OK;
    }
    ib_checkpoint_release(c);
    return ib_error_status();
}
