/* awq.c - AWQ's scales (Lin et al., arXiv:2306.00978). Of channel c, with x the mean of |x| over the text and w the
 * mean of |w| / (largest |w| of 32 neighbours in its row + 1e-6) over the rows that read it,
 *     s = max(x^r / (w^(1 - r) + 1e-4), 1e-4),    r = i / 20, i = 0 .. 19
 * divided by sqrt(largest s * smallest s), as AutoAWQ does. The ratio r is that of the least error of all products that
 * read the rows, of codes rounded to nearest:
 *     loss = sum over readers of tr(E H E'),    E = (W S - Q) S^-1,    H = X'X
 * which is exact, not of a sample. Channels without values, or that no weight reads, keep 1: they have no part in the
 * loss, and scales of 0 or infinity would come of them. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "ptq/transform.h"

enum { RATIOS = 20, RUN = 32 };

typedef struct awq {
    const double *x, *w; /* [channels] */
    float *ws;           /* [most rows][cols] W S */
} awq;

static void scales_of(const awq *a, int64_t channels, double ratio, float *s)
{
    double most = 0, least = INFINITY;
    for (int64_t c = 0; c < channels; c++) {
        if (!(a->x[c] > 0) || !(a->w[c] > 0))
            continue;
        const double of = fmax(pow(a->x[c], ratio) / (pow(a->w[c], 1 - ratio) + 1e-4), 1e-4);
        s[c] = (float)of;
        most = fmax(most, of);
        least = fmin(least, of);
    }
    const float root = most > 0 ? (float)sqrt(most * least) : 1;
    for (int64_t c = 0; c < channels; c++)
        s[c] = a->x[c] > 0 && a->w[c] > 0 ? s[c] / root : 1;
}

static void candidate(const ib_scale_search *of, int i, float *s)
{
    scales_of(of->context, of->r->channels, (double)i / RATIOS, s);
}

/* tr(E H E') of a reader, -1 with ib_error(); w holds W S. */
static double reader_error(const ib_readers *r, int i, const ib_matrix *q, const float *s, float *w)
{
    const int64_t rows = r->of[i].rows, cols = r->cols;
    float *y = ib_alloc_raw((size_t)(rows * cols) * sizeof *y);
    if (!y)
        return -1;
    ib_matrix_decode(q, 0, rows * cols, y);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < rows; k++)
        for (int64_t c = 0; c < cols; c++)
            y[k * cols + c] = (w[k * cols + c] - y[k * cols + c]) / s[r->channel[c]];
    const ib_ptq_task t = {.rows = rows, .cols = cols, .of = r->x, .o = r->o, .g = r->g};
    const double of = ib_ptq_energy(&t, y);
    ib_free(y);
    return of;
}

static double loss(const ib_scale_search *of, const float *s)
{
    const ib_readers *r = of->r;
    const awq *a = of->context;
    double all = 0;
    for (int i = 0; i < r->n; i++) {
        ib_matrix *q = ib_reader_scaled(r, i, s, a->ws);
        if (!q)
            return ib_error_status() == IB_ENUMERIC ? INFINITY : -1;
        const double e = reader_error(r, i, q, s, a->ws);
        ib_matrix_free(q);
        if (e < 0)
            return -1;
        all += e;
    }
    return all;
}

/* Means of |x| and of |w| of each channel, and how many have none. */
static int64_t means(const ib_readers *r, double *x, double *w)
{
    const int64_t cols = r->cols;
    int64_t rows = 0, none = 0;
    for (int64_t c = 0; c < cols; c++)
        x[r->channel[c]] += r->x->sizes[c] / (double)r->x->tokens * (double)r->channels / (double)cols;
    for (int i = 0; i < r->n; i++)
        rows += r->of[i].rows;
    for (int i = 0; i < r->n; i++)
        for (int64_t k = 0; k < r->of[i].rows; k++)
            for (int64_t from = 0; from < cols; from += RUN) {
                const float *v = r->of[i].w + k * cols;
                const int64_t end = from + RUN < cols ? from + RUN : cols;
                float top = 0;
                for (int64_t c = from; c < end; c++)
                    top = fmaxf(top, fabsf(v[c]));
                for (int64_t c = from; c < end; c++)
                    w[r->channel[c]] +=
                        fabs((double)v[c]) / ((double)top + 1e-6) / (double)rows * (double)r->channels / (double)cols;
            }
    for (int64_t c = 0; c < r->channels; c++)
        none += !(x[c] > 0) || !(w[c] > 0);
    return none;
}

static int choose(const ib_readers *r, float *s, char *note)
{
    double *x = ib_alloc((size_t)r->channels * 2 * sizeof *x), *w = x + r->channels, share = -1;
    int64_t most = 0;
    for (int i = 0; i < r->n; i++)
        most = r->of[i].rows > most ? r->of[i].rows : most;
    awq a = {.x = x, .w = w, .ws = ib_alloc_raw((size_t)(most * r->cols) * sizeof *a.ws)};
    int best = -1;
    if (x && a.ws) {
        const int64_t none = means(r, x, w);
        const ib_scale_search of = {r, RATIOS, candidate, loss, &a};
        if (r->o->alpha > 0) {
            scales_of(&a, r->channels, r->o->alpha, s);
            share = 0;
            ib_snprintf(note, IB_PTQ_NOTE, "scales of ratio %g", r->o->alpha);
        } else if ((share = ib_scale_search_run(&of, s, &best)) >= 0 && best < 0)
            ib_snprintf(note, IB_PTQ_NOTE, "no scales: none of %d ratios makes its error smaller", RATIOS);
        else if (share >= 0)
            ib_snprintf(note, IB_PTQ_NOTE, "scales of ratio %.2f, %.3f of the error without", (double)best / RATIOS,
                        share);
        const size_t used = strlen(note);
        if (share >= 0 && none)
            ib_snprintf(note + used, IB_PTQ_NOTE - used, "; %lld of %lld channels carry nothing", (long long)none,
                        (long long)r->channels);
    }
    ib_free(x);
    ib_free(a.ws);
    return share < 0 ? -1 : best >= 0 || r->o->alpha > 0;
}

ib_status ib_transform_awq(ib_transforming *t)
{
    return ib_transform_scales(t, choose);
}
