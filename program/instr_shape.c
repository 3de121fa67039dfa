/* instr_shape.c - reshape, flatten_hwc, concat, constants: lowering, running, printing. */
#include <string.h>

#include "autograd/quantizer.h"
#include "program/program.h"
#include "files/strbuf.h"

#define UNUSED(x) (void)(x)

/* ---- reshape: the codes stay where they are, the memory plan gives the result their place ---- */

static ib_status reshape_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    UNUSED(p), UNUSED(i), UNUSED(n);
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

/* ---- flatten_hwc ---- */

/* Channels of an image, or of what is one pixel; the rest of its codes are places. */
static int32_t channels_of(const ib_value *x)
{
    return (int32_t)(x->ndim > 1 ? x->shape[1] : x->size);
}

#define flatten_hwc_lower reshape_lower
#define flatten_hwc_print_data reshape_print_data

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

/* ---- concat: run k of input j goes to out[k * sum of runs + runs before j] ---- */

static ib_status concat_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    const int axis = ((const ib_q_attrs *)n->attrs)->axis;
    const ib_lookup_const *c = n->saved[1];
    UNUSED(p);
    if (!(i->table = ib_alloc((size_t)n->n_in * 256)))
        return IB_ENOMEM;
    i->outer = 1;
    i->axis = axis;
    for (int d = 1; d < axis; d++)
        i->outer *= (int)n->out->shape[d];
    for (int j = 0; j < n->n_in; j++) {
        i->p.runs[j] = (int32_t)(n->in[j]->size / n->in[j]->shape[0] / i->outer);
        memcpy(i->table + 256 * j, c[j].table, 256);
    }
    ib_tables_complete(i);
    return IB_OK;
}

static ib_status concat_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    int8_t *out = r->value[i->out];
    UNUSED(p);
    for (int64_t k = 0; k < r->batch * i->outer; k++)
        for (int j = 0; j < i->n_in; j++) {
            r->dev->k.lookup(i->table + 256 * j, r->value[i->in[j]] + k * i->p.runs[j], out, i->p.runs[j]);
            out += i->p.runs[j];
        }
    return IB_OK;
}

static void concat_print_data(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    UNUSED(p);
    ib_strbuf_i8(t, "table", at, i->table, 256LL * i->n_in);
    ib_strbuf_add(t, "\n");
}

static void concat_print_call(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t)
{
    int total = 0, before = 0;
    UNUSED(p);
    for (int j = 0; j < i->n_in; j++)
        total += i->p.runs[j];
    ib_strbuf_add(t, "{\n        int32_t k;\n        for (k = 0; k < %d; k++) {\n", i->outer);
    for (int j = 0; j < i->n_in; before += i->p.runs[j++])
        ib_strbuf_add(t, "            isobit_run_lookup(%s_table%d + %d, V%d + k * %d, V%d + k * %d + %d, %d);\n",
                      t->name, at, 256 * j, i->in[j], i->p.runs[j], i->out, total, before, i->p.runs[j]);
    ib_strbuf_add(t, "        }\n    }");
}

/* ---- constant: codes that the runner holds from the beginning, and the printed C as an array ---- */

#define constant_run reshape_run

void ib_constant_complete(const ib_program *p, ib_instr *i)
{
    i->flash = p->values[i->out].size;
}

static ib_status constant_lower(ib_program *p, ib_instr *i, const ib_node *n)
{
    ib_constant_complete(p, i);
    i->table = ib_copy(n->out->data, (size_t)p->values[i->out].size);
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

#define INSTR(name, op, sections)                                                                                      \
    const ib_instr_class ib_instr_##name = {#name, &ib_op_##op, sections, name##_lower,      name##_run,               \
                                            NULL,  NULL,        NULL,     name##_print_data, name##_print_call};
INSTR(reshape, reshape, "")
INSTR(flatten_hwc, flatten_hwc, "flatten")
INSTR(concat, qconcat, "lookup")
INSTR(constant, quantize, "")
