/* tensor.c - tensors that live by themselves (parameters, inputs); those of a graph are made in its arena. */
#include <stdio.h>
#include <string.h>

#include "autograd/op.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/assert.h"
#include "base/number.h"

size_t ib_dtype_bytes(ib_dtype dtype)
{
    return dtype == IB_CODES ? 1 : 4;
}

ib_status ib_tensor_set_shape(ib_tensor *t, int ndim, const int64_t *shape)
{
    if (ndim < 1 || ndim > IB_MAX_DIMS)
        return ib_fail(IB_EINVAL, "shape: %d dimensions (ndim), 1 to %d are possible", ndim, IB_MAX_DIMS);
    t->ndim = ndim;
    t->size = 1;
    for (int i = 0; i < ndim; i++) {
        if (shape[i] < 1 || shape[i] > ((int64_t)1 << 40) / t->size)
            return ib_fail(IB_EINVAL, "shape: dimension %d is %lld", i, (long long)shape[i]);
        t->shape[i] = shape[i];
        t->size *= shape[i];
    }
    return IB_OK;
}

ib_tensor *ib_tensor_new(ib_dtype dtype, int ndim, const int64_t *shape, int needs_grad, const char *name)
{
    IB_NEED_OR(shape, NULL);
    IB_TAKE_OR(ndim, ndim > 0 && ndim <= IB_MAX_DIMS, NULL, "is %d, 1 to %d are possible", ndim, IB_MAX_DIMS);
    IB_TAKE_OR(dtype, dtype >= IB_F32 && dtype <= IB_CODES, NULL, "is %d: IB_F32, IB_I32 and IB_CODES are known",
               (int)dtype);
    ib_tensor *t = ib_alloc(sizeof *t);
    if (!t)
        return NULL;
    t->dtype = dtype;
    t->needs_grad = needs_grad;
    t->node = -1;
    if (ib_tensor_set_shape(t, ndim, shape)) {
        ib_error_prefix("%s", __func__);
        goto fail;
    }
    if (!(t->data = ib_alloc((size_t)t->size * ib_dtype_bytes(dtype))))
        goto fail;
    if (needs_grad && !(t->grad = ib_alloc((size_t)t->size * sizeof(float))))
        goto fail;
    if (name && !(t->name = ib_strdup(name)))
        goto fail;
    if (dtype == IB_CODES) {
        float *scale = ib_alloc(sizeof *scale);
        if (!(t->q.scale = scale))
            goto fail;
        *scale = 1.0f;
        t->q.n_scales = 1;
        t->q.bits = 8;
        t->q.qmin = -128;
        t->q.qmax = 127;
    }
    return t;
fail:
    ib_tensor_release(t);
    return NULL;
}

void ib_tensor_free(ib_tensor *t)
{
    if (t && t->step)
        ib_fail(IB_EINVAL, "%s: t belongs to a graph, which frees it", __func__);
    else if (t && t->owned)
        ib_fail(IB_EINVAL, "%s: t is '%s' of a layer, which frees it", __func__, ib_tensor_name(t));
    else
        ib_tensor_release(t);
}

void ib_tensor_release(ib_tensor *t)
{
    if (!t)
        return;
    ib_block_free(t->dev, t->data);
    ib_block_free(t->dev, t->grad);
    ib_block_free(t->dev, (float *)(uintptr_t)t->q.scale);
    for (ib_follow_link *l = t->followers; l; l = l->next)
        l->of = NULL;
    ib_free(t->name);
    ib_free(t);
}

ib_follow_link *ib_tensor_follow(ib_tensor *t, ib_follower *who)
{
    ib_follow_link *l = ib_alloc(sizeof *l);
    if (l) {
        *l = (ib_follow_link){who, t, t->followers};
        t->followers = l;
    }
    return l;
}

void ib_tensor_unfollow(ib_follow_link *link)
{
    if (link && link->of) {
        ib_follow_link **at = &link->of->followers;
        while (*at != link)
            at = &(*at)->next;
        *at = link->next;
    }
    ib_free(link);
}

ib_status ib_tensor_place(ib_tensor *t, ib_device *dev)
{
    ib_device *from = t->dev, *to = ib_home(dev);
    IB_ASSERT(!t->step, "a result lies where it was computed");
    if (from == to)
        return IB_OK;
    if (ib_block_can_move(from, to, "tensor", ib_tensor_name(t)))
        return IB_EUNSUPPORTED;
    void *old[] = {t->data, t->grad, (float *)(uintptr_t)t->q.scale}, *new[3] = {NULL};
    const size_t n = (size_t)t->size,
                 bytes[] = {n * ib_dtype_bytes(t->dtype), n * sizeof(float), (size_t)t->q.n_scales * sizeof(float)};
    for (int i = 0; i < 3; i++)
        if (old[i] && !(new[i] = ib_block_copied(from, to, old[i], bytes[i]))) {
            while (i--)
                ib_block_free(to, new[i]);
            return IB_ENOMEM;
        }
    for (int i = 0; i < 3; i++)
        ib_block_free(from, old[i]);
    t->data = new[0];
    t->grad = new[1];
    t->q.scale = new[2];
    t->dev = to;
    t->moves++;
    return IB_OK;
}

/* A result is read within its step only. */
#define NEED_LIVE(t, value)                                                                                            \
    IB_NEED_OR(t, value);                                                                                              \
    IB_TAKE_OR(t, !(t)->step || (t)->step == (t)->graph->now, value, "is a result of an earlier step: %s ended it",    \
               "ib_graph_begin()")

ib_dtype ib_tensor_dtype(const ib_tensor *t)
{
    NEED_LIVE(t, IB_F32);
    return t->dtype;
}
int ib_tensor_ndim(const ib_tensor *t)
{
    NEED_LIVE(t, 0);
    return t->ndim;
}
const int64_t *ib_tensor_shape(const ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return t->shape;
}
int64_t ib_tensor_size(const ib_tensor *t)
{
    NEED_LIVE(t, 0);
    return t->size;
}
const char *ib_tensor_name(const ib_tensor *t)
{
    NEED_LIVE(t, "");
    return t->name ? t->name : "";
}
/* A pointer into the host's memory, or NULL: with a line where it is another device's, or gone with a parameter. */
static void *borrow(const ib_tensor *t, void *p, const char *function)
{
    if (ib_check_view(t)) {
        ib_error_prefix("%s", function);
        return NULL;
    }
    if (p && t->dev)
        return ib_fail_null(IB_EUNSUPPORTED, "%s: t lies on %s, from where ib_tensor_read() copies it", function,
                            ib_device_name(t->dev));
    return p;
}

float *ib_tensor_f32(ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return borrow(t, t->dtype == IB_F32 ? t->data : NULL, __func__);
}
const int8_t *ib_tensor_codes(const ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return borrow(t, t->dtype == IB_CODES ? t->data : NULL, __func__);
}
float *ib_tensor_grad(ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return borrow(t, t->grad, __func__);
}

static const char *holds(const ib_tensor *t)
{
    return t->dtype == IB_F32 ? "fp32 values" : t->dtype == IB_CODES ? "codes" : "integers";
}

/* To the host, behind all that computes it, which may have found a fault. */
static ib_status read_numbers(const ib_tensor *t, void *to, const void *from, size_t bytes)
{
    ib_status fault = ib_check_view(t);
    if (!fault && t->graph)
        fault = ib_graph_fault(t->graph, 1);
    if (!fault)
        ib_block_read(t->dev, to, from, bytes);
    return fault;
}

#define NEED_READABLE(t, to)                                                                                           \
    IB_NEED(t);                                                                                                        \
    IB_NEED(to);                                                                                                       \
    IB_TAKE(t, !(t)->step || (t)->step == (t)->graph->now, "is a result of an earlier step: %s ended it",              \
            "ib_graph_begin()")

ib_status ib_tensor_read(const ib_tensor *t, float *values)
{
    NEED_READABLE(t, values);
    IB_TAKE(t, t->dtype == IB_F32, "holds %s, not fp32 values", holds(t));
    return read_numbers(t, values, t->data, (size_t)t->size * sizeof(float));
}

ib_status ib_tensor_read_codes(const ib_tensor *t, int8_t *codes)
{
    NEED_READABLE(t, codes);
    IB_TAKE(t, t->dtype == IB_CODES, "holds %s, not codes", holds(t));
    return read_numbers(t, codes, t->data, (size_t)t->size);
}

ib_status ib_tensor_read_grad(const ib_tensor *t, float *grad)
{
    NEED_READABLE(t, grad);
    IB_TAKE(t, t->grad, "has no gradient%s", t->needs_grad ? " before a backward pass" : "");
    return read_numbers(t, grad, t->grad, (size_t)t->size * sizeof(float));
}

const void *ib_tensor_look(const ib_tensor *t, void **copy)
{
    const size_t bytes = (size_t)t->size * ib_dtype_bytes(t->dtype);
    *copy = NULL;
    if (ib_check_view(t))
        return NULL;
    if (!t->dev)
        return t->data;
    if (!(*copy = ib_alloc_raw(bytes)))
        return NULL;
    if (!read_numbers(t, *copy, t->data, bytes))
        return *copy;
    ib_free(*copy);
    return *copy = NULL;
}

ib_status ib_tensor_write(ib_tensor *t, const float *values)
{
    IB_NEED(t);
    IB_NEED(values);
    IB_TAKE(t, !t->step, "is a result, which %s has written", "its operator");
    IB_TAKE(t, t->dtype == IB_F32, "holds %s, not fp32 values", holds(t));
    ib_block_write(t->dev, t->data, values, (size_t)t->size * sizeof(float));
    return IB_OK;
}

float ib_tensor_scale(const ib_tensor *t)
{
    NEED_LIVE(t, 0.0f);
    float scale = 0;
    if (t->dtype == IB_CODES && !ib_check_view(t))
        ib_block_read(t->dev, &scale, t->q.scale, sizeof scale);
    return scale;
}
int ib_tensor_zero_point(const ib_tensor *t)
{
    NEED_LIVE(t, 0);
    int32_t zero = 0;
    if (t->q.zero && !ib_check_view(t))
        ib_block_read(t->dev, &zero, t->q.zero, sizeof zero);
    return zero;
}

char *ib_tensor_shape_text(const ib_tensor *t, char *buf, size_t size)
{
    IB_NEED_OR(buf, NULL);
    IB_TAKE_OR(size, size > 0, NULL, "is %zu", size);
    *buf = 0;
    NEED_LIVE(t, buf);
    size_t n = 0;
    for (int i = 0; i < t->ndim && n < size; i++)
        n += (size_t)ib_snprintf(buf + n, size - n, "%c%lld", i ? ',' : '[', (long long)t->shape[i]);
    if (n < size)
        ib_snprintf(buf + n, size - n, "]");
    return buf;
}
