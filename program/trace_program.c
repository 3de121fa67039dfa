/* trace_program.c - lines of tensor/trace.h for the instructions of a program. */
#include <string.h>

#include "program/program.h"
#include "program/instr.h"
#include "tensor/number.h"
#include "tensor/trace.h"

/* What goes from one instruction to the next. */
typedef struct seen {
    const ib_program *p;
    int64_t n;    /* samples */
    double began; /* the instruction that is running */
} seen;

static size_t add_shape(char *text, size_t size, const ib_value *v, int64_t n)
{
    size_t at = (size_t)ib_snprintf(text, size, "[%lld", (long long)n);
    for (int d = 1; d < v->ndim && at < size; d++)
        at += (size_t)ib_snprintf(text + at, size - at, ",%lld", (long long)v->shape[d]);
    return at < size ? at + (size_t)ib_snprintf(text + at, size - at, "]") : at;
}

static void see(void *context, int i, const int8_t *codes)
{
    seen *s = context;
    const ib_instr *instr = &s->p->instrs[i];
    const ib_value *out = &s->p->values[instr->out];
    char shapes[320];
    size_t at = 0;
    for (int j = 0; j < instr->n_in && at + 8 < sizeof shapes; j++) {
        at += add_shape(shapes + at, sizeof shapes - at - 1, &s->p->values[instr->in[j]], s->n);
        at = at < sizeof shapes - 2 ? at : sizeof shapes - 2;
        shapes[at++] = ' ';
    }
    at += (size_t)ib_snprintf(shapes + at, sizeof shapes - at, "-> ");
    if (at < sizeof shapes)
        add_shape(shapes + at, sizeof shapes - at, out, s->n);
    const size_t bytes = (size_t)(out->size * s->n);
    ib_trace_end(&(ib_trace_line){.what = "program",
                                  .op = instr->cls->name,
                                  .layer = instr->name,
                                  .shapes = shapes,
                                  .bytes = bytes,
                                  .began = s->began,
                                  .sum = ib_trace_sum(0, codes, bytes)});
    s->began = ib_trace_begin();
}

ib_status ib_trace_runner(ib_runner *r, const ib_program *p, int64_t n, const int8_t *in, int8_t *out)
{
    return ib_runner_run_traced(r, n, in, out, see, &(seen){p, n, ib_trace_begin()});
}
