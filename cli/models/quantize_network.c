/* quantize_network.c - see quantize_network.h */
#include "cli/models/quantize_network.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_GRANULARITY = LONG_OPTION + 200, KEY_ITERATIONS, KEY_BIAS, KEY_EQUALIZE };

static const struct argp_option options[] = {
    {"granularity", KEY_GRANULARITY, "G", 0, "scales of weights: channel (default), tensor, group:N", 0},
    {"iterations", KEY_ITERATIONS, "N", 0, "of adaround, for each group of a layer (default 2000)", 0},
    {"bias-correction", KEY_BIAS, NULL, 0, "the mean error of each channel goes into its bias", 0},
    {"equalize", KEY_EQUALIZE, NULL, 0,
     "before calibration channels are made as large as their neighbours, and the weights "
     "that read them as much smaller",
     0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    network_rounding *o = state->input;
    int bad = 0;
    switch (key) {
    case KEY_GRANULARITY: o->granularity = arg; return 0;
    case KEY_ITERATIONS: bad = parse_int(arg, "--iterations", 1, 1 << 24, &o->iterations); break;
    case KEY_BIAS: o->bias_correction = 1; return 0;
    case KEY_EQUALIZE: o->equalize = 1; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
    if (bad)
        exit(2);
    return 0;
}

const struct argp network_rounding_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

const char *network_rounding_given(const network_rounding *o)
{
    return o->granularity       ? "--granularity"
           : o->iterations      ? "--iterations"
           : o->bias_correction ? "--bias-correction"
           : o->equalize        ? "--equalize"
                                : NULL;
}

int network_rounding_settle(const network_rounding *o, const char *method, ib_qat_opts *q, ib_rounding_opts *r)
{
    const int chooses = method && strcmp(method, "nearest") != 0, learned = method && !strcmp(method, "adaround");
    if (o->granularity && parse_granularity(o->granularity, q))
        return 2;
    if (refuse_alone("iterations", !learned && o->iterations ? o : NULL, "--method adaround"))
        return 2;
    *r = (ib_rounding_opts){
        .method = method ? method : "nearest", .iterations = o->iterations, .bias_correction = o->bias_correction};
    if (!chooses)
        return q->weight_observer && !strcmp(q->weight_observer, "output")
                   ? refuse_alone("weight-observer output", o, "--method gptq or adaround") + 1
                   : 0;
    if (q->granularity == IB_PER_GROUP)
        return fprintf(stderr,
                       "isobit: --method %s: scales of groups follow the weights: --granularity channel or "
                       "tensor\n",
                       method),
               2;
    r->scales = q->weight_observer;
    q->weight_observer = "lsq"; /* scales that stay when weights are chosen */
    return 0;
}

static void tell_pair(void *user, const ib_equalize_report *r)
{
    struct json_object *pairs = user;
    if (pairs) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "layer", json_object_new_string(r->layer));
        json_object_object_add(j, "next", r->next ? json_object_new_string(r->next) : NULL);
        json_object_object_add(j, "before", json_object_new_double((double)r->before));
        json_object_object_add(j, "after", json_object_new_double((double)r->after));
        json_object_object_add(j, "note", r->note ? json_object_new_string(r->note) : NULL);
        json_object_array_add(pairs, j);
    } else if (r->note) {
        printf("%-24s not equalized: %s\n", r->layer, r->note);
    } else {
        printf("%-24s equalized with %s: its largest channel is %.3g times its smallest, was %.3g\n", r->layer, r->next,
               (double)r->after, (double)r->before);
    }
}

int network_equalize(session *s, const network_rounding *o, struct json_object *pairs)
{
    if (!o->equalize)
        return 0;
    return ib_qat_equalize(s->net, s->g, &(ib_equalize_opts){.tell = tell_pair, .user = pairs}) ? complain() : 0;
}

/* What is told while layers are rounded. */
typedef struct work {
    progress bar;
    struct json_object *layers;
} work;

static struct json_object *error_json(double error)
{
    return error < 0 ? NULL : json_object_new_double(error);
}

static int tell(void *user, const ib_rounding_report *r)
{
    work *w = user;
    progress_end(&w->bar);
    if (w->layers) {
        struct json_object *j = json_object_new_object();
        json_object_object_add(j, "layer", json_object_new_string(r->layer));
        json_object_object_add(j, "bits", json_object_new_int(r->bits));
        json_object_object_add(j, "weights", json_object_new_int64(r->weights));
        json_object_object_add(j, "rows", json_object_new_int64(r->rows));
        json_object_object_add(j, "moved", json_object_new_int64(r->moved));
        json_object_object_add(j, "nearest_error", error_json(r->nearest_error));
        json_object_object_add(j, "error", error_json(r->error));
        json_object_object_add(j, "note", r->note ? json_object_new_string(r->note) : NULL);
        json_object_array_add(w->layers, j);
    } else {
        printf("%-24s %d bits, error %.3g (nearest %.3g), %lld of %lld codes are not the nearest%s%s\n", r->layer,
               r->bits, r->error, r->nearest_error, (long long)r->moved, (long long)r->weights, r->note ? "; " : "",
               r->note ? r->note : "");
        flush_or_end(stdout);
    }
    return interrupted != 0;
}

static int show(void *user, int64_t done, int64_t total)
{
    progress_show(&((work *)user)->bar, done, total, "weights");
    return interrupted != 0;
}

int network_rounding_run(session *s, const ib_rounding_opts *r, ib_loader *l, struct json_object *layers)
{
    work w = {.layers = layers};
    ib_rounding_opts o = *r;
    o.tell = tell;
    o.progress = show;
    o.user = &w;
    progress_start(&w.bar, "round", 0);
    catch_interrupt();
    const ib_status status = ib_qat_round(s->net, s->g, l, &o);
    progress_end(&w.bar);
    if (status == IB_ESTOPPED && interrupted)
        return fprintf(stderr, "isobit: interrupted: nothing was written\n"), 128 + interrupted;
    release_interrupt();
    return status ? complain() : 0;
}
