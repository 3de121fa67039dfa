/* rope.c - rotary positions: tables of angles, and the ways to scale them. All come down to a divisor for each
 * frequency and one factor for cosines and sines; the formulas are those of transformers' modeling_rope_utils and
 * llama.cpp. */
#include "lm/rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "lm/lm.h"

#define PI 3.14159265358979323846

static ib_status need(double x, const char *name, const char *kind)
{
    return x > 0 ? IB_OK : ib_fail(IB_EFORMAT, "RoPE scaling '%s' needs a positive '%s'", kind, name);
}

static ib_status linear(ib_rope_scaling *s, double base, int rotated, int context)
{
    (void)base;
    (void)context;
    for (int i = 0; i < rotated / 2; i++)
        s->divisor[i] = (float)s->factor;
    return need(s->factor, "factor", "linear");
}

/* Dynamic NTK stretches the base once a text is longer than the context; up to there it is no scaling. */
static ib_status dynamic(ib_rope_scaling *s, double base, int rotated, int context)
{
    (void)base;
    (void)rotated;
    s->limit = context;
    return need(s->factor, "factor", "dynamic");
}

/* Llama 3: wavelengths above original / low are divided by `factor`, below original / high kept, between them
 * blended. */
static ib_status llama3(ib_rope_scaling *s, double base, int rotated, int context)
{
    s->original = s->original > 0 ? s->original : context;
    if (need(s->factor, "factor", "llama3") || need(s->low, "low_freq_factor", "llama3") ||
        need(s->high - s->low, "high_freq_factor", "llama3"))
        return IB_EFORMAT;
    for (int i = 0; i < rotated / 2; i++) {
        const double wave = 2 * PI * pow(base, 2.0 * i / rotated),
                     smooth = (s->original / wave - s->low) / (s->high - s->low);
        s->divisor[i] = (float)(wave < s->original / s->high  ? 1
                                : wave > s->original / s->low ? s->factor
                                                              : 1 / ((1 - smooth) / s->factor + smooth));
    }
    return IB_OK;
}

double ib_rope_yarn_magnitude(double factor, double mscale)
{
    return factor > 1 ? 0.1 * mscale * log(factor) + 1 : 1;
}

/* YaRN (arXiv:2309.00071): dimensions that turn more than beta_fast times in the original context are kept, those that
 * turn less than beta_slow times divided by `factor`, with a ramp between. */
static ib_status yarn(ib_rope_scaling *s, double base, int rotated, int context)
{
    s->original = s->original > 0 ? s->original : context;
    s->factor = s->factor > 0 ? s->factor : context / s->original;
    s->beta_fast = s->beta_fast > 0 ? s->beta_fast : 32;
    s->beta_slow = s->beta_slow > 0 ? s->beta_slow : 1;
    if (!(base > 1))
        return ib_fail(IB_EFORMAT, "RoPE scaling 'yarn' needs a base above 1, not %g", base);
    double low = rotated * log(s->original / (s->beta_fast * 2 * PI)) / (2 * log(base)),
           high = rotated * log(s->original / (s->beta_slow * 2 * PI)) / (2 * log(base));
    if (s->whole) {
        low = floor(low);
        high = ceil(high);
    }
    low = low > 0 ? low : 0;
    high = high < rotated - 1 ? high : rotated - 1;
    high += low == high ? 0.001 : 0;
    for (int i = 0; i < rotated / 2; i++) {
        double ramp = (i - low) / (high - low);
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        s->divisor[i] = (float)(1 / (ramp / s->factor + (1 - ramp)));
    }
    s->magnitude = (float)(s->attention_factor > 0              ? s->attention_factor
                           : s->mscale > 0 && s->mscale_all > 0 ? ib_rope_yarn_magnitude(s->factor, s->mscale) /
                                                                      ib_rope_yarn_magnitude(s->factor, s->mscale_all)
                                                                : ib_rope_yarn_magnitude(s->factor, 1));
    return IB_OK;
}

/* LongRoPE (arXiv:2402.13753): a factor for each frequency; other ones beyond the original context. */
static ib_status longrope(ib_rope_scaling *s, double base, int rotated, int context)
{
    (void)base;
    s->original = s->original > 0 ? s->original : context;
    const double factor = s->factor > 0 ? s->factor : context / s->original;
    if (!s->given)
        return ib_fail(IB_EFORMAT,
                       "RoPE scaling 'longrope' needs 'short_factor' and 'long_factor', each a list of %d numbers",
                       rotated / 2);
    s->magnitude = (float)(s->attention_factor > 0 ? s->attention_factor
                           : factor > 1            ? sqrt(1 + log(factor) / log(s->original))
                                                   : 1);
    s->limit = s->whole ? 0 : (int64_t)s->original;
    return IB_OK;
}

static const ib_rope_kind kinds[] = {
    {"default", "", NULL},
    {"linear", "factor", linear},
    {"dynamic", "factor", dynamic},
    {"llama3", "factor original_max_position_embeddings low_freq_factor high_freq_factor", llama3},
    {"yarn",
     "factor original_max_position_embeddings attention_factor beta_fast beta_slow mscale mscale_all_dim truncate",
     yarn},
    {"longrope", "factor original_max_position_embeddings attention_factor short_factor long_factor", longrope},
};

const ib_rope_kind *ib_rope_kind_find(const char *name)
{
    const int i = IB_NAME_FIND(name, kinds, IB_EUNSUPPORTED, "RoPE scaling");
    return i < 0 ? NULL : &kinds[i];
}

ib_status ib_rope_finish(ib_rope_scaling *s, double base, int rotated, int context)
{
    const int half = rotated / 2;
    ib_free(s->divisor);
    s->divisor = NULL;
    s->magnitude = 1;
    s->limit = 0;
    if (!s->kind && !(s->kind = ib_rope_kind_find("default")))
        return IB_EUNSUPPORTED;
    if (!s->kind->scale && !s->given)
        return IB_OK;
    if (!(s->divisor = ib_alloc((size_t)half * sizeof *s->divisor)))
        return IB_ENOMEM;
    for (int i = 0; i < half; i++)
        s->divisor[i] = 1;
    const ib_status status = s->kind->scale ? s->kind->scale(s, base, rotated, context) : IB_OK;
    for (int i = 0; i < half && !status; i++) {
        s->divisor[i] *= s->given ? s->given[i] : 1;
        if (!(s->divisor[i] > 0) || !isfinite(s->divisor[i]) || !isfinite(s->magnitude))
            return ib_fail(IB_EFORMAT, "RoPE scaling '%s' divides frequency %d by %g", s->kind->name, i,
                           (double)s->divisor[i]);
    }
    return status;
}

void ib_rope_release(ib_rope_scaling *s)
{
    ib_free(s->given);
    ib_free(s->divisor);
    s->given = s->divisor = NULL;
}

/* Angles pos base^(-2i/rotated) / divisor, computed in double; the table holds magnitude times their cosines and
 * sines. NULL: memory is out. */
static ib_tensor *table_of(const ib_lm *m, int local, int64_t positions)
{
    const ib_lm_config *c = &m->c;
    const ib_rope_scaling *s = &m->scaling[local && m->arch->hf_local_base > 0];
    ib_tensor *made = ib_tensor_new(IB_F32, 2, (int64_t[]){positions, c->rotated}, 0, "rotary positions");
    float *table = made ? ib_tensor_f32(made) : NULL; /* it has met no device yet */
    for (int i = 0; table && i < c->rotated / 2; i++) {
        double f = pow(local ? c->rope_base_local : c->rope_base, -2.0 * i / c->rotated);
        if (s->divisor)
            f /= s->divisor[i];
        for (int64_t p = 0; p < positions; p++) {
            table[p * c->rotated + 2 * i] = (float)(s->magnitude * cos((double)p * f));
            table[p * c->rotated + 2 * i + 1] = (float)(s->magnitude * sin((double)p * f));
        }
    }
    return made;
}

ib_status ib_lm_rope(ib_lm *m, int64_t positions)
{
    int64_t most = IB_LM_POSITIONS;
    if (positions <= m->positions)
        return IB_OK;
    if (positions > most)
        return ib_fail(IB_EINVAL, "%lld positions, at most %d are possible", (long long)positions, IB_LM_POSITIONS);
    for (int t = 0; t < 2; t++) {
        const ib_rope_scaling *s = &m->scaling[t];
        if (s->limit && positions > s->limit)
            return ib_fail(IB_EUNSUPPORTED,
                           "%lld positions: behind %lld RoPE scaling '%s' of this model changes with the length of the "
                           "text, which is not supported",
                           (long long)positions, (long long)s->limit, s->kind->name);
        most = s->limit && s->limit < most ? s->limit : most;
    }
    if (positions < 2 * m->positions) /* so that they seldom grow */
        positions = 2 * m->positions < most ? 2 * m->positions : most;
    ib_tensor *global = table_of(m, 0, positions), *local = global ? table_of(m, 1, positions) : NULL;
    if (!local) {
        ib_tensor_free(global);
        return IB_ENOMEM;
    }
    if (m->positions)
        memcpy(m->outgrown[m->n_outgrown++], m->rope, sizeof m->rope);
    m->rope[0] = global;
    m->rope[1] = local;
    m->positions = positions;
    return IB_OK;
}

void ib_lm_rope_free(ib_lm *m)
{
    for (int i = 0; i < m->n_outgrown; i++)
        for (int t = 0; t < 2; t++)
            ib_tensor_free(m->outgrown[i][t]);
    ib_tensor_free(m->rope[0]);
    ib_tensor_free(m->rope[1]);
}
