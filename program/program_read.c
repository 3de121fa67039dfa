/* program_read.c - what the group of each instruction says in a program's file, checked. */
#include "program/program_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define refuse ib_read_refuse

enum { MOST = 1 << 26 }; /* codes of a sample; weights */

ib_status ib_read_refuse(const char *what, int64_t value)
{
    return ib_fail(IB_EFORMAT, "%s is %lld", what, (long long)value);
}

/* isobit_types.h; 0 stands for a factor of 0 */
static int is_scale(isobit_scale s, int rounding)
{
    if (!s.mult)
        return s.exp > -200 && s.exp < 200;
    if (rounding == ISOBIT_FP32_RNE)
        return s.mult >= 1 << 23 && s.mult < 1 << 24 && s.exp >= -149 && s.exp <= 104;
    return s.mult >= 1 << 30 && s.exp >= -31 && s.exp <= 30;
}

/* zero point and clamp of a result: within its bits, and as the value says */
static ib_status check_range(const ib_value *v, int zero, int lo, int hi)
{
    const int least = -(1 << (v->bits - 1)), most = -least - 1;
    if (zero != v->zero)
        return refuse("the zero point of a result", zero);
    return lo >= least && hi <= most && lo <= hi ? IB_OK : refuse("the least code", lo);
}

ib_status ib_read_value(hid_t g, const char *shape, const char *scale, const char *zero, const char *bits, ib_value *v)
{
    v->ndim = (int)ib_h5_count(g, shape);
    if (v->ndim < 1 || v->ndim > IB_MAX_DIMS)
        return refuse("the number of dimensions", v->ndim);
    if (ib_h5_get(g, shape, H5T_NATIVE_INT64, v->ndim, v->shape) ||
        ib_h5_get(g, scale, H5T_NATIVE_FLOAT, 1, &v->scale) || ib_h5_get(g, zero, H5T_NATIVE_INT, 1, &v->zero) ||
        ib_h5_get(g, bits, H5T_NATIVE_INT, 1, &v->bits))
        return ib_error_status();
    v->size = 1;
    for (int d = 0; d < v->ndim; d++) {
        if (v->shape[d] < 1 || v->shape[d] > MOST / v->size || (!d && v->shape[d] != 1))
            return refuse("a dimension", v->shape[d]);
        v->size *= v->shape[d];
    }
    if (v->bits < 1 || v->bits > 8 || v->zero < -(1 << (v->bits - 1)) || v->zero >= 1 << (v->bits - 1))
        return refuse("the zero point", v->zero);
    return isfinite(v->scale) && v->scale > 0 ? IB_OK : ib_fail(IB_EFORMAT, "the scale is %g", v->scale);
}

/* out = (in + 2 pad - kernel) / stride + 1 in both directions; a row is an image of one pixel */
static ib_status check_window(const ib_value *x, const ib_value *y, int kh, int kw, int sh, int sw, int ph, int pw)
{
    ib_nhwc in_image, out_image;
    if (!ib_value_image(x, &in_image) || !ib_value_image(y, &out_image))
        return ib_fail(IB_EFORMAT, "its input or result is no image");
    const int64_t kernel[] = {kh, kw}, stride[] = {sh, sw}, pad[] = {ph, pw}, size[] = {in_image.h, in_image.w},
                  made[] = {out_image.h, out_image.w};
    for (int d = 0; d < 2; d++) {
        const int64_t in = size[d];
        if (kernel[d] < 1 || kernel[d] > 4096 || stride[d] < 1 || stride[d] > 4096 || pad[d] < 0 ||
            pad[d] > kernel[d] + 8 || in + 2 * pad[d] < kernel[d] ||
            (in + 2 * pad[d] - kernel[d]) / stride[d] + 1 != made[d])
            return ib_fail(
                IB_EFORMAT, "a window of %lld by strides of %lld over %lld and padding of %lld does not give %lld",
                (long long)kernel[d], (long long)stride[d], (long long)in, (long long)pad[d], (long long)made[d]);
    }
    return IB_OK;
}

/* ---- instructions ---- */

/* A table of 256 codes of y for each input. */
static ib_status read_tables(ib_instr *i, const ib_value *y, hid_t g)
{
    const int most = 1 << (y->bits - 1);
    const int64_t n = i->n_in;
    ib_tables_complete(i);
    if (!(i->table = ib_alloc((size_t)n * 256)))
        return IB_ENOMEM;
    if (ib_h5_read(g, "table", H5T_NATIVE_INT8, 256 * n, i->table))
        return ib_error_status();
    for (int64_t j = 0; j < 256 * n; j++)
        if (i->table[j] < -most || i->table[j] >= most)
            return refuse("a code of its table", i->table[j]);
    return IB_OK;
}

static ib_status read_constants(const ib_program *p, ib_instr *i, hid_t g)
{
    isobit_conv2d *c = &i->p.conv;
    const int64_t rows = c->out_c, row = (int64_t)(c->in_c / c->groups) * c->kernel_h * c->kernel_w;
    if (row > MOST / rows)
        return refuse("the number of weights of an output", row);
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
            return refuse("a weight", i->codes[j]);
    for (int64_t j = 0; j < rows; j++)
        if (!is_scale(i->scale[j], p->rounding) || !isfinite(i->weight_scale[j]) || i->weight_scale[j] <= 0)
            return refuse("the factor of output", j);
    return IB_OK;
}

static ib_status read_product(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    const int is_conv = i->cls == &ib_instr_conv2d;
    int32_t w[7], q[6];
    if (ib_h5_get(g, "window", H5T_NATIVE_INT32, 7, w) || ib_h5_get(g, "quantization", H5T_NATIVE_INT32, 6, q))
        return ib_error_status();
    if (!ib_format_for_bits(q[0]) || q[0] > 8)
        return refuse("the number of bits of a weight", q[0]);
    if (is_conv && check_window(x, y, w[0], w[1], w[2], w[3], w[4], w[5]))
        return ib_error_status();
    if (!is_conv && (w[0] != 1 || w[1] != 1 || w[6] != 1 || y->ndim != 2))
        return ib_fail(IB_EFORMAT, "a linear layer with a window");
    if (w[6] < 1 || x->shape[1] % w[6] || y->shape[1] % w[6])
        return refuse("the number of groups", w[6]);
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
    if (c->group_size < 0 || c->group_size % 4 || c->group_size > MOST)
        return refuse("the size of a group of weights", c->group_size);
    if (row * c->out_h * c->out_w > 1 << 27) /* what a thread unfolds at the levels that do */
        return refuse("the number of factors of all outputs of a channel", row * c->out_h * c->out_w);
    c->n_groups = c->group_size ? (int32_t)((row + c->group_size - 1) / c->group_size) : 0;
    if (c->in_zero != x->zero)
        return refuse("the zero point of its input", c->in_zero);
    if (check_range(y, c->out_zero, c->lo, c->hi) || read_constants(p, i, g))
        return ib_error_status();
    return ib_product_complete(p, i, -(1 << (x->bits - 1)), (1 << (x->bits - 1)) - 1);
}

static ib_status read_add(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_add *a = &i->p.add;
    const ib_value *u = &p->values[i->in[0]], *v = &p->values[i->in[1]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *a / 4, a))
        return ib_error_status();
    if (u->size != y->size || v->size != y->size || a->size != y->size || a->a_zero != u->zero || a->b_zero != v->zero)
        return refuse("the number of its elements", a->size);
    ib_add_complete(p, i);
    const int upward = p->profile == IB_XNNPACK; /* the half that is added fits too */
    const int sums = p->rounding == ISOBIT_FP32_RNE
                         ? a->a.mult >= 0 && a->b.mult >= 0 && i->acc_bound <= INT32_MAX - upward * (1 << 29) &&
                               a->a.exp <= -upward && a->a.exp >= (upward ? -30 : -62) && a->b.exp == a->a.exp &&
                               a->out.mult == upward
                         : is_scale(a->a, p->rounding) && is_scale(a->b, p->rounding) &&
                               is_scale(a->out, p->rounding) && a->a.exp <= 0 && a->b.exp <= 0;
    return sums ? check_range(y, a->out_zero, a->lo, a->hi) : refuse("a factor", a->a.mult);
}

static ib_status read_mul(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_mul *m = &i->p.mul;
    const ib_value *u = &p->values[i->in[0]], *v = &p->values[i->in[1]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *m / 4, m))
        return ib_error_status();
    if (u->size != y->size || v->size != y->size || m->size != y->size || m->a_zero != u->zero || m->b_zero != v->zero)
        return refuse("the number of its elements", m->size);
    ib_mul_complete(i);
    return is_scale(m->scale, p->rounding) ? check_range(y, m->out_zero, m->lo, m->hi)
                                           : refuse("a factor", m->scale.mult);
}

static ib_status read_pool(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_pool *o = &i->p.pool;
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *o / 4, o) ||
        check_window(x, y, o->kernel_h, o->kernel_w, o->stride_h, o->stride_w, o->pad_h, o->pad_w))
        return ib_error_status();
    if (x->ndim != 4 || y->ndim != 4 || o->channels != x->shape[1] || o->channels != y->shape[1] ||
        o->in_h != x->shape[2] || o->in_w != x->shape[3] || o->out_h != y->shape[2] || o->out_w != y->shape[3] ||
        o->in_zero != x->zero || o->pad_h >= o->kernel_h || o->pad_w >= o->kernel_w)
        return refuse("the number of its channels", o->channels);
    ib_pool_complete(i);
    if (i->cls == &ib_instr_maxpool && (x->bits > y->bits || x->zero != y->zero))
        return refuse("the number of bits of its input", x->bits);
    if (i->acc_bound > INT32_MAX || !is_scale(o->scale, p->rounding))
        return refuse("a factor", o->scale.mult);
    return check_range(y, o->out_zero, o->lo, o->hi);
}

static ib_status read_lookup(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    return p->values[i->in[0]].size == y->size ? read_tables(i, y, g) : refuse("the number of its elements", y->size);
}

static ib_status read_concat(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    int64_t total = 0;
    if (ib_h5_get(g, "axis", H5T_NATIVE_INT, 1, &i->axis))
        return ib_error_status();
    if (i->axis < 1 || i->axis >= y->ndim)
        return refuse("the axis", i->axis);
    i->outer = 1;
    for (int d = 1; d < i->axis; d++)
        i->outer *= (int)y->shape[d];
    for (int j = 0; j < i->n_in; j++) {
        const ib_value *x = &p->values[i->in[j]];
        for (int d = 0; d < y->ndim; d++)
            if (x->ndim != y->ndim || (d != i->axis && x->shape[d] != y->shape[d]))
                return refuse("the number of elements of an input", x->size);
        i->p.runs[j] = (int32_t)(x->size / i->outer);
        total += x->shape[i->axis];
    }
    if (total != y->shape[i->axis])
        return refuse("the sum of what is joined", total);
    return read_tables(i, y, g);
}

/* The same codes: in the same order, or for flatten_hwc as a row. */
static ib_status read_shape(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    (void)g;
    if (x->scale != y->scale || x->zero != y->zero || x->bits != y->bits)
        return ib_fail(IB_EFORMAT, "another shape with other codes");
    return x->size == y->size && (i->cls == &ib_instr_reshape || y->ndim == 2)
               ? IB_OK
               : refuse("the number of its elements", y->size);
}

static ib_status read_constant(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    const int most = 1 << (y->bits - 1);
    ib_constant_complete(p, i);
    if (!(i->table = ib_alloc((size_t)y->size)))
        return IB_ENOMEM;
    if (ib_h5_read(g, "codes", H5T_NATIVE_INT8, y->size, i->table))
        return ib_error_status();
    for (int64_t j = 0; j < y->size; j++)
        if (i->table[j] < -most || i->table[j] >= most)
            return refuse("a code of the constant", i->table[j]);
    return IB_OK;
}

static const ib_instr_reader readers[] = {{&ib_instr_conv2d, 1, read_product},
                                          {&ib_instr_linear, 1, read_product},
                                          {&ib_instr_add, 2, read_add},
                                          {&ib_instr_mul, 2, read_mul},
                                          {&ib_instr_maxpool, 1, read_pool},
                                          {&ib_instr_avgpool, 1, read_pool},
                                          {&ib_instr_lookup, 1, read_lookup},
                                          {&ib_instr_concat, 0, read_concat},
                                          {&ib_instr_reshape, 1, read_shape},
                                          {&ib_instr_flatten_hwc, 1, read_shape},
                                          {&ib_instr_constant, IB_NO_INPUTS, read_constant}};

const ib_instr_reader *ib_instr_reader_of(const char *op)
{
    for (size_t k = 0; k < sizeof readers / sizeof *readers; k++)
        if (!strcmp(readers[k].cls->name, op))
            return &readers[k];
    return NULL;
}
