/* transform.c - the table of transforms, and what those by scales of channels share. */
#include "ptq/transform.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "base/number.h"

static const ib_transform table[] = {
#define TRANSFORM(name, needs, summary) {{#name, summary}, needs, ib_transform_##name},
#include "ptq/transforms.def"
#undef TRANSFORM
};
enum { N_TRANSFORMS = sizeof table / sizeof *table };

const ib_ptq_name *ib_ptq_transform_at(int i)
{
    return i >= 0 && i < N_TRANSFORMS ? &table[i].name : NULL;
}

const ib_transform *ib_transform_find(const char *name)
{
    const int i = IB_NAME_FIND(name, table, IB_EINVAL, "no transform is named");
    return i < 0 ? NULL : &table[i];
}

static void readers_release(ib_readers *r)
{
    for (int i = 0; i < r->n; i++)
        ib_free(r->of[i].w);
    ib_free(r->channel);
}

static ib_status readers_of(ib_readers *r, const ib_transforming *t, const ib_fold_place *f, int64_t channels)
{
    *r = (ib_readers){.g = t->g, .o = t->o, .x = &t->input[f->input], .channels = channels};
    for (int role = 0; role < IB_N_ROLES; role++) {
        const ib_matrix *w = t->m->block[t->layer].p[role].w;
        if (!w || ib_input_of(role) != f->input)
            continue;
        const int64_t rows = ib_matrix_rows(w);
        r->cols = ib_matrix_cols(w);
        r->of[r->n].rows = rows;
        r->of[r->n].to = t->to[role];
        r->of[r->n].w = ib_alloc_raw((size_t)(rows * r->cols) * sizeof(float));
        if (!r->of[r->n++].w)
            return IB_ENOMEM;
        const ib_status status = ib_lm_decoded(w, t->g->dev, r->of[r->n - 1].w);
        if (status)
            return status;
    }
    if (!(r->channel = ib_alloc((size_t)r->cols * sizeof *r->channel)))
        return IB_ENOMEM;
    for (int64_t c = 0; c < r->cols; c++)
        r->channel[c] = (int32_t)ib_fold_channel(f, c);
    return IB_OK;
}

ib_matrix *ib_reader_scaled(const ib_readers *r, int i, const float *s, float *w)
{
    const int64_t rows = r->of[i].rows, cols = r->cols;
    const float *from = r->of[i].w;
    float *weight = ib_alloc((size_t)cols * sizeof *weight);
    if (!weight)
        return NULL;
    for (int64_t c = 0; c < cols; c++)
        weight[c] = (float)(r->x->squares[c] / (double)r->x->tokens) / (s[r->channel[c]] * s[r->channel[c]]);
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < rows; k++)
        for (int64_t c = 0; c < cols; c++)
            w[k * cols + c] = from[k * cols + c] * s[r->channel[c]];
    ib_matrix *made = ib_matrix_encode(r->of[i].to, rows, cols, w, weight);
    ib_free(weight);
    return made;
}

double ib_scale_search_run(const ib_scale_search *of, float *s, int *best)
{
    const int64_t channels = of->r->channels;
    float *trial = ib_alloc_raw((size_t)channels * sizeof *trial);
    double least = -1, plain = -1;
    *best = -1;
    for (int i = -1; trial && i < of->n; i++) {
        for (int64_t c = 0; c < channels; c++)
            trial[c] = 1;
        if (i >= 0)
            of->candidate(of, i, trial);
        const double loss = of->loss(of, trial);
        if (loss < 0) {
            least = -1;
            break;
        }
        if (i < 0)
            plain = least = loss;
        if (i < 0 || loss < least) {
            least = loss;
            *best = i;
            memcpy(s, trial, (size_t)channels * sizeof *s);
        }
    }
    ib_free(trial);
    return least < 0 ? -1 : plain > 0 && isfinite(plain) ? least / plain : plain > 0 && isfinite(least) ? 0 : 1;
}

static ib_status scale_input(ib_transforming *t, int input, ib_choose_scales choose)
{
    const char *why;
    const ib_fold_place f = {t->m, t->g->dev, t->layer, input, t->swaps};
    const int64_t channels = ib_fold_channels(&f, &why);
    char *note = t->note[input];
    if (!channels || !t->input[input].tokens) {
        ib_snprintf(note, IB_PTQ_NOTE, "not scaled: %s", channels ? "no text goes through it" : why);
        return IB_OK;
    }
    ib_readers r;
    ib_status status = readers_of(&r, t, &f, channels);
    float *s = ib_alloc((size_t)channels * sizeof *s), *by = ib_alloc((size_t)r.cols * sizeof *by);
    if (!status && (!s || !by))
        status = IB_ENOMEM;
    const int chosen = status ? -1 : choose(&r, s, note);
    if (!status && chosen < 0)
        status = ib_error_status();
    if (!status && chosen)
        status = ib_fold_scales(&f, s);
    for (int64_t c = 0; c < r.cols && !status && chosen; c++)
        by[c] = 1 / s[r.channel[c]];
    if (!status && chosen)
        ib_statistics_scale(&t->input[input], by);
    readers_release(&r);
    ib_free(s);
    ib_free(by);
    return status;
}

ib_status ib_transform_scales(ib_transforming *t, ib_choose_scales choose)
{
    ib_status status = IB_OK;
    for (int input = 0; input < IB_N_INPUTS && !status; input++)
        status = scale_input(t, input, choose);
    return status;
}
