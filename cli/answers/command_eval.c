/* command_eval.c - isobit eval. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/answers/answers.h"
#include "cli/plots/plot.h"
#include "cli/answers/regression.h"

typedef struct eval_options {
    common common;
    const char *model, *engine, *out;
    int confusion;
} eval_options;

enum { K_CONFUSION = LONG_OPTION };

static const struct argp_option options[] = {
    {"engine", 'e', "NAME", 0,
     "float: before quantization; qat: the training forward; integer: the lowered program (default: integer, float for "
     "a float model)",
     0},
    {"confusion", K_CONFUSION, NULL, 0,
     "which classes are taken for which: a table, or of more than fit the terminal the most frequent ones", 0},
    {"output", 'o', "FILE", 0, "with --confusion: a picture instead, .svg or .png", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eval_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->common; return 0;
    case 'e': o->engine = arg; return 0;
    case 'o': o->out = arg; return 0;
    case K_CONFUSION: o->confusion = 1; return 0;
    }
    return model_argument(key, arg, state, &o->model);
}

static struct json_object *json(const eval_options *o, const session *s, const engine *e, const answers *a, double time)
{
    struct json_object *j = json_object_new_object();
    json_object_object_add(j, "model", json_object_new_string(s->net ? session_title(s) : o->model));
    json_object_object_add(j, "engine", json_object_new_string(e->name));
    const ib_phase phase = s->net ? ib_qat_phase(s->net) : IB_EXPORTED;
    json_object_object_add(j, "phase", json_object_new_string(ib_phase_name(phase)));
    json_object_object_add(j, "data", json_object_new_string(o->common.data));
    json_object_object_add(j, "samples", json_object_new_int64(a->n));
    json_object_object_add(j, "accuracy", json_object_new_double(answers_accuracy(a)));
    if (!e->program)
        json_object_object_add(j, "loss", isfinite(a->loss) ? json_object_new_double(a->loss) : NULL);
    classes_json(e->schema, j);
    by_class_json(a, j);
    json_object_object_add(j, "seconds", json_object_new_double(time));
    return j;
}

static int report(const eval_options *o, const session *s, const engine *e, const answers *a, double time)
{
    int status = o->confusion && (o->common.json || o->out) && refuse_confusion(a) ? 1 : 0;
    if (!status && o->common.json) {
        struct json_object *j = json(o, s, e, a, time);
        status = o->confusion && confusion_json(a, j);
        print_json(j);
    } else if (!status) {
        printf("%s, %s engine, %s: accuracy %.2f %% of %lld samples, balanced %.2f %%, %.0f samples/s\n\n",
               s->net ? session_title(s) : o->model, e->name, o->common.data, 100 * answers_accuracy(a),
               (long long)a->n, 100 * answers_balanced(a), (double)a->n / time);
        print_by_class(a);
        printf("%s", o->confusion && !o->out ? "\n" : "");
        status = o->confusion && !o->out && print_confusion(a);
    }
    return status || (o->out && plot_confusion(o->out, a));
}

static void regression_report(const eval_options *o, const session *s, const engine *e, const ib_evaluation *r,
                              double time)
{
    const char *model = s->net ? session_title(s) : o->model;
    const long long n = (long long)ib_dataset_count(s->test);
    if (o->common.json) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "model", json_object_new_string(model));
        json_object_object_add(j, "engine", json_object_new_string(e->name));
        json_object_object_add(j, "phase",
                               json_object_new_string(ib_phase_name(s->net ? ib_qat_phase(s->net) : IB_EXPORTED)));
        json_object_object_add(j, "data", json_object_new_string(o->common.data));
        json_object_object_add(j, "samples", json_object_new_int64(n));
        regression_json(r, j);
        json_object_object_add(j, "seconds", json_object_new_double(time));
        print_json(j);
        return;
    }
    printf("%s, %s engine, %s, %lld samples: ", model, e->name, o->common.data, n);
    regression_print(r);
    printf("\n");
}

int command_eval(int argc, char **argv)
{
    static const struct argp_child children[] = {COMMON_CHILD, {0}};
    static const char doc[] =
        "Measures a model, or a program that `isobit export --to hdf5` wrote, on the test part of the data: accuracy, "
        "and of "
        "each class recall (of its samples, those that are found), precision (of what is taken for it, what it is) and "
        "F1, "
        "their harmonic mean 2 r p / (r + p). Balanced accuracy is the mean recall of the classes that have samples.\v"
        "Examples:\n"
        "  isobit eval lenet.h5 --data idx:data/mnist --engine integer\n"
        "  isobit eval lenet.h5 --confusion\n"
        "  isobit eval lenet.h5 --confusion -o confusion.svg\n\n"
        "Without --data a checkpoint is measured on the data that it was trained on, with the --label, --test-share "
        "and so "
        "on of that training, unless others are given: relative paths are taken from the working directory. --limit is "
        "not "
        "remembered. Exported programs remember no data. What remembers none is measured on the digits.\n"
        "JSON keys: model, engine, phase, data, samples, accuracy, loss (not for integer), classes (where they have "
        "names), "
        "balanced_accuracy, by_class[]: class, recall, precision, f1 (null: shares of nothing), samples; "
        "confusion[label][answer] (with --confusion), "
        "seconds; of regression r2 and targets[]: name, r2, rmse, mae instead of accuracy, loss and classes.";
    const struct argp argp = {options, parse, "MODEL.h5", doc, children, NULL, NULL};
    eval_options o = {0};
    session s = {0};
    engine e = {0};
    answers a = {0};
    parse_options(&argp, argc, argv, &o);
    if ((!o.confusion && refuse_alone("output", o.out, "--confusion")) ||
        refuse_onto("-o", o.out, "the model itself", o.model))
        return 2;
    if (o.out && !strcmp(o.out, "-"))
        return fprintf(stderr, "isobit: -o '-': a picture is .svg or .png; the table is printed without -o\n"), 2;
    if (refuse_picture("-o", o.out))
        return 1;
    int status = engine_open(&e, &s, &o.common, o.model, o.engine, 200);
    if (!status)
        status = recall_data(&s, &o.common, o.model, "digits");
    if (!status && refuse_onto_data("-o", o.out, o.common.data))
        status = 2;
    if (!status)
        status = session_data(&s, &o.common, &e.input, e.schema, IB_SPLIT_TEST);
    const int numbers = !status && is_regression(e.schema);
    ib_evaluation r = {0};
    if (numbers && refuse_alone("confusion", o.confusion ? &o : NULL, "classes: this model gives numbers"))
        status = 2;
    else if (!status && numbers)
        status = ib_dataset_check_labels(s.test, &e.input) ? complain() : 0;
    else if (!status)
        status = need_labels(&s, &e);
    if (!status) {
        session_tell(&s, s.test);
        const double start = seconds();
        if (numbers) {
            status = regression_by_engine(&e, s.test, &r);
            if (!status)
                regression_report(&o, &s, &e, &r, seconds() - start);
        } else {
            status = answers_measure(&a, &e);
            if (!status)
                status = report(&o, &s, &e, &a, seconds() - start);
        }
    }
    ib_evaluation_release(&r);
    answers_free(&a);
    engine_close(&e);
    session_close(&s);
    return status;
}
