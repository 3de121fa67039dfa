/* onnx_print.h - what the printers of instructions as ONNX share: names, constants, and values as an operator sees
 * them. */
#ifndef IB_EXPORT_ONNX_PRINT_H
#define IB_EXPORT_ONNX_PRINT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "export/onnx_file.h"
#include "program/instr.h"

enum { RAISE = 128 }; /* of activation codes as they are shown, uint8 */

typedef struct printer {
    const ib_program *p;
    ib_onnx *o;
    int qdq, int4;
    int at; /* number of the instruction; constants are named after it */
    char out[24];
} printer;

/* The names that printing one instruction takes. */
static inline const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *text(const char *format, ...)
{
    static _Thread_local char buf[64][160];
    static _Thread_local int i;
    va_list args;
    i = (i + 1) % 64;
    va_start(args, format);
    ib_vsnprintf(buf[i], sizeof buf[i], format, args);
    va_end(args);
    return buf[i];
}

static inline const char *name_of(int value)
{
    return value ? text("v%d", value) : "codes";
}

static inline const char *constant(const printer *w, const char *what, int type, int ndim, const int64_t *shape,
                                   const void *data, size_t bytes)
{
    const char *name = text("%s%d", what, w->at);
    ib_onnx_constant(w->o, name, type, ndim, shape, data, bytes);
    return name;
}
static inline const char *constant_f32(const printer *w, const char *what, float v)
{
    return constant(w, what, IB_ONNX_FLOAT, 0, NULL, &v, sizeof v);
}
/* An activation's code as a scalar. */
static inline const char *constant_code(const printer *w, const char *what, int v)
{
    const uint8_t code = (uint8_t)(v + RAISE);
    return constant(w, what, IB_ONNX_UINT8, 0, NULL, &code, 1);
}
static inline const char *constant_i32(const printer *w, const char *what, int32_t v)
{
    return constant(w, what, IB_ONNX_INT32, 0, NULL, &v, sizeof v);
}

static inline const char *reshaped(const printer *w, const char *x, int n, const int64_t *shape, const char *to)
{
    const char *s =
        constant(w, text("shape_%s_", to), IB_ONNX_INT64, 1, (int64_t[]){n}, shape, (size_t)n * sizeof *shape);
    ib_onnx_node(w->o, "Reshape", text("%s %s", x, s), to);
    return to;
}

/* Value `v` as a product sees it: a row is an image of one pixel, and a linear layer reads an image in its order. */
static inline const char *seen_as(const printer *w, int v, const ib_value *like, const char *to)
{
    const ib_value *x = &w->p->values[v];
    if (x->ndim == like->ndim && !memcmp(x->shape, like->shape, (size_t)x->ndim * sizeof *x->shape))
        return name_of(v);
    int64_t shape[IB_MAX_DIMS];
    memcpy(shape, like->shape, sizeof shape);
    shape[0] = -1;
    return reshaped(w, name_of(v), like->ndim, shape, to);
}

static inline ib_value image(int c, int h, int w)
{
    return (ib_value){.ndim = 4, .shape = {1, c, h, w}};
}

/* Codes clamped to what the program allows, where that is less than int8. */
static inline void clamped(const printer *w, const char *x, int lo, int hi)
{
    if (lo > -128 || hi < 127)
        ib_onnx_node(w->o, "Clip", text("%s %s %s", x, constant_code(w, "least", lo), constant_code(w, "most", hi)),
                     w->out);
    else if (strcmp(x, w->out))
        ib_onnx_node(w->o, "Identity", x, w->out);
}

/* Where an operator writes: a name of its own if a clamp follows. */
static inline const char *before_clamp(const printer *w, int lo, int hi)
{
    return lo > -128 || hi < 127 ? text("raw%d", w->at) : w->out;
}

/* A row of instructions.def each. */
#define INSTR(name) ib_status ib_onnx_print_##name(const printer *w, const ib_instr *i);
#include "program/instructions.def"
#undef INSTR

#endif
