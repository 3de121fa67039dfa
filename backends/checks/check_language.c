/* check_language.c - of products with frozen matrices and of decoders. */
#include "backends/checks/checks.h"
#include "tensor/matrix_fields.h"

#ifdef IB_CHECKED

void ib_check_decode(ib_device *dev, const ib_matrix *m, int64_t first, int64_t n, float *y)
{
    IB_ASSERT(first >= 0 && n >= 0 && first + n <= m->rows * m->cols, "what is decoded lies within the matrix");
    SPANS(OUT(y, n));
}

static int are_rows(const int32_t *row, int64_t n, int64_t rows)
{
    for (int64_t i = 0; i < n; i++)
        if (row[i] < 0 || row[i] >= rows)
            return 0;
    return 1;
}

void ib_check_decode_rows(ib_device *dev, const ib_matrix *m, const int32_t *row, int64_t n, float a, float *y)
{
    IB_ASSERT(are_rows(row, n, m->rows), "what is decoded are rows of the matrix");
    SPANS(OUT(y, n * m->cols), IN(row, n));
}

void ib_check_frozen_mul(ib_device *dev, const ib_matrix *w, int64_t n, const float *x, int add, float *y,
                         float *scratch)
{
    SPANS(OUT(y, n * w->rows), ROOM(scratch, dev->v.frozen_words(dev, w, n)), IN(x, n * w->cols));
}

void ib_check_frozen_mul_grad(ib_device *dev, const ib_matrix *w, int64_t n, const float *dy, float *dx, float *scratch)
{
    SPANS(OUT(dx, n * w->cols), ROOM(scratch, dev->v.frozen_words(dev, w, n)), IN(dy, n * w->rows));
}

void ib_check_code_rows(ib_device *dev, const float *x, int64_t n, int64_t cols, const ib_row_codes *c, ib_site at)
{
    IB_ASSERT((c->block == 32 || c->block == 64 || c->block == 256) && cols % c->block == 0,
              "rows of codes are whole blocks");
    SPANS(OUT(c->codes, n * cols), OUT(c->scale, n * cols / c->block), OUT(c->multiple, n * cols / 16),
          OUT(c->sums, n * cols / 16), IN(x, n * cols));
}

void ib_check_coded_mul(ib_device *dev, const ib_matrix *w, int64_t n, const ib_row_codes *x, float *y)
{
    IB_ASSERT(x->block && x->block == ib_matrix_integer_block(w), "rows are coded in blocks as the matrix wants them");
    SPANS(OUT(y, n * w->rows), IN(x->codes, n * w->cols), IN(x->scale, n * w->cols / x->block),
          IN(x->multiple, n * w->cols / 16), IN(x->sums, n * w->cols / 16));
}

void ib_check_magnitudes(ib_device *dev, const float *x, int64_t rows, int64_t cols, const float *m, float *c)
{
    SPANS(OUT(c, rows), IN(x, rows * cols), IN(m, rows));
}

void ib_check_magnitudes_grad(ib_device *dev, int64_t rows, int64_t cols, const ib_magnitude_grads *g)
{
    const int64_t n = rows * cols;
    SPANS(OUT(g->dz, n), OUT(g->dm, cols), IN(g->y, n), IN(g->dy, n), IN(g->m, cols), IN(g->c, cols),
          IN(g->bias, cols));
}

void ib_check_keep(ib_device *dev, float *y, int64_t n, void *kept)
{
    SPANS(OUT(y, n), OUT((uint16_t *)kept, n));
}

void ib_check_recall(ib_device *dev, const void *kept, int64_t n, float *y)
{
    SPANS(OUT(y, n), IN((const uint16_t *)kept, n));
}

void ib_check_rope(ib_device *dev, const ib_rotation *r, int64_t rows, const float *x, float sign, int add, float *y)
{
    const int64_t n = rows * r->heads * r->dim;
    IB_ASSERT(r->rotated % 2 == 0 && r->rotated <= r->dim, "what turns are pairs of a head");
    SPANS(OUT(y, n), IN(x, n), IN(r->pos, rows));
}

void ib_check_glu(ib_device *dev, const float *gate, const float *up, int64_t n, int kind, float *y)
{
    SPANS(OUT(y, n), IN(gate, n), IN(up, up ? n : 0));
}

void ib_check_glu_grad(ib_device *dev, const float *gate, const float *up, const float *dy, int64_t n, int kind,
                       float *dgate, float *dup)
{
    IB_ASSERT(up || !dup, "ones take no gradient");
    SPANS(OUT(dgate, n), OUT(dup, n), IN(gate, n), IN(up, up ? n : 0), IN(dy, n));
}

void ib_check_soft_cap(ib_device *dev, float *x, int64_t n, float cap)
{
    IB_ASSERT(cap > 0, "a cap is positive");
    SPANS(OUT(x, n));
}

void ib_check_soft_cap_grad(ib_device *dev, const float *y, int64_t n, float cap, float *dy)
{
    IB_ASSERT(cap > 0, "a cap is positive");
    SPANS(OUT(dy, n), IN(y, n));
}

static int targets_are_tokens(const int32_t *target, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        if (target[i] >= cols)
            return 0;
    return 1;
}

void ib_check_nll_rows(ib_device *dev, float *x, const int32_t *target, int64_t rows, int64_t cols, float scale,
                       int grad, float *nll)
{
    IB_ASSERT(targets_are_tokens(target, rows, cols), "targets are tokens, or below 0");
    SPANS(OUT(x, rows * cols), OUT(nll, rows), IN(target, rows));
}

void ib_check_nll_sum(ib_device *dev, const float *nll, int64_t rows, float scale, float *y)
{
    SPANS(OUT(y, 1), IN(nll, rows));
}

/* Heads share keys evenly; sequences begin at or before their rows, and in order. */
static int attention_agrees(const ib_attention *a, int64_t rows)
{
    if (a->groups < 1 || a->heads % a->groups || a->dim < 1 || a->dim > IB_MAX_HEAD_DIM || a->window < 0 ||
        !(a->bend.cap >= 0) || !(a->bend.alibi >= 0))
        return 0;
    for (int64_t i = 0; i < rows; i++)
        if (a->first[i] < 0 || a->first[i] > i || (i && a->first[i] < a->first[i - 1]))
            return 0;
    return 1;
}
#define ATTENTION(a, rows)                                                                                             \
    IB_ASSERT(attention_agrees(a, rows), "heads share keys evenly, and sequences begin in order, before their rows")

void ib_check_attention(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x, float *y, float *lse,
                        float *scratch)
{
    const int64_t q = rows * a->heads * a->dim, k = rows * a->groups * a->dim;
    ATTENTION(a, rows);
    SPANS(OUT(y, q), OUT(lse, rows * a->heads), ROOM(scratch, dev->v.attention_words(dev, a, rows)), IN(x->q, q),
          IN(x->k, k), IN(x->v, k));
}

void ib_check_attention_grad(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x,
                             const ib_attention_grads *g, float *scratch)
{
    const int64_t q = rows * a->heads * a->dim, k = rows * a->groups * a->dim;
    ATTENTION(a, rows);
    SPANS(OUT(g->dq, q), OUT(g->dk, k), OUT(g->dv, k), OUT(g->delta, rows * a->heads),
          ROOM(scratch, dev->v.attention_words(dev, a, rows)), IN(g->y, q), IN(g->dy, q), IN(g->lse, rows * a->heads),
          IN(x->q, q), IN(x->k, k), IN(x->v, k));
}

void ib_check_cache_rows(ib_device *dev, const ib_kv_cache *c, int64_t at, int64_t rows, const float *k, const float *v)
{
    const int64_t n = rows * c->groups * c->dim, from = at * c->groups * c->dim, scales = rows * c->groups;
    IB_ASSERT(c->groups >= 1 && c->dim >= 1 && at >= 0 && rows > 0, "rows of a cache are some of its own");
    if (c->int8)
        SPANS(OUT((int8_t *)c->k + from, n), OUT((int8_t *)c->v + from, n), OUT(c->k_scale + at * c->groups, scales),
              OUT(c->v_scale + at * c->groups, scales), IN(k, n), IN(v, n));
    else
        SPANS(OUT((uint16_t *)c->k + from, n), OUT((uint16_t *)c->v + from, n), IN(k, n), IN(v, n));
}

void ib_check_attention_cached(ib_device *dev, const ib_kv_cache *c, const ib_cached_queries *a, const float *q,
                               float *y)
{
    const int64_t n = a->rows * a->heads * c->dim;
    IB_ASSERT(c->groups >= 1 && a->heads % c->groups == 0 && c->dim <= IB_MAX_HEAD_DIM, "heads share keys evenly");
    IB_ASSERT(a->before >= 0 && a->rows >= 1 && a->window >= 0, "a row of attention sees a key at least");
    SPANS(OUT(y, n), IN(q, n));
}
#endif
