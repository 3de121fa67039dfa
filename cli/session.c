/* session.c - common options, errors, opening what a command works with. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu/levels.h"
#include "cli/cli.h"
#include "data/dataset.h"

enum {
    KEY_DATA = 1000,
    KEY_DEVICE,
    KEY_THREADS,
    KEY_JSON,
    KEY_LIMIT,
    KEY_LABEL,
    KEY_DROP,
    KEY_MISSING,
    KEY_SPLIT_SEED,
    KEY_TEST_SHARE,
    KEY_INPUT,
    KEY_CATEGORICAL
};

static const char devices[] = "cpu"
#define LEVEL(name, processor, ...) IB_FOR_##processor(", cpu:" #name)
#include "backends/cpu/levels.def"
#undef LEVEL
    ;

static const struct argp_option threads_options[] = {
    {"threads", KEY_THREADS, "N", 0, "0 (default): all cores; no result depends on it", 0},
    {"json", KEY_JSON, NULL, 0, "one JSON object on standard output", 0},
    {0},
};

static error_t parse_threads(int key, char *arg, struct argp_state *state)
{
    common *o = state->input;
    int64_t n;
    switch (key) {
    case KEY_JSON: o->json = 1; return 0;
    case KEY_THREADS:
        if (parse_int(arg, "--threads", 0, 1024, &n))
            exit(2);
        o->threads = (int)n;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp threads_argp = {threads_options, parse_threads, NULL, NULL, NULL, NULL, NULL};

static const struct argp_option machine_options[] = {
    {"device", KEY_DEVICE, "NAME", 0, devices, 0},
    {0},
};

static error_t parse_machine(int key, char *arg, struct argp_state *state)
{
    common *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = o; return 0;
    case KEY_DEVICE: o->device = arg; return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child threads_child[] = {{&threads_argp, 0, NULL, 0}, {0}};
const struct argp machine_argp = {machine_options, parse_machine, NULL, NULL, threads_child, NULL, NULL};

static const struct argp_option options[] = {
    {"data", KEY_DATA, "SPEC", 0,
     "digits, idx:DIR, images:DIR, hdf5:FILE, csv:FILE[:CxHxW], npy:FILE, npz:FILE or f32:FILE[:CxHxW] (default: what "
     "the model "
     "remembers, else digits)",
     0},
    {"limit", KEY_LIMIT, "N", 0, "use the first N samples of each data set", 0},
    {"input", KEY_INPUT, "CxHxW", 0,
     "of pictures in folders: resize and crop them to this (default: the size that all have, or the model's)", 0},
    {"label", KEY_LABEL, "COLUMN", 0,
     "of a table: the column of labels, by name or by number from 1 (default: the last, or the model's)", 0},
    {"drop", KEY_DROP, "COLUMNS", 0, "of a table: columns to leave out, names or numbers with commas between", 0},
    {"categorical", KEY_CATEGORICAL, "COLUMNS", 0,
     "of a table: columns whose values are names, also where they are numbers (zip codes, codes of answers)", 0},
    {"missing", KEY_MISSING, "HOW", 0,
     "of a table: mean fills in values that are missing, with the column's mean or most frequent name; they are "
     "refused else",
     0},
    {"test-share", KEY_TEST_SHARE, "X", 0,
     "of a table, or of pictures in folders: the share of each class that is the test part (default 0.2, or as the "
     "model was trained; 1 measures all)",
     0},
    {"split-seed", KEY_SPLIT_SEED, "N", 0,
     "of a table, or of pictures in folders: which samples these are (default: always the same)", 0},
    {0},
};

_Static_assert(sizeof options / sizeof *options <= MOST_OF_DATA + 1, "a row for each, besides the last");

static error_t parse(int key, char *arg, struct argp_state *state)
{
    common *o = state->input;
    int64_t n, shape[3];
    for (int i = 0; options[i].name; i++)
        if (options[i].key == key)
            o->said[i] = arg;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = o; return 0;
    case KEY_DATA: o->data = arg; return 0;
    case KEY_INPUT:
        if (!ib_dataset_parse_shape(arg, shape) || (shape[0] != 1 && shape[0] != 3)) {
            fprintf(stderr, "isobit: --input '%s': CxHxW is expected with 1 channel or 3, such as 3x64x64\n", arg);
            exit(2);
        }
        for (int i = 0; i < 3; i++)
            o->table.input[i] = (int)shape[i];
        return 0;
    case KEY_LABEL: o->table.label = arg; return 0;
    case KEY_DROP: o->table.drop = arg; return 0;
    case KEY_CATEGORICAL: o->table.categorical = arg; return 0;
    case KEY_MISSING:
        if (strcmp(arg, "mean")) {
            fprintf(stderr, "isobit: --missing '%s': mean is possible\n", arg);
            exit(2);
        }
        o->table.fill_missing = 1;
        return 0;
    case KEY_TEST_SHARE:
        if (parse_float(arg, "--test-share", 1e-6, 1, &o->table.test_share))
            exit(2);
        return 0;
    case KEY_SPLIT_SEED:
        if (parse_int(arg, "--split-seed", 1, INT64_MAX, &n))
            exit(2);
        o->table.split_seed = (uint64_t)n;
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
        fprintf(stderr, "isobit: %s '%s' is not an integer from %lld to %lld\n", option, text, (long long)lo,
                (long long)hi);
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

int parse_granularity(const char *text, ib_qat_opts *q)
{
    int64_t n = 0;
    q->granularity = !strcmp(text, "tensor")       ? IB_PER_TENSOR
                     : !strncmp(text, "group:", 6) ? IB_PER_GROUP
                                                   : IB_PER_CHANNEL;
    if (q->granularity == IB_PER_CHANNEL && strcmp(text, "channel"))
        return fprintf(stderr, "isobit: --granularity '%s': channel, tensor and group:N are possible\n", text), 1;
    if (q->granularity == IB_PER_GROUP && parse_int(text + 6, "--granularity group", 4, 1 << 20, &n))
        return 1;
    q->group_size = (int)n;
    return 0;
}

int parse_percentile(const char *text, ib_qat_opts *q)
{
    double x;
    const int bad = parse_float(text, "--percentile", 50, 100, &x);
    q->percentile = bad ? 0 : (float)x;
    return bad;
}

int parse_averaging(const char *text, ib_qat_opts *q)
{
    double x;
    const int bad = parse_float(text, "--averaging-constant", 1e-6, 1, &x);
    q->averaging_constant = bad ? 0 : (float)x;
    return bad;
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

void print_classes(const char *before, const ib_schema *schema)
{
    const int n = schema ? ib_schema_of(schema)->n_classes : 0;
    for (int i = 0; i < n && i < 10; i++)
        printf("%s%s", i ? ", " : before, ib_schema_class(schema, i));
    if (n > 10)
        printf(" and %d more", n - 10);
}

void classes_json(const ib_schema *schema, struct json_object *o)
{
    const int n = schema ? ib_schema_of(schema)->n_classes : 0;
    struct json_object *names = n ? json_object_new_array() : NULL;
    for (int i = 0; i < n; i++)
        json_object_array_add(names, json_object_new_string(ib_schema_class(schema, i)));
    if (names)
        json_object_object_add(o, "classes", names);
}

void session_tell(session *s, const ib_dataset *d)
{
    const char *note = ib_dataset_note(d);
    if (*note && strcmp(note, s->told))
        fprintf(stderr, "isobit: note: %s\n", note);
    snprintf(s->told, sizeof s->told, "%s", note);
}

int session_data(session *s, const common *o, const ib_input_info *info, const ib_schema *schema, ib_split split)
{
    ib_data_opts opts = o->table;
    opts.schema = schema;
    if (!(s->test = ib_dataset_open_with(o->data, split, info, &opts)) || ib_dataset_check_input(s->test, info))
        return complain_of_data(s, o);
    if (split == IB_SPLIT_TEST && s->as_trained && refuse_changed_data(s, o))
        return 1;
    ib_dataset_limit(s->test, o->limit);
    return 0;
}

int session_parts(session *s, const common *o, const ib_input_info *net, const ib_schema *schema)
{
    ib_data_opts opts = o->table;
    opts.schema = schema;
    if (ib_dataset_open_parts(o->data, net, &opts, &s->train, &s->test) ||
        (net && (ib_dataset_check_input(s->test, net) || ib_dataset_check_input(s->train, net))))
        return complain_of_data(s, o);
    recognize_data(s);
    ib_dataset_limit(s->train, o->limit);
    ib_dataset_limit(s->test, o->limit);
    return 0;
}

int session_whole(session *s, const common *o)
{
    if (!(s->train = ib_dataset_open_with(o->data, IB_SPLIT_ALL, NULL, &o->table)))
        return complain_of_data(s, o);
    s->test = ib_dataset_hold(s->train);
    recognize_data(s);
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

int refuse_table(const common *o)
{
    const ib_data_opts *t = &o->table;
    return !o->data &&
           (refuse_alone("input", t->input[0] ? t : NULL, "--data images:DIR") ||
            refuse_alone("label", t->label, "--data csv:FILE") || refuse_alone("drop", t->drop, "--data csv:FILE") ||
            refuse_alone("categorical", t->categorical, "--data csv:FILE") ||
            refuse_alone("missing", t->fill_missing ? t : NULL, "--data csv:FILE") ||
            refuse_alone("test-share", t->test_share > 0 ? t : NULL, "--data csv:FILE or images:DIR") ||
            refuse_alone("split-seed", t->split_seed ? t : NULL, "--data csv:FILE or images:DIR"));
}

int session_model(session *s, const common *o, const char *path)
{
    if (session_open(s, o))
        return 1;
    return (s->net = ib_checkpoint_open(path, s->g, &s->c)) ? 0 : complain();
}

int session_test(session *s, common *o, const char *path)
{
    const int status = recall_data(s, o, path, "digits");
    if (status || session_data(s, o, ib_layer_input(s->net), ib_layer_schema(s->net), IB_SPLIT_TEST))
        return status ? status : 1;
    session_tell(s, s->test);
    return 0;
}

void session_close(session *s)
{
    ib_layer_free(s->net);
    ib_dataset_free(s->train);
    ib_dataset_free(s->test);
    ib_graph_free(s->g);
    ib_device_close(s->dev);
    ib_checkpoint_release(&s->c);
    json_object_put(s->remembered);
}
