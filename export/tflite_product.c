/* tflite_product.c - conv2d, linear, and avgpool as a depthwise convolution with ones (AVERAGE_POOL_2D has no output
 * scale of its own and another divisor).
 *
 * A linear layer is a 1x1 CONV_2D in profile tflite_double: LiteRT's reference FULLY_CONNECTED rounds once (as
 * tflite_single), its CONV_2D twice, as the profile says. */
#include <string.h>

#include "export/tflite_print.h"
#include "tensor/format.h"

/* Weights [O][I][kh][kw] as [O][kh][kw][I], or for depthwise products as [1][kh][kw][O]. */
static int8_t *turned(const int8_t *codes, int64_t o, int64_t in, int64_t area, int depthwise)
{
    int8_t *t = ib_alloc((size_t)(o * in * area));
    for (int64_t a = 0; t && a < o; a++)
        for (int64_t b = 0; b < in; b++)
            for (int64_t c = 0; c < area; c++)
                t[depthwise ? c * o + a : (a * area + c) * in + b] = codes[(a * in + b) * area + c];
    return t;
}

/* Weights as TFLite has them. */
typedef struct weights {
    const int8_t *codes; /* [n] in the order of shape */
    int64_t n;
    int32_t shape[4];
    int ndim, int4;     /* 4 bits packed, the first in the low half */
    int channels, axis; /* scales along axis */
    const float *scale;
} weights;

static int weight_tensor(ib_tflite *w, const weights *k)
{
    if (!k->int4)
        return ib_tflite_tensor(w, "weights", INT8, k->ndim, k->shape, 0, ib_tflite_buffer(w, k->codes, (size_t)k->n),
                                ib_tflite_scales(w, k->channels, k->scale, 0, k->axis));
    const size_t bytes = (size_t)(k->n + 1) / 2;
    uint8_t *packed = ib_alloc(bytes);
    if (packed)
        ib_pack_int4(k->codes, k->n, packed);
    else
        w->f.failed = 1;
    const int t = ib_tflite_tensor(w, "weights", INT4, k->ndim, k->shape, 0,
                                   ib_tflite_buffer(w, packed ? packed : (uint8_t *)"", packed ? bytes : 0),
                                   ib_tflite_scales(w, k->channels, k->scale, 0, k->axis));
    ib_free(packed);
    return t;
}

static int bias_tensor(ib_tflite *w, const int32_t *bias, int channels, float in_scale, const float *scale)
{
    float *s = ib_alloc((size_t)channels * sizeof *s);
    int32_t n = channels;
    if (!s) {
        w->f.failed = 1;
        return -1;
    }
    for (int o = 0; o < channels; o++)
        s[o] = in_scale * scale[o];
    const int t =
        ib_tflite_tensor(w, "bias", INT32, 1, &n, 0, ib_tflite_buffer(w, bias, (size_t)channels * sizeof *bias),
                         ib_tflite_scales(w, channels, s, 0, 0));
    ib_free(s);
    return t;
}

static ib_status print_linear(ib_tflite *w, const ib_instr *i, const int8_t *codes, int int4)
{
    const isobit_conv2d *k = &i->p.conv;
    const ib_value *out = &w->p->values[i->out];
    const int as_conv = w->p->profile == ISOBIT_TFLITE_DOUBLE, act = ib_tflite_fused(out, k->out_zero, k->lo, k->hi);
    const ib_value *in = &w->p->values[i->in[0]];
    const int64_t channels = in->ndim == 4 ? in->shape[1] : in->size, area = in->size / channels;
    int x = w->tensor_of[i->in[0]];
    if (as_conv)
        x = ib_tflite_reshaped(w, x, "pixel_shape", 4, (int32_t[]){-1, 1, 1, k->in_c},
                               ib_tflite_activation(w, "pixel", 4, (int32_t[]){1, 1, 1, k->in_c}, in->scale, in->zero));
    else if (in->ndim != 2)
        x = ib_tflite_reshaped(w, x, "flat_shape", 2, (int32_t[]){-1, k->in_c},
                               ib_tflite_activation(w, "flat", 2, (int32_t[]){1, k->in_c}, in->scale, in->zero));
    int8_t *t = turned(codes, k->out_c, channels, area, 0); /* columns C,H,W become H,W,C */
    if (!t)
        return IB_ENOMEM;
    const int weight = weight_tensor(w, &(weights){.codes = t,
                                                   .n = (int64_t)k->out_c * k->in_c,
                                                   .shape = {k->out_c, as_conv ? 1 : k->in_c, 1, k->in_c},
                                                   .ndim = as_conv ? 4 : 2,
                                                   .int4 = int4,
                                                   .channels = k->out_c,
                                                   .scale = i->weight_scale});
    ib_free(t);
    const int b = bias_tensor(w, i->bias, k->out_c, in->scale, i->weight_scale),
              y = ib_tflite_target(w, i, k->out_zero, k->lo, k->hi);
    if (as_conv) {
        const int pixels = ib_tflite_activation(w, "pixels", 4, (int32_t[]){1, 1, 1, k->out_c}, out->scale, out->zero);
        const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, VALID), IB_FLAT_SCALAR(1, 4, 1),
                                        IB_FLAT_SCALAR(2, 4, 1),     IB_FLAT_SCALAR(3, 1, act > 0 ? act : NONE),
                                        IB_FLAT_SCALAR(4, 4, 1),     IB_FLAT_SCALAR(5, 4, 1)};
        ib_tflite_op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, pixels, CONV_OPTIONS, fields, 6);
        ib_tflite_reshaped(w, pixels, "row_shape", 2, (int32_t[]){-1, k->out_c}, y);
    } else {
        ib_tflite_op(w, OP_FC, 3, (int32_t[]){x, weight, b}, y, FC_OPTIONS,
                     (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    }
    ib_tflite_clamp(w, i, y, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_conv(ib_tflite *w, const ib_instr *i, const isobit_conv2d *k, const int8_t *codes,
                            const float *scale, const int32_t *bias, int int4)
{
    const ib_value *in = &w->p->values[i->in[0]];
    const int per_group = k->in_c / k->groups, depthwise = per_group == 1 && k->groups > 1,
              area = k->kernel_h * k->kernel_w;
    const int row = w->p->values[i->out].ndim == 2;
    int x = ib_tflite_as_image(w, i->in[0]);
    const ib_tflite_window o = IB_TFLITE_WINDOW(k, k->in_c);
    const int same = ib_tflite_padded(w, &x, in, &o, 0);
    int8_t *t = turned(codes, k->out_c, per_group, area, depthwise);
    if (!t)
        return IB_ENOMEM;
    const int weight = weight_tensor(
        w, &(weights){.codes = t,
                      .n = (int64_t)k->out_c * per_group * area,
                      .shape = {depthwise ? 1 : k->out_c, k->kernel_h, k->kernel_w, depthwise ? k->out_c : per_group},
                      .ndim = 4,
                      .int4 = int4,
                      .channels = k->out_c,
                      .axis = depthwise ? 3 : 0,
                      .scale = scale});
    ib_free(t);
    const int b = bias_tensor(w, bias, k->out_c, in->scale, scale),
              to = ib_tflite_target(w, i, k->out_zero, k->lo, k->hi);
    const int32_t pixel[] = {1, 1, 1, k->out_c};
    const int y = row ? ib_tflite_codes_of(w, "pixels", &w->p->values[i->out], 4, pixel) : to;
    int act = ib_tflite_fused(&w->p->values[i->out], k->out_zero, k->lo, k->hi);
    act = act > 0 ? act : NONE;
    if (depthwise) {
        const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, same),
                                        IB_FLAT_SCALAR(1, 4, k->stride_w),
                                        IB_FLAT_SCALAR(2, 4, k->stride_h),
                                        IB_FLAT_SCALAR(3, 4, k->out_c / k->in_c),
                                        IB_FLAT_SCALAR(4, 1, act),
                                        IB_FLAT_SCALAR(5, 4, 1),
                                        IB_FLAT_SCALAR(6, 4, 1)};
        ib_tflite_op(w, int4 ? OP_DEPTHWISE_INT4 : OP_DEPTHWISE, 3, (int32_t[]){x, weight, b}, y, DEPTHWISE_OPTIONS,
                     fields, 7);
    } else {
        const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, same),        IB_FLAT_SCALAR(1, 4, k->stride_w),
                                        IB_FLAT_SCALAR(2, 4, k->stride_h), IB_FLAT_SCALAR(3, 1, act),
                                        IB_FLAT_SCALAR(4, 4, 1),           IB_FLAT_SCALAR(5, 4, 1)};
        ib_tflite_op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, y, CONV_OPTIONS, fields, 6);
    }
    if (row)
        ib_tflite_reshaped(w, y, "row_shape", 2, (int32_t[]){-1, k->out_c}, to);
    ib_tflite_clamp(w, i, to, k->lo, k->hi);
    return IB_OK;
}

static ib_status takes(const ib_instr *i)
{
    return i->factor ? ib_fail(IB_EUNSUPPORTED, "layer '%s': TFLite has no factors for groups of weights", i->name)
                     : IB_OK;
}

ib_status ib_tflite_print_linear(ib_tflite *w, const ib_instr *i)
{
    return takes(i) ? ib_error_status() : print_linear(w, i, i->codes, i->p.conv.bits == 4 && w->int4);
}

ib_status ib_tflite_print_conv2d(ib_tflite *w, const ib_instr *i)
{
    const isobit_conv2d *k = &i->p.conv;
    return takes(i) ? ib_error_status()
                    : print_conv(w, i, k, i->codes, i->weight_scale, i->bias, k->bits == 4 && w->int4);
}

ib_status ib_tflite_print_avgpool(ib_tflite *w, const ib_instr *i)
{
    const isobit_pool *o = &i->p.pool;
    const int64_t area = (int64_t)o->kernel_h * o->kernel_w;
    const isobit_conv2d k = {.in_c = o->channels,
                             .in_h = o->in_h,
                             .in_w = o->in_w,
                             .out_c = o->channels,
                             .out_h = o->out_h,
                             .out_w = o->out_w,
                             .kernel_h = o->kernel_h,
                             .kernel_w = o->kernel_w,
                             .stride_h = o->stride_h,
                             .stride_w = o->stride_w,
                             .pad_h = o->pad_h,
                             .pad_w = o->pad_w,
                             .groups = o->channels,
                             .out_zero = o->out_zero,
                             .lo = o->lo,
                             .hi = o->hi};
    int8_t *ones = ib_alloc((size_t)(o->channels * area));
    float *scale = ib_alloc((size_t)o->channels * sizeof *scale);
    int32_t *bias = ib_alloc((size_t)o->channels * sizeof *bias);
    ib_status status = ones && scale && bias ? IB_OK : IB_ENOMEM;
    for (int c = 0; c < o->channels && !status; c++)
        scale[c] = 1.0f / (float)area;
    if (!status) {
        memset(ones, 1, (size_t)(o->channels * area));
        status = print_conv(w, i, &k, ones, scale, bias, 0);
    }
    ib_free(ones);
    ib_free(scale);
    ib_free(bias);
    return status;
}
