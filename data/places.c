/* places.c - where samples stand in files. */
#include "base/argument.h"
#include "data/dataset.h"
#include "data/pictures/pictures.h"

const char *ib_dataset_path(const ib_dataset *d, int64_t i)
{
    IB_NEED_OR(d, NULL);
    IB_TAKE_OR(i, i >= 0 && i < d->n, NULL, "is %lld of %lld samples", (long long)i, (long long)d->n);
    return d->pictures ? d->pictures->path[i] : NULL;
}

int64_t ib_dataset_line(const ib_dataset *d, int64_t i)
{
    IB_NEED_OR(d, 0);
    IB_TAKE_OR(i, i >= 0 && i < d->n, 0, "is %lld of %lld samples", (long long)i, (long long)d->n);
    return d->line ? d->line[i] : 0;
}
