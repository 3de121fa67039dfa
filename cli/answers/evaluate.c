/* evaluate.c - accuracy and loss on the tape, without a tape. */
#include <math.h>

#include <stdlib.h>

#include "cli/answers/regression.h"

int64_t count_right(const float *y, int64_t classes, const ib_batch *b)
{
    int64_t right = 0;
    for (int i = 0; i < b->n; i++, y += classes) {
        int64_t best = 0;
        for (int64_t j = 1; j < classes; j++)
            best = y[j] > y[best] ? j : best;
        right += best == b->y[i];
    }
    return right;
}

int evaluate(session *s, const ib_dataset *d, int float_engine, double *accuracy, double *loss)
{
    if (ib_dataset_targets(d)) {
        regression r;
        const int status = regression_by_network(s, d, float_engine, &r);
        *accuracy = r.r2;
        *loss = r.loss;
        free(r.targets);
        return status;
    }
    ib_loader *l = ib_loader_new(d, ib_layer_input(s->net), &(ib_loader_opts){.batch = 200});
    ib_batch b;
    int64_t right = 0, seen = 0;
    double sum = 0;
    progress p;
    progress_start(&p, "test", 0);
    if (!l || ib_dataset_check_labels(d, ib_layer_input(s->net))) {
        ib_loader_free(l);
        return complain();
    }
    while (ib_loader_next(l, &b)) {
        ib_graph_begin(s->g, IB_EVAL);
        ib_tensor *x = ib_input(s->g, 4, b.shape, b.x);
        ib_tensor *y = float_engine ? ib_layer_forward_float(s->g, s->net, x) : ib_layer_forward(s->g, s->net, x);
        ib_tensor *mean = ib_cross_entropy(s->g, y, b.y, 0);
        if (!mean) {
            ib_loader_free(l);
            return complain();
        }
        right += count_right(ib_tensor_f32(y), ib_tensor_shape(y)[1], &b);
        sum += (double)ib_tensor_f32(mean)[0] * b.n;
        seen += b.n;
        progress_show(&p, seen, ib_dataset_count(d), "samples");
    }
    progress_end(&p);
    const int bad = ib_loader_status(l) ? complain() : 0;
    ib_loader_free(l);
    if (bad)
        return 1;
    *accuracy = (double)right / (double)seen;
    *loss = sum / (double)seen;
    return 0;
}
