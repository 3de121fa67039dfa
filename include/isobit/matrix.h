/* matrix.h - frozen matrices in the storage formats of language models.
 *
 * A matrix is row-major [rows, cols] and never changes: its bytes may lie in a mapped file. Formats are ggml's blocks
 * (all types of GGUF files that hold weights: F32 to Q6_K, IQ1_S to IQ4_XS, TQ1_0, TQ2_0, MXFP4, NVFP4, Q1_0, Q2_0;
 * ggml's quants specification), bitsandbytes' 4-bit types (NF4, FP4: arXiv:2305.14314, blocks of
 * 64 elements of the flattened matrix, with and without double quantization), two symmetric integer types of
 * isobit, and grids of whole numbers in groups of columns, as GPTQ, AWQ and compressed-tensors keep them (ib_grid). */
#ifndef ISOBIT_MATRIX_H
#define ISOBIT_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/api.h>
#include <isobit/status.h>

IB_BEGIN_API

/* One row of tensor/storage.def. */
typedef struct ib_storage {
    const char *name; /* "q4_1" */
    int index;        /* in the table */
    int block, bytes; /* elements and bytes of one block; rows are whole blocks, but for the kinds below */
    int gguf_type;    /* number in GGUF files, -1 if GGUF has none */
    float max_error;  /* bound on the RMS error of uniform [-1, 1] relative to its RMS, for the tests */
    /* One block; the importance of its columns, or NULL (ib_matrix_quantize); the mean square of its row, which counts
     * beside that. Both are NULL for formats whose scales lie apart from the codes (nf4, fp4, int8), encode alone for
     * those that are read but not written (iq1_s to iq3_s, whose codes are points of grids). */
    void (*encode)(const float *x, const float *importance, float square, uint8_t *block);
    void (*decode)(const uint8_t *block, float *y);
    const float *code; /* nf4, fp4: the values of the 16 codes */
    int nested;        /* nf4_dq, fp4_dq: the scales are quantized again */
    /* A block's scales, or its element where that is a real: the byte where the 16 bits with the first one's sign and
     * exponent begin, how many follow one another, and the bits of the exponent. 0 reals: they lie apart. */
    int real, reals, exponent;
} ib_storage;

const ib_storage *ib_storage_at(int i);              /* NULL behind the last */
const ib_storage *ib_storage_find(const char *name); /* "nf4-dq" is nf4_dq; NULL with ib_error() listing the names */
/* The same for what is to be written: NULL with ib_error(), IB_EUNSUPPORTED, also for a format that is read alone. */
const ib_storage *ib_storage_writable(const char *name);
const ib_storage *ib_storage_gguf(int gguf_type);    /* NULL with ib_error() */
/* Bytes of [rows, cols] with all scales; -1 with ib_error() if rows are not whole blocks. */
int64_t ib_storage_bytes(const ib_storage *f, int64_t rows, int64_t cols);

/* f, or where rows of `cols` are not whole blocks of it what llama.cpp takes, a larger format whose blocks are 32:
 * q2_k, q3_k, tq1_0, tq2_0, q2_0 -> q4_0, q4_k -> q5_0, q5_k -> q5_1, q6_k -> q8_0, iq4_xs -> iq4_nl; else f16. */
const ib_storage *ib_storage_fallback(const ib_storage *f, int64_t cols);

enum { IB_NF4_BLOCK = 64, IB_NESTED_BLOCK = 256 };

typedef struct ib_matrix ib_matrix;

/* How scales and codes are chosen. */
typedef enum ib_search {
    /* To the byte as ggml does it in llama.cpp: by its references, or with importances by the searches that it has for
     * them (ggml-quants.c, quantize_row_*_impl), where a block of which no column has any becomes zeroes. */
    IB_SEARCH_GGML,
    /* Of more scales, minima and codes of the format those of the least sum of squared errors, weighed with the
     * importances: never more than ggml's have. Values that a block of the format can hold come out as they are. A
     * block of which no column has an importance is as without any. */
    IB_SEARCH_BEST,
    IB_N_SEARCHES
} ib_search;

/* Quantizes x [rows, cols] into a matrix of yours that owns its bytes. importance [cols], each 0 or more: how much a
 * squared error in that column counts where a format chooses its scales by their sum (q4_0 to q5_1, q2_k to q6_k,
 * iq4_nl); NULL: as much in all. NULL with ib_error(): IB_ENUMERIC, naming the element: a value that is beyond the
 * format (65504 in f16), or that is not finite where values share a scale; IB_EINVAL: an importance. */
ib_matrix *ib_matrix_quantize(const ib_storage *f, int64_t rows, int64_t cols, const float *x, const float *importance,
                              ib_search search);
/* IB_SEARCH_GGML, where a block of which no column has an importance is as without any. */
ib_matrix *ib_matrix_encode(const ib_storage *f, int64_t rows, int64_t cols, const float *x, const float *importance);
/* NULL is fine. It goes before the devices that have used it are closed: those that are no host keep a copy. */
void ib_matrix_free(ib_matrix *m);

const ib_storage *ib_matrix_format(const ib_matrix *m);
int64_t ib_matrix_rows(const ib_matrix *m);
int64_t ib_matrix_cols(const ib_matrix *m);
int64_t ib_matrix_bytes(const ib_matrix *m); /* ib_storage_bytes() of it */
/* y[n] = elements first .. first + n of the flattened matrix; any first and n within it. */
void ib_matrix_decode(const ib_matrix *m, int64_t first, int64_t n, float *y);

/* ---- grids: matrices of the format "groups" ---- */

/* Element [r][c] is (code - zero) scale, code of `bits` bits, scale and zero those of row r and the group that column
 * c is in. The difference is a whole number and scales have 8, 11 or 24 bits: the product is rounded once at most. */
typedef struct ib_grid {
    int bits;                /* 2 to 8 */
    int symmetric;           /* zero is 2^(bits - 1) in every group */
    int64_t group;           /* columns of a group, the last may have fewer; 0: the whole row */
    const ib_storage *scale; /* f16 (as NULL), bf16 or f32 */
} ib_grid;

/* What a grid holds, of rows and columns of the matrix; `groups` are those of a row. Borrowed. */
typedef struct ib_grid_codes {
    const uint8_t *code;     /* [rows][cols] below 2^bits */
    const float *scale;      /* [rows][groups] */
    const uint8_t *zero;     /* [rows][groups] below 2^bits; NULL where symmetric */
    const int32_t *group_of; /* [cols] group of a column; NULL: c / group */
} ib_grid_codes;

int64_t ib_grid_groups(const ib_grid *g, int64_t cols);              /* of a row */
int64_t ib_grid_bytes(const ib_grid *g, int64_t rows, int64_t cols); /* of a matrix whose columns lie in order */
/* x [rows, cols] to the nearest codes. Of the values and 0 lowest a and highest b of a group (symmetric: b = max |x|, a
 * = -b): scale = (b - a) / (2^bits - 1) as its type holds it, zero = round(-a / scale), as GPTQ begins
 * (arXiv:2210.17323); a group of zeroes alone has the scale 1 and the symmetric zero. NULL with ib_error(): IB_ENUMERIC
 * names an element that is not finite or whose scale is beyond the type. */
ib_matrix *ib_matrix_of_grid(const ib_grid *g, int64_t rows, int64_t cols, const float *x);
/* A matrix of codes that others chose. Refused by name and number: a code or zero that needs more bits, a scale that
 * its type does not hold as it is, a group that is none. */
ib_matrix *ib_matrix_of_codes(const ib_grid *g, int64_t rows, int64_t cols, const ib_grid_codes *c);
/* The grid of a matrix; bits 0: it is none. */
ib_grid ib_matrix_grid(const ib_matrix *m);
/* Copies what it holds out of a matrix that is a grid: code [rows][cols], scale and zero [rows][groups], group_of
 * [cols]. NULL: not wanted. */
void ib_matrix_codes(const ib_matrix *m, uint8_t *code, float *scale, uint8_t *zero, int32_t *group_of);

/* IEEE 754 half precision and bfloat16; to them, round to nearest, ties to even. */
float ib_half_to_float(uint16_t h);
uint16_t ib_float_to_half(float x);
float ib_bf16_to_float(uint16_t h);
uint16_t ib_float_to_bf16(float x);

IB_END_API
#endif
