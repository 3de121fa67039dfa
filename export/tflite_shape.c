/* tflite_shape.c - reshape, flatten_hwc, constants. */
#include "export/tflite_print.h"

static void transposed(ib_tflite *w, int x, int ndim, const int32_t *perm, int y)
{
    const int order = ib_tflite_constant(w, "order", INT32, 1, (int32_t[]){ndim}, perm, (size_t)ndim * sizeof *perm);
    ib_tflite_op(w, OP_TRANSPOSE, 2, (int32_t[]){x, order}, y, TRANSPOSE_OPTIONS, NULL, 0);
}

/* Whether the order of an image's elements differs from that of the network. */
static int is_turned(const ib_value *v)
{
    return v->ndim == 4 && v->shape[1] > 1 && v->shape[2] * v->shape[3] > 1;
}

/* The order C,H,W of the network is taken up before, and left behind, where it is another one. */
static ib_status print_reshape(ib_tflite *w, const ib_instr *i)
{
    const ib_value *from = &w->p->values[i->in[0]], *to = &w->p->values[i->out];
    static const int32_t to_planes[] = {0, 3, 1, 2}, to_last[] = {0, 2, 3, 1}, swap[] = {0, 2, 1};
    const int flatten = i->cls == &ib_instr_flatten_hwc, image = from->ndim == 4;
    int32_t s[4], turned[4];
    int x = w->tensor_of[i->in[0]], y = w->tensor_of[i->out], ndim = ib_tflite_shape(to, s);
    if (flatten ? from->ndim == 3 : is_turned(from)) {
        const int32_t *perm = image ? to_planes : swap;
        for (int d = 0; d < from->ndim; d++)
            turned[d] = (int32_t)from->shape[image ? d : perm[d]];
        const int t = ib_tflite_codes_of(w, "turned", from, from->ndim, turned);
        transposed(w, x, from->ndim, perm, t);
        x = t;
    }
    if (is_turned(to)) {
        for (int d = 0; d < 4; d++)
            s[d] = (int32_t)to->shape[d];
        y = ib_tflite_codes_of(w, "planes_of_rows", to, 4, s);
    }
    s[0] = -1;
    ib_tflite_reshaped(w, x, "shape", ndim, s, y);
    if (is_turned(to))
        transposed(w, y, 4, to_last, w->tensor_of[i->out]);
    return IB_OK;
}

ib_status ib_tflite_print_reshape(ib_tflite *w, const ib_instr *i)
{
    return print_reshape(w, i);
}

ib_status ib_tflite_print_flatten_hwc(ib_tflite *w, const ib_instr *i)
{
    return print_reshape(w, i);
}

ib_status ib_tflite_print_constant(ib_tflite *w, const ib_instr *i)
{
    (void)w, (void)i; /* it stands among the tensors */
    return IB_OK;
}
