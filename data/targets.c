/* targets.c - real numbers as the labels of samples. */
#include <string.h>

#include "data/dataset.h"
#include "tensor/argument.h"

ib_status ib_dataset_reserve_targets(ib_dataset *d, int n_targets)
{
    d->n_targets = d->classes = n_targets;
    return (d->targets = ib_alloc((size_t)d->n * (size_t)n_targets * sizeof *d->targets)) ? IB_OK : IB_ENOMEM;
}

ib_dataset *ib_dataset_of_targets(int64_t n, int c, int h, int w, int n_targets, int raw_max, const float *x,
                                  const float *targets)
{
    IB_NEED_OR(x, NULL);
    IB_NEED_OR(targets, NULL);
    IB_TAKE_OR(n, n > 0 && n <= (int64_t)1 << 32, NULL, "is %lld", (long long)n);
    IB_TAKE_OR(c, c > 0 && c <= 65536, NULL, "is %d, 1 to 65536 are possible", c);
    IB_TAKE_OR(h, h > 0 && h <= 65536, NULL, "is %d, 1 to 65536 are possible", h);
    IB_TAKE_OR(w, w > 0 && w <= 65536, NULL, "is %d, 1 to 65536 are possible", w);
    IB_TAKE_OR(raw_max, raw_max >= 0, NULL, "is %d", raw_max);
    IB_TAKE_OR(n_targets, n_targets > 0 && n_targets <= 65536, NULL, "is %d, 1 to 65536 are possible", n_targets);
    ib_dataset *d = ib_dataset_new(n, c, h, w, 0, raw_max, x, NULL);
    if (!d || ib_dataset_reserve_targets(d, n_targets)) {
        ib_dataset_free(d);
        return NULL;
    }
    memcpy(d->targets, targets, (size_t)n * (size_t)n_targets * sizeof *targets);
    return ib_dataset_finish("data set", d);
}

int ib_dataset_targets(const ib_dataset *d)
{
    IB_NEED_OR(d, 0);
    return d->n_targets;
}

const float *ib_dataset_target(const ib_dataset *d, int64_t i)
{
    IB_NEED_OR(d, NULL);
    IB_TAKE_OR(i, i >= 0 && i < d->n, NULL, "is %lld of %lld samples", (long long)i, (long long)d->n);
    return d->targets ? d->targets + i * d->n_targets : NULL;
}
