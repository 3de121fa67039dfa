/* tflite_value.c - values of a program as TFLite's operators see them: shapes, clamps, padding. */
#include <math.h>

#include "export/tflite_print.h"

int ib_tflite_shape(const ib_value *v, int32_t *s)
{
    for (int d = 0; d < v->ndim; d++)
        s[d] = (int32_t)v->shape[v->ndim == 4 ? (int[]){0, 2, 3, 1}[d] : d];
    return v->ndim;
}

int ib_tflite_fused(const ib_value *v, int zero, int lo, int hi)
{
    const int six = (int)fmin(127, zero + roundf(6.0f / v->scale)); /* CalculateActivationRangeQuantized */
    if (lo == -128 && hi == 127)
        return NONE;
    if (lo != (zero > -128 ? zero : -128))
        return -1;
    return hi == 127 ? RELU : hi == six ? RELU6 : -1;
}

int ib_tflite_reshaped(ib_tflite *w, int x, const char *what, int ndim, const int32_t *to, int y)
{
    const int shape = ib_tflite_constant(w, what, INT32, 1, (int32_t[]){ndim}, to, (size_t)ndim * sizeof *to);
    ib_tflite_op(w, OP_RESHAPE, 2, (int32_t[]){x, shape}, y, RESHAPE_OPTIONS, NULL, 0);
    return y;
}

int ib_tflite_target(ib_tflite *w, const ib_instr *i, int zero, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    const int ndim = ib_tflite_shape(v, s);
    return ib_tflite_fused(v, zero, lo, hi) >= 0 ? w->tensor_of[i->out]
                                                 : ib_tflite_activation(w, "unclamped", ndim, s, v->scale, v->zero);
}

void ib_tflite_clamp(ib_tflite *w, const ib_instr *i, int from, int lo, int hi)
{
    const ib_value *v = &w->p->values[i->out];
    int32_t s[4];
    if (from == w->tensor_of[i->out])
        return;
    const int ndim = ib_tflite_shape(v, s),
              middle = ib_tflite_activation(w, "clamped_below", ndim, s, v->scale, v->zero);
    const int a = ib_tflite_code(w, "least", lo, v->scale, v->zero),
              b = ib_tflite_code(w, "most", hi, v->scale, v->zero);
    ib_tflite_op(w, OP_MAXIMUM, 2, (int32_t[]){from, a}, middle, MAX_MIN_OPTIONS, NULL, 0);
    ib_tflite_op(w, OP_MINIMUM, 2, (int32_t[]){middle, b}, w->tensor_of[i->out], MAX_MIN_OPTIONS, NULL, 0);
}

int ib_tflite_codes_of(ib_tflite *w, const char *what, const ib_value *v, int ndim, const int32_t *shape)
{
    return ib_tflite_activation(w, what, ndim, shape, v->scale, v->zero);
}

int ib_tflite_as_image(ib_tflite *w, int v)
{
    const ib_value *x = &w->p->values[v];
    const int32_t c = (int32_t)x->size, to[] = {-1, 1, 1, c}, shown[] = {1, 1, 1, c};
    return x->ndim == 4
               ? w->tensor_of[v]
               : ib_tflite_reshaped(w, w->tensor_of[v], "as_image", 4, to, ib_tflite_codes_of(w, "image", x, 4, shown));
}

/* TFLite's padding for one axis; -1: neither SAME nor VALID. */
static int padding(int in, int out, int kernel, int stride, int pad)
{
    const int whole = (out - 1) * stride + kernel - in, total = whole > 0 ? whole : 0;
    if (!pad && out == (in - kernel) / stride + 1)
        return VALID;
    return out == (in + stride - 1) / stride && total / 2 == pad ? SAME : -1;
}

int ib_tflite_padded(ib_tflite *w, int *x, const ib_value *v, const ib_tflite_window *o, int with_least)
{
    const int *kernel = o->kernel, *stride = o->stride, *pad = o->pad;
    int32_t s[4] = {1, o->in[0], o->in[1], o->channels};
    const int h = padding(s[1], o->out[0], kernel[0], stride[0], pad[0]),
              c = padding(s[2], o->out[1], kernel[1], stride[1], pad[1]);
    const int same_h = h == SAME || (h == VALID && kernel[0] == 1 && stride[0] == 1),
              same_w = c == SAME || (c == VALID && kernel[1] == 1 && stride[1] == 1);
    if (h == VALID && c == VALID)
        return VALID;
    if (same_h && same_w)
        return SAME;
    const int32_t around[4][2] = {{0, 0}, {pad[0], pad[0]}, {pad[1], pad[1]}, {0, 0}};
    s[1] += 2 * pad[0];
    s[2] += 2 * pad[1];
    const int amount = ib_tflite_constant(w, "padding", INT32, 2, (int32_t[]){4, 2}, around, sizeof around),
              y = ib_tflite_activation(w, "padded", 4, s, v->scale, v->zero);
    if (with_least) {
        const int value = ib_tflite_code(w, "pad_value", -128, v->scale, v->zero);
        ib_tflite_op(w, OP_PADV2, 3, (int32_t[]){*x, amount, value}, y, PADV2_OPTIONS, NULL, 0);
    } else {
        ib_tflite_op(w, OP_PAD, 2, (int32_t[]){*x, amount}, y, PAD_OPTIONS, NULL, 0);
    }
    *x = y;
    return VALID;
}
