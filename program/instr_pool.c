/* instr_pool.c - maxpool, avgpool. */
#include "autograd/quantizer.h"
#include "files/strbuf.h"
#include "program/instr.h"
#include "program/program_read.h"

#define UNUSED(x) (void)(x)

static void pool_complete(ib_instr *i)
{
    i->flash = sizeof i->p.pool;
    i->acc_bound = i->cls == &ib_instr_avgpool ? 255LL * i->p.pool.kernel_h * i->p.pool.kernel_w : 0;
}

static void pool_fill(const ib_program *p, ib_instr *i, const ib_node *n)
{
    const ib_qparams *y = &n->out->q;
    ib_window w;
    ib_pool_window(n, &w);
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
                              .in_zero = p->values[i->in[0]].zero,
                              .out_zero = p->values[i->out].zero,
                              .lo = y->qmin,
                              .hi = y->qmax};
    pool_complete(i);
}

static ib_status maxpool_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    UNUSED(dev);
    pool_fill(p, i, n);
    return IB_OK;
}

static ib_status avgpool_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    const ib_product_constants *c = n->saved[1];
    pool_fill(p, i, n);
    dev->v.download(dev, &i->p.pool.scale, c->factor, sizeof i->p.pool.scale);
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
    r->dev->k.qmaxpool(r->dev, &s, r->value[i->in[0]], r->value[i->out], NULL);
    return IB_OK;
}

/* What becomes of a pool's sums; codes: where they go, or NULL. */
static ib_epilogue pool_epilogue(const ib_program *p, const isobit_pool *o, int8_t *codes)
{
    return (ib_epilogue){
        .scale = &o->scale, .profile = p->rounding, .zero = &o->out_zero, .lo = &o->lo, .hi = &o->hi, .codes = codes};
}

static ib_status avgpool_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const isobit_pool *o = &i->p.pool;
    const ib_window s = pool_window(o, r->batch);
    r->dev->k.qavgpool(r->dev, &s, r->value[i->in[0]], &o->in_zero, r->acc);
    const ib_epilogue e = pool_epilogue(p, o, r->value[i->out]);
    r->dev->k.requant(r->dev, &(ib_planes){1, 1, r->batch * o->channels * o->out_h * o->out_w}, r->acc, &e);
    return IB_OK;
}

static ib_status maxpool_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const ib_window s = pool_window(&i->p.pool, r->batch);
    UNUSED(p);
    r->dev->k.nhwc_maxpool(r->dev, &s, &r->image[i->in[0]], &r->image[i->out], r->share);
    return IB_OK;
}

static ib_status avgpool_run_nhwc(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    const isobit_pool *o = &i->p.pool;
    const ib_window s = pool_window(o, r->batch);
    const ib_epilogue e = pool_epilogue(p, o, NULL);
    r->dev->k.nhwc_avgpool(r->dev, &s, &r->image[i->in[0]], o->in_zero, &e, &r->image[i->out], r->share);
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

static int pool_write(hid_t g, const ib_instr *i)
{
    return ib_h5_set(g, "constants", H5T_NATIVE_INT32, sizeof i->p.pool / 4, &i->p.pool);
}

static ib_status pool_read(ib_program *p, ib_instr *i, hid_t g)
{
    isobit_pool *o = &i->p.pool;
    const ib_value *x = &p->values[i->in[0]], *y = &p->values[i->out];
    if (ib_h5_get(g, "constants", H5T_NATIVE_INT32, sizeof *o / 4, o))
        return ib_error_status();
    const int32_t window[] = {o->kernel_h, o->kernel_w, o->stride_h, o->stride_w, o->pad_h, o->pad_w};
    if (ib_read_window(x, y, window))
        return ib_error_status();
    if (x->ndim != 4 || y->ndim != 4 || o->channels != x->shape[1] || o->channels != y->shape[1] ||
        o->in_h != x->shape[2] || o->in_w != x->shape[3] || o->out_h != y->shape[2] || o->out_w != y->shape[3] ||
        o->in_zero != x->zero || o->pad_h >= o->kernel_h || o->pad_w >= o->kernel_w)
        return ib_read_refuse("the number of its channels", o->channels);
    pool_complete(i);
    if (i->cls == &ib_instr_maxpool && (x->bits > y->bits || x->zero != y->zero))
        return ib_read_refuse("the number of bits of its input", x->bits);
    if (i->acc_bound > INT32_MAX || !ib_is_scale(o->scale, p->rounding))
        return ib_read_refuse("a factor", o->scale.mult);
    return ib_read_range(y, o->out_zero, o->lo, o->hi);
}

const ib_instr_class ib_instr_maxpool = {
    .name = "maxpool",
    .op = &ib_op_qmax_pool,
    .inputs = 1,
    .sections = "pool maxpool",
    .lower = maxpool_lower,
    .run = maxpool_run,
    .run_nhwc = maxpool_run_nhwc,
    .print_data = pool_print_data,
    .print_call = maxpool_print_call,
    .write = pool_write,
    .read = pool_read,
};

const ib_instr_class ib_instr_avgpool = {
    .name = "avgpool",
    .op = &ib_op_qavg_pool,
    .inputs = 1,
    .sections = "requant pool avgpool",
    .lower = avgpool_lower,
    .run = avgpool_run,
    .run_nhwc = avgpool_run_nhwc,
    .print_data = pool_print_data,
    .print_call = avgpool_print_call,
    .write = pool_write,
    .read = pool_read,
};
