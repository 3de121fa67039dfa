/* command_export.c - isobit export. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

typedef struct export_options {
    common common;
    const char *model, *to, *out, *name;
    int64_t vectors; /* -1: not given */
    int profile;     /* -1: the trained one */
} export_options;

/* What can be written. */
typedef struct target {
    const char *name;
    ib_status (*write)(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                       const int8_t *samples);
} target;

static ib_status write_c(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                         const int8_t *samples)
{
    return ib_export_c(p, dev, o->out, name, n, samples);
}

static ib_status write_qop(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                           const int8_t *samples)
{
    (void)dev, (void)n, (void)samples;
    return ib_export_onnx(p, o->out, name, &(ib_onnx_opts){0});
}

static ib_status write_qdq(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                           const int8_t *samples)
{
    (void)dev, (void)n, (void)samples;
    return ib_export_onnx(p, o->out, name, &(ib_onnx_opts){.qdq = 1});
}

static ib_status write_tflite(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                              const int8_t *samples)
{
    (void)dev, (void)n, (void)samples;
    return ib_export_tflite(p, o->out, name, NULL);
}

static ib_status write_hdf5(ib_program *p, ib_device *dev, const export_options *o, const char *name, int64_t n,
                            const int8_t *samples)
{
    (void)dev, (void)name, (void)n, (void)samples;
    return ib_export_hdf5(p, o->out);
}

static const target targets[] = {
    {"c", write_c}, {"onnx-qop", write_qop}, {"onnx-qdq", write_qdq}, {"tflite", write_tflite}, {"hdf5", write_hdf5}};

static const target *find_target(const char *name)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(targets[i].name, name))
            return &targets[i];
    return NULL;
}

static const struct argp_option options[] = {
    {"to", 't', "FORMAT", 0, "c (default), onnx-qop, onnx-qdq, tflite or hdf5", 0},
    {"output", 'o', "PATH", 0, "folder for C, else the file; required", 0},
    {"profile", 'p', "P", 0,
     "rounding of the runtime it is for, if not the trained one: tflite_double, tflite_single, fp32_rne, xnnpack", 0},
    {"name", 'n', "NAME", 0, "prefix of files and functions (default: the model's name)", 0},
    {"vectors", 'v', "N", 0, "self-test samples inside the C, from --data (default 4)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    export_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 't': o->to = arg; return 0;
    case 'o': o->out = arg; return 0;
    case 'n': o->name = arg; return 0;
    case 'p': {
        ib_profile p;
        if (ib_profile_parse(arg, &p)) {
            complain();
            exit(2);
        }
        o->profile = (int)p;
        return 0;
    }
    case 'v':
        if (parse_int(arg, "--vectors", 0, 10000, &o->vectors))
            exit(2);
        return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

static struct json_object *report_json(const ib_program *p, const export_options *o)
{
    struct json_object *j = json_object_new_object(), *layers = json_object_new_array();
    int64_t flash = 0, macs = 0;
    for (int i = 0; i < ib_program_layer_count(p); i++) {
        const ib_program_layer l = ib_program_layer_at(p, i);
        struct json_object *k = json_object_new_object();
        json_object_object_add(k, "name", json_object_new_string(l.name));
        json_object_object_add(k, "op", json_object_new_string(l.op));
        json_object_object_add(k, "weight_bits", json_object_new_int(l.weight_bits));
        json_object_object_add(k, "flash", json_object_new_int64(l.flash));
        json_object_object_add(k, "ram", json_object_new_int64(l.ram));
        json_object_object_add(k, "macs", json_object_new_int64(l.macs));
        json_object_object_add(k, "acc_bound", json_object_new_int64(l.acc_bound));
        json_object_array_add(layers, k);
        flash += l.flash;
        macs += l.macs;
    }
    json_object_object_add(j, "format", json_object_new_string(o->to));
    json_object_object_add(j, "output", json_object_new_string(o->out));
    json_object_object_add(j, "flash", json_object_new_int64(flash));
    json_object_object_add(j, "ram", json_object_new_int64(ib_program_arena(p)));
    json_object_object_add(j, "macs", json_object_new_int64(macs));
    json_object_object_add(j, "layers", layers);
    return j;
}

static void report_text(const ib_program *p, const export_options *o, const char *name)
{
    int64_t flash = 0, macs = 0;
    printf("%-28s %-8s %4s %8s %8s %10s %12s\n", "layer", "op", "bits", "flash", "RAM", "MACs", "|acc| <=");
    for (int i = 0; i < ib_program_layer_count(p); i++) {
        const ib_program_layer l = ib_program_layer_at(p, i);
        printf("%-28s %-8s %4d %8lld %8lld %10lld %12lld\n", l.name, l.op, l.weight_bits, (long long)l.flash,
               (long long)l.ram, (long long)l.macs, (long long)l.acc_bound);
        flash += l.flash;
        macs += l.macs;
    }
    printf("%-28s %-8s %4s %8lld %8lld %10lld\n", "in all", "", "", (long long)flash, (long long)ib_program_arena(p),
           (long long)macs);
    if (*ib_program_note(p))
        printf("note: %s\n", ib_program_note(p));
    if (!strcmp(o->to, "c"))
        printf("written: %s/%s.h and %s/%s.c\n", o->out, name, o->out, name);
    else
        printf("written: %s\n", o->out);
}

/* Self-test samples: codes of the first of the test data; of the digits, if they fit, where neither data nor a
 * number is asked for. */
static int test_vectors(session *s, ib_program *p, const export_options *o, int64_t *n, int8_t **codes)
{
    ib_batch b;
    *n = o->vectors >= 0 ? o->vectors : 4;
    if (!s->test && *n) {
        if (!(s->test = ib_digits_new(IB_SPLIT_TEST)))
            return complain();
        if (ib_dataset_check(s->test, ib_layer_input(s->net))) {
            *n = 0;
            return 0;
        }
    }
    if (*n && refuse_more("vectors", o->vectors, "test samples", ib_dataset_count(s->test)))
        return 1;
    ib_loader *l = *n ? ib_loader_new(s->test, ib_layer_input(s->net), &(ib_loader_opts){.batch = (int)*n}) : NULL;
    ib_status status = IB_OK;
    if (l && ib_loader_next(l, &b) && (*codes = malloc((size_t)(b.n * ib_program_input_size(p))))) {
        *n = b.n;
        status = ib_program_quantize(p, s->dev, b.n, b.x, *codes);
    }
    ib_loader_free(l);
    return status || (*n && !*codes) ? complain() : 0;
}

/* A model's name as one of C: what cannot stand there becomes _. */
static const char *identifier(const char *title, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", isdigit((unsigned char)*title) ? "n" : "", *title ? title : "network");
    for (char *c = buf; *c; c++)
        *c = isalnum((unsigned char)*c) ? *c : '_';
    return buf;
}

static int write_to(const target *to, ib_program *p, session *s, const export_options *o, const char *name, int64_t n,
                    const int8_t *codes)
{
    working_start("write", o->out);
    const ib_status status = to->write(p, s->dev, o, name, n, codes);
    working_end();
    return status ? complain() : 0;
}

int command_export(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL.h5",
        "Writes a quantized model as what ships. Nothing is converted: the integers are those of training.\vExample:\n"
        "  isobit export lenet.h5 --to c -o out && cc -std=c99 -c out/lenet.c\n"
        "JSON keys: format, output, flash, ram, macs (bytes, bytes, count), layers[]: name, op, weight_bits, flash, "
        "ram, macs, acc_bound.",
        children,
        NULL,
        NULL};
    export_options o = {.to = "c", .vectors = -1, .profile = -1};
    session s = {0};
    ib_program *p = NULL;
    int8_t *codes = NULL;
    parse_options(&argp, argc, argv, &o);
    if (!o.out)
        return fprintf(stderr, "isobit: export needs -o, the folder (c) or file to write\n"), 2;
    if (refuse_onto("-o", o.out, "the model itself", o.model) || refuse_onto_data("-o", o.out, o.common.data))
        return 2;
    const target *to = find_target(o.to);
    if (!to)
        return fprintf(stderr, "isobit: --to '%s': c, onnx-qop, onnx-qdq, tflite and hdf5 are possible\n", o.to), 2;
    if (strcmp(o.to, "c") && (refuse_alone("vectors", o.vectors >= 0 ? &o : NULL, "--to c") ||
                              refuse_alone("data", o.common.data, "--to c")))
        return 2;
    if (!o.common.data && o.vectors <= 0 && refuse_alone("limit", o.common.limit ? &o : NULL, "--data"))
        return 2;
    if (!strcmp(o.to, "c")      ? refuse_no_folder("-o", o.out)
        : !strcmp(o.to, "hdf5") ? refuse_not_hdf5("-o", o.out)
                                : refuse_nowhere("-o", o.out))
        return 1;
    const int has_data = o.common.data || (o.vectors > 0 && !strcmp(o.to, "c"));
    if (!has_data && refuse_table(&o.common))
        return 2;
    int status = session_model(&s, &o.common, o.model);
    if (!status && has_data)
        status = session_test(&s, &o.common, o.model);
    if (!status && has_data && refuse_onto_data("-o", o.out, o.common.data))
        status = 2;
    if (!status && ib_qat_phase(s.net) == IB_FLOAT)
        status = fprintf(stderr, "isobit: %s: was trained in float: train with --qat to get integers\n", o.model) > 0;
    if (!status && o.profile >= 0 && ib_qat_set_profile(s.net, (ib_profile)o.profile))
        status = complain();
    if (!status && ((ib_qat_phase(s.net) == IB_LEARN && ib_qat_set_phase(s.net, s.g, IB_FROZEN)) ||
                    !(p = ib_program_lower(s.net, s.g))))
        status = complain();
    if (!status) {
        char own[64];
        const char *name = o.name ? o.name : identifier(session_title(&s), own, sizeof own);
        int64_t n;
        status = test_vectors(&s, p, &o, &n, &codes);
        if (!status)
            status = write_to(to, p, &s, &o, name, n, codes);
        if (!status && o.common.json)
            print_json(report_json(p, &o));
        else if (!status)
            report_text(p, &o, name);
    }
    free(codes);
    ib_program_free(p);
    session_close(&s);
    return status;
}
