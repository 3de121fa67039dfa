/* onnx_shape.c - reshape, flatten_hwc, constants as ONNX. */
#include "export/onnx_print.h"

ib_status ib_onnx_print_reshape(const printer *w, const ib_instr *i)
{
    const ib_value *y = &w->p->values[i->out];
    int64_t shape[IB_MAX_DIMS];
    memcpy(shape, y->shape, sizeof shape);
    shape[0] = -1;
    reshaped(w, name_of(i->in[0]), y->ndim, shape, w->out);
    return IB_OK;
}

ib_status ib_onnx_print_flatten_hwc(const printer *w, const ib_instr *i)
{
    const ib_value *x = &w->p->values[i->in[0]];
    const int64_t last[] = {0, 2, 3, 1}, row[] = {-1, x->size}, three[] = {0, 2, 1};
    if (x->ndim < 3)
        return ib_onnx_print_reshape(w, i);
    ib_onnx_node(w->o, "Transpose", name_of(i->in[0]), text("turned%d", w->at));
    ib_onnx_attr_ints(w->o, "perm", x->ndim, x->ndim == 4 ? last : three);
    reshaped(w, text("turned%d", w->at), 2, row, w->out);
    return IB_OK;
}

/* For one sample: the operators that read it repeat it for the batch. */
ib_status ib_onnx_print_constant(const printer *w, const ib_instr *i)
{
    const ib_value *y = &w->p->values[i->out];
    uint8_t *shown = ib_alloc((size_t)y->size);
    for (int64_t k = 0; shown && k < y->size; k++)
        shown[k] = (uint8_t)(i->table[k] + RAISE);
    ib_onnx_constant(w->o, w->out, IB_ONNX_UINT8, y->ndim, y->shape, shown, (size_t)y->size);
    ib_free(shown);
    return IB_OK;
}
