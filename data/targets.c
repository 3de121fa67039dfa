/* targets.c - real numbers as the labels of samples. */
#include <math.h>
#include <string.h>

#include "base/argument.h"
#include "base/number.h"
#include "data/dataset.h"

ib_status ib_target_scale(const char *file, const char *name, double mean, double std, ib_target *target)
{
    *target = (ib_target){name, (float)mean, (float)std};
    if (!(std > 0))
        return ib_fail(IB_EFORMAT, "%s: column '%s', a label, is %g in every training row: there is nothing to learn",
                       file, name, mean);
    if (!isfinite(target->mean) || !isfinite(target->std) || !isfinite(1.0f / target->std) ||
        std < fabs(mean) * 0x1p-16)
        return ib_fail(IB_EFORMAT,
                       "%s: column '%s', a label, has mean %g and standard deviation %g, which single precision does "
                       "not tell apart",
                       file, name, mean, std);
    return IB_OK;
}

/* Means and deviations of d's targets, named by their number, in a schema of its columns; NULL with ib_error(). */
static ib_schema *measure(const ib_dataset *d)
{
    const int of = d->n_targets;
    ib_target *target = ib_alloc((size_t)of * sizeof *target);
    char(*names)[24] = ib_alloc((size_t)of * sizeof *names);
    ib_status status = target && names ? IB_OK : IB_ENOMEM;
    for (int k = 0; k < of && !status; k++) {
        double mean, std;
        ib_column_moments(d->targets + k, d->n, of, &mean, &std);
        ib_snprintf(names[k], sizeof names[k], of > 1 ? "target %d" : "target", k + 1);
        status = ib_target_scale(d->name, names[k], mean, std, &target[k]);
    }
    ib_schema_opts o = d->schema ? *ib_schema_of(d->schema) : (ib_schema_opts){0};
    o.task = IB_REGRESSION;
    o.n_targets = of;
    o.targets = target;
    ib_schema *s = status ? NULL : ib_schema_new(&o);
    ib_free(target);
    ib_free(names);
    return s;
}

ib_status ib_dataset_scale_targets(ib_dataset *const parts[3], const ib_schema *known)
{
    const ib_dataset *from = parts[IB_SPLIT_TRAIN] ? parts[IB_SPLIT_TRAIN] : parts[IB_SPLIT_ALL];
    ib_schema *schema = known ? ib_schema_hold(known) : from && from->targets ? measure(from) : NULL;
    ib_status status = !schema && from && from->targets ? ib_error_status() : IB_OK;
    const int of = schema ? ib_schema_of(schema)->n_targets : 0;
    for (int s = 0; s < 3 && !status; s++) {
        ib_dataset *d = parts[s];
        if (d && d->targets && d->n_targets != of)
            status = ib_fail(IB_EINVAL, "%s: a sample has %d numbers to learn, %s %d", d->name, d->n_targets,
                             known ? "the model gives" : "those of the training part have", of);
        for (int64_t i = 0; d && d->targets && !status && i < d->n * of; i++) {
            const ib_target *t = &ib_schema_of(schema)->targets[i % of];
            d->targets[i] = (d->targets[i] - t->mean) / t->std;
        }
        if (d && schema) {
            ib_schema_free(d->schema);
            d->schema = ib_schema_hold(schema);
        }
    }
    ib_schema_free(schema);
    return status;
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
