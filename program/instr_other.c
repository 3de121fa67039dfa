/* instr_other.c - add, mul, pooling, lookup: lowering, running, printing. */
#include <string.h>

#include "autograd/quantizer.h"
#include "program/program.h"
#include "files/strbuf.h"

#define UNUSED(x) (void)(x)

/* ---- add, mul ---- */

void ib_add_complete(const ib_program *p, ib_instr *i)
{
    i->flash = sizeof i->p.add;
    i->acc_bound = p->rounding == ISOBIT_FP32_RNE ? 255LL * i->p.add.a.mult + 255LL * i->p.add.b.mult : 1LL << 30;
}

static ib_status add_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    const ib_qbinary_const *c = n->saved[1];
    const ib_tensor *a = n->in[0], *b = n->in[1];
    i->p.add = (isobit_add){
        (int32_t)a->size, a->q.zero_point, b->q.zero_point, n->out->q.zero_point, c->lo, c->hi, c->a, c->b, c->out};
    ib_add_complete(p, i);
    return IB_OK;
}

static ib_status add_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.qadd(&i->p.add, r->batch * i->p.add.size, r->value[i->in[0]], r->value[i->in[1]], p->rounding,
                   r->value[i->out], NULL);
    return IB_OK;
}

static ib_status add_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.nhwc_add(&i->p.add, r->batch, &r->image[i->in[0]], &r->image[i->in[1]], p->rounding, &r->image[i->out],
                       r->share);
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

void ib_mul_complete(ib_instr *i)
{
    i->flash = sizeof i->p.mul;
    i->acc_bound = 255 * 255;
    i->macs = i->p.mul.size;
}

static ib_status mul_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    const ib_qbinary_const *c = n->saved[1];
    const ib_tensor *a = n->in[0], *b = n->in[1];
    UNUSED(p);
    i->p.mul =
        (isobit_mul){(int32_t)a->size, a->q.zero_point, b->q.zero_point, n->out->q.zero_point, c->lo, c->hi, c->out};
    ib_mul_complete(i);
    return IB_OK;
}

static ib_status mul_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.qmul(&i->p.mul, r->batch * i->p.mul.size, r->value[i->in[0]], r->value[i->in[1]], p->rounding,
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

/* ---- pooling ---- */

void ib_pool_complete(ib_instr *i)
{
    i->flash = sizeof i->p.pool;
    i->acc_bound = i->cls == &ib_instr_avgpool ? 255LL * i->p.pool.kernel_h * i->p.pool.kernel_w : 0;
}

static void pool_fill(ib_instr *i, const ib_node *n)
{
    const ib_tensor *x = n->in[0], *y = n->out;
    ib_window w;
    ib_pool_window(n, x, &((const ib_q_attrs *)n->attrs)->pool, &w);
    i->p.pool = (isobit_pool){.channels = (int32_t)w.ic,
                              .in_h = (int32_t)w.ih,
                              .in_w = (int32_t)w.iw,
                              .out_h = (int32_t)w.oh,
                              .out_w = (int32_t)w.ow,
                              .kernel_h = w.kh,
                              .kernel_w = w.kw,
                              .stride_h = w.sh,
                              .stride_w = w.sw,
                              .pad_h = w.ph,
                              .pad_w = w.pw,
                              .in_zero = x->q.zero_point,
                              .out_zero = y->q.zero_point,
                              .lo = y->q.qmin,
                              .hi = y->q.qmax};
    ib_pool_complete(i);
}

static ib_status maxpool_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    UNUSED(p);
    pool_fill(i, n);
    return IB_OK;
}

static ib_status avgpool_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    const ib_qproduct_const *c = n->saved[1];
    UNUSED(p);
    pool_fill(i, n);
    i->p.pool.scale = c->scale[0];
    return IB_OK;
}

static ib_window pool_window(const isobit_pool *p, int64_t n)
{
    return (ib_window){n,           p->channels, p->in_h,     p->in_w,     p->channels, p->out_h, p->out_w,
                       p->kernel_h, p->kernel_w, p->stride_h, p->stride_w, p->pad_h,    p->pad_w, 1};
}

static ib_status maxpool_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const ib_window s = pool_window(&i->p.pool, r->batch);
    UNUSED(p);
    r->dev->k.qmaxpool(&s, r->value[i->in[0]], r->value[i->out], NULL);
    return IB_OK;
}

/* What becomes of a pool's sums; codes: where they go, or NULL. */
static ib_epilogue pool_epilogue(const ib_program *p, const isobit_pool *o, int8_t *codes)
{
    return (ib_epilogue){
        .scale = &o->scale, .profile = p->rounding, .zero = o->out_zero, .lo = o->lo, .hi = o->hi, .codes = codes};
}

static ib_status avgpool_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const isobit_pool *o = &i->p.pool;
    const ib_window s = pool_window(o, r->batch);
    r->dev->k.qavgpool(&s, r->value[i->in[0]], o->in_zero, r->acc);
    const ib_epilogue e = pool_epilogue(p, o, r->value[i->out]);
    r->dev->k.requant(&(ib_planes){1, 1, r->batch * o->channels * o->out_h * o->out_w}, r->acc, &e);
    return IB_OK;
}

static ib_status maxpool_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const ib_window s = pool_window(&i->p.pool, r->batch);
    UNUSED(p);
    r->dev->k.nhwc_maxpool(&s, &r->image[i->in[0]], &r->image[i->out], r->share);
    return IB_OK;
}

static ib_status avgpool_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const isobit_pool *o = &i->p.pool;
    const ib_window s = pool_window(o, r->batch);
    const ib_epilogue e = pool_epilogue(p, o, NULL);
    r->dev->k.nhwc_avgpool(&s, &r->image[i->in[0]], o->in_zero, &e, &r->image[i->out], r->share);
    return IB_OK;
}

static void pool_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    const isobit_pool *o = &i->p.pool;
    UNUSED(p);
    ib_strbuf_add(t,
                  "static const isobit_pool %s_layer%d = {%d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, %d, "
                  "{%d, %d}};\n\n",
                  t->name, at, o->channels, o->in_h, o->in_w, o->out_h, o->out_w, o->kernel_h, o->kernel_w, o->stride_h,
                  o->stride_w, o->pad_h, o->pad_w, o->in_zero, o->out_zero, o->lo, o->hi, o->scale.mult, o->scale.exp);
}

static void maxpool_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p);
    ib_strbuf_add(t, "isobit_run_maxpool(&%s_layer%d, V%d, V%d);", t->name, at, i->in[0], i->out);
}

static void avgpool_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_add(t, "isobit_run_avgpool(&%s_layer%d, V%d, V%d, %d);", t->name, at, i->in[0], i->out, p->rounding);
}

#define maxpool_print_data pool_print_data
#define avgpool_print_data pool_print_data

/* ---- lookup ---- */

void ib_tables_complete(ib_instr *i)
{
    i->flash = 256LL * i->n_in;
}

static ib_status lookup_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    UNUSED(p);
    ib_tables_complete(i);
    i->table = ib_copy(((const ib_lookup_const *)n->saved[1])->table, 256);
    return i->table ? IB_OK : IB_ENOMEM;
}

static ib_status lookup_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.lookup(i->table, r->value[i->in[0]], r->value[i->out], r->batch * p->values[i->out].size);
    return IB_OK;
}

static void lookup_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p);
    ib_strbuf_i8(t, "table", at, i->table, 256);
    ib_strbuf_add(t, "\n");
}

static void lookup_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    ib_strbuf_add(t, "isobit_run_lookup(%s_table%d, V%d, V%d, %lld);", t->name, at, i->in[0], i->out,
                  (long long)p->values[i->out].size);
}

#define mul_run_nhwc NULL
#define lookup_run_nhwc NULL

#define INSTR(name, op, sections)                                                                                      \
    const ib_instr_class ib_instr_##name = {#name, &ib_op_##op,     sections, name##_lower,      name##_run,           \
                                            NULL,  name##_run_nhwc, NULL,     name##_print_data, name##_print_call};
INSTR(add, qadd, "requant add")
INSTR(mul, qmul, "requant mul")
INSTR(maxpool, qmax_pool, "pool maxpool")
INSTR(avgpool, qavg_pool, "requant pool avgpool")
INSTR(lookup, lookup, "lookup")
