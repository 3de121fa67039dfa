/* onnx_elements.c - add, mul, lookup, concat, maxpool as ONNX. What standard operators would round more than once, or
 * in float, is written in exact integer arithmetic instead:
 *   add    the fixed-point sum in int32, then one rounding in double, which holds it exactly; halves that go upward
 *          (xnnpack) are half a step more, rounded down
 *   mul    the product in int32, then the requantization  round(float(acc) * M)
 *   lookup Gather of a table of 256 */
#include <math.h>

#include "arithmetic/requant.h"
#include "export/onnx_print.h"

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

ib_status ib_onnx_print_maxpool(const printer *w, const ib_instr *i)
{
    const isobit_pool *k = &i->p.pool;
    const ib_value seen = image(k->channels, k->in_h, k->in_w);
    ib_onnx_node(w->o, "MaxPool", seen_as(w, i->in[0], &seen, text("seen%d", w->at)), w->out);
    ib_onnx_attr_ints(w->o, "kernel_shape", 2, (int64_t[]){k->kernel_h, k->kernel_w});
    ib_onnx_attr_ints(w->o, "strides", 2, (int64_t[]){k->stride_h, k->stride_w});
    ib_onnx_attr_ints(w->o, "pads", 4, (int64_t[]){k->pad_h, k->pad_w, k->pad_h, k->pad_w});
    return IB_OK;
}

ib_status ib_onnx_print_add(const printer *w, const ib_instr *i)
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

ib_status ib_onnx_print_mul(const printer *w, const ib_instr *i)
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

ib_status ib_onnx_print_lookup(const printer *w, const ib_instr *i)
{
    gathered(w, name_of(i->in[0]), i->table, 0, w->out);
    return IB_OK;
}

ib_status ib_onnx_print_concat(const printer *w, const ib_instr *i)
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
