/* tally.c - what the epoch under way comes to: summed on the device, read when somebody asks. */
#include "autograd/op.h"
#include "train/loop.h"

ib_status ib_train_open_tally(ib_train_run *r)
{
    ib_device *dev = ib_graph_device(r->g);
    r->tally = dev->v.allocate(dev, sizeof *r->tally);
    if (!r->tally)
        return ib_error_status();
    ib_train_begin_tally(r);
    return IB_OK;
}

void ib_train_close_tally(ib_train_run *r)
{
    ib_device *dev = ib_graph_device(r->g);
    dev->v.release(dev, r->tally);
    r->tally = NULL;
}

void ib_train_begin_tally(ib_train_run *r)
{
    const ib_checkpoint *c = &r->t->at;
    const ib_tally sums = {c->loss_sum, c->step, c->right};
    ib_device *dev = ib_graph_device(r->g);
    dev->v.upload(dev, r->tally, &sums, sizeof sums);
    r->counted = c->step;
}

void ib_train_read_tally(ib_train_run *r, int wait)
{
    ib_device *dev = ib_graph_device(r->g); /* whatever the graph has turned to */
    ib_tally sums;
    (wait ? dev->v.download : dev->v.peek)(dev, &sums, r->tally, sizeof sums);
    r->t->at.loss_sum = sums.loss;
    r->counted = sums.steps;
    if (wait || dev->is_host)
        r->t->at.right = sums.right;
}

ib_status ib_check_at_home(const ib_graph *g, const ib_tensor *y)
{
    const ib_device *home = ib_graph_device(g), *at = y->side ? y->side->dev : y->dev; /* a leaf has no side */
    if (y->side ? at == home : at == ib_home(g->dev))
        return IB_OK;
    return ib_fail(IB_EUNSUPPORTED, "the network's result lies on %s, its graph is on %s: ib_to_device() copies it",
                   ib_home_name(at), ib_device_name(home));
}
