/* evaluate.c - scores of a network on the tape, without gradients. */
#include "autograd/tensor.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "data/dataset.h"
#include "train/measure.h"

typedef struct evaluation {
    ib_layer *net;
    ib_graph *g;
    int in_float;
    ib_measure measure; /* of numbers to learn */
    int64_t right, seen;
    double loss; /* of classes, summed over samples */
} evaluation;

static ib_status take(evaluation *e, const ib_batch *b)
{
    ib_graph_begin(e->g, IB_EVAL);
    ib_tensor *x = ib_input(e->g, 4, b->shape, b->x);
    ib_tensor *y = e->in_float ? ib_layer_forward_float(e->g, e->net, x) : ib_layer_forward(e->g, e->net, x);
    void *copy = NULL;
    if (e->measure.n) {
        if (!y)
            return ib_error_status();
        const float *made = ib_tensor_look(y, &copy);
        if (!made)
            return ib_error_status();
        ib_measure_add(&e->measure, b, made);
    } else {
        ib_tensor *mean = ib_cross_entropy(e->g, y, b->y, 0);
        if (!mean)
            return ib_error_status();
        float loss;
        const float *scores = ib_tensor_look(y, &copy);
        if (!scores || ib_tensor_read(mean, &loss))
            return ib_free(copy), ib_error_status();
        e->right += ib_count_right(scores, ib_tensor_shape(y)[1], b);
        e->loss += (double)loss * b->n;
    }
    ib_free(copy);
    e->seen += b->n;
    return IB_OK;
}

static ib_status score(const evaluation *e, ib_evaluation *out)
{
    if (e->measure.n)
        return ib_measure_score(&e->measure, out);
    const double n = (double)e->seen;
    *out = (ib_evaluation){.samples = e->seen, .score = (double)e->right / n, .loss = e->loss / n};
    return IB_OK;
}

ib_status ib_evaluate(ib_layer *net, ib_graph *g, const ib_dataset *data, const ib_evaluate_opts *o, ib_evaluation *out)
{
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(data);
    IB_NEED(out);
    const ib_evaluate_opts none = {0};
    o = o ? o : &none;
    IB_TAKE(o->batch, o->batch >= 0 && o->batch <= 1 << 20, "is %d", o->batch);
    *out = (ib_evaluation){0};
    evaluation e = {.net = net, .g = g, .in_float = o->in_float};
    ib_status status = ib_dataset_check_labels(data, ib_layer_input(net));
    if (!status && ib_dataset_targets(data))
        status = ib_measure_open(&e.measure, ib_dataset_targets(data), ib_dataset_schema(data));
    ib_loader *l =
        status ? NULL : ib_loader_new(data, ib_layer_input(net), &(ib_loader_opts){o->batch ? o->batch : 200});
    if (!status && !l)
        status = ib_error_status();
    if (!status && o->progress)
        o->progress(o->user, 0, ib_dataset_count(data));
    for (ib_batch b; !status && ib_loader_next(l, &b);)
        if (!(status = take(&e, &b)) && o->progress)
            o->progress(o->user, e.seen, ib_dataset_count(data));
    if (!status && !(status = ib_loader_status(l)))
        status = score(&e, out);
    ib_loader_free(l);
    ib_measure_close(&e.measure);
    return status;
}

void ib_evaluation_release(ib_evaluation *e)
{
    if (!e)
        return;
    ib_free(e->targets);
    e->targets = NULL;
    e->n_targets = 0;
}
