/* smoothquant.c - SmoothQuant (Xiao et al., arXiv:2211.10438): of channel c
 *     s = (largest |x|)^alpha / (largest |w|)^(1 - alpha)
 * over the text and the rows that read it. alpha is given, or the one of i / 20, i = 0 .. 20, whose products in
 * integers (rows as codes too: lm.h, ib_lm_set_path) are nearest to those in float on a sample of the text's rows.
 * Channels without values, or that no weight reads, keep 1. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "ptq/transform.h"

enum { ALPHAS = 21 };

typedef struct smooth {
    const double *x, *w;          /* [channels] */
    float *want[IB_MOST_READERS]; /* [kept][rows] products in float */
    float *rows, *got, *ws;       /* [kept][cols] x / s; [kept][most rows]; [most rows][cols] */
} smooth;

static void scales_of(const smooth *a, int64_t channels, double alpha, float *s)
{
    for (int64_t c = 0; c < channels; c++) {
        const double of = a->x[c] > 0 && a->w[c] > 0 ? pow(a->x[c], alpha) / pow(a->w[c], 1 - alpha) : 1;
        s[c] = (float)fmin(fmax(of, 1e-5), 1e5);
    }
}

static void candidate(const ib_scale_search *of, int i, float *s)
{
    scales_of(of->context, of->r->channels, (double)i / (ALPHAS - 1), s);
}

static ib_status product(const ib_readers *r, const float *x, const ib_matrix *w, int integer, float *y)
{
    ib_graph_begin(r->g, IB_EVAL);
    ib_tensor *rows = ib_input(r->g, 2, (int64_t[]){r->x->kept, r->cols}, x),
              *of = rows ? ib_lora_linear(r->g, rows, w, NULL, &(ib_lora_opts){.integer = integer}) : NULL;
    return of ? ib_tensor_read(of, y) : ib_error_status();
}

static double loss(const ib_scale_search *of, const float *s)
{
    const ib_readers *r = of->r;
    const smooth *a = of->context;
    double all = 0;
    for (int64_t k = 0; k < r->x->kept; k++)
        for (int64_t c = 0; c < r->cols; c++)
            a->rows[k * r->cols + c] = r->x->row[k * r->cols + c] / s[r->channel[c]];
    for (int i = 0; i < r->n; i++) {
        const int64_t n = r->x->kept * r->of[i].rows;
        ib_matrix *q = ib_reader_scaled(r, i, s, a->ws);
        if (!q)
            return ib_error_status() == IB_ENUMERIC ? INFINITY : -1;
        const ib_status status = product(r, a->rows, q, 1, a->got);
        ib_matrix_free(q);
        if (status)
            return -1;
        for (int64_t k = 0; k < n; k++) {
            const double d = (double)a->got[k] - (double)a->want[i][k];
            all += d * d;
        }
    }
    return all;
}

/* Largest |x| and |w| of each channel, and how many have none. */
static int64_t tops(const ib_readers *r, double *x, double *w)
{
    int64_t none = 0;
    for (int64_t c = 0; c < r->cols; c++)
        x[r->channel[c]] = fmax(x[r->channel[c]], (double)r->x->most[c]);
    for (int i = 0; i < r->n; i++)
        for (int64_t k = 0; k < r->of[i].rows; k++)
            for (int64_t c = 0; c < r->cols; c++)
                w[r->channel[c]] = fmax(w[r->channel[c]], fabs((double)r->of[i].w[k * r->cols + c]));
    for (int64_t c = 0; c < r->channels; c++)
        none += !(x[c] > 0) || !(w[c] > 0);
    return none;
}

/* What products in float make of the sample, and room for those in integers. */
static int place(const ib_readers *r, smooth *a)
{
    int64_t most = 0;
    for (int i = 0; i < r->n; i++)
        most = r->of[i].rows > most ? r->of[i].rows : most;
    a->rows = ib_alloc_raw((size_t)(r->x->kept * r->cols) * sizeof *a->rows);
    a->got = ib_alloc_raw((size_t)(r->x->kept * most) * sizeof *a->got);
    a->ws = ib_alloc_raw((size_t)(most * r->cols) * sizeof *a->ws);
    int fine = a->rows && a->got && a->ws;
    for (int i = 0; i < r->n && fine; i++) {
        ib_matrix *w = ib_matrix_encode(ib_storage_find("f32"), r->of[i].rows, r->cols, r->of[i].w, NULL);
        a->want[i] = ib_alloc_raw((size_t)(r->x->kept * r->of[i].rows) * sizeof(float));
        fine = w && a->want[i] && !product(r, r->x->row, w, 0, a->want[i]);
        ib_matrix_free(w);
    }
    return fine;
}

static int choose(const ib_readers *r, float *s, char *note)
{
    double *x = ib_alloc((size_t)r->channels * 2 * sizeof *x), share = -1;
    smooth a = {.x = x, .w = x + r->channels};
    int best = -1;
    if (x && place(r, &a)) {
        const int64_t none = tops(r, x, x + r->channels);
        const ib_scale_search of = {r, ALPHAS, candidate, loss, &a};
        if (r->o->alpha > 0) {
            scales_of(&a, r->channels, r->o->alpha, s);
            share = 0;
            ib_snprintf(note, IB_PTQ_NOTE, "alpha %g", r->o->alpha);
        } else if ((share = ib_scale_search_run(&of, s, &best)) >= 0 && best < 0)
            ib_snprintf(note, IB_PTQ_NOTE, "no scales: no alpha of %d makes its error smaller", ALPHAS);
        else if (share >= 0)
            ib_snprintf(note, IB_PTQ_NOTE, "alpha %.2f, %.3f of the error without", (double)best / (ALPHAS - 1), share);
        const size_t used = strlen(note);
        if (share >= 0 && none)
            ib_snprintf(note + used, IB_PTQ_NOTE - used, "; %lld of %lld channels carry nothing", (long long)none,
                        (long long)r->channels);
    }
    for (int i = 0; i < r->n; i++)
        ib_free(a.want[i]);
    ib_free(x);
    ib_free(a.rows);
    ib_free(a.got);
    ib_free(a.ws);
    return share < 0 ? -1 : best >= 0 || r->o->alpha > 0;
}

ib_status ib_transform_smoothquant(ib_transforming *t)
{
    return ib_transform_scales(t, choose);
}
