/* regression.c - see regression.h */
#include "cli/answers/regression.h"

#include <stdio.h>

#include "train/measure.h"

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

int regression_by_engine(engine *e, const ib_dataset *d, ib_evaluation *r)
{
    ib_input_info input = e->input;
    input.classes = (int)e->size;
    ib_loader *l = ib_loader_new(d, &input, &(ib_loader_opts){.batch = (int)e->batch});
    ib_measure m = {0};
    ib_batch b;
    int bad = !l || ib_dataset_check_labels(d, &input) || ib_measure_open(&m, ib_dataset_targets(d), e->schema);
    while (!bad && ib_loader_next(l, &b)) {
        const float *y = engine_run(e, &b);
        if (!(bad = !y))
            ib_measure_add(&m, &b, y);
    }
    bad = bad || ib_loader_status(l) || ib_measure_score(&m, r) ? complain() : 0;
    ib_loader_free(l);
    ib_measure_close(&m);
    return bad;
}

int regression_by_network(session *s, const ib_dataset *d, int in_float, ib_evaluation *r)
{
    return ib_evaluate(s->net, s->g, d, &(ib_evaluate_opts){.in_float = in_float}, r) ? complain() : 0;
}

void regression_print(const ib_evaluation *r)
{
    printf("R^2 %.4f", r->score);
    if (r->n_targets == 1)
        printf(", RMSE %.6g, MAE %.6g", r->targets[0].rmse, r->targets[0].mae);
    for (int k = 0; k < r->n_targets && r->n_targets > 1; k++)
        printf("; %s: R^2 %.4f, RMSE %.6g, MAE %.6g", r->targets[k].name, r->targets[k].r2, r->targets[k].rmse,
               r->targets[k].mae);
}

void regression_json(const ib_evaluation *r, struct json_object *j)
{
    struct json_object *list = json_object_new_array();
    for (int k = 0; k < r->n_targets; k++) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "name", json_object_new_string(r->targets[k].name));
        json_object_object_add(o, "r2", json_object_new_double(r->targets[k].r2));
        json_object_object_add(o, "rmse", json_object_new_double(r->targets[k].rmse));
        json_object_object_add(o, "mae", json_object_new_double(r->targets[k].mae));
        json_object_array_add(list, o);
    }
    json_object_object_add(j, "r2", json_object_new_double(r->score));
    json_object_object_add(j, "targets", list);
}
