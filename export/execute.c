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

ib_status ib_program_run_traced(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out,
                                void (*see)(void *, int, const int8_t *), void *context)
{
    ib_status status = IB_ENOMEM;
    int64_t largest = 1, scratch_size = 1;
    for (int v = 0; v < p->n_values; v++)
        largest = p->values[v].size > largest ? p->values[v].size : largest;
    for (int i = 0; i < p->n_instrs; i++)
        scratch_size = scratch_of(&p->instrs[i], n) > scratch_size ? scratch_of(&p->instrs[i], n) : scratch_size;
    int8_t **value = ib_alloc((size_t)p->n_values * sizeof *value), *arena = ib_alloc((size_t)(p->arena * n + 1));
    int32_t *acc = ib_alloc((size_t)(largest * n) * sizeof *acc);
    float *scratch = ib_alloc((size_t)scratch_size * sizeof *scratch);
    if (!value || !arena || !acc || !scratch)
        goto done;
    for (int v = 0; v < p->n_values; v++)
        value[v] = v == p->result ? out : v ? arena + p->values[v].offset * n : (int8_t *)in;
    status = IB_OK;
    for (int i = 0; i < p->n_instrs && !status; i++) {
        status = p->instrs[i].cls->run(p, &p->instrs[i], dev, n, value, acc, scratch);
        if (!status && see)
            see(context, i, value[p->instrs[i].out]);
    }
done:
    ib_free(value);
    ib_free(arena);
    ib_free(acc);
    ib_free(scratch);
    return status;
}

ib_status ib_program_run(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out)
{
    return ib_program_run_traced(p, dev, n, in, out, NULL, NULL);
}
