/* fit.c - do a file's samples fit a network: their shape, what their numbers mean, their labels. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/number.h"
#include "data/dataset.h"

/* Sizes other than 1 of n, in order; returns how many. */
static int without_ones(int n, const int64_t *sizes, int64_t *out)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (sizes[i] != 1)
            out[kept++] = sizes[i];
    return kept;
}

static int same_sizes(int n, const int64_t *a, int m, const int64_t *b)
{
    int64_t x[IB_MAX_FILE_DIMS], y[IB_MAX_FILE_DIMS];
    const int k = without_ones(n, a, x);
    int equal = k == without_ones(m, b, y);
    for (int i = 0; i < k && equal; i++)
        equal = x[i] == y[i];
    return equal;
}

/* "[8,3,32,32]" */
static const char *shape_text(int ndim, const int64_t *dims, char *buf, size_t size)
{
    size_t at = (size_t)ib_snprintf(buf, size, "[");
    for (int i = 0; i < ndim && at < size; i++)
        at += (size_t)ib_snprintf(buf + at, size - at, i ? ",%lld" : "%lld", (long long)dims[i]);
    if (at < size)
        ib_snprintf(buf + at, size - at, "]");
    return buf;
}

int ib_dataset_parse_shape(const char *text, int64_t shape[3])
{
    for (int i = 0; i < 3; i++) {
        char *end;
        if (*text < '1' || *text > '9') /* no sign, no blank, no 0 in front */
            return 0;
        errno = 0;
        shape[i] = strtol(text, &end, 10);
        if (errno || shape[i] > 65536 || *end != (i < 2 ? 'x' : 0))
            return 0;
        text = end + 1;
    }
    return 1;
}

char *ib_dataset_split_spec(const char *spec, int64_t shape[3])
{
    char *file = ib_strdup(spec), *colon = file ? strrchr(file, ':') : NULL;
    if (colon && ib_dataset_parse_shape(colon + 1, shape))
        *colon = 0;
    else
        shape[0] = shape[1] = shape[2] = 0;
    return file;
}

/* [N,H,W,C] of grey, colours, or colours and alpha, as TensorFlow has them: read as C,H,W they would be senseless in
 * silence. */
static int channels_last(const int64_t *dims)
{
    return dims[1] > 4 && (dims[3] == 3 || dims[3] == 4 || (dims[3] == 1 && dims[1] == dims[2]));
}

ib_status ib_dataset_shape(const char *file, int ndim, const int64_t *dims, const ib_input_info *net, int64_t s[4])
{
    char text[160];
    s[0] = ndim ? dims[0] : 0;
    s[1] = s[2] = s[3] = 1;
    if (net) {
        const int64_t want[] = {net->c, net->h, net->w}, area = (int64_t)net->h * net->w;
        if (ndim < 1 || (!same_sizes(ndim - 1, dims + 1, 3, want) && !(ndim == 2 && net->c == 1 && dims[1] == area)))
            return ib_fail(IB_EINVAL, "%s: holds %s; the model was made for [N,%d,%d,%d]", file,
                           shape_text(ndim, dims, text, sizeof text), net->c, net->h, net->w);
        s[1] = net->c;
        s[2] = net->h;
        s[3] = net->w;
        return IB_OK;
    }
    if (ndim < 2 || ndim > 4)
        return ib_fail(IB_EFORMAT, "%s: holds %s; [N,K], [N,H,W] and [N,C,H,W] are possible", file,
                       shape_text(ndim, dims, text, sizeof text));
    if (ndim == 4 && channels_last(dims))
        return ib_fail(IB_EFORMAT,
                       "%s: holds %s, which look like images of height, width and channels; [N,C,H,W] are "
                       "possible: numpy.moveaxis(x, -1, 1) makes them",
                       file, shape_text(ndim, dims, text, sizeof text));
    for (int i = 1; i < ndim; i++)
        s[4 - ndim + i] = dims[i];
    if (ndim == 2) {
        s[1] = s[3];
        s[3] = 1;
        for (int64_t side = 8; side * side <= s[1]; side++)
            if (side * side == s[1]) {
                s[1] = 1;
                s[2] = s[3] = side;
                break;
            }
    }
    return IB_OK;
}

int ib_dataset_raw_max(const char *file, const ib_input_info *net)
{
    if (net->std > 0)
        return net->raw_max;
    ib_fail(IB_EINVAL,
            "%s: holds integers, and the model does not say what they mean to it: import it with --raw-max 255 "
            "(divided by 255) or 0 (as they are)",
            file);
    return -1;
}

/* Real numbers for a network of integers 0..raw_max are raw / raw_max. */
static ib_status check_fractions(const ib_dataset *d, const ib_input_info *net)
{
    const int64_t size = (int64_t)d->c * d->h * d->w;
    for (int64_t i = 0; i < d->n * size; i++)
        if (!(d->x[i] >= 0 && d->x[i] <= 1))
            return ib_fail(IB_EINVAL,
                           "%s: value %lld of sample %lld is %g; the model takes integers 0..%d, or real numbers 0..1 "
                           "for them (raw / %d)",
                           d->name, (long long)(i % size), (long long)(i / size), d->x[i], net->raw_max, net->raw_max);
    return IB_OK;
}

ib_status ib_dataset_check_input(const ib_dataset *d, const ib_input_info *net)
{
    IB_NEED(d);
    IB_NEED(net);
    if (d->c != net->c || d->h != net->h || d->w != net->w)
        return ib_fail(IB_EINVAL, "%s: the data are %dx%dx%d, the model was made for %dx%dx%d", d->name, d->c, d->h,
                       d->w, net->c, net->h, net->w);
    if (net->std > 0 && !d->raw_max && net->raw_max)
        return check_fractions(d, net);
    if (net->std > 0 && d->raw_max && !net->raw_max)
        return ib_fail(IB_EINVAL, "%s: the data are integers 0..%d, the model takes real numbers", d->name, d->raw_max);
    if (net->std > 0 && d->raw_max != net->raw_max)
        return ib_fail(IB_EINVAL, "%s: the data's raw values end at %d, the model's at %d", d->name, d->raw_max,
                       net->raw_max);
    return IB_OK;
}

ib_status ib_dataset_check(const ib_dataset *d, const ib_input_info *net)
{
    IB_NEED(d);
    IB_NEED(net);
    const ib_status status = ib_dataset_check_input(d, net);
    if (!status && d->targets && d->n_targets != net->classes)
        return ib_fail(IB_EINVAL, "%s: the data hold %d targets, the model gives %d numbers", d->name, d->n_targets,
                       net->classes);
    if (!status && d->y && d->classes > net->classes)
        return ib_fail(IB_EINVAL, "%s: the data hold label %d, the model has %d classes", d->name, d->classes - 1,
                       net->classes);
    return status;
}

ib_status ib_dataset_check_labels(const ib_dataset *d, const ib_input_info *net)
{
    IB_NEED(d);
    IB_NEED(net);
    const ib_status status = ib_dataset_check(d, net);
    if (status || d->y || d->targets)
        return status;
    const ib_schema_opts *o = d->schema ? ib_schema_of(d->schema) : NULL;
    const char *label = !o ? NULL : o->n_targets ? o->targets[0].name : o->label;
    return label ? ib_fail(IB_EINVAL, "%s: has no column '%s', the label, which is needed here", d->name, label)
                 : ib_fail(IB_EINVAL, "%s: holds no labels, which are needed here", d->name);
}
