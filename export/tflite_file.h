/* tflite_file.h - a TFLite model under construction. Numbers of tensors are those of the file; running out of memory is
 * remembered in the flatbuffer. Enumerations and operator versions are those of TensorFlow Lite's public schema
 * (version 3). */
#ifndef IB_EXPORT_TFLITE_FILE_H
#define IB_EXPORT_TFLITE_FILE_H

#include "files/flatbuffer.h"
#include "program/instr.h"

enum { FLOAT32 = 0, INT32 = 2, INT64 = 4, INT8 = 9, INT4 = 17 }; /* TensorType */
enum { NONE = 0, RELU = 1, RELU6 = 3 };                          /* ActivationFunctionType */
enum { SAME = 0, VALID = 1 };                                    /* Padding */
enum {
    CONV_OPTIONS = 1,
    DEPTHWISE_OPTIONS = 2,
    POOL_OPTIONS = 5,
    FC_OPTIONS = 8,
    CONCAT_OPTIONS = 10,
    ADD_OPTIONS = 11,
    RESHAPE_OPTIONS = 17,
    MUL_OPTIONS = 21,
    /* BuiltinOptions */
    PAD_OPTIONS = 22,
    GATHER_OPTIONS = 23,
    TRANSPOSE_OPTIONS = 26,
    CAST_OPTIONS = 37,
    MAX_MIN_OPTIONS = 39,
    PADV2_OPTIONS = 43
};

/* BuiltinOperator, and the version that has these types */
#define OPERATORS(X)                                                                                                   \
    X(ADD, 0, 2)                                                                                                       \
    X(ADD_INT32, 0, 1)                                                                                                 \
    X(CONCATENATION, 2, 2)                                                                                             \
    X(CONV, 3, 3)                                                                                                      \
    X(CONV_INT4, 3, 7) X(DEPTHWISE, 4, 3) X(DEPTHWISE_INT4, 4, 6) X(FC, 9, 12) X(MAX_POOL, 17, 2) X(MUL, 18, 2)        \
        X(RESHAPE, 22, 1) X(PAD, 34, 2) X(GATHER, 36, 2) X(TRANSPOSE, 39, 2) X(CAST, 53, 1) X(MAXIMUM, 55, 2)          \
            X(MINIMUM, 57, 2) X(PADV2, 60, 2)
enum {
#define X(name, code, version) OP_##name,
    OPERATORS(X)
#undef X
        N_OPERATORS
};

typedef struct ib_tflite {
    const ib_program *p;
    int int4; /* 4-bit weights are written as such */
    ib_flat f;
    ib_flat_ref *tensors, *buffers, *ops;
    int n_tensors, n_buffers, n_ops;
    int *tensor_of; /* [n_values] */
    int code_of[N_OPERATORS], n_codes;
    ib_flat_ref codes[N_OPERATORS];
    const char *name; /* of the instruction at work */
} ib_tflite;

/* Room for so many instructions and values; IB_ENOMEM leaves what ib_tflite_free frees. */
ib_status ib_tflite_begin(ib_tflite *w, const ib_program *p);
int ib_tflite_buffer(ib_tflite *w, const void *data, size_t bytes);
/* Scales [n] along `axis`; n = 0: none. */
ib_flat_ref ib_tflite_scales(ib_tflite *w, int n, const float *scale, int zero, int axis);
/* batch: the first dimension is free. Names are those of the instruction at work and `what`. */
int ib_tflite_tensor(ib_tflite *w, const char *what, int type, int ndim, const int32_t *shape, int batch, int buf,
                     ib_flat_ref q);
/* codes of an intermediate result */
int ib_tflite_activation(ib_tflite *w, const char *what, int ndim, const int32_t *shape, float scale, int zero);
int ib_tflite_constant(ib_tflite *w, const char *what, int type, int ndim, const int32_t *shape, const void *data,
                       size_t bytes);
/* The tensor of a value that is a constant of the program, an image's codes as N,H,W,C. */
int ib_tflite_constant_value(ib_tflite *w, int v, const char *what, int ndim, const int32_t *shape);
int ib_tflite_code(ib_tflite *w, const char *what, int code, float scale, int zero); /* one int8 */
void ib_tflite_op(ib_tflite *w, int which, int n_in, const int32_t *in, int out, int options_type,
                  const ib_flat_field *options, int n_options);
ib_status ib_tflite_write(ib_tflite *w, const char *path, const char *name);
void ib_tflite_free(ib_tflite *w);

#endif
