/* clip.c - ranges of blocks are cut where that makes the results' error smaller (AWQ's second search,
 * arXiv:2306.00978): of each run of 32 in a block of a row, values beyond (1 - i / 20) of its largest are cut,
 * i = 0 .. 9, and the codes with the least d' H_bb d are kept, d the error of the block, H_bb its part of X'X (or
 * that part's diagonal). */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "ptq/ptq.h"
#include "tensor/matrix.h"

enum { CUTS = 10, RUN = 32, MOST = 256, BYTES = 512 };

typedef struct work {
    const ib_ptq_task *t;
    const float *weight; /* [cols] mean squares */
    float *h;            /* [cols][cols] X'X / tokens, or NULL */
} work;

static double error_of(const work *k, int64_t from, const float *w, const float *y)
{
    const int n = k->t->to->block;
    float d[MOST];
    double all = 0;
    for (int i = 0; i < n; i++)
        d[i] = w[i] - y[i];
    for (int i = 0; i < n; i++) {
        float of = k->weight[from + i] * d[i];
        if (k->h) {
            const float *row = k->h + (from + i) * k->t->cols + from;
            float sum[8] = {0};
            for (int c = 0; c + 8 <= n; c += 8)
                for (int l = 0; l < 8; l++)
                    sum[l] += row[c + l] * d[c + l];
            of = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        }
        all += (double)d[i] * (double)of;
    }
    return all;
}

static void cut(const float *w, int n, float share, float *x)
{
    for (int from = 0; from < n; from += RUN) {
        const int end = from + RUN < n ? from + RUN : n;
        float top = 0;
        for (int i = from; i < end; i++)
            top = fmaxf(top, fabsf(w[i]));
        for (int i = from; i < end; i++)
            x[i] = fminf(fmaxf(w[i], -top * share), top * share);
    }
}

/* How many blocks were cut; -1: no range gives finite values. */
static int64_t quantize_row(const work *k, const float *w, uint8_t *b)
{
    const ib_storage *f = k->t->to;
    const float square = ib_mean_square(w, k->t->cols);
    int64_t cuts = 0;
    for (int64_t from = 0; from < k->t->cols; from += f->block, b += f->bytes) {
        double least = INFINITY;
        int best = -1;
        for (int i = 0; i < CUTS; i++) {
            float x[MOST], y[MOST];
            uint8_t trial[BYTES];
            cut(w + from, f->block, 1 - (float)i / 20, x);
            f->encode(x, k->weight + from, square, trial);
            f->decode(trial, y);
            const double e = error_of(k, from, w + from, y);
            if (!(e < least))
                continue;
            least = e;
            best = i;
            memcpy(b, trial, (size_t)f->bytes);
        }
        if (best < 0)
            return -1;
        cuts += best > 0;
    }
    return cuts;
}

static ib_matrix *quantize(const work *k, ib_ptq_report *r)
{
    const ib_ptq_task *t = k->t;
    const int64_t rows = t->rows, row_bytes = ib_storage_bytes(t->to, 1, t->cols);
    uint8_t *b = ib_alloc((size_t)(rows * row_bytes));
    int64_t cuts = 0, bad = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : cuts, bad)
    for (int64_t i = 0; i < rows; i++) {
        const int64_t n = b ? quantize_row(k, t->w + i * t->cols, b + i * row_bytes) : 0;
        cuts += n > 0 ? n : 0;
        bad += n < 0;
    }
    if (!b || bad) {
        ib_free(b);
        return b ? ib_fail_null(IB_ENUMERIC, "%lld rows have values that %s cannot hold", (long long)bad, t->to->name)
                 : NULL;
    }
    ib_snprintf(r->note, sizeof r->note, "%.0f %% of the blocks cut",
                100 * (double)cuts / (double)(rows * t->cols / t->to->block));
    return ib_matrix_new(t->to, rows, t->cols, &(ib_matrix_parts){.data = b}, b);
}

ib_matrix *ib_ptq_clip(const ib_ptq_task *t, ib_ptq_report *r)
{
    const int64_t n = t->cols;
    ib_status status = IB_OK;
    float *weight = ib_ptq_importance(t, &status);
    if (status || !weight || t->to->block < 2 || !t->to->encode) {
        ib_free(weight);
        return status ? NULL : ib_ptq_imatrix(t, r);
    }
    work k = {.t = t, .weight = weight};
    k.h = t->of->hessian ? ib_alloc_raw((size_t)(n * n) * sizeof *k.h) : NULL;
    for (int64_t i = 0; k.h && i < n * n; i++)
        k.h[i] = (float)(t->of->hessian[i] / (double)t->of->tokens);
    ib_matrix *made = t->of->hessian && !k.h ? NULL : quantize(&k, r);
    ib_free(weight);
    ib_free(k.h);
    return made;
}
