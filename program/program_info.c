/* program_info.c - what a program says of itself. */
#include <string.h>

#include "base/argument.h"
#include "program/instr.h"

const ib_input_info *ib_program_input_info(const ib_program *p)
{
    IB_NEED_OR(p, NULL);
    return &p->input;
}
const ib_schema *ib_program_schema(const ib_program *p)
{
    IB_NEED_OR(p, NULL);
    return p->schema;
}
int64_t ib_program_input_size(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->values[0].size;
}
int64_t ib_program_output_size(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->values[p->result].size;
}
int ib_program_output_shape(const ib_program *p, int64_t shape[4])
{
    IB_NEED_OR(p, 0);
    IB_NEED_OR(shape, 0);
    const ib_value *v = &p->values[p->result];
    memcpy(shape, v->shape, (size_t)v->ndim * sizeof *shape);
    return v->ndim;
}
const char *ib_program_note(const ib_program *p)
{
    IB_NEED_OR(p, "");
    return p->leaves_softmax ? "the last operator, softmax, has no integer form: apply it to the dequantized outputs"
                             : "";
}
int ib_program_leaves_softmax(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->leaves_softmax;
}
float ib_program_output_scale(const ib_program *p)
{
    IB_NEED_OR(p, 0.0f);
    return p->values[p->result].scale;
}
int ib_program_output_zero(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->values[p->result].zero;
}
int64_t ib_program_arena(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->arena + 2 * p->scratch;
}
int ib_program_layer_count(const ib_program *p)
{
    IB_NEED_OR(p, 0);
    return p->n_instrs;
}

ib_program_layer ib_program_layer_at(const ib_program *p, int i)
{
    IB_NEED_OR(p, (ib_program_layer){0});
    IB_TAKE_OR(i, i >= 0 && i < p->n_instrs, (ib_program_layer){0}, "is %d of %d", i, p->n_instrs);
    const ib_instr *n = &p->instrs[i];
    int64_t ram = 0;
    for (int v = 1; v < p->n_values; v++)
        if (p->values[v].root == v && p->values[v].offset >= 0 && p->values[v].first <= i && p->values[v].last >= i)
            ram += p->values[v].size;
    return (ib_program_layer){n->name, n->cls->name, n->codes ? n->p.conv.bits : 0, n->flash, ram,
                              n->macs, n->acc_bound, p->values[n->out].size};
}
