/* tflite.c - prints an integer program as a TFLite flatbuffer: int8 in and out, N,H,W,C. Slots, enumerations and operator versions
 * are those of TensorFlow Lite's public schema (version 3).
 *
 * Average pooling is a depthwise convolution with ones (AVERAGE_POOL_2D has no output scale of its own and another divisor), a
 * table is a GATHER, asymmetric padding is a PAD with the zero point. A linear layer with a scale a channel is a 1x1 CONV_2D in profile
 * tflite_double: there LiteRT's reference FULLY_CONNECTED rounds once (tflite_single), its CONV_2D twice. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "export/flatbuffer.h"
#include "export/program.h"
#include "files/file.h"

enum { FLOAT32 = 0, INT32 = 2, INT64 = 4, INT8 = 9, INT4 = 17 };             /* TensorType */
enum { NONE = 0, RELU = 1, RELU6 = 3 };                                       /* ActivationFunctionType */
enum { SAME = 0, VALID = 1 };                                                 /* Padding */
enum { CONV_OPTIONS = 1, DEPTHWISE_OPTIONS = 2, POOL_OPTIONS = 5, FC_OPTIONS = 8, CONCAT_OPTIONS = 10, ADD_OPTIONS = 11, RESHAPE_OPTIONS = 17, MUL_OPTIONS = 21,
       PAD_OPTIONS = 22, GATHER_OPTIONS = 23, CAST_OPTIONS = 37, MAX_MIN_OPTIONS = 39, PADV2_OPTIONS = 43 }; /* BuiltinOptions */

/* BuiltinOperator, and the version that has these types */
#define OPERATORS(X) \
    X(ADD, 0, 2) X(ADD_INT32, 0, 1) X(CONCATENATION, 2, 2) X(CONV, 3, 3) X(CONV_INT4, 3, 7) X(DEPTHWISE, 4, 3) X(DEPTHWISE_INT4, 4, 6) X(FC, 9, 12) \
    X(MAX_POOL, 17, 2) X(MUL, 18, 2) X(RESHAPE, 22, 1) X(PAD, 34, 2) X(GATHER, 36, 2) X(CAST, 53, 1) X(MAXIMUM, 55, 2) X(MINIMUM, 57, 2) X(PADV2, 60, 2)
enum {
#define X(name, code, version) OP_##name,
    OPERATORS(X)
#undef X
    N_OPERATORS
};

typedef struct printer {
    const ib_program *p;
    const ib_tflite_opts *opts;
    ib_flat f;
    ib_flat_ref *tensors, *buffers, *ops;
    int n_tensors, n_buffers, n_ops, room;
    int *tensor_of;                /* [n_values] */
    int code_of[N_OPERATORS], n_codes;
    ib_flat_ref codes[N_OPERATORS];
    const char *name;              /* of the instruction at work */
} printer;

static int buffer(printer *w, const void *data, size_t bytes)
{
    const ib_flat_ref v = bytes ? ib_flat_vector(&w->f, data, bytes, 1, 16) : 0;
    w->buffers[w->n_buffers] = ib_flat_table(&w->f, &IB_FLAT_REF(0, v), 1);
    return w->n_buffers++;
}

/* Scales [n] along `axis`; n = 0: none. */
static ib_flat_ref quantization(printer *w, int n, const float *scale, int zero, int axis)
{
    if (!n)
        return 0;
    int64_t *zeros = ib_alloc((size_t)n * sizeof *zeros);
    if (!zeros) {
        w->f.failed = 1;
        return 0;
    }
    for (int i = 0; i < n; i++)
        zeros[i] = zero;
    const ib_flat_ref z = ib_flat_vector(&w->f, zeros, (size_t)n, 8, 8), s = ib_flat_vector(&w->f, scale, (size_t)n, 4, 4);
    ib_free(zeros);
    const ib_flat_field fields[] = {IB_FLAT_REF(2, s), IB_FLAT_REF(3, z), IB_FLAT_SCALAR(6, 4, n > 1 ? axis : 0)};
    return ib_flat_table(&w->f, fields, 3);
}

/* batch: the first dimension is free */
static int tensor(printer *w, const char *name, int type, int ndim, const int32_t *shape, int batch, int buf, ib_flat_ref q)
{
    int32_t signature[4];
    memcpy(signature, shape, (size_t)ndim * sizeof *shape);
    if (batch)
        signature[0] = -1;
    const ib_flat_ref s = ib_flat_vector(&w->f, shape, (size_t)ndim, 4, 4), g = batch ? ib_flat_vector(&w->f, signature, (size_t)ndim, 4, 4) : 0;
    const ib_flat_ref n = ib_flat_text(&w->f, name);
    const ib_flat_field fields[] = {IB_FLAT_REF(0, s), IB_FLAT_SCALAR(1, 1, type), IB_FLAT_SCALAR(2, 4, buf), IB_FLAT_REF(3, n), IB_FLAT_REF(4, q),
                                    IB_FLAT_REF(7, g), IB_FLAT_SCALAR(8, 1, 1)};
    w->tensors[w->n_tensors] = ib_flat_table(&w->f, fields, 7);
    return w->n_tensors++;
}

static const char *named(const printer *w, const char *what)
{
    static _Thread_local char buf[200];
    snprintf(buf, sizeof buf, "%s/%s", w->name, what);
    return buf;
}

/* Codes of an intermediate result. */
static int activation(printer *w, const char *what, int ndim, const int32_t *shape, float scale, int zero)
{
    return tensor(w, named(w, what), INT8, ndim, shape, 1, 0, quantization(w, 1, &scale, zero, 0));
}

static int constant(printer *w, const char *what, int type, int ndim, const int32_t *shape, const void *data, size_t bytes)
{
    return tensor(w, named(w, what), type, ndim, shape, 0, buffer(w, data, bytes), 0);
}

static void op(printer *w, int which, int n_in, const int32_t *in, int out, int options_type, const ib_flat_field *options, int n_options)
{
    static const struct { int code, version; } known[] = {
#define X(name, code, version) {code, version},
        OPERATORS(X)
#undef X
    };
    if (w->code_of[which] < 0) {
        const ib_flat_field code[] = {IB_FLAT_SCALAR(0, 1, known[which].code), IB_FLAT_SCALAR(2, 4, known[which].version), IB_FLAT_SCALAR(3, 4, known[which].code)};
        w->codes[w->n_codes] = ib_flat_table(&w->f, code, 3);
        w->code_of[which] = w->n_codes++;
    }
    const int32_t o = out;
    const ib_flat_ref vi = ib_flat_vector(&w->f, in, (size_t)n_in, 4, 4), vo = ib_flat_vector(&w->f, &o, 1, 4, 4), t = options_type ? ib_flat_table(&w->f, options, n_options) : 0;
    const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 4, w->code_of[which]), IB_FLAT_REF(1, vi), IB_FLAT_REF(2, vo),
                                    IB_FLAT_SCALAR(3, options_type ? 1 : 0, options_type), IB_FLAT_REF(4, t)};
    w->ops[w->n_ops++] = ib_flat_table(&w->f, fields, 5);
}

/* N,H,W,C of a value, or N,K. */
static int shape_of(const ib_value *v, int32_t *s)
{
    const int64_t *n = v->shape;
    const int32_t four[] = {1, (int32_t)(v->ndim > 2 ? n[2] : 1), (int32_t)(v->ndim > 3 ? n[3] : 1), (int32_t)n[1]}, two[] = {1, (int32_t)v->size};
    memcpy(s, v->ndim > 2 ? four : two, v->ndim > 2 ? sizeof four : sizeof two);
    return v->ndim > 2 ? 4 : 2;
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

/* What a clamped operator writes to: the value itself, or a tensor that `clamp` then takes to it. */
static int target(printer *w, const ib_instr *i, int zero, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    const int ndim = shape_of(v, s);
    return fused(v, zero, lo, hi) >= 0 ? w->tensor_of[i->out] : activation(w, "unclamped", ndim, s, v->scale, v->zero);
}

static void clamp(printer *w, const ib_instr *i, int from, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    if (from == w->tensor_of[i->out])
        return;
    const int ndim = shape_of(v, s), middle = activation(w, "clamped_below", ndim, s, v->scale, v->zero);
    const int8_t low = (int8_t)lo, high = (int8_t)hi;
    const int a = tensor(w, named(w, "least"), INT8, 1, (int32_t[]){1}, 0, buffer(w, &low, 1), quantization(w, 1, &v->scale, v->zero, 0));
    const int b = tensor(w, named(w, "most"), INT8, 1, (int32_t[]){1}, 0, buffer(w, &high, 1), quantization(w, 1, &v->scale, v->zero, 0));
    op(w, OP_MAXIMUM, 2, (int32_t[]){from, a}, middle, MAX_MIN_OPTIONS, NULL, 0);
    op(w, OP_MINIMUM, 2, (int32_t[]){middle, b}, w->tensor_of[i->out], MAX_MIN_OPTIONS, NULL, 0);
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
static int padded(printer *w, int *x, const ib_value *v, const int out[2], const int kernel[2], const int stride[2], const int pad[2], int with_least)
{
    int32_t s[4];
    shape_of(v, s);
    const int h = padding(s[1], out[0], kernel[0], stride[0], pad[0]), c = padding(s[2], out[1], kernel[1], stride[1], pad[1]);
    const int same_h = h == SAME || (h == VALID && kernel[0] == 1 && stride[0] == 1), same_w = c == SAME || (c == VALID && kernel[1] == 1 && stride[1] == 1);
    if (h == VALID && c == VALID)
        return VALID;
    if (same_h && same_w)
        return SAME;
    const int32_t around[4][2] = {{0, 0}, {pad[0], pad[0]}, {pad[1], pad[1]}, {0, 0}};
    s[1] += 2 * pad[0];
    s[2] += 2 * pad[1];
    const int amount = constant(w, "padding", INT32, 2, (int32_t[]){4, 2}, around, sizeof around), y = activation(w, "padded", 4, s, v->scale, v->zero);
    if (with_least) {
        const int8_t least = -128;
        const int value = tensor(w, named(w, "pad_value"), INT8, 1, (int32_t[]){1}, 0, buffer(w, &least, 1), quantization(w, 1, &v->scale, v->zero, 0));
        op(w, OP_PADV2, 3, (int32_t[]){*x, amount, value}, y, PADV2_OPTIONS, NULL, 0);
    } else {
        op(w, OP_PAD, 2, (int32_t[]){*x, amount}, y, PAD_OPTIONS, NULL, 0);
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
static int weights(printer *w, const int8_t *codes, int ndim, const int32_t *shape, int64_t n, int int4, int channels, const float *scale, int axis)
{
    if (!int4)
        return tensor(w, named(w, "weights"), INT8, ndim, shape, 0, buffer(w, codes, (size_t)n), quantization(w, channels, scale, 0, axis));
    uint8_t *packed = ib_alloc((size_t)(n + 1) / 2);
    for (int64_t i = 0; packed && i < n; i++)
        packed[i / 2] |= (uint8_t)((codes[i] & 15) << 4 * (i & 1));
    if (!packed)
        w->f.failed = 1;
    const int t = tensor(w, named(w, "weights"), INT4, ndim, shape, 0, buffer(w, packed ? packed : (uint8_t *)"", packed ? (size_t)(n + 1) / 2 : 0),
                         quantization(w, channels, scale, 0, axis));
    ib_free(packed);
    return t;
}

static int bias_tensor(printer *w, const int32_t *bias, int channels, float in_scale, const float *scale)
{
    float *s = ib_alloc((size_t)channels * sizeof *s);
    int32_t n = channels;
    if (!s) {
        w->f.failed = 1;
        return -1;
    }
    for (int o = 0; o < channels; o++)
        s[o] = in_scale * scale[o];
    const int t = tensor(w, named(w, "bias"), INT32, 1, &n, 0, buffer(w, bias, (size_t)channels * sizeof *bias), quantization(w, channels, s, 0, 0));
    ib_free(s);
    return t;
}

static int one_scale(const ib_instr *i)
{
    for (int o = 1; o < i->p.conv.out_c; o++)
        if (i->weight_scale[o] != i->weight_scale[0])
            return 0;
    return 1;
}

static int reshaped(printer *w, int x, const char *what, int ndim, const int32_t *to, int y)
{
    const int shape = constant(w, what, INT32, 1, (int32_t[]){ndim}, to, (size_t)ndim * sizeof *to);
    op(w, OP_RESHAPE, 2, (int32_t[]){x, shape}, y, RESHAPE_OPTIONS, NULL, 0);
    return y;
}

static ib_status print_linear(printer *w, const ib_instr *i, const int8_t *codes, int int4)
{
    const isobit_conv2d *k = &i->p.conv;
    const ib_value *out = &w->p->values[i->out];
    const int as_conv = w->p->profile == ISOBIT_TFLITE_DOUBLE && !one_scale(i), act = fused(out, k->out_zero, k->lo, k->hi);
    const ib_value *in = &w->p->values[i->in[0]];
    const int64_t channels = in->ndim > 2 ? in->shape[1] : in->size, area = in->size / channels;
    int x = w->tensor_of[i->in[0]];
    if (as_conv)
        x = reshaped(w, x, "pixel_shape", 4, (int32_t[]){-1, 1, 1, k->in_c}, activation(w, "pixel", 4, (int32_t[]){1, 1, 1, k->in_c}, in->scale, in->zero));
    else if (in->ndim > 2)
        x = reshaped(w, x, "flat_shape", 2, (int32_t[]){-1, k->in_c}, activation(w, "flat", 2, (int32_t[]){1, k->in_c}, in->scale, in->zero));
    int8_t *t = turned(codes, k->out_c, channels, area, 0); /* columns C,H,W become H,W,C */
    if (!t)
        return IB_ENOMEM;
    const int32_t rows[] = {k->out_c, k->in_c}, image[] = {k->out_c, 1, 1, k->in_c};
    const int weight = weights(w, t, as_conv ? 4 : 2, as_conv ? image : rows, (int64_t)k->out_c * k->in_c, int4, k->out_c, i->weight_scale, 0);
    ib_free(t);
    const int b = bias_tensor(w, i->bias, k->out_c, in->scale, i->weight_scale), y = target(w, i, k->out_zero, k->lo, k->hi);
    if (as_conv) {
        const int pixels = activation(w, "pixels", 4, (int32_t[]){1, 1, 1, k->out_c}, out->scale, out->zero);
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, VALID), IB_FLAT_SCALAR(1, 4, 1), IB_FLAT_SCALAR(2, 4, 1), IB_FLAT_SCALAR(3, 1, act > 0 ? act : NONE),
                                   IB_FLAT_SCALAR(4, 4, 1), IB_FLAT_SCALAR(5, 4, 1)};
        op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, pixels, CONV_OPTIONS, o, 6);
        reshaped(w, pixels, "row_shape", 2, (int32_t[]){-1, k->out_c}, y);
    } else {
        op(w, OP_FC, 3, (int32_t[]){x, weight, b}, y, FC_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    }
    clamp(w, i, y, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_conv(printer *w, const ib_instr *i, const isobit_conv2d *k, const int8_t *codes, const float *scale, const int32_t *bias, int int4)
{
    const ib_value *in = &w->p->values[i->in[0]];
    const int per_group = k->in_c / k->groups, depthwise = per_group == 1 && k->groups > 1, area = k->kernel_h * k->kernel_w;
    int x = w->tensor_of[i->in[0]];
    const int same = padded(w, &x, in, (int[]){k->out_h, k->out_w}, (int[]){k->kernel_h, k->kernel_w}, (int[]){k->stride_h, k->stride_w},
                            (int[]){k->pad_h, k->pad_w}, 0);
    int8_t *t = turned(codes, k->out_c, per_group, area, depthwise);
    if (!t)
        return IB_ENOMEM;
    const int32_t shape[] = {depthwise ? 1 : k->out_c, k->kernel_h, k->kernel_w, depthwise ? k->out_c : per_group};
    const int weight = weights(w, t, 4, shape, (int64_t)k->out_c * per_group * area, int4, k->out_c, scale, depthwise ? 3 : 0);
    ib_free(t);
    const int b = bias_tensor(w, bias, k->out_c, in->scale, scale), y = target(w, i, k->out_zero, k->lo, k->hi);
    int act = fused(&w->p->values[i->out], k->out_zero, k->lo, k->hi);
    act = act > 0 ? act : NONE;
    if (depthwise) {
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, same), IB_FLAT_SCALAR(1, 4, k->stride_w), IB_FLAT_SCALAR(2, 4, k->stride_h),
                                   IB_FLAT_SCALAR(3, 4, k->out_c / k->in_c), IB_FLAT_SCALAR(4, 1, act), IB_FLAT_SCALAR(5, 4, 1), IB_FLAT_SCALAR(6, 4, 1)};
        op(w, int4 ? OP_DEPTHWISE_INT4 : OP_DEPTHWISE, 3, (int32_t[]){x, weight, b}, y, DEPTHWISE_OPTIONS, o, 7);
    } else {
        const ib_flat_field o[] = {IB_FLAT_SCALAR(0, 1, same), IB_FLAT_SCALAR(1, 4, k->stride_w), IB_FLAT_SCALAR(2, 4, k->stride_h),
                                   IB_FLAT_SCALAR(3, 1, act), IB_FLAT_SCALAR(4, 4, 1), IB_FLAT_SCALAR(5, 4, 1)};
        op(w, int4 ? OP_CONV_INT4 : OP_CONV, 3, (int32_t[]){x, weight, b}, y, CONV_OPTIONS, o, 6);
    }
    clamp(w, i, y, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_product(printer *w, const ib_instr *i)
{
    const isobit_conv2d *k = &i->p.conv;
    if (i->factor)
        return ib_fail(IB_EUNSUPPORTED, "layer '%s': TFLite has no factors for groups of weights", i->name);
    /* XNNPACK has no kernels for int4 with int8: what it leaves out would run, and round, elsewhere */
    const int int4 = k->bits == 4 && !w->opts->int4_as_int8 && w->p->profile == ISOBIT_TFLITE_DOUBLE;
    return i->cls == &ib_instr_linear ? print_linear(w, i, i->codes, int4) : print_conv(w, i, k, i->codes, i->weight_scale, i->bias, int4);
}

static ib_status print_avgpool(printer *w, const ib_instr *i)
{
    const isobit_pool *o = &i->p.pool;
    const int64_t area = (int64_t)o->kernel_h * o->kernel_w;
    const isobit_conv2d k = {.in_c = o->channels, .in_h = o->in_h, .in_w = o->in_w, .out_c = o->channels, .out_h = o->out_h, .out_w = o->out_w,
                             .kernel_h = o->kernel_h, .kernel_w = o->kernel_w, .stride_h = o->stride_h, .stride_w = o->stride_w, .pad_h = o->pad_h,
                             .pad_w = o->pad_w, .groups = o->channels, .out_zero = o->out_zero, .lo = o->lo, .hi = o->hi};
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

static ib_status print_maxpool(printer *w, const ib_instr *i)
{
    const isobit_pool *o = &i->p.pool;
    int x = w->tensor_of[i->in[0]];
    const int same = padded(w, &x, &w->p->values[i->in[0]], (int[]){o->out_h, o->out_w}, (int[]){o->kernel_h, o->kernel_w},
                            (int[]){o->stride_h, o->stride_w}, (int[]){o->pad_h, o->pad_w}, 1);
    const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, same), IB_FLAT_SCALAR(1, 4, o->stride_w), IB_FLAT_SCALAR(2, 4, o->stride_h),
                                    IB_FLAT_SCALAR(3, 4, o->kernel_w), IB_FLAT_SCALAR(4, 4, o->kernel_h), IB_FLAT_SCALAR(5, 1, NONE)};
    op(w, OP_MAX_POOL, 1, (int32_t[]){x}, w->tensor_of[i->out], POOL_OPTIONS, fields, 6);
    return IB_OK;
}

static ib_status print_binary(printer *w, const ib_instr *i)
{
    const int add = i->cls == &ib_instr_add, zero = add ? i->p.add.out_zero : i->p.mul.out_zero, lo = add ? i->p.add.lo : i->p.mul.lo,
              hi = add ? i->p.add.hi : i->p.mul.hi;
    const int y = target(w, i, zero, lo, hi), act = fused(&w->p->values[i->out], zero, lo, hi);
    op(w, add ? OP_ADD : OP_MUL, 2, (int32_t[]){w->tensor_of[i->in[0]], w->tensor_of[i->in[1]]}, y, add ? ADD_OPTIONS : MUL_OPTIONS,
       (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    clamp(w, i, y, lo, hi);
    return IB_OK;
}

/* y = table[x + 128] */
static void gather(printer *w, int value, const int8_t *table, const ib_value *like, int y)
{
    int32_t s[4];
    const int ndim = shape_of(&w->p->values[value], s), offset = 128;
    const int t = tensor(w, named(w, "table"), INT8, 1, (int32_t[]){256}, 0, buffer(w, table, 256), quantization(w, 1, &like->scale, like->zero, 0));
    const int wide = tensor(w, named(w, "wide"), INT32, ndim, s, 1, 0, 0), index = tensor(w, named(w, "index"), INT32, ndim, s, 1, 0, 0);
    const int32_t plus = offset;
    const int o = constant(w, "offset", INT32, 1, (int32_t[]){1}, &plus, sizeof plus);
    op(w, OP_CAST, 1, (int32_t[]){w->tensor_of[value]}, wide, CAST_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, INT8), IB_FLAT_SCALAR(1, 1, INT32)}, 2);
    op(w, OP_ADD_INT32, 2, (int32_t[]){wide, o}, index, ADD_OPTIONS, NULL, 0);
    op(w, OP_GATHER, 2, (int32_t[]){t, index}, y, GATHER_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, 0)}, 1);
}

static ib_status print_lookup(printer *w, const ib_instr *i)
{
    gather(w, i->in[0], i->table, &w->p->values[i->out], w->tensor_of[i->out]);
    return IB_OK;
}

static ib_status print_concat(printer *w, const ib_instr *i)
{
    const ib_value *out = &w->p->values[i->out];
    int32_t parts[IB_MAX_INPUTS], s[4];
    for (int j = 0; j < i->n_in; j++) {
        const int ndim = shape_of(&w->p->values[i->in[j]], s);
        parts[j] = activation(w, "part", ndim, s, out->scale, out->zero);
        gather(w, i->in[j], i->table + 256 * j, out, parts[j]);
    }
    const int axis = out->ndim > 2 ? (int[]){0, 3, 1, 2}[i->axis] : i->axis;
    op(w, OP_CONCATENATION, i->n_in, parts, w->tensor_of[i->out], CONCAT_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, axis), IB_FLAT_SCALAR(1, 1, NONE)}, 2);
    return IB_OK;
}

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(printer *w, const ib_instr *i);
} printers[] = {{&ib_instr_conv2d, print_product}, {&ib_instr_linear, print_product}, {&ib_instr_avgpool, print_avgpool}, {&ib_instr_maxpool, print_maxpool},
                {&ib_instr_add, print_binary}, {&ib_instr_mul, print_binary}, {&ib_instr_lookup, print_lookup}, {&ib_instr_concat, print_concat}};

static ib_status print_instruction(printer *w, const ib_instr *i)
{
    w->name = i->name;
    for (size_t k = 0; k < sizeof printers / sizeof *printers; k++)
        if (printers[k].cls == i->cls)
            return printers[k].print(w, i);
    return ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no form in TFLite", i->name, i->cls->name);
}

static ib_flat_ref model(printer *w, const char *name)
{
    const ib_program *p = w->p;
    const char *profile = ib_profile_name((ib_profile)p->profile);
    const int text = buffer(w, profile, strlen(profile));
    ib_flat *f = &w->f;
    const ib_flat_ref key = ib_flat_text(f, "isobit.profile");
    const ib_flat_field about[] = {IB_FLAT_REF(0, key), IB_FLAT_SCALAR(1, 4, text)};
    const ib_flat_ref entry = ib_flat_table(f, about, 2), metadata = ib_flat_refs(f, &entry, 1);
    const ib_flat_ref tensors = ib_flat_refs(f, w->tensors, (size_t)w->n_tensors), ops = ib_flat_refs(f, w->ops, (size_t)w->n_ops);
    const int32_t first = w->tensor_of[0], last = w->tensor_of[p->result];
    const ib_flat_ref in = ib_flat_vector(f, &first, 1, 4, 4), out = ib_flat_vector(f, &last, 1, 4, 4), title = ib_flat_text(f, name);
    const ib_flat_field graph[] = {IB_FLAT_REF(0, tensors), IB_FLAT_REF(1, in), IB_FLAT_REF(2, out), IB_FLAT_REF(3, ops), IB_FLAT_REF(4, title)};
    const ib_flat_ref g = ib_flat_table(f, graph, 5), graphs = ib_flat_refs(f, &g, 1);
    const ib_flat_ref buffers = ib_flat_refs(f, w->buffers, (size_t)w->n_buffers), codes = ib_flat_refs(f, w->codes, (size_t)w->n_codes);
    const ib_flat_ref description = ib_flat_text(f, *p->note ? p->note : "isobit " ISOBIT_VERSION);
    const ib_flat_field root[] = {IB_FLAT_SCALAR(0, 4, 3), IB_FLAT_REF(1, codes), IB_FLAT_REF(2, graphs), IB_FLAT_REF(3, description), IB_FLAT_REF(4, buffers),
                                  IB_FLAT_REF(6, metadata)};
    return ib_flat_table(f, root, 6);
}

ib_status ib_export_tflite(const ib_program *p, const char *path, const char *name, const ib_tflite_opts *opts)
{
    const int room = 24 * (p->n_instrs + 2) + p->n_values;
    printer w = {.p = p, .opts = opts ? opts : &(ib_tflite_opts){0}, .room = room, .name = name};
    ib_status status = IB_ENOMEM;
    for (int i = 0; i < N_OPERATORS; i++)
        w.code_of[i] = -1;
    if (p->profile == ISOBIT_TFLITE_SINGLE)
        return ib_fail(IB_EUNSUPPORTED, "%s: no LiteRT build rounds as tflite_single: export with --profile tflite_double or fp32_rne (XNNPACK)", path);
    if (!(w.tensors = ib_alloc((size_t)room * sizeof *w.tensors)) || !(w.buffers = ib_alloc((size_t)room * sizeof *w.buffers)) ||
        !(w.ops = ib_alloc((size_t)room * sizeof *w.ops)) || !(w.tensor_of = ib_alloc((size_t)p->n_values * sizeof *w.tensor_of)))
        goto done;
    buffer(&w, NULL, 0); /* number 0 is the empty one */
    for (int v = 0; v < p->n_values; v++) {
        char label[32];
        int32_t s[4];
        snprintf(label, sizeof label, v == p->result ? "output" : v ? "v%d" : "input", v);
        const int ndim = v ? shape_of(&p->values[v], s) : 4;
        if (!v)
            memcpy(s, (int32_t[]){1, p->input.h, p->input.w, p->input.c}, sizeof s);
        w.tensor_of[v] = tensor(&w, label, INT8, ndim, s, 1, 0, quantization(&w, 1, &p->values[v].scale, p->values[v].zero, 0));
    }
    status = IB_OK;
    for (int i = 0; i < p->n_instrs && !status; i++)
        status = print_instruction(&w, &p->instrs[i]);
    if (!status && !(status = ib_flat_finish(&w.f, model(&w, name), "TFL3")))
        status = ib_file_replace(path, w.f.buf + w.f.room - w.f.n, w.f.n);
done:
    ib_flat_free(&w.f);
    ib_free(w.tensors);
    ib_free(w.buffers);
    ib_free(w.ops);
    ib_free(w.tensor_of);
    return status;
}
