/* tally.c - what the epoch under way comes to: summed on the device, read when somebody asks. */
#include "autograd/op.h"
#include "train/loop.h"

ib_status ib_train_open_tally(ib_train_run *r)
{
    r->tally = V(r->g)->allocate(r->g->dev, sizeof *r->tally);
    if (!r->tally)
        return ib_error_status();
    ib_train_begin_tally(r);
    return IB_OK;
}

void ib_train_close_tally(ib_train_run *r)
{
    V(r->g)->release(r->g->dev, r->tally);
    r->tally = NULL;
}

void ib_train_begin_tally(ib_train_run *r)
{
    const ib_checkpoint *c = &r->t->at;
    const ib_tally sums = {c->loss_sum, c->step, c->right};
    V(r->g)->upload(r->g->dev, r->tally, &sums, sizeof sums);
    r->counted = c->step;
}

void ib_train_read_tally(ib_train_run *r, int wait)
{
    ib_tally sums;
    (wait ? V(r->g)->download : V(r->g)->peek)(r->g->dev, &sums, r->tally, sizeof sums);
    r->t->at.loss_sum = sums.loss;
    r->counted = sums.steps;
    if (wait || r->g->dev->is_host)
        r->t->at.right = sums.right;
}
