/* onnx.c - prints an integer program as ONNX, with ONNX Runtime's integers (profiles fp32_rne and xnnpack).
 *
 * onnx_product.c prints products. What standard operators would round more than once, or in float, is written in exact
 * integer arithmetic instead:
 *   add    the fixed-point sum in int32, then one rounding in double, which holds it exactly; halves that go upward
 *          (xnnpack) are half a step more, rounded down
 *   mul    the product in int32, then the requantization  round(float(acc) * M)
 *   lookup Gather of a table of 256 */
#include <math.h>
#include <stdlib.h>

#include "export/onnx_print.h"
#include "tensor/number.h"
#include "tensor/requant.h"
#include "tensor/argument.h"

/* round(acc factor) + zero, clamped, as codes: the int32 acc and the constant in fp32 or double; `round` is an
 * operator, Round (to even) or Floor */
static void requantized(const printer *w, const char *acc, int type, const char *factor, const char *round, int zero,
                        int lo, int hi)
{
    const char *v = text("integer%d", w->at);
    ib_onnx_node(w->o, "Cast", acc, text("real%d", w->at));
    ib_onnx_attr_int(w->o, "to", type);
    ib_onnx_node(w->o, "Mul", text("real%d %s", w->at, factor), text("result%d", w->at));
    ib_onnx_node(w->o, round, text("result%d", w->at), text("rounded%d", w->at));
    ib_onnx_node(w->o, "Cast", text("rounded%d", w->at), v);
    ib_onnx_attr_int(w->o, "to", IB_ONNX_INT32);
    ib_onnx_node(w->o, "Add", text("%s %s", v, constant_i32(w, "out_zero", zero + RAISE)), text("moved%d", w->at));
    ib_onnx_node(
        w->o, "Clip",
        text("moved%d %s %s", w->at, constant_i32(w, "least32_", lo + RAISE), constant_i32(w, "most32_", hi + RAISE)),
        text("kept%d", w->at));
    ib_onnx_node(w->o, "Cast", text("kept%d", w->at), w->out);
    ib_onnx_attr_int(w->o, "to", IB_ONNX_UINT8);
}

/* int32 input less its zero point */
static const char *widened(const printer *w, const char *x, int zero, const char *to)
{
    ib_onnx_node(w->o, "Cast", x, text("%s_wide", to));
    ib_onnx_attr_int(w->o, "to", IB_ONNX_INT32);
    ib_onnx_node(w->o, "Sub", text("%s_wide %s", to, constant_i32(w, text("zero_%s_", to), zero + RAISE)), to);
    return to;
}

static ib_status print_maxpool(const printer *w, const ib_instr *i)
{
    const isobit_pool *k = &i->p.pool;
    const ib_value seen = image(k->channels, k->in_h, k->in_w);
    ib_onnx_node(w->o, "MaxPool", seen_as(w, i->in[0], &seen, text("seen%d", w->at)), w->out);
    ib_onnx_attr_ints(w->o, "kernel_shape", 2, (int64_t[]){k->kernel_h, k->kernel_w});
    ib_onnx_attr_ints(w->o, "strides", 2, (int64_t[]){k->stride_h, k->stride_w});
    ib_onnx_attr_ints(w->o, "pads", 4, (int64_t[]){k->pad_h, k->pad_w, k->pad_h, k->pad_w});
    return IB_OK;
}

/* ---- element by element ---- */

static ib_status print_add(const printer *w, const ib_instr *i)
{
    const isobit_add *k = &i->p.add;
    const char *a =
        widened(w, seen_as(w, i->in[0], &w->p->values[i->out], text("a_seen%d", w->at)), k->a_zero, text("a%d", w->at));
    const char *b =
        widened(w, seen_as(w, i->in[1], &w->p->values[i->out], text("b_seen%d", w->at)), k->b_zero, text("b%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", a, constant_i32(w, "a_factor", k->a.mult)), text("a_part%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", b, constant_i32(w, "b_factor", k->b.mult)), text("b_part%d", w->at));
    ib_onnx_node(w->o, "Add", text("a_part%d b_part%d", w->at, w->at), text("sum%d", w->at));
    const double step = ldexp(1, k->a.exp);
    const char *sum = text("sum%d", w->at), *factor = constant(w, "step", IB_ONNX_DOUBLE, 0, NULL, &step, sizeof step);
    if (k->out.mult) {
        const char *half = constant_i32(w, "half", 1 << (-k->a.exp - 1));
        ib_onnx_node(w->o, "Add", text("%s %s", sum, half), text("raised%d", w->at));
        sum = text("raised%d", w->at);
    }
    requantized(w, sum, IB_ONNX_DOUBLE, factor, k->out.mult ? "Floor" : "Round", k->out_zero, k->lo, k->hi);
    return IB_OK;
}

static ib_status print_mul(const printer *w, const ib_instr *i)
{
    const isobit_mul *k = &i->p.mul;
    const char *a =
        widened(w, seen_as(w, i->in[0], &w->p->values[i->out], text("a_seen%d", w->at)), k->a_zero, text("a%d", w->at));
    const char *b =
        widened(w, seen_as(w, i->in[1], &w->p->values[i->out], text("b_seen%d", w->at)), k->b_zero, text("b%d", w->at));
    ib_onnx_node(w->o, "Mul", text("%s %s", a, b), text("acc%d", w->at));
    const float m = (float)ib_requant_value(k->scale, ISOBIT_FP32_RNE);
    requantized(w, text("acc%d", w->at), IB_ONNX_FLOAT, constant_f32(w, "factor", m), "Round", k->out_zero, k->lo,
                k->hi);
    return IB_OK;
}

/* to = table[x + 128] */
static const char *gathered(const printer *w, const char *x, const int8_t *table, int which, const char *to)
{
    uint8_t shown[256];
    for (int c = 0; c < 256; c++)
        shown[c] = (uint8_t)(table[c] + RAISE);
    const char *t = constant(w, text("table%d_", which), IB_ONNX_UINT8, 1, (int64_t[]){256}, shown, 256);
    const char *index = widened(w, x, -128, text("index%d_%d", which, w->at));
    ib_onnx_node(w->o, "Gather", text("%s %s", t, index), to);
    return to;
}

static ib_status print_lookup(const printer *w, const ib_instr *i)
{
    gathered(w, name_of(i->in[0]), i->table, 0, w->out);
    return IB_OK;
}

static ib_status print_concat(const printer *w, const ib_instr *i)
{
    char all[IB_MAX_INPUTS * 32] = "";
    if (ib_joins_constant(w->p, i))
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': ONNX does not repeat a constant for the batch when it is joined to values",
                       i->name);
    for (int j = 0; j < i->n_in; j++)
        ib_snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", j ? " " : "",
                    gathered(w, name_of(i->in[j]), i->table + 256 * j, j, text("part%d_%d", j, w->at)));
    ib_onnx_node(w->o, "Concat", all, w->out);
    ib_onnx_attr_int(w->o, "axis", i->axis);
    return IB_OK;
}

static ib_status print_reshape(const printer *w, const ib_instr *i)
{
    const ib_value *y = &w->p->values[i->out];
    int64_t shape[IB_MAX_DIMS];
    memcpy(shape, y->shape, sizeof shape);
    shape[0] = -1;
    reshaped(w, name_of(i->in[0]), y->ndim, shape, w->out);
    return IB_OK;
}

static ib_status print_flatten(const printer *w, const ib_instr *i)
{
    const ib_value *x = &w->p->values[i->in[0]];
    const int64_t last[] = {0, 2, 3, 1}, row[] = {-1, x->size}, three[] = {0, 2, 1};
    if (x->ndim < 3)
        return print_reshape(w, i);
    ib_onnx_node(w->o, "Transpose", name_of(i->in[0]), text("turned%d", w->at));
    ib_onnx_attr_ints(w->o, "perm", x->ndim, x->ndim == 4 ? last : three);
    reshaped(w, text("turned%d", w->at), 2, row, w->out);
    return IB_OK;
}

/* For one sample: the operators that read it repeat it for the batch. */
static ib_status print_constant(const printer *w, const ib_instr *i)
{
    const ib_value *y = &w->p->values[i->out];
    uint8_t *shown = ib_alloc((size_t)y->size);
    for (int64_t k = 0; shown && k < y->size; k++)
        shown[k] = (uint8_t)(i->table[k] + RAISE);
    ib_onnx_constant(w->o, w->out, IB_ONNX_UINT8, y->ndim, y->shape, shown, (size_t)y->size);
    ib_free(shown);
    return IB_OK;
}

static const struct {
    const ib_instr_class *cls;
    ib_status (*print)(const printer *w, const ib_instr *i);
} printers[] = {{&ib_instr_conv2d, ib_onnx_print_conv},
                {&ib_instr_linear, ib_onnx_print_conv},
                {&ib_instr_avgpool, ib_onnx_print_avgpool},
                {&ib_instr_maxpool, print_maxpool},
                {&ib_instr_add, print_add},
                {&ib_instr_mul, print_mul},
                {&ib_instr_lookup, print_lookup},
                {&ib_instr_concat, print_concat},
                {&ib_instr_reshape, print_reshape},
                {&ib_instr_flatten_hwc, print_flatten},
                {&ib_instr_constant, print_constant}};

ib_status ib_export_onnx(const ib_program *p, const char *path, const char *name, const ib_onnx_opts *opts)
{
    IB_NEED(p);
    IB_NEED(path);
    IB_NEED(name);
    static const ib_onnx_opts defaults;
    opts = opts ? opts : &defaults;
    const ib_value *in = &p->values[0], *out = &p->values[p->result];
    if (p->rounding != ISOBIT_FP32_RNE)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: the network rounds as %s, ONNX Runtime as fp32_rne: export with --profile fp32_rne", path,
                       ib_profile_name((ib_profile)p->profile));
    printer w = {.p = p, .o = ib_onnx_new(name), .qdq = opts->qdq, .int4 = !opts->int4_as_int8};
    if (!w.o)
        return IB_ENOMEM;
    const int64_t shape[4] = {1, p->input.c, p->input.h, p->input.w};
    ib_onnx_value(w.o, 0, "input", IB_ONNX_FLOAT, 4, shape);
    w.at = -1;
    ib_snprintf(w.out, sizeof w.out, "codes");
    ib_onnx_constant(w.o, "input_scale", IB_ONNX_FLOAT, 0, NULL, &in->scale, sizeof in->scale);
    const uint8_t zero = (uint8_t)(in->zero + RAISE), out_zero = (uint8_t)(out->zero + RAISE);
    ib_onnx_constant(w.o, "input_zero", IB_ONNX_UINT8, 0, NULL, &zero, 1);
    ib_onnx_node(w.o, "QuantizeLinear", "input input_scale input_zero", in->bits < 8 ? "unclamped" : "codes");
    if (in->bits < 8) {
        const int half = 1 << (in->bits - 1);
        const uint8_t most = (uint8_t)(half - 1 + RAISE), least = (uint8_t)(RAISE - half);
        ib_onnx_constant(w.o, "input_least", IB_ONNX_UINT8, 0, NULL, &least, 1);
        ib_onnx_constant(w.o, "input_most", IB_ONNX_UINT8, 0, NULL, &most, 1);
        ib_onnx_node(w.o, "Clip", "unclamped input_least input_most", "codes");
    }
    ib_status status = IB_OK;
    for (w.at = 0; w.at < p->n_instrs && !status; w.at++) {
        const ib_instr *i = &p->instrs[w.at];
        ib_snprintf(w.out, sizeof w.out, "v%d", i->out);
        size_t k = 0;
        while (k < sizeof printers / sizeof *printers && printers[k].cls != i->cls)
            k++;
        status = k < sizeof printers / sizeof *printers
                     ? printers[k].print(&w, i)
                     : ib_fail(IB_EUNSUPPORTED, "layer '%s': %s has no form in ONNX", i->name, i->cls->name);
    }
    ib_onnx_constant(w.o, "output_scale", IB_ONNX_FLOAT, 0, NULL, &out->scale, sizeof out->scale);
    ib_onnx_constant(w.o, "output_zero", IB_ONNX_UINT8, 0, NULL, &out_zero, 1);
    ib_onnx_node(w.o, "DequantizeLinear", text("%s output_scale output_zero", name_of(p->result)), "output");
    ib_onnx_value(w.o, 1, "output", IB_ONNX_FLOAT, out->ndim, out->shape);
    ib_onnx_metadata(w.o, "isobit.profile", ib_profile_name((ib_profile)p->profile));
    if (*ib_program_note(p))
        ib_onnx_metadata(w.o, "isobit.note", ib_program_note(p));
    char *schema = p->schema && !status ? ib_schema_text(p->schema) : NULL;
    if (schema)
        ib_onnx_metadata(w.o, "isobit.schema", schema);
    else if (p->schema && !status)
        status = IB_ENOMEM;
    free(schema);
    if (status) {
        ib_onnx_free(w.o);
        return status;
    }
    return ib_onnx_write(w.o, path);
}
