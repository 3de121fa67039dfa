/* command_eval.c - isobit eval. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct eval_options {
    common common;
    const char *model, *engine;
} eval_options;

static const struct argp_option options[] = {
    {"engine", 'e', "NAME", 0, "float: before quantization; qat: the training forward; integer: the lowered program (default: integer, float for a float model)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eval_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case 'e':
        o->engine = arg;
        return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

/* The integer program of the session's network. */
static ib_program *lower(session *s, const char *path)
{
    const ib_phase phase = ib_qat_phase(s->net);
    if (phase == IB_FLOAT)
        return fprintf(stderr, "isobit: %s: was trained in float: it has no integers (train with --qat)\n", path), NULL;
    ib_program *p = phase == IB_LEARN && ib_qat_set_phase(s->net, s->g, IB_FROZEN) ? NULL : ib_program_lower(s->net, s->g);
    if (!p)
        complain();
    return p;
}

/* The integer runtime over the test data. */
static int run_program(session *s, const ib_program *p, double *accuracy)
{
    const int64_t n = ib_dataset_count(s->test), in = ib_program_input_size(p), out = ib_program_output_size(p), batch = 100;
    ib_loader *l = ib_loader_new(s->test, ib_program_input_info(p), &(ib_loader_opts){.batch = (int)batch});
    ib_runner *r = ib_runner_new(p, s->dev, batch);
    int8_t *x = malloc((size_t)(batch * in)), *y = malloc((size_t)(batch * out));
    int64_t right = 0;
    int status = !l || !r || !x || !y;
    ib_batch b;
    while (!status && ib_loader_next(l, &b)) {
        ib_program_quantize(p, s->dev, b.n, b.x, x);
        status = ib_runner_run(r, b.n, x, y) != IB_OK;
        for (int i = 0; i < b.n && !status; i++) {
            int64_t best = 0;
            for (int64_t j = 1; j < out; j++)
                best = y[i * out + j] > y[i * out + best] ? j : best;
            right += best == b.y[i];
        }
    }
    *accuracy = (double)right / (double)n;
    ib_runner_free(r);
    free(x);
    free(y);
    ib_loader_free(l);
    return status ? complain() : 0;
}

int command_eval(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {options, parse, "MODEL.h5",
                              "Measures a model, or a program that `isobit export --to hdf5` wrote, on the\ntest part of the data.\vExample:\n  isobit eval lenet.h5 --data idx:data/mnist --engine integer\n"
                              "JSON keys: model, engine, phase, samples, accuracy, loss (not for integer), seconds.", children, NULL, NULL};
    eval_options o = {.common = {.data = "digits"}};
    session s = {0};
    double accuracy = 0, loss = 0;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    ib_program *p = ib_program_open(o.model);
    int status = p ? session_program(&s, &o.common, p) : ib_error_status() == IB_EUNSUPPORTED ? session_model(&s, &o.common, o.model) : complain();
    if (!status) {
        const char *engine = o.engine ? o.engine : s.net && ib_qat_phase(s.net) == IB_FLOAT ? "float" : "integer";
        const int integer = !strcmp(engine, "integer"), qat = !strcmp(engine, "qat");
        const double start = seconds();
        if (!integer && !qat && strcmp(engine, "float")) {
            fprintf(stderr, "isobit: --engine '%s': float, qat and integer are possible\n", engine);
            status = 2;
        } else if (p && !integer) {
            fprintf(stderr, "isobit: %s: is an integer program, which --engine %s cannot run\n", o.model, engine);
            status = 2;
        } else if (qat && ib_qat_phase(s.net) == IB_FLOAT) {
            fprintf(stderr, "isobit: %s: was trained in float: it has no quantized forward\n", o.model);
            status = 1;
        } else {
            p = p || !integer ? p : lower(&s, o.model);
            status = integer ? !p || run_program(&s, p, &accuracy) : evaluate(&s, s.test, !qat, &accuracy, &loss);
        }
        if (!status && o.common.json) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "model", json_object_new_string(s.net ? session_title(&s) : o.model));
            json_object_object_add(j, "engine", json_object_new_string(engine));
            json_object_object_add(j, "phase", json_object_new_string(ib_phase_name(s.net ? ib_qat_phase(s.net) : IB_EXPORTED)));
            json_object_object_add(j, "samples", json_object_new_int64(ib_dataset_count(s.test)));
            json_object_object_add(j, "accuracy", json_object_new_double(accuracy));
            if (!integer)
                json_object_object_add(j, "loss", json_object_new_double(loss));
            json_object_object_add(j, "seconds", json_object_new_double(seconds() - start));
            print_json(j);
        } else if (!status) {
            printf("%s, %s engine: accuracy %.2f %% of %lld samples, %.0f samples/s\n", s.net ? session_title(&s) : o.model, engine, 100 * accuracy,
                   (long long)ib_dataset_count(s.test), (double)ib_dataset_count(s.test) / (seconds() - start));
        }
    }
    ib_program_free(p);
    session_close(&s);
    return status;
}
