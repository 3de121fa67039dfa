/* bf16_attention.c - attention.c's tiles with products in bfloat16. Factors are rounded and packed once a call; scores,
 * sums and softmax are fp32. The pass for keys and values works on transposed scores, K q' and V dy', so nothing is
 * transposed. */
#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/level.h"
#include "backends/cpu/x86/bf16_panel.h"

void ib_bf16_attention_replace(ib_kernels *k);

/* One factor of all heads or groups, `length` rows (a multiple of 64, zeroed behind the last): bf16 rows
 * [h][length][dim], panels over dim [h][length/32][dim/2][32][2], panels over the rows [h][dim/32][length/2][32][2].
 * NULL: not wanted. */
typedef struct packed {
    bf16 *rows, *over_dim, *over_rows;
    int heads, dim;
    int64_t length;
} packed;

static bf16 *take(bf16 **at, int wanted, int64_t n)
{
    bf16 *p = wanted ? *at : NULL;
    *at += wanted ? n : 0;
    return p;
}

/* wanted: which of the three */
enum { ROWS = 1, OVER_DIM = 2, OVER_ROWS = 4 };
static packed pack(const float *x, int heads, int dim, int64_t rows, int wanted, bf16 **at)
{
    const int64_t length = (rows + TILE - 1) / TILE * TILE, size = heads * length * dim, ld = (int64_t)heads * dim;
    packed p = {.heads = heads, .dim = dim, .length = length};
    p.rows = take(at, wanted & ROWS, size);
    p.over_dim = take(at, wanted & OVER_DIM, size);
    p.over_rows = take(at, wanted & OVER_ROWS, size);
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < heads * (length / 32); t++) {
        const int64_t h = t / (length / 32), r0 = t % (length / 32) * 32;
        bf16 own[32 * IB_MAX_HEAD_DIM], *to = p.rows ? p.rows + (h * length + r0) * dim : own;
        static const float zero[IB_MAX_HEAD_DIM];
        for (int64_t r = r0; r < r0 + 32; r++)
            round_row(r < rows ? x + r * ld + h * dim : zero, dim, to + (r - r0) * dim);
        if (p.over_dim)
            panel_of_rows(to, dim, dim / 2, p.over_dim + (h * length + r0) * dim);
        for (int64_t r = r0; p.over_rows && r < r0 + 32; r += 2)
            for (int64_t d = 0; d < dim; d += NR)
                panel_of_two(r < rows ? x + r * ld + h * dim + d : zero,
                             r + 1 < rows ? x + (r + 1) * ld + h * dim + d : zero,
                             p.over_rows + h * length * dim + d * length + r / 2 * 64);
    }
    return p;
}

/* c[m][64] = rows i0 .. of a times rows j0 .. j0 + 64 of b */
static void by_dim(const packed *a, int64_t ha, int64_t i0, int64_t m, const packed *b, int64_t hb, int64_t j0,
                   float *c)
{
    for (int64_t j = 0; j < TILE; j += NR)
        rows_by_panel(a->rows + (ha * a->length + i0) * a->dim, a->dim, m,
                      b->over_dim + (hb * b->length + j0 + j) * b->dim, a->dim / 2, c + j, TILE, NR, 0);
}

/* c[m][dim] += w[m][64] rows j0 .. j0 + 64 of b */
static void by_rows(const bf16 *w, int64_t m, const packed *b, int64_t hb, int64_t j0, float *c, int64_t ldc)
{
    for (int64_t d = 0; d < b->dim; d += NR)
        rows_by_panel(w, TILE, m, b->over_rows + hb * b->length * b->dim + d * b->length + j0 / 2 * 64, TILE / 2, c + d,
                      ldc, NR, 1);
}

/* All factors of the forward pass. */
typedef struct forward {
    const ib_attention *a;
    const packed *q, *k, *v;
} forward;

static void forward_tile(const forward *f, int head, int64_t i0, int64_t m, float *y, float *lse)
{
    const ib_attention *a = f->a;
    const packed *q = f->q, *k = f->k, *v = f->v;
    float s[TILE * TILE];
    attended seen;
    bf16 p[TILE * TILE];
    const int dim = a->dim, g = head / (a->heads / a->groups);
    attend_nothing(&seen, m, dim);
    for (int64_t j0 = tile_start(a, i0, m); j0 < i0 + m; j0 += TILE) {
        by_dim(q, head, i0, m, k, g, j0, s);
        mask_scores(a, head, i0, m, j0, s, NULL);
        for (int64_t i = 0; i < m; i++) {
            weigh_scores(&seen, i, dim, s + i * TILE);
            round_row(s + i * TILE, TILE, p + i * TILE);
        }
        by_rows(p, m, v, g, j0, seen.o, dim);
    }
    put_attended(&seen, a, head, i0, m, y, lse);
}

static void attention(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x, float *y, float *lse,
                      float *scratch)
{
    if (a->dim % NR) {
        IB_K(attention)(dev, a, rows, x, y, lse, scratch);
        return;
    }
    bf16 *at = (bf16 *)scratch;
    const packed pq = pack(x->q, a->heads, a->dim, rows, ROWS, &at),
                 pk = pack(x->k, a->groups, a->dim, rows, OVER_DIM, &at);
    const packed pv = pack(x->v, a->groups, a->dim, rows, OVER_ROWS, &at);
    const forward f = {.a = a, .q = &pq, .k = &pk, .v = &pv};
    const int64_t tiles = pq.length / TILE;
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = tiles * a->heads - 1; t >= 0; t--) { /* the longest first */
        const int64_t i0 = t / a->heads * TILE;
        forward_tile(&f, (int)(t % a->heads), i0, min64(TILE, rows - i0), y, lse);
    }
}

/* All factors of the backward pass. */
typedef struct backward {
    const ib_attention *a;
    packed q, k, v, dy;
    int64_t rows;
    const float *lse, *delta; /* [rows][heads] */
} backward;

/* dq += ds k, ds = p (dy v' - delta) chain, p = exp(s - lse) */
static void queries(const backward *b, int head, int64_t i0, float *dq)
{
    const ib_attention *a = b->a;
    const int64_t m = min64(TILE, b->rows - i0), g = head / (a->heads / a->groups);
    float p[TILE * TILE], dp[TILE * TILE], chain[TILE * TILE];
    bf16 ds[TILE * TILE];
    for (int64_t j0 = tile_start(a, i0, m); j0 < i0 + m; j0 += TILE) {
        by_dim(&b->q, head, i0, m, &b->k, g, j0, p);
        by_dim(&b->dy, head, i0, m, &b->v, g, j0, dp);
        mask_scores(a, head, i0, m, j0, p, chain);
        for (int64_t i = 0; i < m; i++) {
            const float l = b->lse[(i0 + i) * a->heads + head], d = b->delta[(i0 + i) * a->heads + head];
            for (int j = 0; j < TILE; j++)
                dp[i * TILE + j] = ib_exp(p[i * TILE + j] - l) * (dp[i * TILE + j] - d) * chain[i * TILE + j];
            round_row(dp + i * TILE, TILE, ds + i * TILE);
        }
        by_rows(ds, m, &b->k, g, j0, dq + i0 * a->heads * a->dim + head * a->dim, (int64_t)a->heads * a->dim);
    }
}

/* dv += p' dy    dk += ds' q, for the keys of tile j0; rows of the tiles are keys, columns are queries */
static void keys(const backward *b, int g, int64_t j0, float *dk, float *dv)
{
    const ib_attention *a = b->a;
    const int64_t n = min64(TILE, b->rows - j0), share = a->heads / a->groups, ld = (int64_t)a->groups * a->dim;
    float s[TILE * TILE], dp[TILE * TILE];
    bf16 p[TILE * TILE], ds[TILE * TILE];
    key_tile t = {.j0 = j0};
    for (int64_t head = g * share; head < (g + 1) * share; head++)
        for (int64_t i0 = j0; i0 < b->rows; i0 += TILE) {
            const int64_t m = min64(TILE, b->rows - i0);
            if (tile_start(a, i0, m) > j0)
                continue;
            t.i0 = i0;
            take_queries(&t, a, head, m, b->lse, b->delta);
            by_dim(&b->k, g, j0, n, &b->q, head, i0, s);
            by_dim(&b->v, g, j0, n, &b->dy, head, i0, dp);
            for (int j = 0; j < n; j++) {
                weigh_key(&t, j, a, s + j * TILE, dp + j * TILE);
                round_row(s + j * TILE, TILE, p + j * TILE);
                round_row(dp + j * TILE, TILE, ds + j * TILE);
            }
            if (dv)
                by_rows(p, n, &b->dy, head, i0, dv + j0 * ld + g * a->dim, ld);
            if (dk)
                by_rows(ds, n, &b->q, head, i0, dk + j0 * ld + g * a->dim, ld);
        }
}

static void attention_grad(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x,
                           const ib_attention_grads *g, float *scratch)
{
    if (a->dim % NR) {
        IB_K(attention_grad)(dev, a, rows, x, g, scratch);
        return;
    }
    const float *y = g->y, *dy = g->dy;
    float *dq = g->dq, *dk = g->dk, *dv = g->dv, *delta = g->delta;
    bf16 *at = (bf16 *)scratch;
    backward b = {.a = a, .rows = rows, .lse = g->lse, .delta = delta};
    b.q = pack(x->q, a->heads, a->dim, rows, ROWS | OVER_DIM | OVER_ROWS, &at);
    b.k = pack(x->k, a->groups, a->dim, rows, ROWS | OVER_DIM | OVER_ROWS, &at);
    b.v = pack(x->v, a->groups, a->dim, rows, ROWS | OVER_DIM, &at);
    b.dy = pack(dy, a->heads, a->dim, rows, ROWS | OVER_DIM | OVER_ROWS, &at);
    const int64_t tiles = b.q.length / TILE, for_queries = dq ? tiles * a->heads : 0,
                  for_keys = dk || dv ? tiles * a->groups : 0;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows * a->heads; i++)
        delta[i] = ib_dot(dy + i * a->dim, y + i * a->dim, a->dim);
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < for_queries + for_keys; t++) {
        if (t < for_keys) /* long ones first: early keys, late queries */
            keys(&b, (int)(t % a->groups), t / a->groups * TILE, dk, dv);
        else
            queries(&b, (int)((t - for_keys) % a->heads), (tiles - 1 - (t - for_keys) / a->heads) * TILE, dq);
    }
}

void ib_bf16_attention_replace(ib_kernels *k)
{
    k->attention = attention;
    k->attention_grad = attention_grad;
}
