/* divergence_figures.c - means, their errors and quantiles of what was noted of each token. */
#include <math.h>
#include <stdlib.h>

#include "base/argument.h"
#include "lm/run/divergence.h"

static const double quantiles[IB_QUANTILES] = {0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};

double ib_quantile(int i)
{
    return i >= 0 && i < IB_QUANTILES ? quantiles[i] : -1;
}

static double nll_of(const ib_token_score *s)
{
    return s->nll;
}
static double base_nll_of(const ib_token_score *s)
{
    return s->base_nll;
}
static double log_ratio_of(const ib_token_score *s)
{
    return s->nll - s->base_nll;
}
static double divergence_of(const ib_token_score *s)
{
    return s->divergence;
}
static double same_top_of(const ib_token_score *s)
{
    return s->same_top;
}
static double change_of(const ib_token_score *s)
{
    return s->change;
}
static double squared_change_of(const ib_token_score *s)
{
    return s->change * s->change;
}

static ib_estimate mean_of(const ib_token_score *s, int64_t n, double (*of)(const ib_token_score *))
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += of(&s[i]);
    const double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = of(&s[i]) - mean;
        squares += d * d;
    }
    return (ib_estimate){mean, n > 1 ? sqrt(squares / (double)n / (double)(n - 1)) : 0};
}

/* sum (x - E x)(y - E y) / sqrt(sum (x - E x)^2 sum (y - E y)^2) of the two losses */
static double correlation(const ib_token_score *s, int64_t n, double mean, double base_mean)
{
    double both = 0, own = 0, base = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = s[i].nll - mean, y = s[i].base_nll - base_mean;
        both += x * y;
        own += x * x;
        base += y * y;
    }
    return own > 0 && base > 0 ? both / sqrt(own * base) : 0;
}

static ib_estimate exp_of(ib_estimate m)
{
    return (ib_estimate){exp(m.mean), exp(m.mean) * m.error};
}

static int by_divergence(const void *a, const void *b)
{
    const double x = ((const ib_token_score *)a)->divergence, y = ((const ib_token_score *)b)->divergence;
    return (x > y) - (x < y);
}

static int by_change(const void *a, const void *b)
{
    const double x = ((const ib_token_score *)a)->change, y = ((const ib_token_score *)b)->change;
    return (x > y) - (x < y);
}

static void quantiles_of(const ib_token_score *s, int64_t n, double (*of)(const ib_token_score *), double *out)
{
    for (int i = 0; i < IB_QUANTILES; i++) {
        const double at = quantiles[i] * (double)(n - 1);
        const int64_t below = (int64_t)at, above = below + 1 < n ? below + 1 : below;
        const double part = at - (double)below;
        out[i] = (1 - part) * of(&s[below]) + part * of(&s[above]);
    }
}

void ib_divergence_figures(ib_token_score *s, int64_t n, ib_divergence *out)
{
    const ib_estimate nll = mean_of(s, n, nll_of), base_nll = mean_of(s, n, base_nll_of);
    const ib_estimate square = mean_of(s, n, squared_change_of);
    const double rms = sqrt(square.mean);
    out->tokens = n;
    out->perplexity = exp_of(nll);
    out->base_perplexity = exp_of(base_nll);
    out->log_ratio = mean_of(s, n, log_ratio_of);
    out->ratio = exp_of(out->log_ratio);
    out->correlation = correlation(s, n, nll.mean, base_nll.mean);
    out->divergence = mean_of(s, n, divergence_of);
    out->same_top = mean_of(s, n, same_top_of); /* of zeros and ones that error is sqrt(f (1 - f) / (n - 1)) */
    out->change = mean_of(s, n, change_of);
    out->rms_change = (ib_estimate){rms, rms > 0 ? 0.5 / rms * square.error : 0};
    qsort(s, (size_t)n, sizeof *s, by_divergence);
    quantiles_of(s, n, divergence_of, out->divergence_at);
    qsort(s, (size_t)n, sizeof *s, by_change);
    quantiles_of(s, n, change_of, out->change_at);
}
