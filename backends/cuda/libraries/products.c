/* products.c - products of matrices by cuBLASLt: an algorithm a shape, the first that its heuristic gives of those that
 * neither add parts of a sum in the result itself nor want more than the workspace.
 *
 * cuBLASLt's matrices lie column by column: c row by row is c' = op(b)' op(a)'. */
#include <limits.h>
#include <string.h>

#include "backends/cuda/libraries/libraries.h"
#include "backends/cuda/libraries/open_libraries.h"

/* What an algorithm is chosen for: c'[n][m] = first'[n][k] second'[k][m]. */
typedef struct shape {
    int64_t m, n, k, ta, tb;
    int64_t codes;     /* int8 to int32 */
    int64_t alignment; /* bytes of which all addresses are a multiple */
} shape;

typedef struct ib_cuda_product_plan {
    shape of;
    ib_lt_desc desc;
    ib_lt_layout first, second, c;
    ib_lt_algo algo;
    size_t workspace;
    int serves;
} plan;

static void empty(ib_cuda_libraries *l, plan *p)
{
    if (p->desc)
        l->blas.cublasLtMatmulDescDestroy(p->desc);
    if (p->first)
        l->blas.cublasLtMatrixLayoutDestroy(p->first);
    if (p->second)
        l->blas.cublasLtMatrixLayoutDestroy(p->second);
    if (p->c)
        l->blas.cublasLtMatrixLayoutDestroy(p->c);
    memset(p, 0, sizeof *p);
}

ib_status ib_cuda_products_open(ib_cuda *d)
{
    ib_cuda_libraries *l = d->libraries;
    l->products = d->library.alloc(IB_CUDA_PLANS * sizeof *l->products);
    return l->products ? IB_OK : IB_ENOMEM;
}

void ib_cuda_products_close(ib_cuda *d)
{
    ib_cuda_libraries *l = d->libraries;
    for (int i = 0; l->products && i < IB_CUDA_PLANS; i++)
        empty(l, &l->products[i]);
    d->library.free(l->products);
}

/* ---- a plan ---- */

static int describe(const ib_cuda_libraries *l, plan *p)
{
    static const int computes[] = {0, IB_LT_COMPUTE_32F, IB_LT_COMPUTE_32F_FAST_TF32, IB_LT_COMPUTE_32F_FAST_16BF};
    const ib_cublaslt *lt = &l->blas;
    const shape *s = &p->of;
    const int type = s->codes ? IB_LT_R_8I : IB_LT_R_32F, of_c = s->codes ? IB_LT_R_32I : IB_LT_R_32F;
    const int32_t first = s->tb ? IB_LT_OP_T : IB_LT_OP_N, second = s->ta ? IB_LT_OP_T : IB_LT_OP_N;
    const int64_t b_row = s->tb ? s->k : s->n, b_rows = s->tb ? s->n : s->k;
    const int64_t a_row = s->ta ? s->m : s->k, a_rows = s->ta ? s->k : s->m;
    int status = lt->cublasLtMatmulDescCreate(&p->desc, s->codes ? IB_LT_COMPUTE_32I : computes[l->math], of_c);
    status = status ? status : lt->cublasLtMatmulDescSetAttribute(p->desc, IB_LT_DESC_TRANSA, &first, sizeof first);
    status = status ? status : lt->cublasLtMatmulDescSetAttribute(p->desc, IB_LT_DESC_TRANSB, &second, sizeof second);
    status =
        status ? status : lt->cublasLtMatrixLayoutCreate(&p->first, type, (uint64_t)b_row, (uint64_t)b_rows, b_row);
    status =
        status ? status : lt->cublasLtMatrixLayoutCreate(&p->second, type, (uint64_t)a_row, (uint64_t)a_rows, a_row);
    return status ? status : lt->cublasLtMatrixLayoutCreate(&p->c, of_c, (uint64_t)s->n, (uint64_t)s->m, s->n);
}

static int wish_for(const ib_cublaslt *lt, ib_lt_wish wish, uint32_t alignment)
{
    const uint64_t most = IB_CUDA_WORKSPACE;
    const uint32_t scheme = IB_LT_REDUCTION_COMPUTE_TYPE;
    int status = lt->cublasLtMatmulPreferenceSetAttribute(wish, IB_LT_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    status = status ? status
                    : lt->cublasLtMatmulPreferenceSetAttribute(wish, IB_LT_PREF_REDUCTION_SCHEME_MASK, &scheme,
                                                               sizeof scheme);
    for (int at = IB_LT_PREF_MIN_ALIGNMENT_A_BYTES; at <= IB_LT_PREF_MIN_ALIGNMENT_D_BYTES; at++)
        status = status ? status : lt->cublasLtMatmulPreferenceSetAttribute(wish, at, &alignment, sizeof alignment);
    return status;
}

static int choose(const ib_cuda_libraries *l, plan *p)
{
    const ib_cublaslt *lt = &l->blas;
    ib_lt_wish wish = NULL;
    ib_lt_choice choice = {0};
    int found = 0, status = lt->cublasLtMatmulPreferenceCreate(&wish);
    status = status ? status : wish_for(lt, wish, (uint32_t)p->of.alignment);
    status = status ? status
                    : lt->cublasLtMatmulAlgoGetHeuristic(l->blas_handle, p->desc, p->first, p->second, p->c, p->c, wish,
                                                         1, &choice, &found);
    if (wish)
        lt->cublasLtMatmulPreferenceDestroy(wish);
    p->algo = choice.algo;
    p->workspace = choice.workspace;
    p->serves = !status && found > 0 && !choice.state && choice.workspace <= IB_CUDA_WORKSPACE;
    return status == IB_LT_NOT_SUPPORTED ? IB_LT_SUCCESS : status;
}

/* The plan of that shape, which may be that an own kernel serves; NULL: the device has failed. */
static const plan *plan_of(ib_cuda *d, const shape *s)
{
    ib_cuda_libraries *l = d->libraries;
    const int64_t made = l->n_products < IB_CUDA_PLANS ? l->n_products : IB_CUDA_PLANS;
    for (int64_t i = 0; i < made; i++)
        if (!memcmp(&l->products[i].of, s, sizeof *s))
            return &l->products[i];
    plan *p = &l->products[l->n_products % IB_CUDA_PLANS];
    ib_cuda_leave_step(d, "the choice of an algorithm"); /* what that calls is the library's affair */
    empty(l, p);
    p->of = *s;
    const int described = describe(l, p), status = described ? described : choose(l, p);
    if (status) {
        ib_cuda_break(&d->own.base, cudaSuccess, "cuBLASLt, product %lldx%lldx%lld%s: status %d at %s", (long long)s->m,
                      (long long)s->n, (long long)s->k, s->codes ? " of codes" : "", status,
                      described ? "its description" : "its choice");
        empty(l, p);
        return NULL;
    }
    l->n_products++;
    return p;
}

/* ---- a product ---- */

typedef struct operands {
    const void *alpha, *first, *second, *beta;
    void *c;
} operands;

static int run(ib_cuda *d, const shape *s, const operands *o)
{
    ib_cuda_libraries *l = d->libraries;
    const plan *p = plan_of(d, s);
    if (!p)
        return 1; /* it is said, and nothing else is begun */
    if (!p->serves)
        return 0;
    const int status =
        l->blas.cublasLtMatmul(l->blas_handle, p->desc, o->alpha, o->first, p->first, o->second, p->second, o->beta,
                               o->c, p->c, o->c, p->c, &p->algo, l->workspace, IB_CUDA_WORKSPACE, d->compute);
    if (status)
        ib_cuda_break(&d->own.base, cudaSuccess, "cublasLtMatmul, product %lldx%lldx%lld%s: status %d", (long long)s->m,
                      (long long)s->n, (long long)s->k, s->codes ? " of codes" : "", status);
    return 1;
}

/* 16, 4 or 1: whether vectors of so many bytes may be read and written there. */
static int64_t alignment_of(const void *a, const void *b, const void *c)
{
    const uintptr_t all = (uintptr_t)a | (uintptr_t)b | (uintptr_t)c;
    return all % 16 == 0 ? 16 : all % 4 == 0 ? 4 : 1;
}

static int fits(int64_t m, int64_t n, int64_t k)
{
    return m > 0 && n > 0 && k > 0 && m <= INT_MAX && n <= INT_MAX && k <= INT_MAX;
}

static int serves(const ib_cuda *d)
{
    return d->libraries && d->libraries->blas_handle;
}

int ib_cuda_library_product(ib_device *dev, const ib_cuda_product *p)
{
    static const float one = 1;
    const shape s = {p->m, p->n, p->k, p->ta, p->tb, 0, alignment_of(p->a, p->b, p->c)};
    const operands o = {&one, p->b, p->a, &p->beta, p->c};
    return serves(ib_cuda_of(dev)) && fits(p->m, p->n, p->k) && run(ib_cuda_of(dev), &s, &o);
}

/* Products of codes want the first factor transposed, the second not, which rows of x and of w are, and rows of all
 * three in words of four bytes. Below MOST_CODES terms of at most 2^14 no sum is beyond int32. */
enum { MOST_CODES = 1 << 17 };

int ib_cuda_library_takes_codes(ib_device *dev, int64_t rows, int64_t k, int64_t out)
{
    return serves(ib_cuda_of(dev)) && fits(rows, out, k) && rows % 4 == 0 && out % 4 == 0 && k % 4 == 0 &&
           k < MOST_CODES;
}

int ib_cuda_library_codes(ib_device *dev, const ib_cuda_codes *p)
{
    static const int32_t one = 1, none = 0;
    const shape s = {p->rows, p->out, p->k, 0, 1, 1, alignment_of(p->x, p->w, p->acc)};
    const operands o = {&one, p->w, p->x, &none, p->acc};
    return ib_cuda_library_takes_codes(dev, p->rows, p->k, p->out) && s.alignment >= 4 && run(ib_cuda_of(dev), &s, &o);
}
