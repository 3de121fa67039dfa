/* command_inspect.c - isobit inspect. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/language/language_session.h"
#include "cli/answers/regression.h"
#include "cli/plots/plot.h"

typedef struct inspect_options {
    common common;
    const char *models[PLOT_RUNS], *curves, *histogram, *parameter, *graph;
    int n_models, list;
} inspect_options;

enum { K_CURVES = LONG_OPTION, K_HISTOGRAM, K_PARAMETER, K_MODELS, K_GRAPH };

static const struct argp_option options[] = {
    {"curves", K_CURVES, "FILE", 0,
     "training curves as .svg or .png, or - for the terminal; of several FILEs in one picture", 0},
    {"histogram", K_HISTOGRAM, "FILE", 0, "histogram of --of (default: all weights), likewise", 0},
    {"of", K_PARAMETER, "NAME", 0,
     "a parameter, or act:LAYER: that layer's outputs over the first 100 samples of --data; of quantized layers with "
     "their levels",
     0},
    {"graph", K_GRAPH, "FILE", 0,
     "the network, in integers once it is quantized, or an exported program, as .svg or .png by Graphviz, or as .dot",
     0},
    {"models", K_MODELS, NULL, 0, "list the ready networks", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    inspect_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case K_CURVES: o->curves = arg; return 0;
    case K_HISTOGRAM: o->histogram = arg; return 0;
    case K_PARAMETER: o->parameter = arg; return 0;
    case K_MODELS: o->list = 1; return 0;
    case K_GRAPH: o->graph = arg; return 0;
    }
    if (key == ARGP_KEY_ARG) {
        if (o->n_models == PLOT_RUNS)
            argp_error(state, "'%s': pictures have colours for %d trainings", arg, PLOT_RUNS);
        o->models[o->n_models++] = arg;
        return 0;
    }
    if (key == ARGP_KEY_END && o->list && o->n_models)
        argp_error(state, "--models lists the ready networks: '%s' has no part in it", o->models[0]);
    if (key == ARGP_KEY_END && !o->list && !o->n_models)
        argp_error(state, "which MODEL.h5?");
    if (key == ARGP_KEY_END && o->n_models > 1 && (!o->curves || o->histogram || o->graph)) {
        fprintf(stderr, "isobit: '%s': one model at a time, and '%s' stands before it; only --curves draws several\n",
                o->models[1], o->models[0]);
        exit(2);
    }
    if (key == ARGP_KEY_END && o->list)
        return 0;
    return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

static int shows_outputs(const inspect_options *o)
{
    return o->histogram && o->parameter && !strncmp(o->parameter, "act:", 4);
}

/* The exit status after telling of options that do nothing or pictures that cannot be, or 0. */
static int refuse(const inspect_options *o)
{
    static const char outputs[] = "--histogram and --of act:LAYER, which alone looks at data";
    if ((!o->histogram && refuse_alone("of", o->parameter, "--histogram")) ||
        (!shows_outputs(o) && (refuse_alone("data", o->common.data, outputs) || refuse_table(&o->common) ||
                               refuse_alone("limit", o->common.limit ? o : NULL, outputs))) ||
        ((o->curves || o->histogram || o->graph) &&
         refuse_alone("json", o->common.json ? o : NULL, "the text: a picture is no JSON")) ||
        refuse_onto("--histogram", o->histogram, "the file of --curves", o->curves) ||
        refuse_onto("--graph", o->graph, "the file of --curves", o->curves) ||
        refuse_onto("--graph", o->graph, "the file of --histogram", o->histogram) || refuse_graph(o->graph) ||
        refuse_onto_data("--histogram", o->histogram, o->common.data))
        return 2;
    for (int i = 0; i < o->n_models; i++)
        if (refuse_onto("--curves", o->curves, "the model itself", o->models[i]) ||
            refuse_onto("--histogram", o->histogram, "the model itself", o->models[i]))
            return 2;
    return refuse_picture("--curves", o->curves) || refuse_picture("--histogram", o->histogram);
}

static void extremes(ib_tensor *t, float *lo, float *hi)
{
    float *x = malloc((size_t)ib_tensor_size(t) * sizeof *x);
    if (!x || ib_tensor_read(t, x))
        exit(x ? complain() : (perror("isobit"), 1));
    *lo = *hi = x[0];
    for (int64_t i = 0; i < ib_tensor_size(t); i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
    free(x);
}

/* What a row of a table is to the model. */
static void print_columns(const ib_schema_opts *s)
{
    printf("table: ");
    if (s->n_targets)
        printf("numbers to learn");
    else if (s->label)
        printf("label '%s'", s->label);
    else
        printf("classes by their numbers");
    printf("%s\n%-36s %12s %12s\n", s->fill_missing ? ", missing values are filled in" : "", "column", "mean", "std");
    for (int i = 0; i < s->n_targets; i++)
        printf("label %-30s %12.6g %12.6g\n", s->targets[i].name, s->targets[i].mean, s->targets[i].std);
    for (int i = 0; i < s->n_columns; i++) {
        const ib_column *c = &s->columns[i];
        if (!c->n_names)
            printf("%-36s %12.6g %12.6g\n", c->name, c->mean, c->std);
        for (int k = 0; k < c->n_names; k++)
            printf("%s%s%s", k ? ", " : c->name, k ? "" : ": ", c->names[k]);
        if (c->n_names)
            printf("\n");
    }
    printf("\n");
}

static void print_text(const session *s)
{
    const ib_input_info *in = ib_layer_input(s->net);
    char shape[64];
    int64_t total = 0;
    printf("model %s, phase %s, epoch %lld, %lld steps, seed %llu\n", session_title(s),
           ib_phase_name(ib_qat_phase(s->net)), (long long)s->c.epoch, (long long)s->c.total_steps,
           (unsigned long long)s->c.seed);
    printf("input %dx%dx%d, %d %s, ", in->c, in->h, in->w, in->classes,
           is_regression(ib_layer_schema(s->net)) ? "numbers to learn" : "classes");
    if (in->std > 0 && in->raw_max)
        printf("mean %g, std %g, raw values 0..%d\n", in->mean, in->std, in->raw_max);
    else if (in->std > 0)
        printf("mean %g, std %g, real numbers\n", in->mean, in->std);
    else
        printf("taken as it is\n");
    if (ib_layer_schema(s->net) && ib_schema_of(ib_layer_schema(s->net))->n_classes) {
        print_classes("classes ", ib_layer_schema(s->net));
        printf("\n");
    }
    if (ib_layer_schema(s->net) && ib_schema_of(ib_layer_schema(s->net))->n_columns)
        print_columns(ib_schema_of(ib_layer_schema(s->net)));
    char *data = remembered_text(&s->c);
    printf("data: %s\n", data ? data : "not remembered");
    free(data);
    printf("settings: %s\n\n", s->c.notes);
    printf("%-36s %-16s %12s %12s\n", "parameter", "shape", "least", "largest");
    for (int i = 0; i < ib_param_count(s->net); i++) {
        ib_tensor *t = ib_param_at(s->net, i);
        float lo, hi;
        extremes(t, &lo, &hi);
        total += ib_param_trainable(s->net, i) ? ib_tensor_size(t) : 0;
        printf("%-36s %-16s %12.5g %12.5g%s\n", ib_tensor_name(t), ib_tensor_shape_text(t, shape, sizeof shape), lo, hi,
               ib_param_trainable(s->net, i) ? "" : "  (buffer)");
    }
    printf("%lld trainable values\n", (long long)total);
    if (ib_layer_source(s->net))
        printf("\n%-28s %s\n", "layer", "in the imported file");
    for (int i = 0; ib_layer_source(s->net) && ib_layer_child(s->net, i); i++) {
        const ib_layer *l = ib_layer_child(s->net, i);
        printf("%-28s %s\n", ib_layer_name(l), ib_layer_source(l) ? ib_layer_source(l) : "");
    }
    if (ib_qat_layer_count(s->net))
        printf("\n%-28s %-10s %7s %5s %-10s %12s %5s\n", "quantized layer", "form", "weights", "codes", "observer",
               "scale", "zero");
    for (int i = 0; i < ib_qat_layer_count(s->net); i++) {
        const ib_qat_layer l = ib_qat_layer_at(s->net, i);
        printf("%-28s %-10s ", l.name, l.form);
        if (l.weight_bits)
            printf("%6db ", l.weight_bits);
        else
            printf("%7s ", "");
        if (l.act_bits)
            printf("%4db %-10s %12.6g %5d\n", l.act_bits, l.observer, l.scale, l.zero_point);
        else
            printf("%5s\n", "");
    }
}

static struct json_object *json(const session *s)
{
    struct json_object *j = json_object_new_object(), *params = json_object_new_array(),
                       *layers = json_object_new_array();
    struct json_object *sources = ib_layer_source(s->net) ? json_object_new_object() : NULL;
    json_object_object_add(j, "model", json_object_new_string(session_title(s)));
    json_object_object_add(j, "phase", json_object_new_string(ib_phase_name(ib_qat_phase(s->net))));
    json_object_object_add(j, "epoch", json_object_new_int64(s->c.epoch));
    json_object_object_add(j, "steps", json_object_new_int64(s->c.total_steps));
    json_object_object_add(j, "seed", json_object_new_int64((int64_t)s->c.seed));
    json_object_object_add(j, "data", remembered_json(&s->c));
    json_object_object_add(j, "settings", json_object_new_string(s->c.notes));
    for (int i = 0; i < ib_param_count(s->net); i++) {
        ib_tensor *t = ib_param_at(s->net, i);
        struct json_object *k = json_object_new_object(), *shape = json_object_new_array();
        for (int d = 0; d < ib_tensor_ndim(t); d++)
            json_object_array_add(shape, json_object_new_int64(ib_tensor_shape(t)[d]));
        json_object_object_add(k, "name", json_object_new_string(ib_tensor_name(t)));
        json_object_object_add(k, "shape", shape);
        json_object_object_add(k, "trainable", json_object_new_boolean(ib_param_trainable(s->net, i)));
        json_object_array_add(params, k);
    }
    for (int i = 0; i < ib_qat_layer_count(s->net); i++) {
        const ib_qat_layer l = ib_qat_layer_at(s->net, i);
        struct json_object *k = json_object_new_object();
        json_object_object_add(k, "name", json_object_new_string(l.name));
        json_object_object_add(k, "form", json_object_new_string(l.form));
        json_object_object_add(k, "weight_bits", json_object_new_int(l.weight_bits));
        json_object_object_add(k, "act_bits", json_object_new_int(l.act_bits));
        json_object_object_add(k, "observer", l.observer ? json_object_new_string(l.observer) : NULL);
        json_object_object_add(k, "scale", json_object_new_double(l.scale));
        json_object_object_add(k, "zero_point", json_object_new_int(l.zero_point));
        json_object_array_add(layers, k);
    }
    for (int i = 0; sources && ib_layer_child(s->net, i); i++) {
        const ib_layer *l = ib_layer_child(s->net, i);
        json_object_object_add(sources, ib_layer_name(l),
                               json_object_new_string(ib_layer_source(l) ? ib_layer_source(l) : ""));
    }
    if (sources)
        json_object_object_add(j, "sources", sources);
    char *schema = ib_layer_schema(s->net) ? ib_schema_text(ib_layer_schema(s->net)) : NULL;
    if (schema)
        json_object_object_add(j, "schema", json_tokener_parse(schema));
    ib_free(schema);
    json_object_object_add(j, "parameters", params);
    json_object_object_add(j, "layers", layers);
    return j;
}

/* Runs the first samples (one of zeros without data) so that the tape can be asked. */
static int trace(session *s, int real)
{
    const ib_input_info *in = ib_layer_input(s->net);
    ib_loader *l = s->test ? ib_loader_new(s->test, in, &(ib_loader_opts){.batch = 100}) : NULL;
    ib_batch b = {.shape = {1, in->c, in->h, in->w}};
    float *zeros = s->test ? NULL : calloc((size_t)in->c * (size_t)in->h * (size_t)in->w, sizeof *zeros);
    ib_tensor *y = NULL;
    if (s->test ? l && ib_loader_next(l, &b) : zeros != NULL) {
        ib_graph_begin(s->g, IB_TRACE);
        ib_tensor *x = ib_input(s->g, 4, b.shape, s->test ? b.x : zeros);
        y = real ? ib_qat_forward_real(s->g, s->net, x) : ib_layer_forward(s->g, s->net, x);
    }
    ib_loader_free(l);
    free(zeros);
    return y ? 0 : complain();
}

static const ib_qat_layer *find_layer(const session *s, const char *name, size_t n, ib_qat_layer *l)
{
    for (int i = 0; i < ib_qat_layer_count(s->net); i++) {
        *l = ib_qat_layer_at(s->net, i);
        if (strlen(l->name) == n && !memcmp(l->name, name, n))
            return l;
    }
    return NULL;
}

/* The results of a layer over the first samples, before they become codes. */
static int draw_outputs(session *s, const inspect_options *o)
{
    const char *name = o->parameter + 4;
    ib_qat_layer l;
    int64_t n = 0;
    const int quantized = ib_qat_layer_count(s->net) > 0,
              has_levels = quantized && find_layer(s, name, strlen(name), &l) && l.act_bits;
    const int half = has_levels ? 1 << (l.act_bits - 1) : 0;
    float *x = trace(s, quantized) ? NULL : ib_trace_output(s->g, name, &n);
    if (!x)
        return complain();
    const int status = plot_histogram(o->histogram, o->parameter, "value", x, n,
                                      has_levels ? &(levels){l.scale, l.zero_point, -half, half - 1} : NULL);
    ib_free(x);
    return status;
}

/* A parameter; the weights of a quantized layer with what becomes of them. */
static int draw_parameter(session *s, const inspect_options *o)
{
    const size_t n = strlen(o->parameter);
    ib_tensor *t = ib_param_find(s->net, o->parameter);
    ib_qat_layer l;
    if (!t)
        return fprintf(stderr,
                       "isobit: --of '%s': no parameter has this name (isobit inspect lists them; act:LAYER is a "
                       "layer's output)\n",
                       o->parameter) > 0;
    if (n <= 7 || strcmp(o->parameter + n - 7, ".weight") || !find_layer(s, o->parameter, n - 7, &l) || !l.weight_bits)
        return plot_histogram(o->histogram, o->parameter, "value", ib_tensor_f32(t), ib_tensor_size(t), NULL);
    int64_t size;
    int most;
    float *x = trace(s, 0) ? NULL : ib_trace_weights(s->g, l.name, &size, &most);
    if (!x)
        return complain();
    const int status = plot_histogram(o->histogram, o->parameter, "weight with its batch norm, in steps of its scale",
                                      x, size, &(levels){1, 0, -most, most});
    ib_free(x);
    return status;
}

static int draw_histogram(session *s, const inspect_options *o)
{
    int64_t n = 0;
    if (o->parameter)
        return !strncmp(o->parameter, "act:", 4) ? draw_outputs(s, o) : draw_parameter(s, o);
    for (int i = 0; i < ib_param_count(s->net); i++)
        n += ib_tensor_ndim(ib_param_at(s->net, i)) > 1 ? ib_tensor_size(ib_param_at(s->net, i)) : 0;
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    if (!x)
        return fprintf(stderr, "isobit: out of memory for %lld weights\n", (long long)n) > 0;
    n = 0;
    for (int i = 0; i < ib_param_count(s->net); i++) {
        ib_tensor *t = ib_param_at(s->net, i);
        if (ib_tensor_ndim(t) > 1) {
            memcpy(x + n, ib_tensor_f32(t), (size_t)ib_tensor_size(t) * sizeof *x);
            n += ib_tensor_size(t);
        }
    }
    const int status = plot_histogram(o->histogram, "weights of all layers", "value", x, n, NULL);
    free(x);
    return status;
}

/* Several trainings in one picture: their files' headers are enough. */
static int draw_curves(const inspect_options *o)
{
    ib_checkpoint c[PLOT_RUNS] = {0};
    run runs[PLOT_RUNS];
    int n = 0, status = 0;
    for (; n < o->n_models && !status; n++) {
        runs[n] = (run){o->models[n], &c[n]};
        status = ib_checkpoint_peek(o->models[n], &c[n]) ? complain() : 0;
    }
    if (!status)
        status = plot_curves(o->curves, runs, n);
    for (int i = 0; i < n; i++)
        ib_checkpoint_release(&c[i]);
    return status;
}

int command_inspect(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "FILE...",
        "Shows what a checkpoint, a GGUF or safetensors file, or a Hugging Face or PEFT folder holds.\vExamples:\n  "
        "isobit inspect lenet.h5\n  isobit inspect SmolLM2.gguf\n  isobit inspect lenet.h5 --curves curves.svg\n  "
        "isobit inspect lenet.h5 --graph lenet.svg\n"
        "  isobit inspect a.h5 b.h5 c.h5 --curves beside.svg\n"
        "  isobit inspect lenet.h5 --histogram - --of conv1.conv.weight\n  isobit inspect lenet.h5 --histogram a.png "
        "--of act:conv1.conv\n"
        "JSON keys: model, phase, epoch, steps, seed, data (the options that the model remembers, or null), settings, "
        "parameters[]: name, shape, trainable; layers[]: name, form, weight_bits, "
        "act_bits, observer, scale, zero_point; schema: task, label, columns[], classes[] (of a model of a table); of "
        "language models: metadata, tensors[]: name, type, shape, bytes; elements, bytes.",
        children,
        NULL,
        NULL};
    inspect_options o = {0};
    session s = {0};
    parse_options(&argp, argc, argv, &o);
    if (o.list &&
        (o.curves || o.histogram || o.graph || o.parameter || o.common.data || o.common.limit || o.common.json))
        return fprintf(stderr, "isobit: --models lists the ready networks: other options have no part in it\n"), 2;
    if (o.list) {
        for (int i = 0; ib_model_name_at(i); i++)
            printf("%-8s %s\n", ib_model_name_at(i), ib_model_description_at(i));
        return 0;
    }
    int status = refuse(&o);
    if (status)
        return status;
    for (int i = 0; i < o.n_models; i++)
        if (is_language_file(o.models[i]) && (o.curves || o.histogram || o.graph))
            return fprintf(stderr,
                           "isobit: %s: pictures are of checkpoints of `isobit train`, not of language models\n",
                           o.models[i]),
                   2;
    if (o.n_models > 1)
        return draw_curves(&o);
    const char *model = o.models[0];
    if (is_language_file(model))
        return inspect_file(model, o.common.json);
    ib_program *program = o.graph ? ib_program_open(model) : NULL;
    if (program) {
        status = o.curves || o.histogram
                     ? fprintf(stderr, "isobit: %s: is a program, of which --graph alone draws\n", model) > 0
                     : write_graph(o.graph, NULL, program);
        ib_program_free(program);
        return status;
    }
    status = session_model(&s, &o.common, model);
    if (!status && shows_outputs(&o))
        status = session_test(&s, &o.common, model);
    if (!status && o.curves)
        status = plot_curves(o.curves, &(run){model, &s.c}, 1);
    if (!status && o.histogram)
        status = draw_histogram(&s, &o);
    if (!status && o.graph)
        status = trace(&s, 0) || write_graph(o.graph, s.g, NULL);
    if (!status && !o.curves && !o.histogram && !o.graph) {
        if (o.common.json)
            print_json(json(&s));
        else
            print_text(&s);
    }
    session_close(&s);
    return status;
}
