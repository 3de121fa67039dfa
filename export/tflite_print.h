/* tflite_print.h - what the printers of instructions as TFLite share: values as its operators see them. */
#ifndef IB_EXPORT_TFLITE_PRINT_H
#define IB_EXPORT_TFLITE_PRINT_H

#include "export/tflite_file.h"

/* A row of instructions.def each. */
#define INSTR(name) ib_status ib_tflite_print_##name(ib_tflite *w, const ib_instr *i);
#include "program/instructions.def"
#undef INSTR

/* s: N,H,W,C of an image; other values keep their order. Returns the number of dimensions. */
int ib_tflite_shape(const ib_value *v, int32_t *s);
/* The clamp lo .. hi of v as a fused activation; -1: none says it. */
int ib_tflite_fused(const ib_value *v, int zero, int lo, int hi);
/* Tensor y: x in the shape to[ndim], whose first dimension may be -1. Returns y. */
int ib_tflite_reshaped(ib_tflite *w, int x, const char *what, int ndim, const int32_t *to, int y);
/* What a clamped operator writes to: the value itself, or a tensor that ib_tflite_clamp then takes to it. */
int ib_tflite_target(ib_tflite *w, const ib_instr *i, int zero, int lo, int hi);
void ib_tflite_clamp(ib_tflite *w, const ib_instr *i, int from, int lo, int hi);
/* A tensor of the codes of v in `shape`, which is not v's. */
int ib_tflite_codes_of(ib_tflite *w, const char *what, const ib_value *v, int ndim, const int32_t *shape);
/* The tensor of value v as an image: a row is one pixel. */
int ib_tflite_as_image(ib_tflite *w, int v);

/* Heights and widths of what a window goes over. */
typedef struct ib_tflite_window {
    int channels, in[2], out[2], kernel[2], stride[2], pad[2];
} ib_tflite_window;
/* Of an isobit_conv2d or an isobit_pool, `c` of its channels going in. */
#define IB_TFLITE_WINDOW(o, c)                                                                                         \
    {                                                                                                                  \
        (c), {(o)->in_h, (o)->in_w}, {(o)->out_h, (o)->out_w}, {(o)->kernel_h, (o)->kernel_w},                         \
            {(o)->stride_h, (o)->stride_w},                                                                            \
        {                                                                                                              \
            (o)->pad_h, (o)->pad_w                                                                                     \
        }                                                                                                              \
    }
/* *x, an image of v's codes, with padding around it (of the least code, or the zero point) if TFLite's own cannot say
 * it; returns the padding to state. */
int ib_tflite_padded(ib_tflite *w, int *x, const ib_value *v, const ib_tflite_window *o, int with_least);

#endif
