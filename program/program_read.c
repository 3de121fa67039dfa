/* program_read.c - checks of what a program's file says, for program_open.c and the instructions. */
#include "program/program_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ib_status ib_read_refuse(const char *what, int64_t value)
{
    return ib_fail(IB_EFORMAT, "%s is %lld", what, (long long)value);
}

int ib_is_scale(isobit_scale s, int rounding)
{
    if (!s.mult)
        return s.exp > -200 && s.exp < 200;
    if (rounding == ISOBIT_FP32_RNE)
        return s.mult >= 1 << 23 && s.mult < 1 << 24 && s.exp >= -149 && s.exp <= 104;
    return s.mult >= 1 << 30 && s.exp >= -31 && s.exp <= 30;
}

ib_status ib_read_range(const ib_value *v, int zero, int lo, int hi)
{
    const int least = -(1 << (v->bits - 1)), most = -least - 1;
    if (zero != v->zero)
        return ib_read_refuse("the zero point of a result", zero);
    return lo >= least && hi <= most && lo <= hi ? IB_OK : ib_read_refuse("the least code", lo);
}

ib_status ib_read_value(hid_t g, const char *shape, const char *scale, const char *zero, const char *bits, ib_value *v)
{
    v->ndim = (int)ib_h5_count(g, shape);
    if (v->ndim < 1 || v->ndim > IB_MAX_DIMS)
        return ib_read_refuse("the number of dimensions", v->ndim);
    if (ib_h5_get(g, shape, H5T_NATIVE_INT64, v->ndim, v->shape) ||
        ib_h5_get(g, scale, H5T_NATIVE_FLOAT, 1, &v->scale) || ib_h5_get(g, zero, H5T_NATIVE_INT, 1, &v->zero) ||
        ib_h5_get(g, bits, H5T_NATIVE_INT, 1, &v->bits))
        return ib_error_status();
    v->size = 1;
    for (int d = 0; d < v->ndim; d++) {
        if (v->shape[d] < 1 || v->shape[d] > IB_MOST_CODES / v->size || (!d && v->shape[d] != 1))
            return ib_read_refuse("a dimension", v->shape[d]);
        v->size *= v->shape[d];
    }
    if (v->bits < 1 || v->bits > 8 || v->zero < -(1 << (v->bits - 1)) || v->zero >= 1 << (v->bits - 1))
        return ib_read_refuse("the zero point", v->zero);
    return isfinite(v->scale) && v->scale > 0 ? IB_OK : ib_fail(IB_EFORMAT, "the scale is %g", v->scale);
}

/* out = (in + 2 pad - kernel) / stride + 1 in both directions; a row is an image of one pixel */
ib_status ib_read_window(const ib_value *x, const ib_value *y, const int32_t window[6])
{
    ib_nhwc in_image, out_image;
    if (!ib_value_image(x, &in_image) || !ib_value_image(y, &out_image))
        return ib_fail(IB_EFORMAT, "its input or result is no image");
    const int32_t *kernel = window, *stride = window + 2, *pad = window + 4;
    const int64_t size[] = {in_image.h, in_image.w}, made[] = {out_image.h, out_image.w};
    for (int d = 0; d < 2; d++) {
        const int64_t in = size[d];
        if (kernel[d] < 1 || kernel[d] > 4096 || stride[d] < 1 || stride[d] > 4096 || pad[d] < 0 ||
            pad[d] > kernel[d] + 8 || in + 2LL * pad[d] < kernel[d] ||
            (in + 2LL * pad[d] - kernel[d]) / stride[d] + 1 != made[d])
            return ib_fail(
                IB_EFORMAT, "a window of %lld by strides of %lld over %lld and padding of %lld does not give %lld",
                (long long)kernel[d], (long long)stride[d], (long long)in, (long long)pad[d], (long long)made[d]);
    }
    return IB_OK;
}
