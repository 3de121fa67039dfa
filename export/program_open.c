/* program_open.c - reads an integer program that program_hdf5.c wrote. Nothing that the file says is believed: geometry follows from shapes, factors
 * are normal numbers, and the bounds of accumulators are proved again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/h5.h"
#include "export/program.h"

enum { MOST = 1 << 26 }; /* codes of a sample; weights */

static ib_status refuse(const char *what, int64_t value)
{
    return ib_fail(IB_EFORMAT, "%s is %lld", what, (long long)value);
}

/* isobit_types.h; 0 stands for a factor of 0 */
static int is_scale(isobit_scale s, int profile)
{
    if (!s.mult)
        return s.exp > -200 && s.exp < 200;
    if (profile == ISOBIT_FP32_RNE)
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

static ib_status read_value(hid_t g, const char *shape, const char *scale, const char *zero, const char *bits, ib_value *v)
{
    v->ndim = (int)ib_h5_count(g, shape);
    if (v->ndim != 2 && v->ndim != 4)
        return refuse("the number of dimensions", v->ndim);
    if (ib_h5_get(g, shape, H5T_NATIVE_INT64, v->ndim, v->shape) || ib_h5_get(g, scale, H5T_NATIVE_FLOAT, 1, &v->scale) ||
        ib_h5_get(g, zero, H5T_NATIVE_INT, 1, &v->zero) || ib_h5_get(g, bits, H5T_NATIVE_INT, 1, &v->bits))
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

/* out = (in + 2 pad - kernel) / stride + 1 in both directions */
static ib_status check_window(const ib_value *x, const ib_value *y, int kh, int kw, int sh, int sw, int ph, int pw)
{
    if (x->ndim != 4 || y->ndim != 4)
        return ib_fail(IB_EFORMAT, "its input or result is no image");
    const int64_t kernel[] = {kh, kw}, stride[] = {sh, sw}, pad[] = {ph, pw};
    for (int d = 0; d < 2; d++) {
        const int64_t in = x->shape[2 + d];
        if (kernel[d] < 1 || kernel[d] > 4096 || stride[d] < 1 || stride[d] > 4096 || pad[d] < 0 || pad[d] > kernel[d] + 8 || in + 2 * pad[d] < kernel[d] ||
            (in + 2 * pad[d] - kernel[d]) / stride[d] + 1 != y->shape[2 + d])
            return ib_fail(IB_EFORMAT, "a window of %lld by strides of %lld over %lld and padding of %lld does not give %lld", (long long)kernel[d],
                           (long long)stride[d], (long long)in, (long long)pad[d], (long long)y->shape[2 + d]);
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
    if (ib_h5_read(g, "weights", H5T_NATIVE_INT8, rows * row, i->codes) || (i->factor && ib_h5_read(g, "group_factors", H5T_NATIVE_UINT8, rows * c->n_groups, i->factor)) ||
        ib_h5_read(g, "bias", H5T_NATIVE_INT32, rows, i->bias) || ib_h5_read(g, "requantization", H5T_NATIVE_INT32, 2 * rows, i->scale) ||
        ib_h5_read(g, "weight_scale", H5T_NATIVE_FLOAT, rows, i->weight_scale))
        return ib_error_status();
    const int most = 1 << (c->bits - 1);
    for (int64_t j = 0; j < rows * row; j++)
        if (i->codes[j] < -most || i->codes[j] >= most)
            return refuse("a weight", i->codes[j]);
    for (int64_t j = 0; j < rows; j++)
        if (!is_scale(i->scale[j], p->profile) || !isfinite(i->weight_scale[j]) || i->weight_scale[j] <= 0)
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
    i->p.conv = (isobit_conv2d){.in_c = (int32_t)(is_conv ? x->shape[1] : x->size), .in_h = 1, .in_w = 1, .out_c = (int32_t)y->shape[1], .out_h = 1, .out_w = 1,
                                .kernel_h = w[0], .kernel_w = w[1], .stride_h = w[2], .stride_w = w[3], .pad_h = w[4], .pad_w = w[5], .groups = w[6],
                                .bits = q[0], .group_size = q[1], .in_zero = q[2], .out_zero = q[3], .lo = q[4], .hi = q[5]};
    isobit_conv2d *c = &i->p.conv;
    if (is_conv) {
        c->in_h = (int32_t)x->shape[2];
        c->in_w = (int32_t)x->shape[3];
        c->out_h = (int32_t)y->shape[2];
        c->out_w = (int32_t)y->shape[3];
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
    const int sums = p->profile == ISOBIT_FP32_RNE ? a->a.mult >= 0 && a->b.mult >= 0 && i->acc_bound <= INT32_MAX && a->a.exp <= 0 && a->a.exp >= -62 && a->b.exp == a->a.exp
                                                   : is_scale(a->a, p->profile) && is_scale(a->b, p->profile) && is_scale(a->out, p->profile) && a->a.exp <= 0 && a->b.exp <= 0;
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
    return is_scale(m->scale, p->profile) ? check_range(y, m->out_zero, m->lo, m->hi) : refuse("a factor", m->scale.mult);
}

static ib_status read_pool(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_pool *o = &i->p.pool;
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *o / 4, o) ||
        check_window(x, y, o->kernel_h, o->kernel_w, o->stride_h, o->stride_w, o->pad_h, o->pad_w))
        return ib_error_status();
    if (o->channels != x->shape[1] || o->channels != y->shape[1] || o->in_h != x->shape[2] || o->in_w != x->shape[3] || o->out_h != y->shape[2] ||
        o->out_w != y->shape[3] || o->in_zero != x->zero || o->pad_h >= o->kernel_h || o->pad_w >= o->kernel_w)
        return refuse("the number of its channels", o->channels);
    ib_pool_complete(i);
    if (i->cls == &ib_instr_maxpool && (x->bits > y->bits || x->zero != y->zero))
        return refuse("the number of bits of its input", x->bits);
    if (i->acc_bound > INT32_MAX || !is_scale(o->scale, p->profile))
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

static const struct {
    const ib_instr_class *cls;
    int inputs; /* 0: any number */
    ib_status (*read)(ib_program *p, ib_instr *i, hid_t g);
} readers[] = {{&ib_instr_conv2d, 1, read_product}, {&ib_instr_linear, 1, read_product}, {&ib_instr_add, 2, read_add}, {&ib_instr_mul, 2, read_mul},
               {&ib_instr_maxpool, 1, read_pool}, {&ib_instr_avgpool, 1, read_pool}, {&ib_instr_lookup, 1, read_lookup}, {&ib_instr_concat, 0, read_concat}};
enum { N_READERS = sizeof readers / sizeof *readers };

static ib_status read_instr(ib_program *p, int at, hid_t g)
{
    ib_instr *i = &p->instrs[at];
    char op[32];
    int k = 0;
    i->n_in = (int)ib_h5_count(g, "inputs");
    if (ib_h5_get_text(g, "op", op, sizeof op))
        return ib_error_status();
    while (k < N_READERS && strcmp(readers[k].cls->name, op))
        k++;
    if (k == N_READERS)
        return ib_fail(IB_EFORMAT, "no operator '%.30s' is known", op);
    i->cls = readers[k].cls;
    if (i->n_in < 1 || i->n_in > IB_MAX_INPUTS || (readers[k].inputs && i->n_in != readers[k].inputs))
        return refuse("the number of inputs", i->n_in);
    if (ib_h5_get(g, "inputs", H5T_NATIVE_INT, i->n_in, i->in) || ib_h5_get(g, "output", H5T_NATIVE_INT, 1, &i->out))
        return ib_error_status();
    if (i->out != at + 1)
        return refuse("its result's number", i->out);
    for (int j = 0; j < i->n_in; j++) {
        if (i->in[j] < 0 || i->in[j] > at)
            return refuse("an input", i->in[j]);
        p->values[i->in[j]].last = at;
    }
    p->values[i->out] = (ib_value){.first = at, .last = at};
    const ib_status status = read_value(g, "shape", "scale", "zero_point", "bits", &p->values[i->out]);
    p->n_values++;
    return status ? status : readers[k].read(p, i, g);
}

/* Group names begin with the instruction's number. */
static ib_status read_instrs(ib_program *p, hid_t f)
{
    H5G_info_t info;
    if (H5Gget_info(f, &info) < 0 || !info.nlinks || info.nlinks > 9999)
        return ib_fail(IB_EFORMAT, "holds no instructions");
    const int n = (int)info.nlinks;
    if (!(p->instrs = ib_alloc((size_t)n * sizeof *p->instrs)) || !(p->values = ib_alloc(((size_t)n + 1) * sizeof *p->values)))
        return IB_ENOMEM;
    p->values[0] = (ib_value){.first = -1, .last = -1};
    p->n_values = 1;
    if (read_value(f, "input_shape", "input_scale", "input_zero_point", "input_bits", &p->values[0]))
        return ib_error_status();
    char (*names)[160] = ib_alloc((size_t)n * sizeof *names);
    ib_status status = names ? IB_OK : IB_ENOMEM;
    for (int k = 0; k < n && !status; k++) {
        char name[160] = "";
        const ssize_t length = H5Lget_name_by_idx(f, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)k, name, sizeof name, H5P_DEFAULT);
        const long at = strtol(name, NULL, 10);
        if (length < 4 || length >= (ssize_t)sizeof name || at < 0 || at >= n || *names[at])
            status = ib_fail(IB_EFORMAT, "'%.100s' is no instruction", name);
        else
            memcpy(names[at], name, sizeof name);
    }
    for (int k = 0; k < n && !status; k++) {
        const char *behind = strchr(names[k], '_');
        const hid_t g = H5Gopen2(f, names[k], H5P_DEFAULT);
        p->n_instrs = k + 1;
        if (!(p->instrs[k].name = ib_strdup(behind ? behind + 1 : names[k])))
            status = IB_ENOMEM;
        else if (g < 0)
            status = ib_fail(IB_EFORMAT, "is no group");
        else if ((status = read_instr(p, k, g)) != IB_OK)
            ib_error_prefix("layer '%s'", p->instrs[k].name);
        if (g >= 0)
            H5Gclose(g);
    }
    ib_free(names);
    return status;
}

static ib_status read_program(ib_program *p, hid_t f)
{
    char text[sizeof p->note];
    ib_profile profile;
    int version = 0, input[5];
    if (ib_h5_get_text(f, "format", text, sizeof text))
        return ib_error_status();
    if (strcmp(text, "isobit program"))
        return ib_fail(IB_EUNSUPPORTED, "is an '%.40s', not an 'isobit program': write one with `isobit export --to hdf5`", text);
    if (ib_h5_get(f, "version", H5T_NATIVE_INT, 1, &version))
        return ib_error_status();
    if (version != 1)
        return refuse("its version", version);
    float norm[2];
    if (ib_h5_get(f, "input", H5T_NATIVE_INT, 5, input) || ib_h5_get(f, "normalization", H5T_NATIVE_FLOAT, 2, norm) ||
        ib_h5_get_text(f, "note", p->note, sizeof p->note) || ib_h5_get_text(f, "profile", text, sizeof text) || ib_profile_parse(text, &profile))
        return ib_error_status();
    p->profile = (int)profile;
    p->input = (ib_input_info){input[0], input[1], input[2], input[3], norm[0], norm[1], input[4]};
    if (read_instrs(p, f) || ib_h5_get(f, "result", H5T_NATIVE_INT, 1, &p->result))
        return ib_error_status();
    if (p->result < 1 || p->result >= p->n_values)
        return refuse("its result's number", p->result);
    const ib_input_info *in = &p->input;
    if (in->c < 1 || in->h < 1 || in->w < 1 || (double)in->c * in->h * in->w != (double)p->values[0].size || in->raw_max < 0)
        return refuse("the number of channels of its input", in->c);
    p->values[p->result].last = p->n_instrs;
    return ib_plan_memory(p);
}

ib_program *ib_program_open(const char *path)
{
    const hid_t f = ib_h5_open(path);
    ib_program *p = f < 0 ? NULL : ib_alloc(sizeof *p);
    if (p && read_program(p, f)) {
        ib_error_prefix("%s", path);
        ib_program_free(p);
        p = NULL;
    }
    if (f >= 0)
        H5Fclose(f);
    return p;
}
