/* instr_shape.c - reshape, flatten_hwc, constants: nothing is computed. */
#include "autograd/quantizer.h"
#include "files/strbuf.h"
#include "program/instr.h"
#include "program/program_read.h"

#define UNUSED(x) (void)(x)

/* The same codes: in the same order, or for flatten_hwc as a row. */
static ib_status shape_read(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    UNUSED(g);
    if (x->scale != y->scale || x->zero != y->zero || x->bits != y->bits)
        return ib_fail(IB_EFORMAT, "another shape with other codes");
    return x->size == y->size && (i->cls == &ib_instr_reshape || y->ndim == 2)
               ? IB_OK
               : ib_read_refuse("the number of its elements", y->size);
}

static int shape_write(hid_t g, const ib_instr *i)
{
    UNUSED(g), UNUSED(i);
    return 0;
}

/* ---- reshape: the codes stay where they are, the memory plan gives the result their place ---- */

static ib_status reshape_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    UNUSED(p), UNUSED(i), UNUSED(n), UNUSED(dev);
    return IB_OK;
}

static ib_status reshape_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    UNUSED(p), UNUSED(i), UNUSED(r);
    return IB_OK;
}

static void reshape_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p), UNUSED(i), UNUSED(at);
    ib_strbuf_add(t, "\n");
}

static void reshape_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p), UNUSED(at);
    ib_strbuf_add(t, "/* V%d is V%d */", i->out, i->in[0]);
}

const ib_instr_class ib_instr_reshape = {
    .name = "reshape",
    .op = &ib_op_reshape,
    .inputs = 1,
    .sections = "",
    .lower = reshape_lower,
    .run = reshape_run,
    .print_data = reshape_print_data,
    .print_call = reshape_print_call,
    .write = shape_write,
    .read = shape_read,
};

/* ---- flatten_hwc ---- */

/* Channels of an image, or of what is one pixel; the rest of its codes are places. */
static int32_t channels_of(const ib_value *x)
{
    return (int32_t)(x->ndim > 1 ? x->shape[1] : x->size);
}

static ib_status flatten_hwc_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const ib_value *x = &p->values[i->in[0]];
    const int32_t channels = channels_of(x);
    for (int64_t k = 0; k < r->batch; k++)
        isobit_run_flatten(r->value[i->in[0]] + k * x->size, r->value[i->out] + k * x->size, channels,
                           (int32_t)x->size / channels);
    return IB_OK;
}

static void flatten_hwc_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    const ib_value *x = &p->values[i->in[0]];
    const int channels = channels_of(x);
    UNUSED(at);
    ib_strbuf_add(t, "isobit_run_flatten(V%d, V%d, %d, %d);", i->in[0], i->out, channels, (int)(x->size / channels));
}

const ib_instr_class ib_instr_flatten_hwc = {
    .name = "flatten_hwc",
    .op = &ib_op_flatten_hwc,
    .inputs = 1,
    .sections = "flatten",
    .lower = reshape_lower,
    .run = flatten_hwc_run,
    .print_data = reshape_print_data,
    .print_call = flatten_hwc_print_call,
    .write = shape_write,
    .read = shape_read,
};

/* ---- constant: codes that the runner holds from the beginning, and the printed C as an array ---- */

static void constant_complete(const ib_program *p, ib_instr *i)
{
    i->flash = p->values[i->out].size;
}

static ib_status constant_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    constant_complete(p, i);
    i->table = ib_numbers_copy(dev, n->out->data, (size_t)p->values[i->out].size);
    return i->table ? IB_OK : IB_ENOMEM;
}

static void constant_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_i8(t, "constant", at, i->table, p->values[i->out].size);
    ib_strbuf_add(t, "\n");
}

static void constant_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p);
    ib_strbuf_add(t, "/* V%d is %s_constant%d */", i->out, t->name, at);
}

static int constant_write(hid_t g, const ib_instr *i)
{
    return ib_h5_write(g, "codes", H5T_NATIVE_INT8, 1, (int64_t[]){i->flash}, i->table);
}

static ib_status constant_read(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    const int most = 1 << (y->bits - 1);
    constant_complete(p, i);
    if (!(i->table = ib_alloc((size_t)y->size)))
        return IB_ENOMEM;
    if (ib_h5_read(g, "codes", H5T_NATIVE_INT8, y->size, i->table))
        return ib_error_status();
    for (int64_t j = 0; j < y->size; j++)
        if (i->table[j] < -most || i->table[j] >= most)
            return ib_read_refuse("a code of the constant", i->table[j]);
    return IB_OK;
}

const ib_instr_class ib_instr_constant = {
    .name = "constant",
    .op = &ib_op_quantize,
    .inputs = IB_NO_INPUTS,
    .sections = "",
    .lower = constant_lower,
    .run = reshape_run,
    .print_data = constant_print_data,
    .print_call = constant_print_call,
    .write = constant_write,
    .read = constant_read,
};
