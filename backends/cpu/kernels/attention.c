/* attention.c - causal attention with grouped keys, in tiles: no T x T matrix is ever held.
 *
 * q [rows][heads][dim], k, v [rows][groups][dim]; query row i sees keys first_i .. i, first_i = max(first[i], i -
 * window + 1): several sequences lie in one buffer one behind the other. Online softmax: Milakov and Gimelshein,
 * arXiv:1805.02867; tiles and recomputation in the backward pass: FlashAttention-2, arXiv:2307.08691. */
#include <math.h>
#include <string.h>

#include "arithmetic/real.h"
#include "backends/cpu/attention_tiles.h"
#include "backends/cpu/dot.h"
#include "backends/cpu/level.h"

/* Queries i0 .. i0 + m of a head by keys j0 .. j0 + n of its group. */
typedef struct tile {
    int head, group;
    int64_t i0, m, j0, n;
} tile;

/* s[m][n] = scale q k', bent, minus infinity where a query must not look; chain [m][n], or NULL: its derivative by
 * q k' */
static void scores(const ib_attention *a, const ib_qkv *x, tile t, float *s, float *chain)
{
    const int dim = a->dim;
    const int64_t i0 = t.i0, m = t.m, j0 = t.j0, n = t.n, lq = (int64_t)a->heads * dim, lk = (int64_t)a->groups * dim;
    const float *q = x->q + i0 * lq + t.head * dim, *k = x->k + j0 * lk + t.group * dim;
    IB_K(gemm_tile)(0, 1, m, n, dim, q, lq, k, lk, 0.0f, s, TILE);
    const float slope = alibi_slope(a->heads, t.head, a->bend.alibi);
    for (int64_t i = 0; i < m; i++) {
        const int64_t lo = first_key(a, i0 + i) - j0, hi = i0 + i - j0; /* visible: lo <= j <= hi */
        float *si = s + i * TILE, *ci = chain ? chain + i * TILE : NULL;
        for (int64_t j = 0; j < n; j++) {
            si[j] *= a->scale;
            if (ci)
                ci[j] = a->scale;
        }
        bend_scores(&a->bend, slope, j0 - (i0 + i), 1, 0, (int)n, si, ci);
        for (int64_t j = 0; j < n; j++)
            si[j] = j < lo || j > hi ? -INFINITY : si[j];
    }
}

/* All keys that the m queries from i0 on see. */
static void forward_tile(const ib_attention *a, const ib_qkv *x, int head, int64_t i0, int64_t m, float *y, float *lse)
{
    float s[TILE * TILE];
    attended seen;
    const int dim = a->dim, g = head / (a->heads / a->groups);
    const int64_t lk = (int64_t)a->groups * dim;
    attend_nothing(&seen, m, dim);
    for (int64_t j0 = tile_start(a, i0, m); j0 < i0 + m; j0 += TILE) {
        const int64_t n = ib_min64(TILE, i0 + m - j0);
        scores(a, x, (tile){.head = head, .group = g, .i0 = i0, .m = m, .j0 = j0, .n = n}, s, NULL);
        for (int64_t i = 0; i < m; i++) {
            float *si = s + i * TILE, top = seen.max[i], part[LANES] = {0}, total = 0;
            for (int64_t j = 0; j < n; j++)
                top = si[j] > top ? si[j] : top;
            if (top == -INFINITY) { /* nothing visible yet */
                memset(si, 0, (size_t)n * sizeof *si);
                continue;
            }
            const float shrink = ib_exp(seen.max[i] - top);
            seen.max[i] = top;
            int64_t j = 0;
            for (; j + LANES <= n; j += LANES)
                for (int l = 0; l < LANES; l++)
                    part[l] += si[j + l] = ib_exp(si[j + l] - top);
            for (int l = 0; l < LANES; l++)
                total += part[l];
            for (; j < n; j++)
                total += si[j] = ib_exp(si[j] - top);
            seen.sum[i] = seen.sum[i] * shrink + total;
            for (int d = 0; d < dim && shrink != 1.0f; d++)
                seen.o[i * dim + d] *= shrink;
        }
        IB_K(gemm_tile)(0, 0, m, dim, n, s, TILE, x->v + j0 * lk + g * dim, lk, 1.0f, seen.o, dim);
    }
    put_attended(&seen, a, head, i0, m, y, lse);
}

void IB_K(attention)(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x, float *y, float *lse,
                     float *scratch)
{
    (void)scratch;
    const int64_t tiles = (rows + TILE - 1) / TILE;
#pragma omp parallel for schedule(dynamic)
    for (int64_t t = tiles * a->heads - 1; t >= 0; t--) { /* the longest first */
        const int64_t i0 = t / a->heads * TILE;
        forward_tile(a, x, (int)(t % a->heads), i0, ib_min64(TILE, rows - i0), y, lse);
    }
}

/* p = exp(s - lse), ds = p (dp - delta) chain, dp = dy v' */
static void weights(const ib_attention *a, const ib_qkv *x, const ib_attention_grads *grads, tile t, float *p,
                    float *ds)
{
    const int dim = a->dim, head = t.head;
    const int64_t i0 = t.i0, m = t.m, j0 = t.j0, n = t.n, lq = (int64_t)a->heads * dim, lk = (int64_t)a->groups * dim;
    const float *dy = grads->dy + i0 * lq + head * dim, *v = x->v + j0 * lk + t.group * dim;
    const float *lse = grads->lse, *delta = grads->delta;
    float chain[TILE * TILE];
    scores(a, x, t, p, chain);
    IB_K(gemm_tile)(0, 1, m, n, dim, dy, lq, v, lk, 0.0f, ds, TILE);
    for (int64_t i = 0; i < m; i++) {
        const float l = lse[(i0 + i) * a->heads + head], d = delta[(i0 + i) * a->heads + head];
        for (int64_t j = 0; j < n; j++) {
            const float e = ib_exp(p[i * TILE + j] - l);
            p[i * TILE + j] = e;
            ds[i * TILE + j] = e * (ds[i * TILE + j] - d) * chain[i * TILE + j];
        }
    }
}

/* dq += ds k    dk += ds' q    dv += p' dy; delta_i = <dy_i, y_i>. Two passes, so that each result has one writer. */
void IB_K(attention_grad)(ib_device *dev, const ib_attention *a, int64_t rows, const ib_qkv *x,
                          const ib_attention_grads *grads, float *scratch)
{
    const float *y = grads->y, *dy = grads->dy;
    float *dq = grads->dq, *dk = grads->dk, *dv = grads->dv, *delta = grads->delta;
    (void)scratch;
    const int dim = a->dim, share = a->heads / a->groups;
    const int64_t lq = (int64_t)a->heads * dim, lk = (int64_t)a->groups * dim, tiles = (rows + TILE - 1) / TILE;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows * a->heads; i++)
        delta[i] = ib_dot(dy + i * dim, y + i * dim, dim);
    if (dq)
#pragma omp parallel for schedule(dynamic)
        for (int64_t t = tiles * a->heads - 1; t >= 0; t--) {
            float p[TILE * TILE], ds[TILE * TILE];
            const int head = (int)(t % a->heads);
            const int64_t i0 = t / a->heads * TILE, m = ib_min64(TILE, rows - i0);
            for (int64_t j0 = tile_start(a, i0, m); j0 < i0 + m; j0 += TILE) {
                const int64_t n = ib_min64(TILE, i0 + m - j0);
                const int g = head / share;
                weights(a, x, grads, (tile){.head = head, .group = g, .i0 = i0, .m = m, .j0 = j0, .n = n}, p, ds);
                IB_K(gemm_tile)
                (0, 0, m, dim, n, ds, TILE, x->k + j0 * lk + g * dim, lk, 1.0f, dq + i0 * lq + head * dim, lq);
            }
        }
    if (dk || dv)
#pragma omp parallel for schedule(dynamic)
        for (int64_t t = 0; t < tiles * a->groups; t++) {
            float p[TILE * TILE], ds[TILE * TILE];
            const int g = (int)(t % a->groups);
            const int64_t j0 = t / a->groups * TILE, n = ib_min64(TILE, rows - j0);
            for (int head = g * share; head < (g + 1) * share; head++)
                for (int64_t i0 = j0; i0 < rows; i0 += TILE) {
                    const int64_t m = ib_min64(TILE, rows - i0);
                    if (tile_start(a, i0, m) > j0)
                        continue;
                    weights(a, x, grads, (tile){.head = head, .group = g, .i0 = i0, .m = m, .j0 = j0, .n = n}, p, ds);
                    if (dv)
                        IB_K(gemm_tile)
                    (1, 0, n, dim, m, p, TILE, dy + i0 * lq + head * dim, lq, 1.0f, dv + j0 * lk + g * dim, lk);
                    if (dk)
                        IB_K(gemm_tile)
                    (1, 0, n, dim, m, ds, TILE, x->q + i0 * lq + head * dim, lq, 1.0f, dk + j0 * lk + g * dim, lk);
                }
        }
}
