/* tensor.h - arrays of numbers, how they are stored, and the random numbers that fill them.
 *
 * A tensor is contiguous and row-major with 1 to 4 dimensions; images are N, C, H, W. It holds either fp32 values or
 * *codes*: int8 integers that stand for the real values
 *
 *     real = scale * (code - zero_point)
 *
 * with one scale for the tensor or one for each slice along dimension 0 (weights; zero point 0). The gradient is
 * always fp32 and belongs to the real value. */
#ifndef ISOBIT_TENSOR_H
#define ISOBIT_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/api.h>
#include <isobit/status.h>

IB_BEGIN_API

enum { IB_MAX_DIMS = 4 };

typedef enum ib_dtype { IB_F32, IB_I32, IB_CODES } ib_dtype;

typedef struct ib_tensor ib_tensor;

/* A tensor of zeros that is yours; name may be NULL. Leaves that shall receive a gradient say so with needs_grad. It
 * must live until the ib_graph_begin() or ib_graph_free() behind the last step that used it. */
ib_tensor *ib_tensor_new(ib_dtype dtype, int ndim, const int64_t *shape, int needs_grad, const char *name);
/* NULL is fine; parameters and results of operators, which their layer and graph free, are left alone (ib_error() says
 * so). */
void ib_tensor_free(ib_tensor *t);

/* What these return lives as long as t; of a result whose step is over: NULL or 0, and ib_error(). */

ib_dtype ib_tensor_dtype(const ib_tensor *t);
int ib_tensor_ndim(const ib_tensor *t);
const int64_t *ib_tensor_shape(const ib_tensor *t); /* [ndim], borrowed */
int64_t ib_tensor_size(const ib_tensor *t);         /* number of elements */
const char *ib_tensor_name(const ib_tensor *t);     /* "" if it has none */
float ib_tensor_scale(const ib_tensor *t);          /* codes: the (first) scale */
int ib_tensor_zero_point(const ib_tensor *t);       /* codes: the zero point */

/* All ib_tensor_size() numbers, copied: from a device they wait for what computes t, and report (IB_ENUMERIC, ...) what
 * has failed on the way, with the operator's name. A tensor that lives by itself lies in the host's memory until a
 * graph of another device uses it, and from then on in that device's; a second such device's graph refuses it. */
ib_status ib_tensor_read(const ib_tensor *t, float *values);       /* fp32 */
ib_status ib_tensor_read_codes(const ib_tensor *t, int8_t *codes); /* codes */
ib_status ib_tensor_read_grad(const ib_tensor *t, float *grad);    /* IB_EINVAL before the first backward pass */
ib_status ib_tensor_write(ib_tensor *t, const float *values);      /* fp32 that is no result */

/* The same without copying, borrowed, where t lies in the host's memory: on every CPU. Elsewhere, and of a view of a
 * parameter that was moved (ib_to_device()), NULL with ib_error(). Of a parameter until a graph of another device uses
 * it. */
float *ib_tensor_f32(ib_tensor *t);                /* the values of an fp32 tensor; NULL for other types */
const int8_t *ib_tensor_codes(const ib_tensor *t); /* the codes of a code tensor; NULL for other types */
float *ib_tensor_grad(ib_tensor *t);               /* the gradient, or NULL before the first backward */

/* "[64,1,28,28]" into buf; returns buf. */
char *ib_tensor_shape_text(const ib_tensor *t, char *buf, size_t size);

/* ---- random numbers --------------------------------------------------------------------------------------------
 * Counter-based (Philox4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): number i of
 * stream s under a seed is a pure function of the three, so results do not depend on threads or on call order. */
typedef struct ib_rng {
    uint64_t seed;
    uint64_t stream;
} ib_rng;

uint32_t ib_rng_u32(ib_rng r, uint64_t i);
void ib_rng_four(ib_rng r, uint64_t block, uint32_t out[4]); /* numbers 4 block .. 4 block + 3, in one go */
float ib_rng_uniform(ib_rng r, uint64_t i);                  /* in [0, 1) with 24 bits */
float ib_rng_normal(ib_rng r, uint64_t i);                   /* mean 0, variance 1 (Box-Muller) */
uint32_t ib_rng_below(ib_rng r, uint64_t i, uint32_t n);     /* in [0, n), n > 0 */

/* ---- storage formats -------------------------------------------------------------------------------------------
 * One row of tensor/formats.def and one file in tensor/packing/ each. Codes of a format are symmetric, so that
 * -qmax..qmax; packed bytes hold the two's complement, element 0 in the lowest bits. */
typedef struct ib_format {
    const char *name; /* "int8", "int4", "int2" */
    int bits;
    int qmax;       /* largest code of a symmetric (weight) quantizer */
    float max_rmse; /* bound on the RMS error of quantizing uniform [-1, 1] with its own maximum, for the tests */
    void (*pack)(const int8_t *codes, int64_t n, uint8_t *bytes);   /* bytes[ib_format_bytes(f, n)] */
    void (*unpack)(const uint8_t *bytes, int64_t n, int8_t *codes); /* codes[n] */
} ib_format;

const ib_format *ib_format_find(const char *name);      /* NULL, with ib_error(), if there is none */
const ib_format *ib_format_for_bits(int bits);          /* likewise */
const ib_format *ib_format_at(int i);                   /* i = 0, 1, ...; NULL behind the last */
int64_t ib_format_bytes(const ib_format *f, int64_t n); /* bytes that n packed codes take */

IB_END_API
#endif
