/* session.c - common options, errors, opening what a command works with. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { KEY_DATA = 1000, KEY_DEVICE, KEY_THREADS, KEY_JSON, KEY_LIMIT };

static const struct argp_option machine_options[] = {
    {"device", KEY_DEVICE, "NAME", 0, "cpu, cpu:ref, cpu:base, cpu:avx2, cpu:avx512, cpu:vnni, cpu:bf16, cpu:amx", 0},
    {"threads", KEY_THREADS, "N", 0, "0 (default): all cores; no result depends on it", 0},
    {"json", KEY_JSON, NULL, 0, "one JSON object on standard output", 0},
    {0},
};

static error_t parse_machine(int key, char *arg, struct argp_state *state)
{
    common *o = state->input;
    int64_t n;
    switch (key) {
    case KEY_DEVICE:
        o->device = arg;
        return 0;
    case KEY_JSON:
        o->json = 1;
        return 0;
    case KEY_THREADS:
        if (parse_int(arg, "--threads", 0, 1024, &n))
            exit(2);
        o->threads = (int)n;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp machine_argp = {machine_options, parse_machine, NULL, NULL, NULL, NULL, NULL};

static const struct argp_option options[] = {
    {"data", KEY_DATA, "SPEC", 0, "digits (default), idx:DIR, hdf5:FILE, csv:FILE[:CxHxW], npy:FILE or f32:FILE[:CxHxW]", 0},
    {"limit", KEY_LIMIT, "N", 0, "use the first N samples of each data set", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    common *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = o;
        return 0;
    case KEY_DATA:
        o->data = arg;
        return 0;
    case KEY_LIMIT:
        if (parse_int(arg, "--limit", 1, INT64_MAX, &o->limit))
            exit(2);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child machine_child[] = {{&machine_argp, 0, NULL, 0}, {0}};
const struct argp common_argp = {options, parse, NULL, NULL, machine_child, NULL, NULL};

error_t model_argument(int key, char *arg, struct argp_state *state, const char **model)
{
    if (key == ARGP_KEY_ARG) {
        if (*model)
            argp_error(state, "'%s': one model at a time, and '%s' stands before it", arg, *model);
        *model = arg;
        return 0;
    }
    if (key == ARGP_KEY_END && !*model)
        argp_error(state, "which MODEL.h5?");
    return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

int parse_int(const char *text, const char *option, int64_t lo, int64_t hi, int64_t *out)
{
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (*end || end == text || errno || v < lo || v > hi) {
        fprintf(stderr, "isobit: %s '%s' is not an integer from %lld to %lld\n", option, text, (long long)lo, (long long)hi);
        return 1;
    }
    *out = v;
    return 0;
}

int parse_float(const char *text, const char *option, double lo, double hi, double *out)
{
    char *end;
    const double v = strtod(text, &end);
    if (*end || end == text || !(v >= lo && v <= hi)) {
        fprintf(stderr, "isobit: %s '%s' is not a number from %g to %g\n", option, text, lo, hi);
        return 1;
    }
    *out = v;
    return 0;
}

int complain(void)
{
    fprintf(stderr, "isobit: %s\n", *ib_error() ? ib_error() : "failed");
    return 1;
}

void print_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

const char *session_title(const session *s)
{
    const char *source = *s->c.model || !s->net ? NULL : ib_layer_source(s->net);
    return *s->c.model ? s->c.model : source ? source : "network";
}

int session_open(session *s, const common *o)
{
    if (ib_threads_set(o->threads) || !(s->dev = ib_device_open(o->device)) || !(s->g = ib_graph_new(s->dev)))
        return complain();
    return 0;
}

int session_data(session *s, const common *o, const ib_input_info *info, ib_split split)
{
    if (!(s->test = ib_dataset_open_for(o->data, split, info)) || ib_dataset_check_input(s->test, info))
        return complain();
    ib_dataset_limit(s->test, o->limit);
    return 0;
}

void session_settle(session *s, const ib_dataset *d)
{
    ib_input_info in = *ib_layer_input(s->net);
    if (in.std > 0)
        return;
    in.mean = 0;
    in.std = 1;
    in.raw_max = ib_dataset_info(d).raw_max;
    ib_layer_set_input(s->net, &in);
}

int session_model(session *s, const common *o, const char *path)
{
    if (session_open(s, o))
        return 1;
    if (!(s->net = ib_checkpoint_open(path, s->g, &s->c)))
        return complain();
    return o->data ? session_data(s, o, ib_layer_input(s->net), IB_SPLIT_TEST) : 0;
}

void session_close(session *s)
{
    ib_layer_free(s->net);
    ib_dataset_free(s->train);
    ib_dataset_free(s->test);
    ib_graph_free(s->g);
    ib_device_close(s->dev);
    ib_checkpoint_release(&s->c);
}
