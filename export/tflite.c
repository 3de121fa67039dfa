/* tflite.c - prints an integer program as a TFLite flatbuffer: int8 in and out, N,H,W,C.
 *
 * Average pooling is a depthwise convolution with ones (AVERAGE_POOL_2D has no output scale of its own and another
 * divisor), a table is a GATHER, asymmetric padding is a PAD with the zero point. A linear layer is a 1x1 CONV_2D in
 * profile tflite_double: LiteRT's reference FULLY_CONNECTED rounds once (as tflite_single), its CONV_2D twice, as
 * the profile says. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/tflite_file.h"
#include "tensor/argument.h"
#include "tensor/number.h"

/* N,H,W,C of an image; other values keep their order. */
static int shape_of(const ib_value *v, int32_t *s)
{
    for (int d = 0; d < v->ndim; d++)
        s[d] = (int32_t)v->shape[v->ndim == 4 ? (int[]){0, 2, 3, 1}[d] : d];
    return v->ndim;
}

/* The clamp as a fused activation; -1: none says it. */
static int fused(const ib_value *v, int zero, int lo, int hi)
{
    const int six = (int)fmin(127, zero + roundf(6.0f / v->scale)); /* CalculateActivationRangeQuantized */
    if (lo == -128 && hi == 127)
        return NONE;
    if (lo != (zero > -128 ? zero : -128))
        return -1;
    return hi == 127 ? RELU : hi == six ? RELU6 : -1;
}

static int reshaped(ib_tflite *w, int x, const char *what, int ndim, const int32_t *to, int y)
{
    const int shape = ib_tflite_constant(w, what, INT32, 1, (int32_t[]){ndim}, to, (size_t)ndim * sizeof *to);
    ib_tflite_op(w, OP_RESHAPE, 2, (int32_t[]){x, shape}, y, RESHAPE_OPTIONS, NULL, 0);
    return y;
}

/* What a clamped operator writes to: the value itself, or a tensor that `clamp` then takes to it. */
static int target(ib_tflite *w, const ib_instr *i, int zero, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    const int ndim = shape_of(v, s);
    return fused(v, zero, lo, hi) >= 0 ? w->tensor_of[i->out]
                                       : ib_tflite_activation(w, "unclamped", ndim, s, v->scale, v->zero);
}

static void clamp(ib_tflite *w, const ib_instr *i, int from, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    if (from == w->tensor_of[i->out])
        return;
    const int ndim = shape_of(v, s), middle = ib_tflite_activation(w, "clamped_below", ndim, s, v->scale, v->zero);
    const int a = ib_tflite_code(w, "least", lo, v->scale, v->zero),
              b = ib_tflite_code(w, "most", hi, v->scale, v->zero);
    ib_tflite_op(w, OP_MAXIMUM, 2, (int32_t[]){from, a}, middle, MAX_MIN_OPTIONS, NULL, 0);
    ib_tflite_op(w, OP_MINIMUM, 2, (int32_t[]){middle, b}, w->tensor_of[i->out], MAX_MIN_OPTIONS, NULL, 0);
}

/* A tensor of the codes of v in `shape`, which is not v's. */
static int activation_of(ib_tflite *w, const char *what, const ib_value *v, int ndim, const int32_t *shape)
{
    return ib_tflite_activation(w, what, ndim, shape, v->scale, v->zero);
}

/* The tensor of value v as an image: a row is one pixel. */
static int as_image(ib_tflite *w, int v)
{
    const ib_value *x = &w->p->values[v];
    const int32_t c = (int32_t)x->size, to[] = {-1, 1, 1, c}, shown[] = {1, 1, 1, c};
    return x->ndim == 4 ? w->tensor_of[v]
                        : reshaped(w, w->tensor_of[v], "as_image", 4, to, activation_of(w, "image", x, 4, shown));
}

/* ---- products ---- */

/* TFLite's padding for one axis; -1: neither SAME nor VALID. */
static int padding(int in, int out, int kernel, int stride, int pad)
{
    const int whole = (out - 1) * stride + kernel - in, total = whole > 0 ? whole : 0;
    if (!pad && out == (in - kernel) / stride + 1)
        return VALID;
    return out == (in + stride - 1) / stride && total / 2 == pad ? SAME : -1;
}

/* The input with padding around it if TFLite's own cannot say it; returns the padding to state. */
static int padded(ib_tflite *w, int *x, const ib_value *v, const int in[3], const int out[2], const int kernel[2],
                  const int stride[2], const int pad[2], int with_least)
{
    int32_t s[4] = {1, in[0], in[1], in[2]};
    const int h = padding(s[1], out[0], kernel[0], stride[0], pad[0]),
              c = padding(s[2], out[1], kernel[1], stride[1], pad[1]);
    const int same_h = h == SAME || (h == VALID && kernel[0] == 1 && stride[0] == 1),
              same_w = c == SAME || (c == VALID && kernel[1] == 1 && stride[1] == 1);
    if (h == VALID && c == VALID)
        return VALID;
    if (same_h && same_w)
        return SAME;
    const int32_t around[4][2] = {{0, 0}, {pad[0], pad[0]}, {pad[1], pad[1]}, {0, 0}};
    s[1] += 2 * pad[0];
    s[2] += 2 * pad[1];
    const int amount = ib_tflite_constant(w, "padding", INT32, 2, (int32_t[]){4, 2}, around, sizeof around),
              y = ib_tflite_activation(w, "padded", 4, s, v->scale, v->zero);
    if (with_least) {
        const int value = ib_tflite_code(w, "pad_value", -128, v->scale, v->zero);
        ib_tflite_op(w, OP_PADV2, 3, (int32_t[]){*x, amount, value}, y, PADV2_OPTIONS, NULL, 0);
    } else {
        ib_tflite_op(w, OP_PAD, 2, (int32_t[]){*x, amount}, y, PAD_OPTIONS, NULL, 0);
    }
    *x = y;
    return VALID;
}

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

/* A tensor of weights, 4 bits packed with the first in the low half. */
static int weights(ib_tflite *w, const int8_t *codes, int ndim, const int32_t *shape, int64_t n, int int4, int channels,
                   const float *scale, int axis)
{
    if (!int4)
        return ib_tflite_tensor(w, "weights", INT8, ndim, shape, 0, ib_tflite_buffer(w, codes, (size_t)n),
                                ib_tflite_scales(w, channels, scale, 0, axis));
    uint8_t *packed = ib_alloc((size_t)(n + 1) / 2);
    for (int64_t i = 0; packed && i < n; i++)
        packed[i / 2] |= (uint8_t)((codes[i] & 15) << 4 * (i & 1));
    if (!packed)
        w->f.failed = 1;
    const int t =
        ib_tflite_tensor(w, "weights", INT4, ndim, shape, 0,
                         ib_tflite_buffer(w, packed ? packed : (uint8_t *)"", packed ? (size_t)(n + 1) / 2 : 0),
                         ib_tflite_scales(w, channels, scale, 0, axis));
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
    const int as_conv = w->p->profile == ISOBIT_TFLITE_DOUBLE, act = fused(out, k->out_zero, k->lo, k->hi);
    const ib_value *in = &w->p->values[i->in[0]];
    const int64_t channels = in->ndim == 4 ? in->shape[1] : in->size, area = in->size / channels;
    int x = w->tensor_of[i->in[0]];
    if (as_conv)
        x = reshaped(w, x, "pixel_shape", 4, (int32_t[]){-1, 1, 1, k->in_c},
                     ib_tflite_activation(w, "pixel", 4, (int32_t[]){1, 1, 1, k->in_c}, in->scale, in->zero));
    else if (in->ndim != 2)
        x = reshaped(w, x, "flat_shape", 2, (int32_t[]){-1, k->in_c},
                     ib_tflite_activation(w, "flat", 2, (int32_t[]){1, k->in_c}, in->scale, in->zero));
    int8_t *t = turned(codes, k->out_c, channels, area, 0); /* columns C,H,W become H,W,C */
    if (!t)
        return IB_ENOMEM;
    const int32_t rows[] = {k->out_c, k->in_c}, image[] = {k->out_c, 1, 1, k->in_c};
    const int weight = weights(w, t, as_conv ? 4 : 2, as_conv ? image : rows, (int64_t)k->out_c * k->in_c, int4,
                               k->out_c, i->weight_scale, 0);
    ib_free(t);
    const int b = bias_tensor(w, i->bias, k->out_c, in->scale, i->weight_scale),
              y = target(w, i, k->out_zero, k->lo, k->hi);
    if (as_conv) {
        const int pixels = ib_tflite_activation(w, "pixels", 4, (int32_t[]){1, 1, 1, k->out_c}, out->scale, out->zero);
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, VALID), IB_FLAT_SCALAR(1, 4, 1),
                                   IB_FLAT_SCALAR(2, 4, 1),     IB_FLAT_SCALAR(3, 1, act > 0 ? act : NONE),
                                   IB_FLAT_SCALAR(4, 4, 1),     IB_FLAT_SCALAR(5, 4, 1)};
        ib_tflite_op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, pixels, CONV_OPTIONS, o, 6);
        reshaped(w, pixels, "row_shape", 2, (int32_t[]){-1, k->out_c}, y);
    } else {
        ib_tflite_op(w, OP_FC, 3, (int32_t[]){x, weight, b}, y, FC_OPTIONS,
                     (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    }
    clamp(w, i, y, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_conv(ib_tflite *w, const ib_instr *i, const isobit_conv2d *k, const int8_t *codes,
                            const float *scale, const int32_t *bias, int int4)
{
    const ib_value *in = &w->p->values[i->in[0]];
    const int per_group = k->in_c / k->groups, depthwise = per_group == 1 && k->groups > 1,
              area = k->kernel_h * k->kernel_w;
    const int row = w->p->values[i->out].ndim == 2;
    int x = as_image(w, i->in[0]);
    const int same =
        padded(w, &x, in, (int[]){k->in_h, k->in_w, k->in_c}, (int[]){k->out_h, k->out_w},
               (int[]){k->kernel_h, k->kernel_w}, (int[]){k->stride_h, k->stride_w}, (int[]){k->pad_h, k->pad_w}, 0);
    int8_t *t = turned(codes, k->out_c, per_group, area, depthwise);
    if (!t)
        return IB_ENOMEM;
    const int32_t shape[] = {depthwise ? 1 : k->out_c, k->kernel_h, k->kernel_w, depthwise ? k->out_c : per_group};
    const int weight =
        weights(w, t, 4, shape, (int64_t)k->out_c * per_group * area, int4, k->out_c, scale, depthwise ? 3 : 0);
    ib_free(t);
    const int b = bias_tensor(w, bias, k->out_c, in->scale, scale), to = target(w, i, k->out_zero, k->lo, k->hi);
    const int32_t pixel[] = {1, 1, 1, k->out_c};
    const int y = row ? activation_of(w, "pixels", &w->p->values[i->out], 4, pixel) : to;
    int act = fused(&w->p->values[i->out], k->out_zero, k->lo, k->hi);
    act = act > 0 ? act : NONE;
    if (depthwise) {
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, same),
                                   IB_FLAT_SCALAR(1, 4, k->stride_w),
                                   IB_FLAT_SCALAR(2, 4, k->stride_h),
                                   IB_FLAT_SCALAR(3, 4, k->out_c / k->in_c),
                                   IB_FLAT_SCALAR(4, 1, act),
                                   IB_FLAT_SCALAR(5, 4, 1),
                                   IB_FLAT_SCALAR(6, 4, 1)};
        ib_tflite_op(w, int4 ? OP_DEPTHWISE_INT4 : OP_DEPTHWISE, 3, (int32_t[]){x, weight, b}, y, DEPTHWISE_OPTIONS, o,
                     7);
    } else {
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, same),        IB_FLAT_SCALAR(1, 4, k->stride_w),
                                   IB_FLAT_SCALAR(2, 4, k->stride_h), IB_FLAT_SCALAR(3, 1, act),
                                   IB_FLAT_SCALAR(4, 4, 1),           IB_FLAT_SCALAR(5, 4, 1)};
        ib_tflite_op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, y, CONV_OPTIONS, o, 6);
    }
    if (row)
        reshaped(w, y, "row_shape", 2, (int32_t[]){-1, k->out_c}, to);
    clamp(w, i, to, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_product(ib_tflite *w, const ib_instr *i)
{
    const isobit_conv2d *k = &i->p.conv;
    if (i->factor)
        return ib_fail(IB_EUNSUPPORTED, "layer '%s': TFLite has no factors for groups of weights", i->name);
    const int int4 = k->bits == 4 && w->int4;
    return i->cls == &ib_instr_linear ? print_linear(w, i, i->codes, int4)
                                      : print_conv(w, i, k, i->codes, i->weight_scale, i->bias, int4);
}

static ib_status print_avgpool(ib_tflite *w, const ib_instr *i)
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

/* ---- the others ---- */

static ib_status print_maxpool(ib_tflite *w, const ib_instr *i)
{
    const isobit_pool *o = &i->p.pool;
    int x = w->tensor_of[i->in[0]];
    const int same =
        padded(w, &x, &w->p->values[i->in[0]], (int[]){o->in_h, o->in_w, o->channels}, (int[]){o->out_h, o->out_w},
               (int[]){o->kernel_h, o->kernel_w}, (int[]){o->stride_h, o->stride_w}, (int[]){o->pad_h, o->pad_w}, 1);
    const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, same),        IB_FLAT_SCALAR(1, 4, o->stride_w),
                                    IB_FLAT_SCALAR(2, 4, o->stride_h), IB_FLAT_SCALAR(3, 4, o->kernel_w),
                                    IB_FLAT_SCALAR(4, 4, o->kernel_h), IB_FLAT_SCALAR(5, 1, NONE)};
    ib_tflite_op(w, OP_MAX_POOL, 1, (int32_t[]){x}, w->tensor_of[i->out], POOL_OPTIONS, fields, 6);
    return IB_OK;
}

/* What XNNPACK adds and multiplies; it leaves other factors to TFLite's kernels, which round otherwise. The limits are
 * those of TensorFlow Lite's xnnpack_delegate.cc. */
static ib_status xnnpack_takes(const ib_program *p, const ib_instr *i)
{
    const int add = i->cls == &ib_instr_add;
    const float a = p->values[i->in[0]].scale, b = p->values[i->in[1]].scale, y = p->values[i->out].scale;
    const float factor[] = {add ? a / y : a * b / y, add ? b / y : a * b / y}, least = add ? 0x1p-10f : 0x1p-16f;
    if (add && p->profile == IB_FP32_RNE)
        return ib_fail(
            IB_EUNSUPPORTED,
            "layer '%s': XNNPACK's addition rounds halves upward, not as fp32_rne: export with --profile xnnpack",
            i->name);
    for (int j = 0; j < 2; j++)
        if (!(factor[j] >= least && factor[j] < 256.0f))
            return ib_fail(IB_EUNSUPPORTED,
                           "layer '%s': %s %g times the result's: XNNPACK takes %g to 256, profile tflite_double any",
                           i->name, add ? "the scale of an input is" : "the product of the inputs' scales is",
                           factor[j], least);
    return IB_OK;
}

static ib_status print_binary(ib_tflite *w, const ib_instr *i)
{
    if (w->p->rounding == ISOBIT_FP32_RNE && xnnpack_takes(w->p, i))
        return ib_error_status();
    const int add = i->cls == &ib_instr_add, zero = add ? i->p.add.out_zero : i->p.mul.out_zero,
              lo = add ? i->p.add.lo : i->p.mul.lo, hi = add ? i->p.add.hi : i->p.mul.hi;
    const int y = target(w, i, zero, lo, hi), act = fused(&w->p->values[i->out], zero, lo, hi);
    ib_tflite_op(w, add ? OP_ADD : OP_MUL, 2, (int32_t[]){w->tensor_of[i->in[0]], w->tensor_of[i->in[1]]}, y,
                 add ? ADD_OPTIONS : MUL_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    clamp(w, i, y, lo, hi);
    return IB_OK;
}

/* y = table[x + 128] */
static void gather(ib_tflite *w, int value, const int8_t *table, const ib_value *like, int y)
{
    int32_t s[4];
    const int ndim = shape_of(&w->p->values[value], s);
    const int32_t plus = 128;
    const int t = ib_tflite_tensor(w, "table", INT8, 1, (int32_t[]){256}, 0, ib_tflite_buffer(w, table, 256),
                                   ib_tflite_scales(w, 1, &like->scale, like->zero, 0));
    const int wide = ib_tflite_tensor(w, "wide", INT32, ndim, s, 1, 0, 0),
              index = ib_tflite_tensor(w, "index", INT32, ndim, s, 1, 0, 0);
    const int o = ib_tflite_constant(w, "offset", INT32, 1, (int32_t[]){1}, &plus, sizeof plus);
    ib_tflite_op(w, OP_CAST, 1, (int32_t[]){w->tensor_of[value]}, wide, CAST_OPTIONS,
                 (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, INT8), IB_FLAT_SCALAR(1, 1, INT32)}, 2);
    ib_tflite_op(w, OP_ADD_INT32, 2, (int32_t[]){wide, o}, index, ADD_OPTIONS, NULL, 0);
    ib_tflite_op(w, OP_GATHER, 2, (int32_t[]){t, index}, y, GATHER_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, 0)},
                 1);
}

static ib_status print_lookup(ib_tflite *w, const ib_instr *i)
{
    gather(w, i->in[0], i->table, &w->p->values[i->out], w->tensor_of[i->out]);
    return IB_OK;
}

static ib_status print_concat(ib_tflite *w, const ib_instr *i)
{
    const ib_value *out = &w->p->values[i->out];
    int32_t parts[IB_MAX_INPUTS], s[4];
    if (ib_joins_constant(w->p, i))
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': TFLite does not repeat a constant for the batch when it is joined to values",
                       i->name);
    for (int j = 0; j < i->n_in; j++) {
        const int ndim = shape_of(&w->p->values[i->in[j]], s);
        parts[j] = ib_tflite_activation(w, "part", ndim, s, out->scale, out->zero);
        gather(w, i->in[j], i->table + 256 * j, out, parts[j]);
    }
    const int axis = out->ndim == 4 ? (int[]){0, 3, 1, 2}[i->axis] : i->axis;
    ib_tflite_op(w, OP_CONCATENATION, i->n_in, parts, w->tensor_of[i->out], CONCAT_OPTIONS,
                 (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, axis), IB_FLAT_SCALAR(1, 1, NONE)}, 2);
    return IB_OK;
}

static void transposed(ib_tflite *w, int x, int ndim, const int32_t *perm, int y)
{
    const int order = ib_tflite_constant(w, "order", INT32, 1, (int32_t[]){ndim}, perm, (size_t)ndim * sizeof *perm);
    ib_tflite_op(w, OP_TRANSPOSE, 2, (int32_t[]){x, order}, y, TRANSPOSE_OPTIONS, NULL, 0);
}

/* Whether the order of an image's elements differs from that of the network. */
static int is_turned(const ib_value *v)
{
    return v->ndim == 4 && v->shape[1] > 1 && v->shape[2] * v->shape[3] > 1;
}

/* The order C,H,W of the network is taken up before, and left behind, where it is another one. */
static ib_status print_reshape(ib_tflite *w, const ib_instr *i)
{
    const ib_value *from = &w->p->values[i->in[0]], *to = &w->p->values[i->out];
    static const int32_t to_planes[] = {0, 3, 1, 2}, to_last[] = {0, 2, 3, 1}, swap[] = {0, 2, 1};
    const int flatten = i->cls == &ib_instr_flatten_hwc, image = from->ndim == 4;
    int32_t s[4], turned[4];
    int x = w->tensor_of[i->in[0]], y = w->tensor_of[i->out], ndim = shape_of(to, s);
    if (flatten ? from->ndim == 3 : is_turned(from)) {
        const int32_t *perm = image ? to_planes : swap;
        for (int d = 0; d < from->ndim; d++)
            turned[d] = (int32_t)from->shape[image ? d : perm[d]];
        const int t = activation_of(w, "turned", from, from->ndim, turned);
        transposed(w, x, from->ndim, perm, t);
        x = t;
    }
    if (is_turned(to)) {
        for (int d = 0; d < 4; d++)
            s[d] = (int32_t)to->shape[d];
        y = activation_of(w, "planes_of_rows", to, 4, s);
    }
    s[0] = -1;
    reshaped(w, x, "shape", ndim, s, y);
    if (is_turned(to))
        transposed(w, y, 4, to_last, w->tensor_of[i->out]);
    return IB_OK;
}

static ib_status print_constant(ib_tflite *w, const ib_instr *i)
{
    (void)w, (void)i; /* it stands among the tensors */
    return IB_OK;
}

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(ib_tflite *w, const ib_instr *i);
} printers[] = {
    {&ib_instr_conv2d, print_product},      {&ib_instr_linear, print_product},   {&ib_instr_avgpool, print_avgpool},
    {&ib_instr_maxpool, print_maxpool},     {&ib_instr_add, print_binary},       {&ib_instr_mul, print_binary},
    {&ib_instr_lookup, print_lookup},       {&ib_instr_concat, print_concat},    {&ib_instr_reshape, print_reshape},
    {&ib_instr_flatten_hwc, print_reshape}, {&ib_instr_constant, print_constant}};

static ib_status print_instruction(ib_tflite *w, const ib_instr *i)
{
    w->name = i->name;
    for (size_t k = 0; k < sizeof printers / sizeof *printers; k++)
        if (printers[k].cls == i->cls)
            return printers[k].print(w, i);
    return ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no form in TFLite", i->name, i->cls->name);
}

ib_status ib_export_tflite(const ib_program *p, const char *path, const char *name, const ib_tflite_opts *opts)
{
    IB_NEED(p);
    IB_NEED(path);
    IB_NEED(name);
    ib_tflite w;
    if (p->profile == ISOBIT_TFLITE_SINGLE)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: no LiteRT build rounds as tflite_single: export with --profile tflite_double or xnnpack",
                       path);
    ib_status status = ib_tflite_begin(&w, p);
    /* XNNPACK has no kernels for int4 with int8: what it leaves out would run, and round, elsewhere */
    w.int4 = !(opts && opts->int4_as_int8) && p->profile == ISOBIT_TFLITE_DOUBLE;
    for (int v = 0; v < p->n_values && !status; v++) {
        char label[32];
        int32_t s[4];
        ib_snprintf(label, sizeof label, v == p->result ? "output" : v ? "v%d" : "input", v);
        const int ndim = v ? shape_of(&p->values[v], s) : 4;
        if (!v)
            memcpy(s, (int32_t[]){1, p->input.h, p->input.w, p->input.c}, sizeof s);
        w.tensor_of[v] = ib_constant_of(p, v)
                             ? ib_tflite_constant_value(&w, v, label, ndim, s)
                             : ib_tflite_tensor(&w, label, INT8, ndim, s, 1, 0,
                                                ib_tflite_scales(&w, 1, &p->values[v].scale, p->values[v].zero, 0));
    }
    for (int i = 0; i < p->n_instrs && !status; i++)
        status = print_instruction(&w, &p->instrs[i]);
    if (!status)
        status = ib_tflite_write(&w, path, name);
    ib_tflite_free(&w);
    return status;
}
