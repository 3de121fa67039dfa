/* checkpoint.c - everything that training needs to go on, in HDF5:
 *   /            attributes: format, version, model, notes, seed, epoch, step, ..., input, phase, quantization;
 *                data, where they are known
 *   /params      one dataset a parameter or buffer
 *   /optim       per parameter a group with its states and its number of steps
 *   /qat         per quantizer: range, number of batches seen, scale, zero point
 *   /history     [epochs][4]
 *   /measures    [epochs][2], absent in older files, as is the attribute right, which is there within an epoch
 *   /schema      JSON of what inputs and classes mean, where that is known (schema.h)
 *   /network     text of a network that is described by one (layers/wired.h) */
#include <stdio.h>
#include <string.h>

#include "files/h5.h"
#include "program/program.h"
#include "data/tables/schema_hdf5.h"
#include "layers/wired.h"
#include "optim/optim.h"
#include "tensor/argument.h"

enum { VERSION = 1, TEXT = 4096 };

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if (call)                                                                                                      \
            goto fail;                                                                                                 \
    } while (0)

/* ---- writing ---- */

static int write_header(hid_t f, const ib_layer *net, const ib_checkpoint *c)
{
    const ib_input_info *in = &net->input;
    const int version = VERSION, phase = (int)ib_qat_phase(net),
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
           ib_schema_write(f, net->schema) || (*c->data && ib_h5_set_text(f, "data", c->data)) ||
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
        failed = ib_h5_write(g, ib_tensor_name(t), H5T_NATIVE_FLOAT, t->ndim, t->shape, t->data);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int write_optim(hid_t f, const ib_optim *o)
{
    const hid_t g = ib_h5_group(f, "optim");
    int failed = g < 0 || ib_h5_set_text(g, "kind", o->cls->name);
    for (int i = 0; i < o->n_slots && !failed; i++) {
        const ib_optim_slot *s = &o->slots[i];
        const hid_t p = ib_h5_group(g, ib_tensor_name(s->param));
        failed = p < 0 || ib_h5_set(p, "t", H5T_NATIVE_INT64, 1, &s->t);
        for (int j = 0; j < o->cls->n_states && !failed; j++)
            failed = ib_h5_write(p, j ? "state1" : "state0", H5T_NATIVE_FLOAT, 1, &s->param->size, s->state[j]);
        if (p >= 0)
            H5Gclose(p);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int write_step(hid_t g, const ib_step *s)
{
    const hid_t q = ib_h5_group(g, s->name);
    const float range[] = {s->observer.lo, s->observer.hi, s->out.scale};
    const int64_t count[] = {s->observer.count, s->out.zero};
    const int failed =
        q < 0 || ib_h5_set(q, "range", H5T_NATIVE_FLOAT, 3, range) || ib_h5_set(q, "count", H5T_NATIVE_INT64, 2, count);
    if (q >= 0)
        H5Gclose(q);
    return failed;
}

static const char averaging[] = "averaging_constant"; /* absent: ib_qat_opts' default */

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
                 write_step(g, &p->input) ||
                 (o->averaging_constant > 0 && ib_h5_set(g, averaging, H5T_NATIVE_FLOAT, 1, &o->averaging_constant));
    for (int i = 0; i < p->n_steps && !failed; i++)
        failed = p->steps[i].has_out ? write_step(g, &p->steps[i]) : 0;
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

/* ---- reading ---- */

static int read_header(hid_t f, ib_checkpoint *c, ib_input_info *in, int *phase)
{
    char format[64];
    int version, input[5];
    float norm[2];
    int64_t place[3];
    double best[2];
    memset(c, 0, sizeof *c);
    TRY(ib_h5_get_text(f, "format", format, sizeof format));
    TRY(ib_h5_get(f, "version", H5T_NATIVE_INT, 1, &version));
    if (strcmp(format, "isobit checkpoint") || version != VERSION) {
        ib_fail(IB_EFORMAT, "is '%s' of version %d, not 'isobit checkpoint' of version %d", format, version, VERSION);
        goto fail;
    }
    TRY(ib_h5_get_text(f, "model", c->model, sizeof c->model) || ib_h5_get_text(f, "notes", c->notes, sizeof c->notes));
    TRY(H5Aexists(f, "data") > 0 && ib_h5_get_text(f, "data", c->data, sizeof c->data));
    TRY(ib_h5_get(f, "seed", H5T_NATIVE_UINT64, 1, &c->seed) || ib_h5_get(f, "place", H5T_NATIVE_INT64, 3, place));
    TRY(ib_h5_get(f, "best", H5T_NATIVE_DOUBLE, 2, best) || ib_h5_get(f, "state", H5T_NATIVE_DOUBLE, 8, c->state));
    TRY(ib_h5_get(f, "phase", H5T_NATIVE_INT, 1, phase) || ib_h5_get(f, "input", H5T_NATIVE_INT, 5, input));
    TRY(ib_h5_get(f, "normalization", H5T_NATIVE_FLOAT, 2, norm));
    c->epoch = place[0];
    c->step = place[1];
    c->total_steps = place[2];
    c->best = best[0];
    c->loss_sum = best[1];
    *in = (ib_input_info){input[0], input[1], input[2], input[3], norm[0], norm[1], input[4]};
    if (H5Lexists(f, "history", H5P_DEFAULT) > 0) {
        const hid_t set = H5Dopen2(f, "history", H5P_DEFAULT), space = H5Dget_space(set);
        const int64_t n = (int64_t)H5Sget_simple_extent_npoints(space);
        H5Sclose(space);
        H5Dclose(set);
        if (!(c->history = ib_alloc((size_t)n * sizeof(float))))
            goto fail;
        c->n_history = n / IB_HISTORY;
        TRY(ib_h5_read(f, "history", H5T_NATIVE_FLOAT, n, c->history));
    }
    if (H5Lexists(f, "measures", H5P_DEFAULT) > 0) {
        const int64_t n = c->n_history * IB_MEASURES;
        if (!(c->measures = ib_alloc((size_t)n * sizeof(float))))
            goto fail;
        TRY(ib_h5_read(f, "measures", H5T_NATIVE_FLOAT, n, c->measures));
    }
    c->right = c->step ? -1 : 0;
    if (H5Aexists(f, "right") > 0)
        TRY(ib_h5_get(f, "right", H5T_NATIVE_INT64, 1, &c->right));
    return 0;
fail:
    ib_checkpoint_release(c);
    return -1;
}

void ib_checkpoint_release(ib_checkpoint *c)
{
    ib_free(c->history);
    ib_free(c->measures);
    c->history = c->measures = NULL;
    c->n_history = 0;
}

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
                       (H5Aexists(g, averaging) > 0 && ib_h5_get(g, averaging, H5T_NATIVE_FLOAT, 1, &constant));
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

static int read_step(hid_t g, ib_step *s)
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
    s->observer.lo = range[0];
    s->observer.hi = range[1];
    s->out.scale = range[2];
    s->observer.count = count[0];
    if (count[1] < s->out.qmin || count[1] > s->out.qmax)
        return ib_fail(IB_EFORMAT, "layer '%s': its zero point is %lld, its codes are %d to %d", s->name,
                       (long long)count[1], s->out.qmin, s->out.qmax);
    s->out.zero = (int)count[1];
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
    int failed = g < 0 || read_step(g, &p->input);
    for (int i = 0; i < p->n_steps && !failed; i++)
        failed = p->steps[i].has_out ? read_step(g, &p->steps[i]) : 0;
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int read_params(hid_t f, ib_layer *net)
{
    const hid_t g = H5Gopen2(f, "params", H5P_DEFAULT);
    int failed = g < 0 ? ib_fail(IB_EFORMAT, "lacks 'params'") : 0;
    for (int i = 0; i < net->n_all && !failed; i++) {
        const ib_tensor *t = net->all[i]->t;
        failed = ib_h5_read(g, ib_tensor_name(t), H5T_NATIVE_FLOAT, t->size, t->data);
    }
    if (g >= 0)
        H5Gclose(g);
    return failed;
}

static int read_optim(hid_t f, ib_optim *o)
{
    char kind[32];
    const hid_t g = H5Gopen2(f, "optim", H5P_DEFAULT);
    if (g < 0)
        return ib_fail(IB_EFORMAT, "holds no optimizer: it cannot be resumed");
    int failed = ib_h5_get_text(g, "kind", kind, sizeof kind) || ib_optim_sync(o);
    if (!failed && strcmp(kind, o->cls->name))
        failed = ib_fail(IB_EFORMAT, "was trained with %s, not %s", kind, o->cls->name);
    for (int i = 0; i < o->n_slots && !failed; i++) {
        ib_optim_slot *s = &o->slots[i];
        const hid_t p = H5Gopen2(g, ib_tensor_name(s->param), H5P_DEFAULT);
        if (p < 0)
            continue; /* a parameter that had not taken a step */
        failed = ib_h5_get(p, "t", H5T_NATIVE_INT64, 1, &s->t);
        for (int j = 0; j < o->cls->n_states && !failed; j++)
            failed = ib_h5_read(p, j ? "state1" : "state0", H5T_NATIVE_FLOAT, s->param->size, s->state[j]);
        H5Gclose(p);
    }
    H5Gclose(g);
    return failed;
}

ib_status ib_checkpoint_peek(const char *path, ib_checkpoint *c)
{
    IB_NEED(path);
    IB_NEED(c);
    ib_input_info in;
    int phase;
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return ib_error_status();
    const int failed = read_header(f, c, &in, &phase);
    H5Fclose(f);
    if (failed)
        ib_error_prefix("%s", path);
    return failed ? ib_error_status() : IB_OK;
}

static ib_status restore(hid_t f, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c)
{
    ib_input_info in;
    int phase;
    if (read_header(f, c, &in, &phase))
        return ib_error_status();
    net->input = in;
    ib_schema_free(net->schema);
    net->schema = NULL;
    if (ib_schema_read(f, &net->schema) || ib_schema_check(net->schema, (int64_t)in.c * in.h * in.w, in.classes)) {
        ib_checkpoint_release(c);
        return ib_error_status();
    }
    if (phase < IB_FLOAT || phase > IB_EXPORTED)
        ib_fail(IB_EFORMAT, "is in phase %d", phase);
    else if (!read_qat(f, net, g, (ib_phase)phase) && !read_params(f, net) && !(opt && read_optim(f, opt))) {
        if (phase != IB_FLOAT && ib_plan_restore_phase(net, (ib_phase)phase) == IB_OK)
            return IB_OK;
        if (phase == IB_FLOAT)
            return IB_OK;
    }
    ib_checkpoint_release(c);
    return ib_error_status();
}

ib_status ib_checkpoint_restore(const char *path, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c)
{
    IB_NEED(path);
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(c);
    IB_TAKE(opt, !opt || opt->net == net, "is %s", "of another network");
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return ib_error_status();
    const ib_status status = restore(f, net, g, opt, c);
    H5Fclose(f);
    if (status)
        ib_error_prefix("%s", path);
    return status;
}

/* The network that the file describes. */
static ib_layer *described(hid_t f)
{
    if (H5Lexists(f, "network", H5P_DEFAULT) <= 0)
        return ib_fail_null(IB_EFORMAT,
                            "holds a network of somebody's own: only the program that made it can build it");
    int64_t n = 0;
    char *text = ib_h5_read_text(f, "network", "description", 1 << 24, &n);
    ib_layer *net = text ? ib_wired_network(text) : NULL;
    ib_free(text);
    return net;
}

/* A ready model, whose parameters the file holds: some for each channel of its input and for each class. */
static ib_layer *ready_model(hid_t f, const char *name, const ib_input_info *in)
{
    hsize_t bytes = 0;
    H5Fget_filesize(f, &bytes);
    const int most = in->c > in->classes ? in->c : in->classes;
    if (most > 0 && (hsize_t)most > bytes / sizeof(float))
        return ib_fail_null(IB_EFORMAT, "says %d channels and %d classes, of which %llu bytes hold no parameters",
                            in->c, in->classes, (unsigned long long)bytes);
    return ib_model_new(name, in->c, in->h, in->w, in->classes);
}

ib_layer *ib_checkpoint_open(const char *path, ib_graph *g, ib_checkpoint *c)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(c, NULL);
    ib_input_info in;
    int phase;
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return NULL;
    ib_layer *net = NULL;
    if (read_header(f, c, &in, &phase) == 0) {
        ib_checkpoint_release(c);
        net = *c->model ? ready_model(f, c->model, &in) : described(f);
        if (net && (ib_layer_init(net, 0) || restore(f, net, g, NULL, c))) {
            ib_layer_free(net);
            net = NULL;
        }
    }
    H5Fclose(f);
    if (!net)
        ib_error_prefix("%s", path);
    return net;
}
