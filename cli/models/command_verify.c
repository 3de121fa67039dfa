/* command_verify.c - isobit verify. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct verify_options {
    common common;
    const char *model;
    const char *with, *python;
    ib_verify_opts v;
} verify_options;

enum { K_CC = LONG_OPTION, K_FLAGS, K_SKIP, K_WITH, K_PYTHON };

static const char runtimes[] = /* ", onnxruntime, ..." */
#define RUNTIME(with) ", " #with
#include "cli/models/runtimes.def"
#undef RUNTIME
    "; other runtimes to ask too, with commas between";

static const struct argp_option options[] = {
    {"cc", K_CC, "COMPILER", 0, "compiles the exported C (default: $CC or cc)", 0},
    {"cflags", K_FLAGS, "FLAGS", OPTION_MAY_BE_EMPTY, "default -O3", 0},
    {"no-compile", K_SKIP, NULL, 0, "leave the compiled C out", 0},
    {"with", K_WITH, "LIST", OPTION_IS_LIST, runtimes + 2, 0},
    {"python", K_PYTHON, "PROGRAM", 0,
     "a Python that has them (default: $ISOBIT_PYTHON or python3; scripts/runtimes makes one)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    verify_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case K_CC: o->v.cc = arg; return 0;
    case K_FLAGS: o->v.flags = arg; return 0;
    case K_SKIP: o->v.skip_compiled = 1; return 0;
    case K_WITH: o->with = arg; return 0;
    case K_PYTHON: o->python = arg; return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

static void show(void *context, int64_t done, int64_t total)
{
    progress_show(context, done, total, "samples");
}

static void print_text(const ib_verify_report *r, const ib_schema *schema, int no_compiled)
{
    printf("%-28s %-8s %14s %38s\n", "", "", "codes", "of them other than evaluation's in");
    printf("%-28s %-8s %14s %12s %12s %12s\n", "layer", "op", "compared", "training", "runtime", "compiled C");
    for (int i = 0; i < r->n_layers; i++) {
        const ib_verify_layer *l = &r->layers[i];
        printf("%-28s %-8s %14lld %12lld %12lld", l->name, l->op, (long long)l->codes, (long long)l->train,
               (long long)l->runtime);
        if (no_compiled)
            printf(" %12s\n", "-");
        else
            printf(" %12lld\n", (long long)l->compiled);
    }
    printf("%lld samples", (long long)r->samples);
    if (r->accuracy >= 0)
        printf(", accuracy %.2f %%", 100 * r->accuracy);
    printf(": %lld codes differ from evaluation", (long long)r->mismatches);
    print_classes("; classes ", schema);
    printf("\n");
}

static struct json_object *json(const ib_verify_report *r, const char *model)
{
    struct json_object *j = json_object_new_object(), *layers = json_object_new_array();
    for (int i = 0; i < r->n_layers; i++) {
        struct json_object *k = json_object_new_object();
        json_object_object_add(k, "name", json_object_new_string(r->layers[i].name));
        json_object_object_add(k, "op", json_object_new_string(r->layers[i].op));
        json_object_object_add(k, "codes", json_object_new_int64(r->layers[i].codes));
        json_object_object_add(k, "training", json_object_new_int64(r->layers[i].train));
        json_object_object_add(k, "runtime", json_object_new_int64(r->layers[i].runtime));
        json_object_object_add(k, "compiled", json_object_new_int64(r->layers[i].compiled));
        json_object_array_add(layers, k);
    }
    json_object_object_add(j, "model", json_object_new_string(model));
    json_object_object_add(j, "samples", json_object_new_int64(r->samples));
    if (r->accuracy >= 0)
        json_object_object_add(j, "accuracy", json_object_new_double(r->accuracy));
    json_object_object_add(j, "mismatches", json_object_new_int64(r->mismatches));
    json_object_object_add(j, "layers", layers);
    return j;
}

int command_verify(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {
        options,
        parse,
        "MODEL.h5",
        "Runs evaluation, the training forward, the integer runtime and the compiled C over the test data and counts, "
        "layer by layer, the "
        "codes in which they differ. A row of the table is a layer: its codes of all samples (compared), and how many "
        "of "
        "them are not evaluation's in the training forward, the integer runtime and the compiled C (- where it was "
        "left "
        "out). With --with the model is also exported for other runtimes, in the rounding "
        "profile of each, and their outputs are compared. Exit status 3 if any code differs, 1 if "
        "something could not be compared.\vExample:\n"
        "  isobit verify lenet.h5 --data idx:data/mnist --cc clang\n"
        "JSON keys: model, samples, accuracy (where labels fit the outputs), mismatches, classes "
        "(where they have names), layers[]: name, op, codes, training, runtime, compiled (differing "
        "codes); runtimes[]: name, profile, ran (version and processor), codes, different, or in "
        "place of these three error, where it could not be compared.",
        children,
        NULL,
        NULL};
    verify_options o = {0};
    session s = {0};
    progress p;
    ib_verify_report r = {0};
    parse_options(&argp, argc, argv, &o);
    if ((o.v.skip_compiled && (refuse_alone("cc", o.v.cc, "the compiled C, which --no-compile leaves out") ||
                               refuse_alone("cflags", o.v.flags, "the compiled C, which --no-compile leaves out"))) ||
        (!o.with && refuse_alone("python", o.python, "--with")) || refuse_runtimes(o.with))
        return 2;
    int status = session_model(&s, &o.common, o.model);
    if (!status && ib_qat_phase(s.net) == IB_FLOAT)
        status = fprintf(stderr, "isobit: %s: was trained in float: there are no integers to verify\n", o.model) > 0;
    if (!status)
        status = session_test(&s, &o.common, o.model);
    if (!status) {
        progress_start(&p, "verify", 0);
        o.v.progress = show;
        o.v.context = &p;
        status = ib_verify(s.net, s.g, s.test, &o.v, &r) ? complain() : 0;
        progress_end(&p);
    }
    if (!status) {
        struct json_object *j = o.common.json ? json(&r, session_title(&s)) : NULL;
        if (j)
            classes_json(ib_layer_schema(s.net), j);
        int64_t different = 0;
        if (!j)
            print_text(&r, ib_layer_schema(s.net), o.v.skip_compiled);
        if (o.with)
            status = verify_with(&s, o.with, o.python, j, &different);
        if (j)
            print_json(j);
        if (!status)
            status = r.mismatches || different ? 3 : 0;
        ib_verify_report_free(&r);
    }
    session_close(&s);
    return status;
}
