/* instr_table.c - lookup, concat: a table of 256 codes for each input. */
#include <string.h>

#include "autograd/quantizer.h"
#include "files/strbuf.h"
#include "program/instr.h"
#include "program/program_read.h"

#define UNUSED(x) (void)(x)

static void tables_complete(ib_instr *i)
{
    i->flash = 256LL * i->n_in;
}

/* A table of 256 codes of y for each input. */
static ib_status read_tables(ib_instr *i, const ib_value *y, hid_t g)
{
    const int most = 1 << (y->bits - 1);
    const int64_t n = i->n_in;
    tables_complete(i);
    if (!(i->table = ib_alloc((size_t)n * 256)))
        return IB_ENOMEM;
    if (ib_h5_read(g, "table", H5T_NATIVE_INT8, 256 * n, i->table))
        return ib_error_status();
    for (int64_t j = 0; j < 256 * n; j++)
        if (i->table[j] < -most || i->table[j] >= most)
            return ib_read_refuse("a code of its table", i->table[j]);
    return IB_OK;
}

/* ---- lookup ---- */

static ib_status lookup_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
{
    UNUSED(p);
    tables_complete(i);
    i->table = ib_numbers_copy(dev, ((const ib_lookup_const *)n->saved[1])->table, 256);
    return i->table ? IB_OK : IB_ENOMEM;
}

static ib_status lookup_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    r->dev->k.lookup(r->dev, i->table, r->value[i->in[0]], r->value[i->out], r->batch * p->values[i->out].size);
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

static int lookup_write(hid_t g, const ib_instr *i)
{
    return ib_h5_write(g, "table", H5T_NATIVE_INT8, 2, (int64_t[]){1, 256}, i->table);
}

static ib_status lookup_read(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    return p->values[i->in[0]].size == y->size ? read_tables(i, y, g)
                                               : ib_read_refuse("the number of its elements", y->size);
}

const ib_instr_class ib_instr_lookup = {
    .name = "lookup",
    .op = &ib_op_lookup,
    .inputs = 1,
    .sections = "lookup",
    .lower = lookup_lower,
    .run = lookup_run,
    .print_data = lookup_print_data,
    .print_call = lookup_print_call,
    .write = lookup_write,
    .read = lookup_read,
};

/* ---- concat: run k of input j goes to out[k * sum of runs + runs before j] ---- */

static ib_status concat_lower(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev)
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
        dev->v.download(dev, i->table + 256 * j, c[j].table, 256);
    }
    tables_complete(i);
    return IB_OK;
}

static ib_status concat_run(const ib_program *p, const ib_instr *i, const ib_run *r)
{
    int8_t *out = r->value[i->out];
    UNUSED(p);
    for (int64_t k = 0; k < r->batch * i->outer; k++)
        for (int j = 0; j < i->n_in; j++) {
            r->dev->k.lookup(r->dev, i->table + 256 * j, r->value[i->in[j]] + k * i->p.runs[j], out, i->p.runs[j]);
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

static int concat_write(hid_t g, const ib_instr *i)
{
    return ib_h5_set(g, "axis", H5T_NATIVE_INT, 1, &i->axis) ||
           ib_h5_write(g, "table", H5T_NATIVE_INT8, 2, (int64_t[]){i->n_in, 256}, i->table);
}

static ib_status concat_read(ib_program *p, ib_instr *i, hid_t g)
{
    const ib_value *y = &p->values[i->out];
    int64_t total = 0;
    if (ib_h5_get(g, "axis", H5T_NATIVE_INT, 1, &i->axis))
        return ib_error_status();
    if (i->axis < 1 || i->axis >= y->ndim)
        return ib_read_refuse("the axis", i->axis);
    i->outer = 1;
    for (int d = 1; d < i->axis; d++)
        i->outer *= (int)y->shape[d];
    for (int j = 0; j < i->n_in; j++) {
        const ib_value *x = &p->values[i->in[j]];
        for (int d = 0; d < y->ndim; d++)
            if (x->ndim != y->ndim || (d != i->axis && x->shape[d] != y->shape[d]))
                return ib_read_refuse("the number of elements of an input", x->size);
        i->p.runs[j] = (int32_t)(x->size / i->outer);
        total += x->shape[i->axis];
    }
    if (total != y->shape[i->axis])
        return ib_read_refuse("the sum of what is joined", total);
    return read_tables(i, y, g);
}

const ib_instr_class ib_instr_concat = {
    .name = "concat",
    .op = &ib_op_qconcat,
    .inputs = IB_ANY_INPUTS,
    .sections = "lookup",
    .lower = concat_lower,
    .run = concat_run,
    .print_data = concat_print_data,
    .print_call = concat_print_call,
    .write = concat_write,
    .read = concat_read,
};
