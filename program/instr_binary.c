/* instr_binary.c - add, mul: two values of one shape, code by code. */
#include "autograd/quantizer.h"
#include "files/strbuf.h"
#include "program/instr.h"
#include "program/program_read.h"

#define UNUSED(x) (void)(x)

/* ---- add ---- */

static void add_complete(const ib_program *p, ib_instr *i)
{
    i->flash = sizeof i->p.add;
    i->acc_bound = p->rounding == ISOBIT_FP32_RNE ? 255LL * i->p.add.a.mult + 255LL * i->p.add.b.mult : 1LL << 30;
}

static ib_status add_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    dev->v.download(dev, &i->p.add, n->saved[1], sizeof i->p.add);
    i->p.add.size = (int32_t)n->out->size;
    add_complete(p, i);
    return IB_OK;
}

static ib_status add_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.qadd(r->dev, &i->p.add, r->batch * i->p.add.size, r->value[i->in[0]], r->value[i->in[1]], p->rounding,
                   r->value[i->out], NULL);
    return IB_OK;
}

static ib_status add_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.nhwc_add(r->dev, &i->p.add, r->batch, &r->image[i->in[0]], &r->image[i->in[1]], p->rounding,
                       &r->image[i->out], r->share);
    return IB_OK;
}

static void add_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    const isobit_add *a = &i->p.add;
    UNUSED(p);
    ib_strbuf_add(t, "static const isobit_add %s_layer%d = {%d, %d, %d, %d, %d, %d, {%d, %d}, {%d, %d}, {%d, %d}};\n\n",
                  t->name, at, a->size, a->a_zero, a->b_zero, a->out_zero, a->lo, a->hi, a->a.mult, a->a.exp, a->b.mult,
                  a->b.exp, a->out.mult, a->out.exp);
}

static void add_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_add(t, "isobit_run_add(&%s_layer%d, V%d, V%d, V%d, %d);", t->name, at, i->in[0], i->in[1], i->out,
                  p->rounding);
}

static int add_write(hid_t g, const ib_instr *i)
{
    return ib_h5_set(g, "constants", H5T_NATIVE_INT32, sizeof i->p.add / 4, &i->p.add);
}

static ib_status add_read(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_add *a = &i->p.add;
    const ib_value *u = &p->values[i->in[0]], *v = &p->values[i->in[1]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *a / 4, a))
        return ib_error_status();
    if (u->size != y->size || v->size != y->size || a->size != y->size || a->a_zero != u->zero || a->b_zero != v->zero)
        return ib_read_refuse("the number of its elements", a->size);
    add_complete(p, i);
    const int upward = p->profile == IB_XNNPACK; /* the half that is added fits too */
    const int sums = p->rounding == ISOBIT_FP32_RNE
                         ? a->a.mult >= 0 && a->b.mult >= 0 && i->acc_bound <= INT32_MAX - upward * (1 << 29) &&
                               a->a.exp <= -upward && a->a.exp >= (upward ? -30 : -62) && a->b.exp == a->a.exp &&
                               a->out.mult == upward
                         : ib_is_scale(a->a, p->rounding) && ib_is_scale(a->b, p->rounding) &&
                               ib_is_scale(a->out, p->rounding) && a->a.exp <= 0 && a->b.exp <= 0;
    return sums ? ib_read_range(y, a->out_zero, a->lo, a->hi) : ib_read_refuse("a factor", a->a.mult);
}

const ib_instr_class ib_instr_add = {
    .name = "add",
    .op = &ib_op_qadd,
    .inputs = 2,
    .sections = "requant add",
    .lower = add_lower,
    .run = add_run,
    .run_nhwc = add_run_nhwc,
    .print_data = add_print_data,
    .print_call = add_print_call,
    .write = add_write,
    .read = add_read,
};

/* ---- mul ---- */

static void mul_complete(ib_instr *i)
{
    i->flash = sizeof i->p.mul;
    i->acc_bound = 255 * 255;
    i->macs = i->p.mul.size;
}

static ib_status mul_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    UNUSED(p);
    dev->v.download(dev, &i->p.mul, n->saved[1], sizeof i->p.mul);
    i->p.mul.size = (int32_t)n->out->size;
    mul_complete(i);
    return IB_OK;
}

static ib_status mul_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.qmul(r->dev, &i->p.mul, r->batch * i->p.mul.size, r->value[i->in[0]], r->value[i->in[1]], p->rounding,
                   r->value[i->out], NULL);
    return IB_OK;
}

static void mul_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    const isobit_mul *m = &i->p.mul;
    UNUSED(p);
    ib_strbuf_add(t, "static const isobit_mul %s_layer%d = {%d, %d, %d, %d, %d, %d, {%d, %d}};\n\n", t->name, at,
                  m->size, m->a_zero, m->b_zero, m->out_zero, m->lo, m->hi, m->scale.mult, m->scale.exp);
}

static void mul_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_add(t, "isobit_run_mul(&%s_layer%d, V%d, V%d, V%d, %d);", t->name, at, i->in[0], i->in[1], i->out,
                  p->rounding);
}

static int mul_write(hid_t g, const ib_instr *i)
{
    return ib_h5_set(g, "constants", H5T_NATIVE_INT32, sizeof i->p.mul / 4, &i->p.mul);
}

static ib_status mul_read(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_mul *m = &i->p.mul;
    const ib_value *u = &p->values[i->in[0]], *v = &p->values[i->in[1]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *m / 4, m))
        return ib_error_status();
    if (u->size != y->size || v->size != y->size || m->size != y->size || m->a_zero != u->zero || m->b_zero != v->zero)
        return ib_read_refuse("the number of its elements", m->size);
    mul_complete(i);
    return ib_is_scale(m->scale, p->rounding) ? ib_read_range(y, m->out_zero, m->lo, m->hi)
                                              : ib_read_refuse("a factor", m->scale.mult);
}

const ib_instr_class ib_instr_mul = {
    .name = "mul",
    .op = &ib_op_qmul,
    .inputs = 2,
    .sections = "requant mul",
    .lower = mul_lower,
    .run = mul_run,
    .print_data = mul_print_data,
    .print_call = mul_print_call,
    .write = mul_write,
    .read = mul_read,
};
