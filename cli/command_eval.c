/* command_eval.c - isobit eval. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/engine.h"

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

/* The integer runtime over the test data. */
static int run_program(session *s, engine *e, double *accuracy)
{
    ib_loader *l = ib_loader_new(s->test, &e->input, &(ib_loader_opts){.batch = (int)e->batch});
    int64_t right = 0;
    int status = l ? 0 : complain();
    ib_batch b;
    progress p;
    progress_start(&p, "test", 0);
    int64_t seen = 0;
    while (!status && ib_loader_next(l, &b)) {
        const float *y = engine_run(e, &b);
        if (!y)
            status = complain();
        for (int i = 0; i < b.n && !status; i++)
            right += best_class(y + i * e->size, e->size) == b.y[i];
        progress_show(&p, seen += b.n, ib_dataset_count(s->test), "samples");
    }
    progress_end(&p);
    if (!status && ib_loader_status(l))
        status = complain();
    *accuracy = (double)right / (double)ib_dataset_count(s->test);
    ib_loader_free(l);
    return status;
}

int command_eval(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    const struct argp argp = {options, parse, "MODEL.h5",
                              "Measures a model, or a program that `isobit export --to hdf5` wrote, on the\ntest part of the data.\vExample:\n  isobit eval lenet.h5 --data idx:data/mnist --engine integer\n"
                              "JSON keys: model, engine, phase, samples, accuracy, loss (not for integer), classes (where they have names), seconds.", children, NULL, NULL};
    eval_options o = {.common = {.data = "digits"}};
    session s = {0};
    engine e = {0};
    double accuracy = 0, loss = 0;
    parse_options(&argp, argc, argv, &o);
    int status = engine_open(&e, &s, &o.common, o.model, o.engine, 100);
    if (!status)
        status = session_data(&s, &o.common, &e.input, e.schema, IB_SPLIT_TEST) || need_labels(&s, &e);
    if (!status) {
        const double start = seconds();
        status = e.program ? run_program(&s, &e, &accuracy) : evaluate(&s, s.test, !strcmp(e.name, "float"), &accuracy, &loss);
        if (!status && o.common.json) {
            struct json_object *j = json_object_new_object();
            json_object_object_add(j, "model", json_object_new_string(s.net ? session_title(&s) : o.model));
            json_object_object_add(j, "engine", json_object_new_string(e.name));
            json_object_object_add(j, "phase", json_object_new_string(ib_phase_name(s.net ? ib_qat_phase(s.net) : IB_EXPORTED)));
            json_object_object_add(j, "samples", json_object_new_int64(ib_dataset_count(s.test)));
            json_object_object_add(j, "accuracy", json_object_new_double(accuracy));
            if (!e.program)
                json_object_object_add(j, "loss", json_object_new_double(loss));
            classes_json(e.schema, j);
            json_object_object_add(j, "seconds", json_object_new_double(seconds() - start));
            print_json(j);
        } else if (!status) {
            printf("%s, %s engine: accuracy %.2f %% of %lld samples, %.0f samples/s", s.net ? session_title(&s) : o.model, e.name, 100 * accuracy,
                   (long long)ib_dataset_count(s.test), (double)ib_dataset_count(s.test) / (seconds() - start));
            print_classes("; classes ", e.schema);
            printf("\n");
        }
    }
    engine_close(&e);
    session_close(&s);
    return status;
}
