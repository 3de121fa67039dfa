/* instr_product.c - conv2d, linear: sums of products, and the proof that none of them overflows. */
#include <math.h>
#include <stdlib.h>

#include "autograd/quantizer.h"
#include "files/strbuf.h"
#include "program/instr.h"
#include "program/program_read.h"

ib_window ib_product_window(const ib_instr *i, const ib_nhwc *image, int64_t n)
{
    const isobit_conv2d *c = &i->p.conv;
    if (image && i->cls == &ib_instr_linear)
        return (ib_window){n, image->c, image->h, image->w, c->out_c, 1, 1, (int)image->h, (int)image->w,
                           1, 1,        0,        0,        1};
    return (ib_window){n,           c->in_c,     c->in_h,     c->in_w,     c->out_c, c->out_h, c->out_w,
                       c->kernel_h, c->kernel_w, c->stride_h, c->stride_w, c->pad_h, c->pad_w, c->groups};
}

/* The largest |acc| that codes lo .. hi can cause: max over channels of sum |w| max|x - zero| + |bias|. */
static int64_t bound_of(const ib_instr *i, int lo, int hi, int64_t k)
{
    const isobit_conv2d *c = &i->p.conv;
    const int down = c->in_zero - lo, up = hi - c->in_zero, reach = down > up ? down : up;
    int64_t bound = 0;
    for (int64_t o = 0; o < c->out_c; o++) {
        int64_t sum = llabs(i->bias[o]);
        for (int64_t j = 0; j < k; j++)
            sum += (int64_t)abs(i->codes[o * k + j]) *
                   (i->factor ? i->factor[o * c->n_groups + j / c->group_size] : 1) * reach;
        bound = sum > bound ? sum : bound;
    }
    return bound;
}

/* With geometry and constants in place: packs its weights as they ship, and proves that no accumulator overflows for
 * inputs lo .. hi. */
static ib_status product_complete(ib_program *p, ib_instr *i, int lo, int hi)
{
    isobit_conv2d *c = &i->p.conv;
    const int64_t rows = c->out_c, row = (int64_t)(c->in_c / c->groups) * c->kernel_h * c->kernel_w;
    const ib_format *f = ib_format_for_bits(c->bits);
    c->row_bytes = (int32_t)ib_format_bytes(f, row);
    if (!(i->packed = ib_alloc((size_t)(rows * c->row_bytes))))
        return IB_ENOMEM;
    for (int64_t r = 0; r < rows; r++)
        f->pack(i->codes + r * row, row, i->packed + r * c->row_bytes);
    i->macs = (int64_t)c->out_h * c->out_w * rows * row;
    i->acc_bound = bound_of(i, lo, hi, row);
    i->flash =
        rows * (c->row_bytes + c->n_groups) + rows * (int64_t)(sizeof *i->bias + sizeof *i->scale) + (int64_t)sizeof *c;
    if (row > p->scratch)
        p->scratch = row;
    if (i->acc_bound > INT32_MAX)
        return ib_fail(IB_ENUMERIC, "layer '%s': an accumulator may reach %lld, more than 32 bits hold", i->name,
                       (long long)i->acc_bound);
    return IB_OK;
}

/* Columns for an image in the order H,W,C become columns for C,H,W. */
static void turn_columns(const ib_value *image, int64_t rows, const int8_t *from, int8_t *codes)
{
    const int64_t channels = image->shape[1], area = image->size / channels;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t place = 0; place < area; place++)
                codes[(r * channels + c) * area + place] = from[(r * area + place) * channels + c];
}

static ib_status product_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    const ib_tensor *x = n->in[0], *w = n->in[1], *y = n->out;
    const ib_product_constants *k = n->saved[1];
    const ib_conv_opts *o = &((const ib_qproduct_attrs *)n->attrs)->conv;
    const int is_conv = n->op == &ib_op_qconv2d;
    isobit_conv2d *c = &i->p.conv;
    int32_t bounds[2];
    dev->v.download(dev, &bounds[0], k->lo, sizeof *bounds);
    dev->v.download(dev, &bounds[1], k->hi, sizeof *bounds);
    *c = (isobit_conv2d){.in_c = (int32_t)x->shape[1],
                         .in_h = 1,
                         .in_w = 1,
                         .out_c = (int32_t)w->shape[0],
                         .out_h = 1,
                         .out_w = 1,
                         .kernel_h = 1,
                         .kernel_w = 1,
                         .stride_h = 1,
                         .stride_w = 1,
                         .groups = 1,
                         .bits = w->q.bits,
                         .group_size = w->q.group_size,
                         .n_groups = w->q.n_groups,
                         .in_zero = p->values[i->in[0]].zero,
                         .out_zero = p->values[i->out].zero,
                         .lo = bounds[0],
                         .hi = bounds[1]};
    if (is_conv) {
        c->in_h = (int32_t)(x->ndim == 4 ? x->shape[2] : 1);
        c->in_w = (int32_t)(x->ndim == 4 ? x->shape[3] : 1);
        c->out_h = (int32_t)(y->ndim == 4 ? y->shape[2] : 1);
        c->out_w = (int32_t)(y->ndim == 4 ? y->shape[3] : 1);
        c->kernel_h = (int32_t)w->shape[2];
        c->kernel_w = (int32_t)w->shape[3];
        c->stride_h = o->stride_h;
        c->stride_w = o->stride_w;
        c->pad_h = o->pad_h;
        c->pad_w = o->pad_w;
        c->groups = o->groups;
    }
    const int64_t rows = c->out_c;
    int8_t *turned = i->turned ? ib_numbers_copy(dev, w->data, (size_t)w->size) : NULL;
    if (i->turned && !turned)
        return IB_ENOMEM;
    i->codes = turned ? ib_alloc((size_t)w->size) : ib_numbers_copy(dev, w->data, (size_t)w->size);
    if (turned && i->codes)
        turn_columns(&p->values[i->in[0]], rows, turned, i->codes);
    ib_free(turned);
    i->factor = w->q.group_size ? ib_numbers_copy(dev, w->q.group_factor, (size_t)(rows * w->q.n_groups)) : NULL;
    i->bias = ib_numbers_copy(dev, k->bias_code, (size_t)rows * sizeof *i->bias);
    i->scale = ib_numbers_copy(dev, k->factor, (size_t)rows * sizeof *i->scale);
    i->weight_scale = ib_alloc((size_t)rows * sizeof *i->weight_scale);
    if (!i->codes || !i->bias || !i->scale || !i->weight_scale || (w->q.group_size && !i->factor))
        return IB_ENOMEM;
    dev->v.download(dev, i->weight_scale, w->q.scale, (size_t)w->q.n_scales * sizeof *i->weight_scale);
    for (int64_t r = w->q.n_scales; r < rows; r++) /* one for all */
        i->weight_scale[r] = i->weight_scale[0];
    return product_complete(p, i, x->q.qmin, x->q.qmax);
}

static ib_qweights weights_of(const ib_instr *i)
{
    const isobit_conv2d *c = &i->p.conv;
    return (ib_qweights){i->codes, i->factor, c->group_size, c->n_groups, c->bits};
}

/* What becomes of accumulators; codes: where they go, or NULL. */
static ib_epilogue epilogue_of(const ib_program *p, const ib_instr *i, int8_t *codes)
{
    const isobit_conv2d *c = &i->p.conv;
    return (ib_epilogue){
        .scale = i->scale, .profile = p->rounding, .zero = &c->out_zero, .lo = &c->lo, .hi = &c->hi, .codes = codes};
}

static ib_status product_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const isobit_conv2d *c = &i->p.conv;
    const ib_window s = ib_product_window(i, NULL, r->batch);
    const ib_qweights w = weights_of(i);
    const ib_epilogue e = epilogue_of(p, i, r->value[i->out]);
    const ib_qproduct product = {.x = r->value[i->in[0]],
                                 .in_zero = &c->in_zero,
                                 .w = &w,
                                 .bias = i->bias,
                                 .packed = r->packed,
                                 .r = &e,
                                 .acc = r->acc,
                                 .scratch = r->scratch};
    if (i->cls == &ib_instr_conv2d)
        r->dev->k.qconv2d(r->dev, &s, &product);
    else
        r->dev->k.qlinear(r->dev, r->batch, c->in_c, c->out_c, &product);
    return IB_OK;
}

static int64_t product_pack(const ib_program *p, const ib_instr *i, ib_device *dev, void *to)
{
    const isobit_conv2d *c = &i->p.conv;
    const ib_window s = ib_product_window(i, NULL, 1);
    const ib_qweights w = weights_of(i);
    (void)p;
    return i->cls == &ib_instr_conv2d ? dev->k.qconv2d_pack(dev, &s, c->in_zero, &w, i->bias, to)
                                      : dev->k.qlinear_pack(dev, c->in_c, c->out_c, c->in_zero, &w, i->bias, to);
}

static ib_status product_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const ib_nhwc *x = &r->image[i->in[0]];
    const ib_window s = ib_product_window(i, x, r->batch);
    const ib_qweights w = weights_of(i);
    const ib_epilogue e = epilogue_of(p, i, NULL);
    const ib_nhwc_product product = {.x = x,
                                     .y = &r->image[i->out],
                                     .in_zero = &i->p.conv.in_zero,
                                     .w = &w,
                                     .bias = i->bias,
                                     .packed = r->packed,
                                     .r = &e};
    r->dev->k.nhwc_conv2d(r->dev, &s, &product, r->share);
    return IB_OK;
}

static int64_t product_pack_nhwc(const ib_program *p, const ib_instr *i, ib_device *dev, void *to)
{
    ib_nhwc image;
    if (!ib_value_image(&p->values[i->in[0]], &image))
        return 0;
    const ib_window s = ib_product_window(i, &image, 1);
    const ib_qweights w = weights_of(i);
    return dev->k.nhwc_pack(dev, &s, i->p.conv.in_zero, &w, i->bias, to);
}

static void product_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    const isobit_conv2d *c = &i->p.conv;
    (void)p;
    ib_strbuf_u8(t, "weights", at, i->packed, (int64_t)c->out_c * c->row_bytes);
    if (i->factor)
        ib_strbuf_u8(t, "factors", at, i->factor, (int64_t)c->out_c * c->n_groups);
    ib_strbuf_i32(t, "bias", at, i->bias, c->out_c);
    ib_strbuf_add(t, "static const isobit_scale %s_scale%d[%d] = {", t->name, at, c->out_c);
    for (int o = 0; o < c->out_c; o++)
        ib_strbuf_add(t, "%s{%d, %d},", o % 6 ? " " : "\n    ", i->scale[o].mult, i->scale[o].exp);
    ib_strbuf_add(t, "\n};\nstatic const isobit_conv2d %s_layer%d = {\n", t->name, at);
    ib_strbuf_add(t, "    %d, %d, %d, %d, %d, %d, /* in C,H,W, out C,H,W */\n", c->in_c, c->in_h, c->in_w, c->out_c,
                  c->out_h, c->out_w);
    ib_strbuf_add(t, "    %d, %d, %d, %d, %d, %d, %d, /* kernel, stride, padding, groups */\n", c->kernel_h,
                  c->kernel_w, c->stride_h, c->stride_w, c->pad_h, c->pad_w, c->groups);
    ib_strbuf_add(t, "    %d, %d, %d, %d, /* bits, bytes a row, weights a group, groups a row */\n", c->bits,
                  c->row_bytes, c->group_size, c->n_groups);
    ib_strbuf_add(t, "    %d, %d, %d, %d, /* zero points, clamp */\n    %s_weights%d, ", c->in_zero, c->out_zero, c->lo,
                  c->hi, t->name, at);
    if (i->factor)
        ib_strbuf_add(t, "%s_factors%d, ", t->name, at);
    else
        ib_strbuf_add(t, "0, ");
    ib_strbuf_add(t, "%s_bias%d, %s_scale%d,\n};\n\n", t->name, at, t->name, at);
}

static void product_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_add(t, "isobit_run_conv2d(&%s_layer%d, V%d, V%d, %s_patch, %d);", t->name, at, i->in[0], i->out, t->name,
                  p->rounding);
}

static int product_write(hid_t g, const ib_instr *i)
{
    const isobit_conv2d *c = &i->p.conv;
    const int64_t row = (int64_t)(c->in_c / c->groups) * c->kernel_h * c->kernel_w;
    const int32_t window[] = {c->kernel_h, c->kernel_w, c->stride_h, c->stride_w, c->pad_h, c->pad_w, c->groups};
    const int32_t quant[] = {c->bits, c->group_size, c->in_zero, c->out_zero, c->lo, c->hi};
    return ib_h5_set(g, "window", H5T_NATIVE_INT32, 7, window) ||
           ib_h5_set(g, "quantization", H5T_NATIVE_INT32, 6, quant) ||
           ib_h5_write(g, "weights", H5T_NATIVE_INT8, 2, (int64_t[]){c->out_c, row}, i->codes) ||
           (i->factor &&
            ib_h5_write(g, "group_factors", H5T_NATIVE_UINT8, 2, (int64_t[]){c->out_c, c->n_groups}, i->factor)) ||
           ib_h5_write(g, "bias", H5T_NATIVE_INT32, 1, (int64_t[]){c->out_c}, i->bias) ||
           ib_h5_write(g, "requantization", H5T_NATIVE_INT32, 2, (int64_t[]){c->out_c, 2}, i->scale) ||
           ib_h5_write(g, "weight_scale", H5T_NATIVE_FLOAT, 1, (int64_t[]){c->out_c}, i->weight_scale);
}

static ib_status read_constants(const ib_program *p, ib_instr *i, hid_t g)
{
    isobit_conv2d *c = &i->p.conv;
    const int64_t rows = c->out_c, row = (int64_t)(c->in_c / c->groups) * c->kernel_h * c->kernel_w;
    if (row > IB_MOST_CODES / rows)
        return ib_read_refuse("the number of weights of an output", row);
    i->codes = ib_alloc((size_t)(rows * row));
    i->factor = c->group_size ? ib_alloc((size_t)(rows * c->n_groups)) : NULL;
    i->bias = ib_alloc((size_t)rows * sizeof *i->bias);
    i->scale = ib_alloc((size_t)rows * sizeof *i->scale);
    i->weight_scale = ib_alloc((size_t)rows * sizeof *i->weight_scale);
    if (!i->codes || !i->bias || !i->scale || !i->weight_scale || (c->group_size && !i->factor))
        return IB_ENOMEM;
    if (ib_h5_read(g, "weights", H5T_NATIVE_INT8, rows * row, i->codes) ||
        (i->factor && ib_h5_read(g, "group_factors", H5T_NATIVE_UINT8, rows * c->n_groups, i->factor)) ||
        ib_h5_read(g, "bias", H5T_NATIVE_INT32, rows, i->bias) ||
        ib_h5_read(g, "requantization", H5T_NATIVE_INT32, 2 * rows, i->scale) ||
        ib_h5_read(g, "weight_scale", H5T_NATIVE_FLOAT, rows, i->weight_scale))
        return ib_error_status();
    const int most = 1 << (c->bits - 1);
    for (int64_t j = 0; j < rows * row; j++)
        if (i->codes[j] < -most || i->codes[j] >= most)
            return ib_read_refuse("a weight", i->codes[j]);
    for (int64_t j = 0; j < rows; j++)
        if (!ib_is_scale(i->scale[j], p->rounding) || !isfinite(i->weight_scale[j]) || i->weight_scale[j] <= 0)
            return ib_read_refuse("the factor of output", j);
    return IB_OK;
}

static ib_status product_read(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    const int is_conv = i->cls == &ib_instr_conv2d;
    int32_t w[7], q[6];
    if (ib_h5_get(g, "window", H5T_NATIVE_INT32, 7, w) || ib_h5_get(g, "quantization", H5T_NATIVE_INT32, 6, q))
        return ib_error_status();
    if (!ib_format_for_bits(q[0]) || q[0] > 8)
        return ib_read_refuse("the number of bits of a weight", q[0]);
    if (is_conv && ib_read_window(x, y, w))
        return ib_error_status();
    if (!is_conv && (w[0] != 1 || w[1] != 1 || w[6] != 1 || y->ndim != 2))
        return ib_fail(IB_EFORMAT, "a linear layer with a window");
    if (w[6] < 1 || x->shape[1] % w[6] || y->shape[1] % w[6])
        return ib_read_refuse("the number of groups", w[6]);
    i->p.conv = (isobit_conv2d){.in_c = (int32_t)(is_conv ? x->shape[1] : x->size),
                                .in_h = 1,
                                .in_w = 1,
                                .out_c = (int32_t)y->shape[1],
                                .out_h = 1,
                                .out_w = 1,
                                .kernel_h = w[0],
                                .kernel_w = w[1],
                                .stride_h = w[2],
                                .stride_w = w[3],
                                .pad_h = w[4],
                                .pad_w = w[5],
                                .groups = w[6],
                                .bits = q[0],
                                .group_size = q[1],
                                .in_zero = q[2],
                                .out_zero = q[3],
                                .lo = q[4],
                                .hi = q[5]};
    isobit_conv2d *c = &i->p.conv;
    ib_nhwc from, to;
    if (is_conv && ib_value_image(x, &from) && ib_value_image(y, &to)) {
        c->in_h = (int32_t)from.h;
        c->in_w = (int32_t)from.w;
        c->out_h = (int32_t)to.h;
        c->out_w = (int32_t)to.w;
    } else {
        c->stride_h = c->stride_w = 1;
        c->pad_h = c->pad_w = 0;
    }
    const int64_t row = (int64_t)(c->in_c / c->groups) * c->kernel_h * c->kernel_w;
    if (c->group_size < 0 || c->group_size % 4 || c->group_size > IB_MOST_CODES)
        return ib_read_refuse("the size of a group of weights", c->group_size);
    if (row * c->out_h * c->out_w > 1 << 27) /* what a thread unfolds at the levels that do */
        return ib_read_refuse("the number of factors of all outputs of a channel", row * c->out_h * c->out_w);
    c->n_groups = c->group_size ? (int32_t)((row + c->group_size - 1) / c->group_size) : 0;
    if (c->in_zero != x->zero)
        return ib_read_refuse("the zero point of its input", c->in_zero);
    if (ib_read_range(y, c->out_zero, c->lo, c->hi) || read_constants(p, i, g))
        return ib_error_status();
    return product_complete(p, i, -(1 << (x->bits - 1)), (1 << (x->bits - 1)) - 1);
}

const ib_instr_class ib_instr_conv2d = {
    .name = "conv2d",
    .op = &ib_op_qconv2d,
    .inputs = 1,
    .sections = "requant conv2d",
    .lower = product_lower,
    .run = product_run,
    .pack = product_pack,
    .run_nhwc = product_run_nhwc,
    .pack_nhwc = product_pack_nhwc,
    .print_data = product_print_data,
    .print_call = product_print_call,
    .write = product_write,
    .read = product_read,
};

const ib_instr_class ib_instr_linear = {
    .name = "linear",
    .op = &ib_op_qlinear,
    .inputs = 1,
    .sections = "requant conv2d",
    .lower = product_lower,
    .run = product_run,
    .pack = product_pack,
    .run_nhwc = product_run_nhwc,
    .pack_nhwc = product_pack_nhwc,
    .print_data = product_print_data,
    .print_call = product_print_call,
    .write = product_write,
    .read = product_read,
};
