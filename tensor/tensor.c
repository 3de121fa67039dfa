/* tensor.c - tensors that live by themselves (parameters, inputs); those of a graph are made in its arena. */
#include "base/number.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"

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
        if (!(t->q.scale = ib_alloc(sizeof(float))))
            goto fail;
        t->q.scale[0] = 1.0f;
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
    ib_free(t->data);
    ib_free(t->grad);
    ib_free(t->name);
    ib_free(t->q.scale);
    ib_free(t);
}

/* A result is read within its step only. */
#define NEED_LIVE(t, value)                                                                                            \
    IB_NEED_OR(t, value);                                                                                              \
    IB_TAKE_OR(t, !(t)->step || (t)->step == *(t)->now, value, "is a result of an earlier step: %s ended it",          \
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
float *ib_tensor_f32(ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return t->dtype == IB_F32 ? t->data : NULL;
}
const int8_t *ib_tensor_codes(const ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return t->dtype == IB_CODES ? t->data : NULL;
}
float *ib_tensor_grad(ib_tensor *t)
{
    NEED_LIVE(t, NULL);
    return t->grad;
}
float ib_tensor_scale(const ib_tensor *t)
{
    NEED_LIVE(t, 0.0f);
    return t->dtype == IB_CODES ? t->q.scale[0] : 0.0f;
}
int ib_tensor_zero_point(const ib_tensor *t)
{
    NEED_LIVE(t, 0);
    return t->q.zero_point;
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
