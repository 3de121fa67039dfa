/* onnx_file.h - an ONNX model under construction. Everything that is added is copied; running out of memory is
 * remembered and told when the file is written. */
#ifndef IB_EXPORT_ONNX_FILE_H
#define IB_EXPORT_ONNX_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

/* TensorProto.DataType */
enum {
    IB_ONNX_FLOAT = 1,
    IB_ONNX_UINT8 = 2,
    IB_ONNX_INT8 = 3,
    IB_ONNX_INT32 = 6,
    IB_ONNX_INT64 = 7,
    IB_ONNX_DOUBLE = 11,
    IB_ONNX_INT4 = 22
};

typedef struct ib_onnx ib_onnx;

ib_onnx *ib_onnx_new(const char *graph_name);
/* One operator of the default domain: `inputs` and `outputs` are names between blanks. The attributes that follow
 * belong to it. */
void ib_onnx_node(ib_onnx *o, const char *op, const char *inputs, const char *outputs);
void ib_onnx_attr_int(ib_onnx *o, const char *name, int64_t value);
void ib_onnx_attr_ints(ib_onnx *o, const char *name, int n, const int64_t *values);
/* A constant; ndim 0 is a scalar. `bytes` are raw_data: little-endian, two int4 a byte with the first in the low half;
 * NULL: the caller had no memory for them. */
void ib_onnx_constant(ib_onnx *o, const char *name, int type, int ndim, const int64_t *shape, const void *data,
                      size_t bytes);
/* Graph input or output; shape[0] is the batch whatever it says. */
void ib_onnx_value(ib_onnx *o, int output, const char *name, int type, int ndim, const int64_t *shape);
void ib_onnx_metadata(ib_onnx *o, const char *key, const char *value);
/* Writes it (operator set 21, IR 10), frees it whatever happens. */
ib_status ib_onnx_write(ib_onnx *o, const char *path);
void ib_onnx_free(ib_onnx *o); /* NULL is fine */

#endif
