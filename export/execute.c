/* execute.c - runs integer programs on the device's kernels. */
#include <string.h>

#include "export/program.h"

int64_t ib_program_input_size(const ib_program *p)
{
    return p->values[0].size;
}
int64_t ib_program_output_size(const ib_program *p)
{
    return p->values[p->result].size;
}
const char *ib_program_note(const ib_program *p)
{
    return p->note;
}
float ib_program_output_scale(const ib_program *p)
{
    return p->values[p->result].scale;
}
int ib_program_output_zero(const ib_program *p)
{
    return p->values[p->result].zero;
}
int64_t ib_program_arena(const ib_program *p)
{
    return p->arena + 2 * p->scratch;
}
int ib_program_layer_count(const ib_program *p)
{
    return p->n_instrs;
}

ib_program_layer ib_program_layer_at(const ib_program *p, int i)
{
    const ib_instr *n = &p->instrs[i];
    int64_t ram = 0;
    for (int v = 1; v < p->n_values; v++)
        if (p->values[v].offset >= 0 && p->values[v].first <= i && p->values[v].last >= i)
            ram += p->values[v].size;
    return (ib_program_layer){n->name, n->cls->name, n->codes ? n->p.conv.bits : 0, n->flash, ram, n->macs, n->acc_bound, p->values[n->out].size};
}

void ib_program_quantize(const ib_program *p, ib_device *dev, int64_t n, const float *x, int8_t *codes)
{
    const ib_value *v = &p->values[0];
    dev->k.quantize(x, n * v->size, v->scale, v->zero, -(1 << (v->bits - 1)), (1 << (v->bits - 1)) - 1, p->profile != ISOBIT_FP32_RNE, codes, NULL);
}

static int64_t scratch_of(const ib_instr *i, int64_t n)
{
    const isobit_conv2d *c = &i->p.conv;
    const ib_window s = {n, c->in_c, c->in_h, c->in_w, c->out_c, c->out_h, c->out_w, c->kernel_h, c->kernel_w,
                         c->stride_h, c->stride_w, c->pad_h, c->pad_w, c->groups};
    if (!i->codes)
        return 0;
    return i->cls == &ib_instr_conv2d ? ib_qconv2d_scratch(&s) : ib_qlinear_scratch(n, c->in_c, c->out_c);
}

struct ib_runner {
    const ib_program *p;
    ib_device *dev;
    int64_t batch;
    int8_t **value, *arena;
    int32_t *acc;
    float *scratch;
    void **packed; /* [n_instrs] */
};

ib_runner *ib_runner_new(const ib_program *p, ib_device *dev, int64_t batch)
{
    if (!p || !dev)
        return NULL;
    if (batch < 1)
        return ib_fail_null(IB_EINVAL, "runner: a batch of %lld", (long long)batch);
    int64_t largest = 1, scratch = 1;
    for (int v = 0; v < p->n_values; v++)
        largest = p->values[v].size > largest ? p->values[v].size : largest;
    for (int i = 0; i < p->n_instrs; i++)
        scratch = scratch_of(&p->instrs[i], batch) > scratch ? scratch_of(&p->instrs[i], batch) : scratch;
    ib_runner *r = ib_alloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (ib_runner){.p = p, .dev = dev, .batch = batch};
    if (!(r->value = ib_alloc((size_t)p->n_values * sizeof *r->value)) || !(r->arena = ib_alloc((size_t)(p->arena * batch + 1))) ||
        !(r->acc = ib_alloc((size_t)(largest * batch) * sizeof *r->acc)) || !(r->scratch = ib_alloc((size_t)scratch * sizeof *r->scratch)) ||
        !(r->packed = ib_alloc((size_t)p->n_instrs * sizeof *r->packed)))
        goto fail;
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_instr *n = &p->instrs[i];
        const int64_t bytes = n->cls->pack ? n->cls->pack(n, dev, NULL) : 0;
        if (bytes && !(r->packed[i] = ib_alloc((size_t)bytes)))
            goto fail;
        if (bytes)
            n->cls->pack(n, dev, r->packed[i]);
    }
    return r;
fail:
    ib_runner_free(r);
    return NULL;
}

void ib_runner_free(ib_runner *r)
{
    if (!r)
        return;
    for (int i = 0; r->packed && i < r->p->n_instrs; i++)
        ib_free(r->packed[i]);
    void *all[] = {r->packed, r->value, r->arena, r->acc, r->scratch, r};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ib_free(all[i]);
}

static ib_status run(ib_runner *r, int64_t n, const int8_t *in, int8_t *out, void (*see)(void *, int, const int8_t *), void *context)
{
    const ib_program *p = r->p;
    ib_status status = IB_OK;
    for (int v = 0; v < p->n_values; v++)
        r->value[v] = v == p->result ? out : v ? r->arena + p->values[v].offset * n : (int8_t *)in;
    for (int i = 0; i < p->n_instrs && !status; i++) {
        const ib_run one = {r->dev, n, r->value, r->packed[i], r->acc, r->scratch};
        status = p->instrs[i].cls->run(p, &p->instrs[i], &one);
        if (!status && see)
            see(context, i, r->value[p->instrs[i].out]);
    }
    return status;
}

ib_status ib_runner_run(ib_runner *r, int64_t n, const int8_t *in, int8_t *out)
{
    if (n < 0 || n > r->batch)
        return ib_fail(IB_EINVAL, "runner: %lld samples, made for at most %lld", (long long)n, (long long)r->batch);
    return n ? run(r, n, in, out, NULL, NULL) : IB_OK;
}

ib_status ib_program_run_traced(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out,
                                void (*see)(void *, int, const int8_t *), void *context)
{
    ib_runner *r = ib_runner_new(p, dev, n);
    const ib_status status = r ? run(r, n, in, out, see, context) : ib_error_status();
    ib_runner_free(r);
    return status;
}

ib_status ib_program_run(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out)
{
    return ib_program_run_traced(p, dev, n, in, out, NULL, NULL);
}
