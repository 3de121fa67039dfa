/* trace_program.c - lines of base/trace.h for the instructions of a program. */
#include "autograd/trace_node.h"
#include "base/trace.h"
#include "program/instr.h"

/* What goes from one instruction to the next. */
typedef struct seen {
    const ib_program *p;
    int64_t n;    /* samples */
    double began; /* the instruction that is running */
} seen;

static void see(void *context, int i, const int8_t *codes)
{
    seen *s = context;
    const ib_instr *instr = &s->p->instrs[i];
    ib_tensor value[IB_MAX_INPUTS + 1] = {0}; /* shapes alone; the last is the result */
    ib_node node = {.n_in = instr->n_in, .out = &value[IB_MAX_INPUTS]};
    char shapes[320];
    for (int j = 0; j < instr->n_in; j++)
        ib_value_shape(&s->p->values[instr->in[j]], s->n, node.in[j] = &value[j]);
    ib_value_shape(&s->p->values[instr->out], s->n, node.out);
    const size_t bytes = (size_t)(s->p->values[instr->out].size * s->n);
    ib_trace_end(&(ib_trace_line){.what = "program",
                                  .op = instr->cls->name,
                                  .layer = instr->name,
                                  .shapes = ib_node_shapes(&node, shapes, sizeof shapes),
                                  .bytes = bytes,
                                  .began = s->began,
                                  .sum = ib_trace_sum(0, codes, bytes)});
    s->began = ib_trace_begin();
}

ib_status ib_trace_runner(ib_runner *r, const ib_program *p, int64_t n, const int8_t *in, int8_t *out)
{
    return ib_runner_run_traced(r, n, in, out, see, &(seen){p, n, ib_trace_begin()});
}
