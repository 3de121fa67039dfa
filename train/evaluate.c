/* evaluate.c - scores of a network on the tape, without gradients. */
#include "autograd/op.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "data/dataset.h"
#include "train/loop.h"
#include "train/measure.h"

typedef struct evaluation {
    ib_layer *net;
    ib_graph *g;
    int in_float;
    ib_measure measure; /* of numbers to learn */
    float *y;           /* [batch][targets], what is given for them */
    ib_tally *tally;    /* of classes, device memory: the sum of losses over samples */
    int64_t seen;
} evaluation;

static ib_status start(evaluation *e, const ib_dataset *data, int64_t batch)
{
    const int targets = ib_dataset_targets(data);
    const int64_t most = batch < ib_dataset_count(data) ? batch : ib_dataset_count(data);
    if (targets)
        return (e->y = ib_alloc_raw((size_t)most * (size_t)targets * sizeof *e->y))
                   ? ib_measure_open(&e->measure, targets, ib_dataset_schema(data))
                   : IB_ENOMEM;
    ib_device *dev = ib_graph_device(e->g);
    if (!(e->tally = dev->v.allocate(dev, sizeof *e->tally)))
        return ib_error_status();
    dev->v.fill(dev, e->tally, 0, sizeof *e->tally);
    return IB_OK;
}

static void end(evaluation *e)
{
    ib_measure_close(&e->measure);
    ib_free(e->y);
    ib_device *dev = ib_graph_device(e->g);
    dev->v.release(dev, e->tally);
}

static ib_status take_classes(const evaluation *e, const ib_batch *b, ib_tensor *y)
{
    const ib_tensor *mean = ib_cross_entropy(e->g, y, b->y, 0);
    const int32_t *labels = mean ? ib_graph_uploaded(e->g, b->y, (size_t)b->n * sizeof *labels) : NULL;
    if (!labels)
        return ib_error_status();
    K(e->g)->count_right(e->g->dev, ib_f32(y), b->n, y->shape[1], labels, e->tally);
    K(e->g)->add_loss(e->g->dev, ib_f32(mean), b->n, e->tally);
    return IB_OK;
}

static ib_status take(evaluation *e, const ib_batch *b)
{
    ib_graph_begin(e->g, IB_EVAL);
    ib_tensor *x = ib_input(e->g, 4, b->shape, b->x);
    ib_tensor *y = e->in_float ? ib_layer_forward_float(e->g, e->net, x) : ib_layer_forward(e->g, e->net, x);
    if (!y || ib_check_at_home(e->g, y))
        return ib_error_status();
    if (!e->measure.n) {
        if (take_classes(e, b, y))
            return ib_error_status();
    } else {
        V(e->g)->download(e->g->dev, e->y, y->data, (size_t)b->n * (size_t)e->measure.n * sizeof *e->y);
        ib_measure_add(&e->measure, b, e->y);
    }
    e->seen += b->n;
    return IB_OK;
}

static ib_status score(const evaluation *e, ib_evaluation *out)
{
    if (e->measure.n)
        return ib_measure_score(&e->measure, out);
    const double n = (double)e->seen;
    ib_device *dev = ib_graph_device(e->g);
    ib_tally sums;
    dev->v.download(dev, &sums, e->tally, sizeof sums);
    *out = (ib_evaluation){.samples = e->seen, .score = (double)sums.right / n, .loss = sums.loss / n};
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
    const int batch = o->batch ? o->batch : 200;
    ib_status status = ib_dataset_check_labels(data, ib_layer_input(net));
    if (!status)
        status = start(&e, data, batch);
    ib_loader *l = status ? NULL : ib_loader_new(data, ib_layer_input(net), &(ib_loader_opts){batch});
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
    end(&e);
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
