/* against.c - see against.h */
#include "cli/measure/against.h"

#include <stdio.h>
#include <string.h>

int is_saved_logits(const char *path)
{
    char head[8] = {0};
    FILE *f = fopen(path, "rb");
    const int is = f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, "_logits_", sizeof head);
    if (f)
        fclose(f);
    return is;
}

/* The base's own tokenizer must make the same of the text, or one vocabulary's numbers would be taken for another's. */
static int same_tokens(const against *a, const ib_ids *ids, int in_place)
{
    ib_ids own = {0};
    ib_tokenizer *t = ib_tokenizer_open(a->base);
    int status = t ? text_tokens(t, a->text, in_place, &own) : complain();
    int64_t i = 0;
    while (!status && i < ids->n && i < own.n && ids->id[i] == own.id[i])
        i++;
    if (!status && (i < ids->n || i < own.n))
        status = fprintf(stderr,
                         "isobit: %s: %s makes other tokens of it than %s does, from token %lld of %lld and %lld on\n",
                         a->text, a->base, a->model, (long long)i, (long long)own.n, (long long)ids->n) > 0;
    ib_free_ids(&own);
    ib_tokenizer_free(t);
    return status;
}

int measure_against(language *l, const against *a, const ib_ids *ids, const ib_perplexity_opts *p, ib_divergence *out)
{
    if (is_saved_logits(a->base)) {
        const ib_status status = ib_lm_divergence_saved(l->m, a->base, l->g, a->text ? ids->id : NULL, ids->n, p, out);
        return status ? complain_of_windows(a->model, a->base) : 0;
    }
    ib_lm *base = ib_lm_open(a->base);
    if (!base)
        return complain();
    int status = a->tokenizer ? 0 : same_tokens(a, ids, p->in_place);
    if (!status && ib_lm_divergence(l->m, base, l->g, ids->id, ids->n, p, out))
        status = complain_of_windows(a->model, a->text);
    ib_lm_free(base);
    return status;
}

/* Quantiles that a reader looks at first; the least and largest have words of their own. */
static void print_quantiles(const double *at, double factor, const char *unit)
{
    for (int i = 1; i + 1 < IB_QUANTILES; i++)
        printf("  %g %% %.4g%s", 100 * ib_quantile(i), factor * at[i], unit);
    printf("  least %.4g%s  largest %.4g%s\n", factor * at[0], unit, factor * at[IB_QUANTILES - 1], unit);
}

static void add_estimate(struct json_object *j, const char *key, ib_estimate e)
{
    char error[48];
    snprintf(error, sizeof error, "%s_error", key);
    json_object_object_add(j, key, json_object_new_double(e.mean));
    json_object_object_add(j, error, json_object_new_double(e.error));
}

static void add_quantiles(struct json_object *j, const char *key, const double *at)
{
    struct json_object *o = json_object_new_object();
    for (int i = 0; i < IB_QUANTILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%g", ib_quantile(i));
        json_object_object_add(o, name, json_object_new_double(at[i]));
    }
    json_object_object_add(j, key, o);
}

static void report_json(const char *base, const ib_divergence *d, const products *made, double took)
{
    struct json_object *j = json_object_new_object();
    add_estimate(j, "perplexity", d->perplexity);
    add_estimate(j, "base_perplexity", d->base_perplexity);
    add_estimate(j, "perplexity_ratio", d->ratio);
    add_estimate(j, "log_ratio", d->log_ratio);
    json_object_object_add(j, "correlation", json_object_new_double(d->correlation));
    add_estimate(j, "divergence", d->divergence);
    add_quantiles(j, "divergence_quantiles", d->divergence_at);
    add_estimate(j, "same_top", d->same_top);
    add_estimate(j, "change", d->change);
    add_estimate(j, "rms_change", d->rms_change);
    add_quantiles(j, "change_quantiles", d->change_at);
    json_object_object_add(j, "base", json_object_new_string(base));
    json_object_object_add(j, "base_path", json_object_new_string(is_saved_logits(base) ? "saved" : "exact"));
    json_object_object_add(j, "tokens", json_object_new_int64(d->tokens));
    json_object_object_add(j, "windows", json_object_new_int64(d->windows));
    add_path(j, made);
    json_object_object_add(j, "seconds", json_object_new_double(took));
    json_object_object_add(j, "peak_bytes", json_object_new_int64(peak_memory()));
    print_json(j);
}

void report_divergence(const common *o, const char *base, const ib_divergence *d, const products *made, double took)
{
    if (o->json) {
        report_json(base, d, made, took);
        return;
    }
    printf("perplexity %.4f +- %.4f%s, of %s%s %.4f +- %.4f, over %lld tokens of %lld windows\n", d->perplexity.mean,
           d->perplexity.error, made->of.integer ? " in integers" : "", base,
           is_saved_logits(base) ? " (saved)" : " (exactly)", d->base_perplexity.mean, d->base_perplexity.error,
           (long long)d->tokens, (long long)d->windows);
    printf("ratio %.5f +- %.5f, its logarithm %.5f +- %.5f, correlation of the losses %.2f %%\n", d->ratio.mean,
           d->ratio.error, d->log_ratio.mean, d->log_ratio.error, 100 * d->correlation);
    printf("KL divergence %.6f +- %.6f\n", d->divergence.mean, d->divergence.error);
    print_quantiles(d->divergence_at, 1, "");
    printf("the same most likely token %.3f +- %.3f %%\n", 100 * d->same_top.mean, 100 * d->same_top.error);
    printf("probability of the right token: change %.4f +- %.4f %%, RMS %.4f +- %.4f %%\n", 100 * d->change.mean,
           100 * d->change.error, 100 * d->rms_change.mean, 100 * d->rms_change.error);
    print_quantiles(d->change_at, 100, " %");
    printf("%.1f s, peak memory %lld MB\n", took, (long long)(peak_memory() / 1000000));
}
