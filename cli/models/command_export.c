/* command_export.c - isobit export. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/models/export_onto.h"
#include "export/export_format.h"

typedef struct export_options {
    common common;
    const char *model, *to, *out, *name; /* to: NULL: not given */
    const ib_export_format *format;
    int64_t vectors; /* -1: not given */
    int profile;     /* -1: the trained one */
    int anew;        /* it takes the place of its own files */
} export_options;

static const char formats[] = /* ", c, onnx-qop, ..." */
#define EXPORT_FORMAT(id, name, path, vectors, codes) ", " name
#include "export/export_formats.def"
#undef EXPORT_FORMAT
    "; default: c";

static const ib_export_format *find_format(const char *name)
{
    const ib_export_format *f = ib_export_format_at(0);
    for (int i = 0; f && name && strcmp(f->name, name); i++)
        f = ib_export_format_at(i + 1);
    if (!f)
        fprintf(stderr, "isobit: --to '%s': %.*s are possible\n", name, (int)strcspn(formats, ";") - 2, formats + 2);
    return f;
}

static const struct argp_option options[] = {
    {"to", 't', "FORMAT", 0, formats + 2, 0},
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
    json_object_object_add(j, "format", json_object_new_string(o->format->name));
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
    if (o->format->path == IB_PRINT_FOLDER)
        printf("written%s: %s/%s.h and %s/%s.c\n", o->anew ? " anew" : "", o->out, name, o->out, name);
    else
        printf("written: %s\n", o->out);
}

/* An ib_vectors of the command's own memory. */
typedef struct vectors {
    int64_t n;
    int8_t *samples, *expected;
} vectors;

/* Self-test samples: codes of the first of the test data; of the digits, if they fit, where neither data nor a
 * number is asked for. */
static int test_vectors(session *s, ib_program *p, const export_options *o, vectors *v)
{
    ib_batch b;
    v->n = o->vectors >= 0 ? o->vectors : 4;
    if (!s->test && v->n) {
        if (!(s->test = ib_digits_new(IB_SPLIT_TEST)))
            return complain();
        if (ib_dataset_check(s->test, ib_layer_input(s->net))) {
            v->n = 0;
            return 0;
        }
    }
    if (v->n && refuse_more("vectors", o->vectors, "test samples", ib_dataset_count(s->test)))
        return 1;
    ib_loader *l = v->n ? ib_loader_new(s->test, ib_layer_input(s->net), &(ib_loader_opts){.batch = (int)v->n}) : NULL;
    ib_status status = IB_OK;
    if (l && ib_loader_next(l, &b) && (v->samples = malloc((size_t)(b.n * ib_program_input_size(p)))) &&
        (v->expected = malloc((size_t)(b.n * ib_program_output_size(p))))) {
        v->n = b.n;
        status = ib_program_quantize(p, s->dev, b.n, b.x, v->samples);
        if (!status)
            status = ib_program_run(p, s->dev, b.n, v->samples, v->expected);
    }
    ib_loader_free(l);
    return status || (v->n && !v->expected) ? complain() : 0;
}

/* A model's name as one of C: what cannot stand there becomes _. */
static const char *identifier(const char *title, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s", isdigit((unsigned char)*title) ? "n" : "", *title ? title : "network");
    for (char *c = buf; *c; c++)
        *c = isalnum((unsigned char)*c) ? *c : '_';
    return buf;
}

static int write_out(ib_program *p, session *s, const export_options *o, const char *name, const vectors *v)
{
    const ib_vectors given = {v->n, v->samples, v->expected};
    working_start("write", o->out);
    const ib_status status = o->format->print(p, &(ib_print_job){s->dev, o->out, name, &given});
    working_end();
    return status ? complain() : 0;
}

/* 0, or 1 with a line where the path cannot be written to. */
/* A folder of the name that a file would have is not what is meant; one that is there may be. */
static int refuse_file_name(const char *path)
{
    const size_t n = strlen(path);
    if (n < 2 || path[n - 2] != '.' || !strchr("ch", path[n - 1]) || !access(path, F_OK))
        return 0;
    return fprintf(stderr,
                   "isobit: -o '%s': C goes into a folder, as NAME.h and NAME.c; --name says how they are called\n",
                   path) > 0;
}

static int refuse_path(const export_options *o)
{
    static int (*const refuse[])(const char *, const char *) = {
        [IB_PRINT_FOLDER] = refuse_no_folder, [IB_PRINT_FILE] = refuse_nowhere, [IB_PRINT_H5] = refuse_not_hdf5};
    return (o->format->path == IB_PRINT_FOLDER && refuse_file_name(o->out)) || refuse[o->format->path]("-o", o->out) ||
           (o->format->path == IB_PRINT_FILE && refuse_foreign("-o", o->out));
}

int command_export(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL.h5",
        "Writes a quantized model as what ships. Nothing is converted: the integers are those of training. Files that "
        "are "
        "there are replaced where isobit wrote them, C where it was for as many inputs and outputs.\vExample:\n"
        "  isobit export lenet.h5 --to c -o out && cc -std=c99 -c out/lenet.c\n"
        "JSON keys: format, output, flash, ram, macs (bytes, bytes, count), layers[]: name, op, weight_bits, flash, "
        "ram, macs, acc_bound.",
        children,
        NULL,
        NULL};
    export_options o = {.vectors = -1, .profile = -1};
    session s = {0};
    ib_program *p = NULL;
    vectors v = {0};
    parse_options(&argp, argc, argv, &o);
    if (!o.out)
        return fprintf(stderr, "isobit: export needs -o, the folder (c) or file to write\n"), 2;
    if (refuse_onto("-o", o.out, "the model itself", o.model) || refuse_onto_data("-o", o.out, o.common.data))
        return 2;
    if (!(o.format = find_format(o.to)))
        return 2;
    const int takes = o.format->takes_vectors;
    if (!takes && (refuse_alone("vectors", o.vectors >= 0 ? &o : NULL, "--to c") ||
                   refuse_alone("data", o.common.data, "--to c")))
        return 2;
    if (!o.common.data && o.vectors <= 0 && refuse_alone("limit", o.common.limit ? &o : NULL, "--data"))
        return 2;
    if (refuse_path(&o))
        return 1;
    const int has_data = o.common.data || (o.vectors > 0 && takes);
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
        if (o.format->path == IB_PRINT_FOLDER)
            status = refuse_other_c("-o", o.out, name, p, &o.anew);
        if (!status && takes)
            status = test_vectors(&s, p, &o, &v);
        if (!status)
            status = write_out(p, &s, &o, name, &v);
        if (!status && o.common.json)
            print_json(report_json(p, &o));
        else if (!status)
            report_text(p, &o, name);
    }
    free(v.samples);
    free(v.expected);
    ib_program_free(p);
    session_close(&s);
    return status;
}
