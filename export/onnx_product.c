/* onnx_product.c - products as ONNX, and average pooling as a depthwise product with ones:
 *   qoperator:  QLinearConv on codes
 *   qdq:        DequantizeLinear -> Conv -> QuantizeLinear, which ONNX Runtime fuses into the same QLinearConv
 * Activations are uint8, each code raised by 128: on x86 ONNX Runtime fuses those only, leaves int8 to its float
 * operators, and multiplies int8 by int8 in plain C. Weights are signed as far as every processor adds their products
 * exactly, see is_exact(). A linear layer is the 1x1 convolution of a 1x1 image: QLinearMatMul has no bias and QGemm
 * is no standard operator. */
#include "export/onnx_print.h"
#include "tensor/format.h"

/* The constants of a product: weights [oc, ...shape], their scales, bias. */
typedef struct product {
    int64_t shape[4], kernel[2], strides[2], pads[4];
    int groups, out_zero, lo, hi, in_zero, bits;
    float in_scale, out_scale;
    const int8_t *codes;
    const float *weight_scale; /* [oc] */
    const int32_t *bias;       /* [oc], or NULL */
} product;

static int64_t count_of(const product *c)
{
    return c->shape[0] * c->shape[1] * c->shape[2] * c->shape[3];
}

/* x86 without VNNI multiplies uint8 by int8 with vpmaddubsw, whose sums of two products saturate at 16 bits:
 * 2 * 255 * |weight| <= 32767 holds to 64. */
static int is_exact(const product *c)
{
    for (int64_t i = 0; i < count_of(c); i++)
        if (c->codes[i] < -64 || c->codes[i] > 64)
            return 0;
    return 1;
}

static const char *weights(const printer *w, const product *c, int exact)
{
    const int64_t n = count_of(c);
    if (!exact) {
        uint8_t *shown = ib_alloc((size_t)n);
        for (int64_t i = 0; shown && i < n; i++)
            shown[i] = (uint8_t)(c->codes[i] + RAISE);
        const char *name = constant(w, "weight", IB_ONNX_UINT8, 4, c->shape, shown, (size_t)n);
        ib_free(shown);
        return name;
    }
    if (c->bits != 4 || !w->int4)
        return constant(w, "weight", IB_ONNX_INT8, 4, c->shape, c->codes, (size_t)n);
    uint8_t *packed = ib_alloc((size_t)(n + 1) / 2 + 1);
    if (packed)
        ib_pack_int4(c->codes, n, packed);
    const char *four = constant(w, "weight_int4_", IB_ONNX_INT4, 4, c->shape, packed, (size_t)(n + 1) / 2);
    ib_free(packed);
    const char *wide = text("weight%d", w->at);
    ib_onnx_node(w->o, "Cast", four, wide); /* a constant: runtimes fold it */
    ib_onnx_attr_int(w->o, "to", IB_ONNX_INT8);
    return wide;
}

static void conv_attributes(const printer *w, const product *c)
{
    ib_onnx_attr_ints(w->o, "kernel_shape", 2, c->kernel);
    ib_onnx_attr_ints(w->o, "strides", 2, c->strides);
    ib_onnx_attr_ints(w->o, "pads", 4, c->pads);
    ib_onnx_attr_int(w->o, "group", c->groups);
}

static void print_product(const printer *w, const product *c, const char *x, const char *to)
{
    const int64_t oc = c->shape[0];
    int uniform = 1;
    for (int64_t o = 1; o < oc; o++)
        uniform &= c->weight_scale[o] == c->weight_scale[0];
    const int ndim = uniform ? 0 : 1;
    const char *xs = constant_f32(w, "x_scale", c->in_scale), *xz = constant_code(w, "x_zero", c->in_zero),
               *ys = constant_f32(w, "y_scale", c->out_scale);
    const int exact = is_exact(c);
    const char *yz = constant_code(w, "y_zero", c->out_zero), *weight = weights(w, c, exact);
    const char *ws =
        constant(w, "w_scale", IB_ONNX_FLOAT, ndim, &oc, c->weight_scale, (uniform ? 1 : (size_t)oc) * sizeof(float));
    uint8_t *zeros = ib_alloc((size_t)oc);
    if (zeros && !exact)
        memset(zeros, RAISE, (size_t)oc);
    const char *wz =
        constant(w, "w_zero", exact ? IB_ONNX_INT8 : IB_ONNX_UINT8, ndim, &oc, zeros, uniform ? 1 : (size_t)oc);
    ib_free(zeros);
    const char *bias =
        c->bias ? constant(w, "bias", IB_ONNX_INT32, 1, &oc, c->bias, (size_t)oc * sizeof *c->bias) : NULL;
    if (!w->qdq) {
        ib_onnx_node(w->o, "QLinearConv",
                     text("%s %s %s %s %s %s %s %s %s", x, xs, xz, weight, ws, wz, ys, yz, bias ? bias : ""), to);
        conv_attributes(w, c);
        return;
    }
    const char *real_x = text("x_real%d", w->at), *real_w = text("w_real%d", w->at), *real_b = text("b_real%d", w->at),
               *real_y = text("y_real%d", w->at);
    ib_onnx_node(w->o, "DequantizeLinear", text("%s %s %s", x, xs, xz), real_x);
    ib_onnx_node(w->o, "DequantizeLinear", text("%s %s %s", weight, ws, wz), real_w);
    if (!uniform)
        ib_onnx_attr_int(w->o, "axis", 0);
    if (bias) {
        float *scale = ib_alloc((size_t)oc * sizeof *scale);
        for (int64_t o = 0; scale && o < oc; o++)
            scale[o] = c->in_scale * c->weight_scale[o];
        const char *bs =
            constant(w, "b_scale", IB_ONNX_FLOAT, ndim, &oc, scale, (uniform ? 1 : (size_t)oc) * sizeof(float));
        ib_free(scale);
        ib_onnx_node(w->o, "DequantizeLinear", text("%s %s", bias, bs), real_b);
        if (!uniform)
            ib_onnx_attr_int(w->o, "axis", 0);
    }
    ib_onnx_node(w->o, "Conv", bias ? text("%s %s %s", real_x, real_w, real_b) : text("%s %s", real_x, real_w), real_y);
    conv_attributes(w, c);
    ib_onnx_node(w->o, "QuantizeLinear", text("%s %s %s", real_y, ys, yz), to);
}

static ib_status print_conv(const printer *w, const ib_instr *i)
{
    const isobit_conv2d *k = &i->p.conv;
    const ib_value *in = &w->p->values[i->in[0]], *out = &w->p->values[i->out];
    const int flat = out->ndim == 2;
    const int64_t row = (int64_t)k->in_c / k->groups * k->kernel_h * k->kernel_w;
    product c = {.shape = {k->out_c, k->in_c / k->groups, k->kernel_h, k->kernel_w},
                 .kernel = {k->kernel_h, k->kernel_w},
                 .strides = {k->stride_h, k->stride_w},
                 .pads = {k->pad_h, k->pad_w, k->pad_h, k->pad_w},
                 .groups = k->groups,
                 .out_zero = k->out_zero,
                 .lo = k->lo,
                 .hi = k->hi,
                 .in_zero = k->in_zero,
                 .bits = i->factor ? 8 : k->bits,
                 .in_scale = in->scale,
                 .out_scale = out->scale,
                 .codes = i->codes,
                 .weight_scale = i->weight_scale,
                 .bias = i->bias};
    int8_t *whole = NULL;
    if (i->factor) { /* group factors have no standard form: they go into the codes, if those fit */
        if (!(whole = ib_alloc((size_t)(k->out_c * row))))
            return IB_ENOMEM;
        for (int64_t j = 0; j < k->out_c * row; j++) {
            const int v = i->codes[j] * i->factor[j / row * k->n_groups + j % row / k->group_size];
            if (v < -127 || v > 127) {
                ib_free(whole);
                return ib_fail(IB_EUNSUPPORTED, "layer '%s': %d-bit weights times their group's factor do not fit int8",
                               i->name, k->bits);
            }
            whole[j] = (int8_t)v;
        }
        c.codes = whole;
    }
    const ib_value seen = image(k->in_c, k->in_h, k->in_w);
    const char *x = seen_as(w, i->in[0], &seen, text("pixel%d", w->at)), *to = before_clamp(w, k->lo, k->hi);
    print_product(w, &c, x, flat ? text("pixels%d", w->at) : to);
    if (flat)
        reshaped(w, text("pixels%d", w->at), 2, (int64_t[]){-1, k->out_c}, to);
    clamped(w, to, k->lo, k->hi);
    ib_free(whole);
    return IB_OK;
}

ib_status ib_onnx_print_conv2d(const printer *w, const ib_instr *i)
{
    return print_conv(w, i);
}

ib_status ib_onnx_print_linear(const printer *w, const ib_instr *i)
{
    return print_conv(w, i);
}

/* Average pooling: acc = sum (x - zero) with M = s_in (1 / window) / s_out is a depthwise convolution with ones. */
ib_status ib_onnx_print_avgpool(const printer *w, const ib_instr *i)
{
    const isobit_pool *k = &i->p.pool;
    const int64_t area = (int64_t)k->kernel_h * k->kernel_w, n = k->channels * area;
    int8_t *ones = ib_alloc((size_t)n);
    float *scale = ib_alloc((size_t)k->channels * sizeof *scale);
    if (!ones || !scale) {
        ib_free(ones);
        ib_free(scale);
        return IB_ENOMEM;
    }
    memset(ones, 1, (size_t)n);
    for (int c = 0; c < k->channels; c++)
        scale[c] = 1.0f / (float)area;
    const product c = {.shape = {k->channels, 1, k->kernel_h, k->kernel_w},
                       .kernel = {k->kernel_h, k->kernel_w},
                       .strides = {k->stride_h, k->stride_w},
                       .pads = {k->pad_h, k->pad_w, k->pad_h, k->pad_w},
                       .groups = k->channels,
                       .out_zero = k->out_zero,
                       .lo = k->lo,
                       .hi = k->hi,
                       .in_zero = k->in_zero,
                       .bits = 8,
                       .in_scale = w->p->values[i->in[0]].scale,
                       .out_scale = w->p->values[i->out].scale,
                       .codes = ones,
                       .weight_scale = scale};
    const ib_value seen = image(k->channels, k->in_h, k->in_w);
    const char *to = before_clamp(w, k->lo, k->hi);
    print_product(w, &c, seen_as(w, i->in[0], &seen, text("seen%d", w->at)), to);
    clamped(w, to, k->lo, k->hi);
    ib_free(ones);
    ib_free(scale);
    return IB_OK;
}
