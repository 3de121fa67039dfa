/* tflite_elements.c - add, mul, lookup, concat (a table is a GATHER), maxpool. */
#include "export/tflite_print.h"

ib_status ib_tflite_print_maxpool(ib_tflite *w, const ib_instr *i)
{
    const isobit_pool *o = &i->p.pool;
    int x = w->tensor_of[i->in[0]];
    const ib_tflite_window window = IB_TFLITE_WINDOW(o, o->channels);
    const int same = ib_tflite_padded(w, &x, &w->p->values[i->in[0]], &window, 1);
    const ib_flat_field fields[] = {IB_FLAT_SCALAR(0, 1, same),        IB_FLAT_SCALAR(1, 4, o->stride_w),
                                    IB_FLAT_SCALAR(2, 4, o->stride_h), IB_FLAT_SCALAR(3, 4, o->kernel_w),
                                    IB_FLAT_SCALAR(4, 4, o->kernel_h), IB_FLAT_SCALAR(5, 1, NONE)};
    ib_tflite_op(w, OP_MAX_POOL, 1, (int32_t[]){x}, w->tensor_of[i->out], POOL_OPTIONS, fields, 6);
    return IB_OK;
}

/* What XNNPACK adds and multiplies; it leaves other factors to TFLite's kernels, which round otherwise. The limits are
 * those of TensorFlow Lite's xnnpack_delegate.cc. */
static ib_status xnnpack_takes(const ib_program *p, const ib_instr *i)
{
    const int add = i->cls == &ib_instr_add;
    const float a = p->values[i->in[0]].scale, b = p->values[i->in[1]].scale, y = p->values[i->out].scale;
    const float factor[] = {add ? a / y : a * b / y, add ? b / y : a * b / y}, least = add ? 0x1p-10f : 0x1p-16f;
    if (add && p->profile == IB_FP32_RNE)
        return ib_fail(
            IB_EUNSUPPORTED,
            "layer '%s': XNNPACK's addition rounds halves upward, not as fp32_rne: export with --profile xnnpack",
            i->name);
    for (int j = 0; j < 2; j++)
        if (!(factor[j] >= least && factor[j] < 256.0f))
            return ib_fail(IB_EUNSUPPORTED,
                           "layer '%s': %s %g times the result's: XNNPACK takes %g to 256, profile tflite_double any",
                           i->name, add ? "the scale of an input is" : "the product of the inputs' scales is",
                           factor[j], least);
    return IB_OK;
}

static ib_status print_binary(ib_tflite *w, const ib_instr *i)
{
    if (w->p->rounding == ISOBIT_FP32_RNE && xnnpack_takes(w->p, i))
        return ib_error_status();
    const int add = i->cls == &ib_instr_add, zero = add ? i->p.add.out_zero : i->p.mul.out_zero,
              lo = add ? i->p.add.lo : i->p.mul.lo, hi = add ? i->p.add.hi : i->p.mul.hi;
    const int y = ib_tflite_target(w, i, zero, lo, hi), act = ib_tflite_fused(&w->p->values[i->out], zero, lo, hi);
    ib_tflite_op(w, add ? OP_ADD : OP_MUL, 2, (int32_t[]){w->tensor_of[i->in[0]], w->tensor_of[i->in[1]]}, y,
                 add ? ADD_OPTIONS : MUL_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, act > 0 ? act : NONE)}, 1);
    ib_tflite_clamp(w, i, y, lo, hi);
    return IB_OK;
}

ib_status ib_tflite_print_add(ib_tflite *w, const ib_instr *i)
{
    return print_binary(w, i);
}

ib_status ib_tflite_print_mul(ib_tflite *w, const ib_instr *i)
{
    return print_binary(w, i);
}

/* y = table[x + 128] */
static void gather(ib_tflite *w, int value, const int8_t *table, const ib_value *like, int y)
{
    int32_t s[4];
    const int ndim = ib_tflite_shape(&w->p->values[value], s);
    const int32_t plus = 128;
    const int t = ib_tflite_tensor(w, "table", INT8, 1, (int32_t[]){256}, 0, ib_tflite_buffer(w, table, 256),
                                   ib_tflite_scales(w, 1, &like->scale, like->zero, 0));
    const int wide = ib_tflite_tensor(w, "wide", INT32, ndim, s, 1, 0, 0),
              index = ib_tflite_tensor(w, "index", INT32, ndim, s, 1, 0, 0);
    const int o = ib_tflite_constant(w, "offset", INT32, 1, (int32_t[]){1}, &plus, sizeof plus);
    ib_tflite_op(w, OP_CAST, 1, (int32_t[]){w->tensor_of[value]}, wide, CAST_OPTIONS,
                 (ib_flat_field[]){IB_FLAT_SCALAR(0, 1, INT8), IB_FLAT_SCALAR(1, 1, INT32)}, 2);
    ib_tflite_op(w, OP_ADD_INT32, 2, (int32_t[]){wide, o}, index, ADD_OPTIONS, NULL, 0);
    ib_tflite_op(w, OP_GATHER, 2, (int32_t[]){t, index}, y, GATHER_OPTIONS, (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, 0)},
                 1);
}

ib_status ib_tflite_print_lookup(ib_tflite *w, const ib_instr *i)
{
    gather(w, i->in[0], i->table, &w->p->values[i->out], w->tensor_of[i->out]);
    return IB_OK;
}

ib_status ib_tflite_print_concat(ib_tflite *w, const ib_instr *i)
{
    const ib_value *out = &w->p->values[i->out];
    int32_t parts[IB_MAX_INPUTS], s[4];
    if (ib_joins_constant(w->p, i))
        return ib_fail(IB_EUNSUPPORTED,
                       "layer '%s': TFLite does not repeat a constant for the batch when it is joined to values",
                       i->name);
    for (int j = 0; j < i->n_in; j++) {
        const int ndim = ib_tflite_shape(&w->p->values[i->in[j]], s);
        parts[j] = ib_tflite_activation(w, "part", ndim, s, out->scale, out->zero);
        gather(w, i->in[j], i->table + 256 * j, out, parts[j]);
    }
    const int axis = out->ndim == 4 ? (int[]){0, 3, 1, 2}[i->axis] : i->axis;
    ib_tflite_op(w, OP_CONCATENATION, i->n_in, parts, w->tensor_of[i->out], CONCAT_OPTIONS,
                 (ib_flat_field[]){IB_FLAT_SCALAR(0, 4, axis), IB_FLAT_SCALAR(1, 1, NONE)}, 2);
    return IB_OK;
}
