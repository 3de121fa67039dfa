/* host_cublaslt.cpp - what stands in for cuBLASLt on the host: the functions of libraries/cublaslt.def, which look at
 * each argument as the library does and refuse by its numbers, and compute when the stream comes to them, sums in the
 * order of plain C. What the library promises and no more: an algorithm serves the shape, layouts and alignment that it
 * was chosen for, and what lies in the workspace is overwritten. */
#include "backends/cuda/host/libraries/host_libraries.h"
#include "backends/cuda/libraries/cublaslt.h"

#ifndef IB_HOST_LIBRARY_VERSION
#define IB_HOST_LIBRARY_VERSION 130000
#endif

extern "C" {
#pragma GCC visibility push(default)
#define FUNCTION(result, name, args) result name args;
#include "backends/cuda/libraries/cublaslt.def"
#undef FUNCTION
unsigned long ib_host_cublaslt_calls; /* products that were begun */
#pragma GCC visibility pop
}

struct ib_lt_context {
    int known;
};
struct ib_lt_product {
    int compute, scale;
    int32_t op[2];
};
struct ib_lt_matrix {
    int type;
    uint64_t rows, cols;
    int64_t ld;
};
struct ib_lt_wishes {
    uint64_t workspace;
    uint32_t schemes, alignment[4];
};
enum { KNOWN = 0x17CB };

int cublasLtCreate(ib_lt_handle *handle)
{
    if (!handle)
        return IB_LT_INVALID_VALUE;
    *handle = new ib_lt_context{KNOWN};
    return IB_LT_SUCCESS;
}

int cublasLtDestroy(ib_lt_handle handle)
{
    if (!handle || handle->known != KNOWN)
        return IB_LT_NOT_INITIALIZED;
    delete handle;
    return IB_LT_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return IB_HOST_LIBRARY_VERSION;
}

/* ---- descriptions ---- */

/* What is described is looked at where it is used, as in the library. */
int cublasLtMatmulDescCreate(ib_lt_desc *desc, int compute, int scale)
{
    if (!desc)
        return IB_LT_INVALID_VALUE;
    *desc = new ib_lt_product{compute, scale, {IB_LT_OP_N, IB_LT_OP_N}};
    return IB_LT_SUCCESS;
}

int cublasLtMatmulDescDestroy(ib_lt_desc desc)
{
    delete desc;
    return IB_LT_SUCCESS;
}

int cublasLtMatmulDescSetAttribute(ib_lt_desc desc, int attribute, const void *value, size_t bytes)
{
    int32_t op;
    if (!desc || !value || bytes != sizeof op || (attribute != IB_LT_DESC_TRANSA && attribute != IB_LT_DESC_TRANSB))
        return IB_LT_INVALID_VALUE;
    memcpy(&op, value, sizeof op);
    desc->op[attribute == IB_LT_DESC_TRANSB] = op;
    return IB_LT_SUCCESS;
}

int cublasLtMatrixLayoutCreate(ib_lt_layout *layout, int type, uint64_t rows, uint64_t cols, int64_t ld)
{
    if (!layout)
        return IB_LT_INVALID_VALUE;
    *layout = new ib_lt_matrix{type, rows, cols, ld};
    return IB_LT_SUCCESS;
}

int cublasLtMatrixLayoutDestroy(ib_lt_layout layout)
{
    delete layout;
    return IB_LT_SUCCESS;
}

int cublasLtMatmulPreferenceCreate(ib_lt_wish *wish)
{
    if (!wish)
        return IB_LT_INVALID_VALUE;
    *wish = new ib_lt_wishes{0, 7, {256, 256, 256, 256}};
    return IB_LT_SUCCESS;
}

int cublasLtMatmulPreferenceDestroy(ib_lt_wish wish)
{
    delete wish;
    return IB_LT_SUCCESS;
}

int cublasLtMatmulPreferenceSetAttribute(ib_lt_wish wish, int attribute, const void *value, size_t bytes)
{
    uint32_t *small = NULL;
    if (!wish || !value)
        return IB_LT_INVALID_VALUE;
    if (attribute == IB_LT_PREF_REDUCTION_SCHEME_MASK)
        small = &wish->schemes;
    else if (attribute >= IB_LT_PREF_MIN_ALIGNMENT_A_BYTES && attribute <= IB_LT_PREF_MIN_ALIGNMENT_D_BYTES)
        small = &wish->alignment[attribute - IB_LT_PREF_MIN_ALIGNMENT_A_BYTES];
    else if (attribute != IB_LT_PREF_MAX_WORKSPACE_BYTES)
        return IB_LT_INVALID_VALUE;
    if (bytes != (small ? sizeof *small : sizeof wish->workspace))
        return IB_LT_INVALID_VALUE;
    memcpy(small ? (void *)small : (void *)&wish->workspace, value, bytes);
    return IB_LT_SUCCESS;
}

/* ---- what a product is ---- */

typedef struct problem {
    uint64_t m, n, k; /* d[m][n] = op(a)[m][k] op(b)[k][n] */
    uint64_t ld[3];   /* of a, b, d */
    int32_t op[2];
    int compute;
    uint32_t workspace;
} problem;

/* FNV-1a of what an algorithm is for; 64 bits do for a test. */
static uint64_t mark_of(const problem *p)
{
    const uint64_t words[] = {p->m,
                              p->n,
                              p->k,
                              p->ld[0],
                              p->ld[1],
                              p->ld[2],
                              (uint64_t)p->op[0] * 2 + (uint64_t)p->op[1],
                              (uint64_t)p->compute,
                              p->workspace};
    uint64_t mark = 0xCBF29CE484222325;
    for (const uint64_t word : words)
        for (int i = 0; i < 64; i += 8)
            mark = (mark ^ (word >> i & 255)) * 0x100000001B3;
    return mark;
}

static bool is_matrix(const ib_lt_matrix *x)
{
    return x->rows && x->cols && x->ld > 0 && (uint64_t)x->ld >= x->rows;
}

static int describe(ib_lt_desc desc, ib_lt_layout a, ib_lt_layout b, ib_lt_layout c, ib_lt_layout d, problem *p)
{
    if (!desc || !a || !b || !c || !d || !is_matrix(a) || !is_matrix(b) || !is_matrix(c) || !is_matrix(d))
        return IB_LT_INVALID_VALUE;
    const bool codes = desc->compute == IB_LT_COMPUTE_32I;
    const bool reals = desc->compute == IB_LT_COMPUTE_32F || desc->compute == IB_LT_COMPUTE_32F_FAST_TF32 ||
                       desc->compute == IB_LT_COMPUTE_32F_FAST_16BF;
    const int in = codes ? IB_LT_R_8I : IB_LT_R_32F, out = codes ? IB_LT_R_32I : IB_LT_R_32F;
    for (const int32_t op : desc->op)
        if (op != IB_LT_OP_N && op != IB_LT_OP_T)
            return IB_LT_INVALID_VALUE;
    const bool ta = desc->op[0] == IB_LT_OP_T, tb = desc->op[1] == IB_LT_OP_T;
    *p = {d->rows,
          d->cols,
          ta ? a->rows : a->cols,
          {(uint64_t)a->ld, (uint64_t)b->ld, (uint64_t)d->ld},
          {desc->op[0], desc->op[1]},
          desc->compute,
          0};
    if ((ta ? a->cols : a->rows) != p->m || (tb ? b->cols : b->rows) != p->k || (tb ? b->rows : b->cols) != p->n ||
        c->rows != d->rows || c->cols != d->cols || c->type != d->type)
        return IB_LT_INVALID_VALUE;
    if ((!codes && !reals) || desc->scale != out || a->type != in || b->type != in || d->type != out)
        return IB_LT_NOT_SUPPORTED;
    if (codes && (!ta || tb || p->m % 4 || p->n % 4 || p->k % 4 || a->ld % 4 || b->ld % 4 || d->ld % 4))
        return IB_LT_NOT_SUPPORTED;
    return IB_LT_SUCCESS;
}

/* Bytes that the algorithm takes of the workspace, if it may. */
static const uint64_t room = 4096;

int cublasLtMatmulAlgoGetHeuristic(ib_lt_handle handle, ib_lt_desc desc, ib_lt_layout a, ib_lt_layout b, ib_lt_layout c,
                                   ib_lt_layout d, ib_lt_wish wish, int wanted, ib_lt_choice *choices, int *found)
{
    problem p;
    if (!handle || handle->known != KNOWN)
        return IB_LT_NOT_INITIALIZED;
    if (!wish || wanted < 1 || !choices || !found)
        return IB_LT_INVALID_VALUE;
    *found = 0;
    const int status = describe(desc, a, b, c, d, &p);
    if (status)
        return status;
    uint32_t least = 256;
    for (const uint32_t each : wish->alignment)
        least = each < least ? each : least;
    if (least < 4) /* elements of fp32, words of codes */
        return IB_LT_NOT_SUPPORTED;
    p.workspace = (uint32_t)(wish->workspace < room ? wish->workspace : room);
    choices[0] = ib_lt_choice{};
    choices[0].algo.data[0] = mark_of(&p);
    choices[0].algo.data[1] = p.workspace;
    choices[0].algo.data[2] = least;
    choices[0].algo.data[3] =
        (wish->schemes & ~(uint32_t)IB_LT_REDUCTION_COMPUTE_TYPE) != 0; /* its bits differ from run to run */
    choices[0].workspace = p.workspace;
    choices[0].waves = 1;
    *found = 1;
    return IB_LT_SUCCESS;
}

/* ---- products ---- */

typedef struct call {
    problem p;
    const void *a, *b, *c;
    void *d, *workspace;
    float alpha, beta;
    int32_t int_alpha, int_beta;
    bool varies;
} call;

/* Element (row, col) of op(a) or op(b). */
static uint64_t place(const problem *p, int factor, uint64_t row, uint64_t col)
{
    return p->op[factor] == IB_LT_OP_T ? col + row * p->ld[factor] : row + col * p->ld[factor];
}

static void multiply_reals(const call *o)
{
    const problem *p = &o->p;
    const float *a = (const float *)o->a, *b = (const float *)o->b, *c = (const float *)o->c;
    float *d = (float *)o->d;
    const ib_host_rounding how = p->compute == IB_LT_COMPUTE_32F_FAST_TF32   ? IB_HOST_TF32
                                 : p->compute == IB_LT_COMPUTE_32F_FAST_16BF ? IB_HOST_BF16
                                                                             : IB_HOST_EXACT;
    for (uint64_t j = 0; j < p->n; j++)
        for (uint64_t i = 0; i < p->m; i++) {
            float sum = 0;
            for (uint64_t l = 0; l < p->k; l++)
                sum += ib_host_rounded(a[place(p, 0, i, l)], how) * ib_host_rounded(b[place(p, 1, l, j)], how);
            const uint64_t at = i + j * p->ld[2];
            d[at] = (o->beta == 0 ? 0.0f : o->beta * c[at]) + o->alpha * (o->varies ? ib_host_varied(sum) : sum);
        }
}

static void multiply_codes(const call *o)
{
    const problem *p = &o->p;
    const int8_t *a = (const int8_t *)o->a, *b = (const int8_t *)o->b;
    const int32_t *c = (const int32_t *)o->c;
    int32_t *d = (int32_t *)o->d;
    for (uint64_t j = 0; j < p->n; j++)
        for (uint64_t i = 0; i < p->m; i++) {
            int32_t sum = 0;
            for (uint64_t l = 0; l < p->k; l++)
                sum += a[place(p, 0, i, l)] * b[place(p, 1, l, j)];
            const uint64_t at = i + j * p->ld[2];
            d[at] = (o->int_beta ? o->int_beta * c[at] : 0) + o->int_alpha * sum;
        }
}

/* Bytes of a matrix that is stored with that leading dimension. */
static size_t bytes_of(const ib_lt_matrix *x)
{
    return (size_t)((uint64_t)x->ld * (x->cols - 1) + x->rows) * (x->type == IB_LT_R_8I ? 1 : 4);
}

int cublasLtMatmul(ib_lt_handle handle, ib_lt_desc desc, const void *alpha, const void *a, ib_lt_layout a_layout,
                   const void *b, ib_lt_layout b_layout, const void *beta, const void *c, ib_lt_layout c_layout,
                   void *d, ib_lt_layout d_layout, const ib_lt_algo *algo, void *workspace, size_t bytes,
                   cudaStream_t stream)
{
    call o = {};
    if (!handle || handle->known != KNOWN)
        return IB_LT_NOT_INITIALIZED;
    const int status = describe(desc, a_layout, b_layout, c_layout, d_layout, &o.p);
    if (status)
        return status;
    if (!alpha || !beta || !a || !b || !c || !d || !algo || c != d)
        return IB_LT_INVALID_VALUE;
    o.p.workspace = (uint32_t)algo->data[1];
    const uintptr_t all = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)d;
    if (algo->data[0] != mark_of(&o.p) || bytes < o.p.workspace || (o.p.workspace && !workspace) ||
        (uintptr_t)workspace % 16)
        return IB_LT_INVALID_VALUE;
    if (all % algo->data[2])
        return IB_LT_NOT_SUPPORTED;
    const bool codes = o.p.compute == IB_LT_COMPUTE_32I;
    memcpy(codes ? (void *)&o.int_alpha : (void *)&o.alpha, alpha, 4);
    memcpy(codes ? (void *)&o.int_beta : (void *)&o.beta, beta, 4);
    if (codes && ((o.int_alpha != 0 && o.int_alpha != 1) || (o.int_beta != 0 && o.int_beta != 1)))
        return IB_LT_NOT_SUPPORTED;
    o.a = a, o.b = b, o.c = c, o.d = d, o.workspace = workspace, o.varies = algo->data[3] != 0;
    const std::vector<ib_host_operand> operands = {
        {a, bytes_of(a_layout)}, {b, bytes_of(b_layout)}, {d, bytes_of(d_layout)}, {workspace, o.p.workspace}};
    ib_host_cublaslt_calls++;
    return ib_host_begin_library("cublasLtMatmul", operands, stream,
                                 [o, codes] {
                                     memset(o.workspace, 0xFF, o.p.workspace);
                                     codes ? multiply_codes(&o) : multiply_reals(&o);
                                 })
               ? IB_LT_SUCCESS
               : IB_LT_INVALID_VALUE;
}
