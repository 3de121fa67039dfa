/* fold_scales.c - see fold_scales.h */
#include "ptq/fold_scales.h"

#include <math.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"

int ib_input_of(int role)
{
    static const int of[IB_N_ROLES] = {
        [IB_ROLE_Q] = IB_INPUT_ATTENTION, [IB_ROLE_K] = IB_INPUT_ATTENTION, [IB_ROLE_V] = IB_INPUT_ATTENTION,
        [IB_ROLE_O] = IB_INPUT_OUTPUT,    [IB_ROLE_GATE] = IB_INPUT_FFN,    [IB_ROLE_UP] = IB_INPUT_FFN,
        [IB_ROLE_DOWN] = IB_INPUT_DOWN};
    return of[role];
}

/* The norm that makes an input, -1: rows of a matrix do, of this role. */
static int norm_of(int input)
{
    return input == IB_INPUT_ATTENTION ? IB_NORM_ATTENTION : input == IB_INPUT_FFN ? IB_NORM_FFN : -1;
}
static int role_of(int input)
{
    return input == IB_INPUT_OUTPUT ? IB_ROLE_V : IB_ROLE_UP;
}

int64_t ib_fold_channels(const ib_fold_place *f, const char **why)
{
    const ib_lm_config *c = &f->m->c;
    const int norm = norm_of(f->input);
    *why = "";
    if (norm < 0)
        return f->input == IB_INPUT_OUTPUT ? (int64_t)c->groups * c->dim : c->ff;
    if (f->m->block[f->layer].norm[norm])
        return c->width;
    *why = "there is no norm before it to take scales";
    return 0;
}

int64_t ib_fold_channel(const ib_fold_place *f, int64_t c)
{
    const ib_lm_config *of = &f->m->c;
    return f->input == IB_INPUT_OUTPUT ? c / of->dim / (of->heads / of->groups) * of->dim + c % of->dim : c;
}

static ib_status divide_vector(const ib_fold_place *f, ib_tensor **at, const float *s)
{
    const int64_t n = (*at)->size;
    ib_tensor *made = ib_tensor_new(IB_F32, 1, &n, 0, (*at)->name);
    float *x = made ? ib_tensor_f32(made) : NULL;
    if (x && ib_tensor_read(*at, x)) {
        ib_tensor_free(made);
        made = NULL;
    }
    for (int64_t i = 0; made && i < n; i++)
        x[i] /= s[i];
    return ib_swap_tensor(f->swaps, at, made);
}

/* Columns by s, or (rows) rows by 1 / s. */
static ib_status scale_matrix(const ib_fold_place *f, int role, const float *s, int rows)
{
    ib_matrix **at = &f->m->block[f->layer].p[role].w;
    const int64_t n = ib_matrix_rows(*at), cols = ib_matrix_cols(*at);
    float *w = ib_alloc_raw((size_t)(n * cols) * sizeof *w);
    ib_matrix *made = NULL;
    if (w && !ib_lm_decoded(*at, f->dev, w)) {
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < cols; c++)
                w[r * cols + c] = rows ? w[r * cols + c] / s[r] : w[r * cols + c] * s[ib_fold_channel(f, c)];
        made = ib_matrix_encode(ib_storage_find("f32"), n, cols, w, NULL);
    }
    ib_free(w);
    return ib_swap_matrix(f->swaps, at, made);
}

ib_status ib_fold_scales(const ib_fold_place *f, const float *s)
{
    const char *why;
    const int norm = norm_of(f->input), from = role_of(f->input);
    ib_block *b = &f->m->block[f->layer];
    const int64_t channels = ib_fold_channels(f, &why);
    IB_ASSERT(channels, "scales have something to go into");
    for (int64_t i = 0; i < channels; i++)
        if (!(s[i] > 0) || !isfinite(s[i]))
            return ib_fail(IB_ENUMERIC, "the scale of channel %lld is %g", (long long)i, (double)s[i]);
    ib_status status = norm >= 0 ? divide_vector(f, &b->norm[norm], s) : scale_matrix(f, from, s, 1);
    if (!status && norm < 0 && b->p[from].bias)
        status = divide_vector(f, &b->p[from].bias, s);
    for (int role = 0; role < IB_N_ROLES && !status; role++)
        if (b->p[role].w && ib_input_of(role) == f->input)
            status = scale_matrix(f, role, s, 0);
    return status;
}
