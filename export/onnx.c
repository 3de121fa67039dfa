/* onnx.c - prints an integer program as ONNX, with ONNX Runtime's integers (profile fp32_rne).
 *
 * Products, and average pooling as a depthwise product with ones, are
 *   qoperator:  QLinearConv on codes
 *   qdq:        DequantizeLinear -> Conv -> QuantizeLinear, which ONNX Runtime fuses into the same QLinearConv. Activations are
 *               uint8, each code raised by 128: on x86 it fuses those only, and leaves int8 to its float operators
 * Weights are signed as far as every processor adds their products exactly, see is_exact().
 * A linear layer is the 1x1 convolution of a 1x1 image: QLinearMatMul has no bias and QGemm is no standard operator.
 * What standard operators would round more than once, or in float, is written in exact integer arithmetic instead:
 *   add    the fixed-point sum in int32, then one rounding in double, which holds it exactly
 *   mul    the product in int32, then the requantization  round(float(acc) * M)
 *   lookup Gather of a table of 256 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "export/onnx_file.h"
#include "export/program.h"
#include "tensor/requant.h"

enum { RAISE = 128 }; /* of activation codes as they are shown, uint8 */

typedef struct printer {
    const ib_program *p;
    ib_onnx *o;
    int qdq, int4;
    int at; /* number of the instruction; constants are named after it */
    char out[24];
} printer;

/* The names that printing one instruction takes. */
static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *format, ...)
{
    static _Thread_local char buf[64][160];
    static _Thread_local int i;
    va_list args;
    i = (i + 1) % 64;
    va_start(args, format);
    vsnprintf(buf[i], sizeof buf[i], format, args);
    va_end(args);
    return buf[i];
}

static const char *name_of(int value)
{
    return value ? text("v%d", value) : "codes";
}

static const char *constant(const printer *w, const char *what, int type, int ndim, const int64_t *shape, const void *data, size_t bytes)
{
    const char *name = text("%s%d", what, w->at);
    ib_onnx_constant(w->o, name, type, ndim, shape, data, bytes);
    return name;
}
static const char *constant_f32(const printer *w, const char *what, float v)
{
    return constant(w, what, IB_ONNX_FLOAT, 0, NULL, &v, sizeof v);
}
/* An activation's code as a scalar. */
static const char *constant_code(const printer *w, const char *what, int v)
{
    const uint8_t code = (uint8_t)(v + RAISE);
    return constant(w, what, IB_ONNX_UINT8, 0, NULL, &code, 1);
}
static const char *constant_i32(const printer *w, const char *what, int32_t v)
{
    return constant(w, what, IB_ONNX_INT32, 0, NULL, &v, sizeof v);
}

static const char *reshaped(const printer *w, const char *x, int n, const int64_t *shape, const char *to)
{
    const char *s = constant(w, text("shape_%s_", to), IB_ONNX_INT64, 1, (int64_t[]){n}, shape, (size_t)n * sizeof *shape);
    ib_onnx_node(w->o, "Reshape", text("%s %s", x, s), to);
    return to;
}

/* Value `v` as a product sees it: a row is an image of one pixel, and a linear layer reads an image in its order. */
static const char *seen_as(const printer *w, int v, const ib_value *like, const char *to)
{
    const ib_value *x = &w->p->values[v];
    if (x->ndim == like->ndim && !memcmp(x->shape, like->shape, (size_t)x->ndim * sizeof *x->shape))
        return name_of(v);
    int64_t shape[IB_MAX_DIMS];
    memcpy(shape, like->shape, sizeof shape);
    shape[0] = -1;
    return reshaped(w, name_of(v), like->ndim, shape, to);
}

static ib_value image(int c, int h, int w)
{
    return (ib_value){.ndim = 4, .shape = {1, c, h, w}};
}

/* Codes clamped to what the program allows, where that is less than int8. */
static void clamped(const printer *w, const char *x, int lo, int hi)
{
    if (lo > -128 || hi < 127)
        ib_onnx_node(w->o, "Clip", text("%s %s %s", x, constant_code(w, "least", lo), constant_code(w, "most", hi)), w->out);
    else if (strcmp(x, w->out))
        ib_onnx_node(w->o, "Identity", x, w->out);
}

/* Where an operator writes: a name of its own if a clamp follows. */
static const char *before_clamp(const printer *w, int lo, int hi)
{
    return lo > -128 || hi < 127 ? text("raw%d", w->at) : w->out;
}

/* round(acc factor) + zero, clamped, as codes: the int32 acc and the constant in fp32 or double */
static void requantized(const printer *w, const char *acc, int type, const char *factor, int zero, int lo, int hi)
{
    const char *v = text("integer%d", w->at);
    ib_onnx_node(w->o, "Cast", acc, text("real%d", w->at));
    ib_onnx_attr_int(w->o, "to", type);
    ib_onnx_node(w->o, "Mul", text("real%d %s", w->at, factor), text("result%d", w->at));
    ib_onnx_node(w->o, "Round", text("result%d", w->at), text("rounded%d", w->at));
    ib_onnx_node(w->o, "Cast", text("rounded%d", w->at), v);
    ib_onnx_attr_int(w->o, "to", IB_ONNX_INT32);
    ib_onnx_node(w->o, "Add", text("%s %s", v, constant_i32(w, "out_zero", zero + RAISE)), text("moved%d", w->at));
    ib_onnx_node(w->o, "Clip", text("moved%d %s %s", w->at, constant_i32(w, "least32_", lo + RAISE), constant_i32(w, "most32_", hi + RAISE)), text("kept%d", w->at));
    ib_onnx_node(w->o, "Cast", text("kept%d", w->at), w->out);
    ib_onnx_attr_int(w->o, "to", IB_ONNX_UINT8);
}

/* int32 input less its zero point */
static const char *widened(const printer *w, const char *x, int zero, const char *to)
{
    ib_onnx_node(w->o, "Cast", x, text("%s_wide", to));
    ib_onnx_attr_int(w->o, "to", IB_ONNX_INT32);
    ib_onnx_node(w->o, "Sub", text("%s_wide %s", to, constant_i32(w, text("zero_%s_", to), zero + RAISE)), to);
    return to;
}

/* ---- products ---- */

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
    for (int64_t i = 0; packed && i < n; i++)
        packed[i / 2] |= (uint8_t)((c->codes[i] & 15) << 4 * (i & 1));
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
    const char *xs = constant_f32(w, "x_scale", c->in_scale), *xz = constant_code(w, "x_zero", c->in_zero), *ys = constant_f32(w, "y_scale", c->out_scale);
    const int exact = is_exact(c);
    const char *yz = constant_code(w, "y_zero", c->out_zero), *weight = weights(w, c, exact);
    const char *ws = constant(w, "w_scale", IB_ONNX_FLOAT, ndim, &oc, c->weight_scale, (uniform ? 1 : (size_t)oc) * sizeof(float));
    uint8_t *zeros = ib_alloc((size_t)oc);
    if (zeros && !exact)
        memset(zeros, RAISE, (size_t)oc);
    const char *wz = constant(w, "w_zero", exact ? IB_ONNX_INT8 : IB_ONNX_UINT8, ndim, &oc, zeros, uniform ? 1 : (size_t)oc);
    ib_free(zeros);
    const char *bias = c->bias ? constant(w, "bias", IB_ONNX_INT32, 1, &oc, c->bias, (size_t)oc * sizeof *c->bias) : NULL;
    if (!w->qdq) {
        ib_onnx_node(w->o, "QLinearConv", text("%s %s %s %s %s %s %s %s %s", x, xs, xz, weight, ws, wz, ys, yz, bias ? bias : ""), to);
        conv_attributes(w, c);
        return;
    }
    const char *real_x = text("x_real%d", w->at), *real_w = text("w_real%d", w->at), *real_b = text("b_real%d", w->at), *real_y = text("y_real%d", w->at);
    ib_onnx_node(w->o, "DequantizeLinear", text("%s %s %s", x, xs, xz), real_x);
    ib_onnx_node(w->o, "DequantizeLinear", text("%s %s %s", weight, ws, wz), real_w);
    if (!uniform)
        ib_onnx_attr_int(w->o, "axis", 0);
    if (bias) {
        float *scale = ib_alloc((size_t)oc * sizeof *scale);
        for (int64_t o = 0; scale && o < oc; o++)
            scale[o] = c->in_scale * c->weight_scale[o];
        const char *bs = constant(w, "b_scale", IB_ONNX_FLOAT, ndim, &oc, scale, (uniform ? 1 : (size_t)oc) * sizeof(float));
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
    product c = {.shape = {k->out_c, k->in_c / k->groups, k->kernel_h, k->kernel_w}, .kernel = {k->kernel_h, k->kernel_w},
                 .strides = {k->stride_h, k->stride_w}, .pads = {k->pad_h, k->pad_w, k->pad_h, k->pad_w}, .groups = k->groups, .out_zero = k->out_zero,
                 .lo = k->lo, .hi = k->hi, .in_zero = k->in_zero, .bits = i->factor ? 8 : k->bits, .in_scale = in->scale, .out_scale = out->scale,
                 .codes = i->codes, .weight_scale = i->weight_scale, .bias = i->bias};
    int8_t *whole = NULL;
    if (i->factor) { /* group factors have no standard form: they go into the codes, if those fit */
        if (!(whole = ib_alloc((size_t)(k->out_c * row))))
            return IB_ENOMEM;
        for (int64_t j = 0; j < k->out_c * row; j++) {
            const int v = i->codes[j] * i->factor[j / row * k->n_groups + j % row / k->group_size];
            if (v < -127 || v > 127) {
                ib_free(whole);
                return ib_fail(IB_EUNSUPPORTED, "layer '%s': %d-bit weights times their group's factor do not fit int8", i->name, k->bits);
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

/* Average pooling: acc = sum (x - zero) with M = s_in (1 / window) / s_out is a depthwise convolution with ones. */
static ib_status print_avgpool(const printer *w, const ib_instr *i)
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
    const product c = {.shape = {k->channels, 1, k->kernel_h, k->kernel_w}, .kernel = {k->kernel_h, k->kernel_w}, .strides = {k->stride_h, k->stride_w},
                       .pads = {k->pad_h, k->pad_w, k->pad_h, k->pad_w}, .groups = k->channels, .out_zero = k->out_zero, .lo = k->lo, .hi = k->hi,
                       .in_zero = k->in_zero, .bits = 8, .in_scale = w->p->values[i->in[0]].scale, .out_scale = w->p->values[i->out].scale,
                       .codes = ones, .weight_scale = scale};
    const ib_value seen = image(k->channels, k->in_h, k->in_w);
    const char *to = before_clamp(w, k->lo, k->hi);
    print_product(w, &c, seen_as(w, i->in[0], &seen, text("seen%d", w->at)), to);
    clamped(w, to, k->lo, k->hi);
    ib_free(ones);
    ib_free(scale);
    return IB_OK;
}

static ib_status print_maxpool(const printer *w, const ib_instr *i)
{
    const isobit_pool *k = &i->p.pool;
    const ib_value seen = image(k->channels, k->in_h, k->in_w);
    ib_onnx_node(w->o, "MaxPool", seen_as(w, i->in[0], &seen, text("seen%d", w->at)), w->out);
    ib_onnx_attr_ints(w->o, "kernel_shape", 2, (int64_t[]){k->kernel_h, k->kernel_w});
    ib_onnx_attr_ints(w->o, "strides", 2, (int64_t[]){k->stride_h, k->stride_w});
    ib_onnx_attr_ints(w->o, "pads", 4, (int64_t[]){k->pad_h, k->pad_w, k->pad_h, k->pad_w});
    return IB_OK;
}

/* ---- element by element ---- */

static ib_status print_add(const printer *w, const ib_instr *i)
{
    const isobit_add *k = &i->p.add;
    const char *a = widened(w, seen_as(w, i->in[0], &w->p->values[i->out], text("a_seen%d", w->at)), k->a_zero, text("a%d", w->at));
    const char *b = widened(w, seen_as(w, i->in[1], &w->p->values[i->out], text("b_seen%d", w->at)), k->b_zero, text("b%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", a, constant_i32(w, "a_factor", k->a.mult)), text("a_part%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", b, constant_i32(w, "b_factor", k->b.mult)), text("b_part%d", w->at));
    ib_onnx_node(w->o, "Add", text("a_part%d b_part%d", w->at, w->at), text("sum%d", w->at));
    const double step = ldexp(1, k->a.exp);
    requantized(w, text("sum%d", w->at), IB_ONNX_DOUBLE, constant(w, "step", IB_ONNX_DOUBLE, 0, NULL, &step, sizeof step), k->out_zero, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_mul(const printer *w, const ib_instr *i)
{
    const isobit_mul *k = &i->p.mul;
    const char *a = widened(w, seen_as(w, i->in[0], &w->p->values[i->out], text("a_seen%d", w->at)), k->a_zero, text("a%d", w->at));
    const char *b = widened(w, seen_as(w, i->in[1], &w->p->values[i->out], text("b_seen%d", w->at)), k->b_zero, text("b%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", a, b), text("acc%d", w->at));
    const float m = (float)ib_requant_value(k->scale, ISOBIT_FP32_RNE);
    requantized(w, text("acc%d", w->at), IB_ONNX_FLOAT, constant_f32(w, "factor", m), k->out_zero, k->lo, k->hi);
    return IB_OK;
}

/* to = table[x + 128] */
static const char *gathered(const printer *w, const char *x, const int8_t *table, int which, const char *to)
{
    uint8_t shown[256];
    for (int c = 0; c < 256; c++)
        shown[c] = (uint8_t)(table[c] + RAISE);
    const char *t = constant(w, text("table%d_", which), IB_ONNX_UINT8, 1, (int64_t[]){256}, shown, 256);
    const char *index = widened(w, x, -128, text("index%d_%d", which, w->at));
    ib_onnx_node(w->o, "Gather", text("%s %s", t, index), to);
    return to;
}

static ib_status print_lookup(const printer *w, const ib_instr *i)
{
    gathered(w, name_of(i->in[0]), i->table, 0, w->out);
    return IB_OK;
}

static ib_status print_concat(const printer *w, const ib_instr *i)
{
    char all[IB_MAX_INPUTS * 32] = "";
    for (int j = 0; j < i->n_in; j++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", j ? " " : "",
                 gathered(w, name_of(i->in[j]), i->table + 256 * j, j, text("part%d_%d", j, w->at)));
    ib_onnx_node(w->o, "Concat", all, w->out);
    ib_onnx_attr_int(w->o, "axis", i->axis);
    return IB_OK;
}

static ib_status print_reshape(const printer *w, const ib_instr *i)
{
    const ib_value *y = &w->p->values[i->out];
    int64_t shape[IB_MAX_DIMS];
    memcpy(shape, y->shape, sizeof shape);
    shape[0] = -1;
    reshaped(w, name_of(i->in[0]), y->ndim, shape, w->out);
    return IB_OK;
}

static ib_status print_flatten(const printer *w, const ib_instr *i)
{
    const ib_value *x = &w->p->values[i->in[0]];
    const int64_t last[] = {0, 2, 3, 1}, row[] = {-1, x->size}, three[] = {0, 2, 1};
    if (x->ndim < 3)
        return print_reshape(w, i);
    ib_onnx_node(w->o, "Transpose", name_of(i->in[0]), text("turned%d", w->at));
    ib_onnx_attr_ints(w->o, "perm", x->ndim, x->ndim == 4 ? last : three);
    reshaped(w, text("turned%d", w->at), 2, row, w->out);
    return IB_OK;
}

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(const printer *w, const ib_instr *i);
} printers[] = {{&ib_instr_conv2d, print_conv}, {&ib_instr_linear, print_conv}, {&ib_instr_avgpool, print_avgpool}, {&ib_instr_maxpool, print_maxpool},
                {&ib_instr_add, print_add}, {&ib_instr_mul, print_mul}, {&ib_instr_lookup, print_lookup}, {&ib_instr_concat, print_concat}, {&ib_instr_reshape, print_reshape}, {&ib_instr_flatten_hwc, print_flatten}};

ib_status ib_export_onnx(const ib_program *p, const char *path, const char *name, const ib_onnx_opts *opts)
{
    const ib_value *in = &p->values[0], *out = &p->values[p->result];
    if (p->profile != ISOBIT_FP32_RNE)
        return ib_fail(IB_EUNSUPPORTED, "%s: the network rounds as %s, ONNX Runtime as fp32_rne: export with --profile fp32_rne", path,
                       ib_profile_name((ib_profile)p->profile));
    printer w = {.p = p, .o = ib_onnx_new(name), .qdq = opts->qdq, .int4 = !opts->int4_as_int8};
    if (!w.o)
        return IB_ENOMEM;
    const int64_t shape[4] = {1, p->input.c, p->input.h, p->input.w};
    ib_onnx_value(w.o, 0, "input", IB_ONNX_FLOAT, 4, shape);
    w.at = -1;
    snprintf(w.out, sizeof w.out, "codes");
    ib_onnx_constant(w.o, "input_scale", IB_ONNX_FLOAT, 0, NULL, &in->scale, sizeof in->scale);
    const uint8_t zero = (uint8_t)(in->zero + RAISE), out_zero = (uint8_t)(out->zero + RAISE);
    ib_onnx_constant(w.o, "input_zero", IB_ONNX_UINT8, 0, NULL, &zero, 1);
    ib_onnx_node(w.o, "QuantizeLinear", "input input_scale input_zero", in->bits < 8 ? "unclamped" : "codes");
    if (in->bits < 8) {
        const int half = 1 << (in->bits - 1);
        const uint8_t most = (uint8_t)(half - 1 + RAISE), least = (uint8_t)(RAISE - half);
        ib_onnx_constant(w.o, "input_least", IB_ONNX_UINT8, 0, NULL, &least, 1);
        ib_onnx_constant(w.o, "input_most", IB_ONNX_UINT8, 0, NULL, &most, 1);
        ib_onnx_node(w.o, "Clip", "unclamped input_least input_most", "codes");
    }
    ib_status status = IB_OK;
    for (w.at = 0; w.at < p->n_instrs && !status; w.at++) {
        const ib_instr *i = &p->instrs[w.at];
        snprintf(w.out, sizeof w.out, "v%d", i->out);
        size_t k = 0;
        while (k < sizeof printers / sizeof *printers && printers[k].cls != i->cls)
            k++;
        status = k < sizeof printers / sizeof *printers ? printers[k].print(&w, i)
                                                        : ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no form in ONNX", i->name, i->cls->name);
    }
    ib_onnx_constant(w.o, "output_scale", IB_ONNX_FLOAT, 0, NULL, &out->scale, sizeof out->scale);
    ib_onnx_constant(w.o, "output_zero", IB_ONNX_UINT8, 0, NULL, &out_zero, 1);
    ib_onnx_node(w.o, "DequantizeLinear", text("%s output_scale output_zero", name_of(p->result)), "output");
    ib_onnx_value(w.o, 1, "output", IB_ONNX_FLOAT, out->ndim, out->shape);
    ib_onnx_metadata(w.o, "isobit.profile", ib_profile_name((ib_profile)p->profile));
    if (*p->note)
        ib_onnx_metadata(w.o, "isobit.note", p->note);
    if (status) {
        ib_onnx_free(w.o);
        return status;
    }
    return ib_onnx_write(w.o, path);
}
