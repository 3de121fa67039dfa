/* gptq.c - GPTQ (Frantar et al., arXiv:2210.17323) into blocks of any format with a lattice.
 *
 * With H = X'X, damped, and H^-1 = U'U, U upper triangular, column j of a row w becomes q_j, and
 *     w_k -= (w_j - q_j) U_jk / U_jj    for k > j.
 * H = R R' with R upper triangular makes U = R^-1: H is never inverted. A block's scales are chosen when its first
 * column comes up, from the row as it is then, by squared errors weighed with 1 / U_jj^2, which is what they cost. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "ptq/ptq.h"
#include "ptq/triangular.h"
#include "tensor/lattice.h"
#include "tensor/matrix.h"

typedef struct work {
    const ib_ptq_task *t;
    const ib_lattice_format *lattice;
    float *u;      /* [cols][cols] U_jk / U_jj */
    float *weight; /* [cols] 1 / U_jj^2 */
} work;

/* A block whose scales are chosen. */
typedef struct trial {
    uint8_t block[256];
    ib_lattice grid;
    int8_t code[256];
    double cost; /* sum of (w_j - q_j)^2 / U_jj^2 */
} trial;

/* The codes of columns from .. in their order, each error made up for within the block. */
static void try_block(const work *k, const float *w, int64_t from, trial *t)
{
    const ib_storage *f = k->t->to;
    const int64_t cols = k->t->cols;
    float own[256];
    memcpy(own, w + from, (size_t)f->block * sizeof *own);
    ib_lattice_read(f, t->block, &t->grid);
    t->cost = 0;
    for (int i = 0; i < f->block; i++) {
        t->code[i] = ib_lattice_nearest(k->lattice, t->grid.step[i], t->grid.offset[i], own[i]);
        const float error = own[i] - (t->grid.step[i] * (float)t->code[i] + t->grid.offset[i]),
                    *u = k->u + (from + i) * cols + from;
        t->cost += (double)(error * error * k->weight[from + i]);
        for (int c = i + 1; c < f->block; c++)
            own[c] -= error * u[c];
    }
}

/* Scales that a method by single values chooses are too wide for one that moves errors on: the same ones, narrower, or
 * with the other end of codes that lie about zero unevenly, compete with them. */
static void choose_block(const work *k, const float *w, float square, int64_t from, trial *best)
{
    static const float factor[] = {0.94f, 0.88f, 0.82f, 0.76f, 0.70f, 1.05f, -1.14f, -1.06f, -1.0f, -0.92f, -0.85f};
    const ib_storage *f = k->t->to;
    const int ends = -k->lattice->least == k->lattice->most + 1;
    trial other;
    f->encode(w + from, k->weight + from, square, best->block);
    try_block(k, w, from, best);
    const trial first = *best;
    for (size_t i = 0; i < sizeof factor / sizeof *factor; i++) {
        if (factor[i] < 0 && !ends)
            continue;
        memcpy(other.block, first.block, (size_t)f->bytes);
        ib_lattice_scale(f, other.block, factor[i]);
        try_block(k, w, from, &other);
        if (other.cost < best->cost)
            *best = other;
    }
}

/* The row's codes into b, its blocks. w [cols] is changed. */
static void quantize_row(const work *k, float *w, uint8_t *b)
{
    const ib_storage *f = k->t->to;
    const int64_t cols = k->t->cols;
    const float square = ib_mean_square(w, cols);
    trial t;
    for (int64_t from = 0; from < cols; from += f->block, b += f->bytes) {
        choose_block(k, w, square, from, &t);
        for (int64_t j = from; j < from + f->block; j++) {
            const int64_t i = j - from;
            const float error = w[j] - (t.grid.step[i] * (float)t.code[i] + t.grid.offset[i]), *u = k->u + j * cols;
            for (int64_t c = j + 1; c < cols; c++)
                w[c] -= error * u[c];
        }
        memcpy(b, t.block, (size_t)f->bytes);
        k->lattice->recode(t.code, b);
    }
}

static ib_matrix *quantize(const work *k)
{
    const ib_ptq_task *t = k->t;
    const int64_t rows = t->rows, cols = t->cols, row_bytes = ib_storage_bytes(t->to, 1, cols);
    uint8_t *b = ib_alloc((size_t)(rows * row_bytes));
    int failed = !b;
#pragma omp parallel reduction(| : failed)
    {
        float *w = ib_alloc_raw((size_t)cols * sizeof *w);
        failed |= !w;
#pragma omp for schedule(dynamic)
        for (int64_t r = 0; r < rows; r++) {
            if (!w || !b)
                continue;
            memcpy(w, t->w + r * cols, (size_t)cols * sizeof *w);
            quantize_row(k, w, b + r * row_bytes);
        }
        ib_free(w);
    }
    if (failed) {
        ib_free(b);
        return ib_fail_null(IB_ENOMEM, "memory is out");
    }
    return ib_matrix_new(t->to, rows, cols, &(ib_matrix_parts){.data = b}, b);
}

/* H with damping, [cols][cols]; how many columns nothing goes through: they have no error to make up for. */
static double *damped(const ib_ptq_task *t, int64_t *dead)
{
    const int64_t n = t->cols;
    const double share = t->o->damping ? t->o->damping : 0.01;
    double *h = ib_copy(t->of->hessian, (size_t)(n * n) * sizeof *h), mean = 0;
    *dead = 0;
    for (int64_t i = 0; h && i < n; i++)
        mean += h[i * n + i] / (double)n;
    for (int64_t i = 0; h && i < n; i++) {
        *dead += !(h[i * n + i] > 0);
        h[i * n + i] += share * mean;
    }
    return h;
}

ib_matrix *ib_ptq_gptq(const ib_ptq_task *t, ib_ptq_report *r)
{
    int64_t dead;
    const int64_t n = t->cols;
    if (!t->of || !t->of->hessian || !t->of->tokens)
        return ib_ptq_imatrix(t, r);
    work k = {.t = t, .lattice = ib_lattice_of(t->to)};
    if (!k.lattice)
        return NULL;
    double *h = damped(t, &dead);
    if (h && dead == n) {
        ib_free(h);
        return ib_ptq_imatrix(t, r);
    }
    k.u = ib_alloc_raw((size_t)(n * n) * sizeof *k.u);
    k.weight = ib_alloc_raw((size_t)n * sizeof *k.weight);
    ib_matrix *made = NULL;
    if (dead)
        ib_snprintf(r->note, sizeof r->note, "nothing goes through %lld of %lld columns", (long long)dead,
                    (long long)n);
    else if (t->of->tokens < n)
        ib_snprintf(r->note, sizeof r->note, "%lld tokens for %lld columns", (long long)t->of->tokens, (long long)n);
    if (h && k.u && k.weight && !ib_upper_inverse(h, n)) {
        for (int64_t j = 0; j < n; j++) {
            k.weight[j] = (float)(1 / (h[j * n + j] * h[j * n + j]));
            for (int64_t c = j; c < n; c++)
                k.u[j * n + c] = (float)(h[j * n + c] / h[j * n + j]);
        }
        made = quantize(&k);
    }
    ib_free(h);
    ib_free(k.u);
    ib_free(k.weight);
    return made;
}
