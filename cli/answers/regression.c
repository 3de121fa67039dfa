/* regression.c - see regression.h */
#include "cli/answers/regression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int is_regression(const ib_schema *schema)
{
    return schema && ib_schema_of(schema)->task == IB_REGRESSION;
}

void to_units(const ib_schema *schema, int64_t n, const float *y, float *out)
{
    const ib_schema_opts *o = ib_schema_of(schema);
    for (int64_t i = 0; i < n * o->n_targets; i++) {
        const ib_target *t = &o->targets[i % o->n_targets];
        out[i] = y[i] * t->std + t->mean;
    }
}

/* Sums over samples of one target, in its units; values are taken from `first`, so that large ones lose nothing. */
typedef struct sums {
    double error2, error1, first, sum, square;
} sums;

static void add(sums *s, const ib_schema_opts *o, const ib_batch *b, const float *y, int64_t seen, double *loss)
{
    for (int64_t i = 0; i < (int64_t)b->n * b->n_targets; i++) {
        const int64_t k = i % b->n_targets;
        const double std = o ? o->targets[k].std : 1, off = (double)y[i] - b->targets[i], value = b->targets[i] * std;
        if (seen == 0 && i < b->n_targets)
            s[k].first = value;
        s[k].error2 += off * std * off * std;
        s[k].error1 += fabs(off) * std;
        s[k].sum += value - s[k].first;
        s[k].square += (value - s[k].first) * (value - s[k].first);
        *loss += off * off;
    }
}

static void finish(regression *r, const sums *s, const ib_schema_opts *o, int64_t n)
{
    for (int k = 0; k < r->n; k++) {
        const double spread = s[k].square - s[k].sum * s[k].sum / (double)n;
        r->targets[k] = (regression_target){.name = o ? o->targets[k].name : "",
                                            .rmse = sqrt(s[k].error2 / (double)n),
                                            .mae = s[k].error1 / (double)n,
                                            .r2 = spread > 0        ? 1 - s[k].error2 / spread
                                                  : s[k].error2 > 0 ? 0
                                                                    : 1};
        r->r2 += r->targets[k].r2 / r->n;
    }
    r->loss /= (double)n * r->n;
}

typedef const float *forward(void *context, const ib_batch *b);

static int measure(forward *run, void *context, const ib_input_info *input, const ib_schema *schema,
                   const ib_dataset *d, int64_t batch, regression *r)
{
    *r = (regression){.n = ib_dataset_targets(d)};
    const ib_schema_opts *o =
        is_regression(schema) && ib_schema_of(schema)->n_targets == r->n ? ib_schema_of(schema) : NULL;
    sums *s = calloc((size_t)r->n + 1, sizeof *s);
    r->targets = calloc((size_t)r->n + 1, sizeof *r->targets);
    ib_loader *l = ib_loader_new(d, input, &(ib_loader_opts){.batch = (int)batch});
    int64_t seen = 0;
    ib_batch b;
    int status = !s || !r->targets || !l || ib_dataset_check_labels(d, input) ? complain() : 0;
    while (!status && ib_loader_next(l, &b)) {
        const float *y = run(context, &b);
        if (!y)
            status = complain();
        else
            add(s, o, &b, y, seen, &r->loss);
        seen += b.n;
    }
    if (!status)
        finish(r, s, o, seen);
    ib_loader_free(l);
    free(s);
    return status;
}

static const float *by_engine(void *context, const ib_batch *b)
{
    return engine_run(context, b);
}

int regression_by_engine(engine *e, const ib_dataset *d, regression *r)
{
    ib_input_info input = e->input;
    input.classes = (int)e->size;
    return measure(by_engine, e, &input, e->schema, d, e->batch, r);
}

typedef struct network {
    session *s;
    int float_engine;
} network;

static const float *by_network(void *context, const ib_batch *b)
{
    const network *n = context;
    ib_graph_begin(n->s->g, IB_EVAL);
    ib_tensor *x = ib_input(n->s->g, 4, b->shape, b->x);
    ib_tensor *y =
        n->float_engine ? ib_layer_forward_float(n->s->g, n->s->net, x) : ib_layer_forward(n->s->g, n->s->net, x);
    return y ? ib_tensor_f32(y) : NULL;
}

int regression_by_network(session *s, const ib_dataset *d, int float_engine, regression *r)
{
    network n = {s, float_engine};
    return measure(by_network, &n, ib_layer_input(s->net), ib_dataset_schema(d), d, 200, r);
}

void regression_print(const regression *r)
{
    printf("R^2 %.4f", r->r2);
    if (r->n == 1)
        printf(", RMSE %.6g, MAE %.6g", r->targets[0].rmse, r->targets[0].mae);
    for (int k = 0; k < r->n && r->n > 1; k++)
        printf("; %s: R^2 %.4f, RMSE %.6g, MAE %.6g", r->targets[k].name, r->targets[k].r2, r->targets[k].rmse,
               r->targets[k].mae);
}

void regression_json(const regression *r, struct json_object *j)
{
    struct json_object *list = json_object_new_array();
    for (int k = 0; k < r->n; k++) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "name", json_object_new_string(r->targets[k].name));
        json_object_object_add(o, "r2", json_object_new_double(r->targets[k].r2));
        json_object_object_add(o, "rmse", json_object_new_double(r->targets[k].rmse));
        json_object_object_add(o, "mae", json_object_new_double(r->targets[k].mae));
        json_object_array_add(list, o);
    }
    json_object_object_add(j, "r2", json_object_new_double(r->r2));
    json_object_object_add(j, "targets", list);
}
