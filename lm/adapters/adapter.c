/* adapter.c - low-rank adapters on the linear layers: making them, merging them. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lm/lm.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "backends/placed_matrix.h"
#include "lm/adapters/adapter.h"

static const ib_layer_class adapter_class = {"adapter", NULL};

/* A word of the list matches the layer's last name, its whole path, or stands for a group. */
static int matches(const char *word, const char *path, int role)
{
    const char *last = strrchr(path, '.') + 1;
    return !strcmp(word, "all") || (!strcmp(word, "attention") && role <= IB_ROLE_O) ||
           (!strcmp(word, "mlp") && role >= IB_ROLE_GATE) || !fnmatch(word, last, 0) || !fnmatch(word, path, 0);
}

/* A list as its words, "pattern" or "pattern=8", and whether any layer met each. */
enum { MOST_WORDS = 128 };
typedef struct words {
    char *text, *word[MOST_WORDS];
    int rank[MOST_WORDS], used[MOST_WORDS], n;
} words;

static ib_status split(words *w, const char *list, int ranks)
{
    char *save = NULL;
    *w = (words){.text = ib_strdup(list)};
    if (!w->text)
        return IB_ENOMEM;
    for (char *s = strtok_r(w->text, ", ", &save); s; s = strtok_r(NULL, ", ", &save)) {
        char *eq = ranks ? strchr(s, '=') : NULL, *end = NULL;
        const long r = eq ? strtol(eq + 1, &end, 10) : 0;
        if (w->n == MOST_WORDS)
            return ib_fail(IB_EINVAL, "--lora %s: more than %d words", ranks ? "ranks" : "targets", MOST_WORDS);
        if (ranks && (!eq || end == eq + 1 || *end || r < 1 || r > 4096))
            return ib_fail(IB_EINVAL, "--lora ranks: '%s' is no PATTERN:RANK with a rank from 1 to 4096", s);
        if (eq)
            *eq = 0;
        w->rank[w->n] = (int)r;
        w->word[w->n++] = s;
    }
    return IB_OK;
}

/* The last word that matches a layer, or -1; all that match it count as used. */
static int word_for(words *w, const char *path, int role)
{
    int found = -1;
    for (int i = 0; i < w->n; i++)
        if (matches(w->word[i], path, role))
            w->used[found = i] = 1;
    return found;
}

static ib_status all_used(const words *w, const char *what, const char *layers)
{
    for (int i = 0; i < w->n; i++)
        if (!w->used[i])
            return ib_fail(IB_EINVAL,
                           "--lora %s: '%s': no %s has such a name; there are q_proj, k_proj, v_proj, o_proj, "
                           "gate_proj, up_proj, down_proj",
                           what, w->word[i], layers);
    return IB_OK;
}

ib_status ib_lm_adapter_begin(ib_lm *m)
{
    if (m->trainable)
        return ib_fail(IB_ESTATE, m->adapted ? "the model has an adapter already"
                                             : "the model's own weights are being trained: freeze them first");
    m->trainable = ib_layer_new(&adapter_class, 0);
    m->adapted = m->trainable != NULL;
    return m->trainable ? IB_OK : IB_ENOMEM;
}

void ib_lm_adapter_end(ib_lm *m)
{
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            ib_projection *p = &m->block[i].p[r];
            p->a = p->b = p->m = NULL;
            p->scale = p->alpha = 0;
        }
    ib_layer_free(m->trainable);
    m->trainable = NULL;
    m->embedding_w = m->head_w = NULL;
    m->adapted = m->r = m->rslora = m->dora = 0;
    m->alpha = m->dropout = 0;
}

ib_status ib_lm_adapter_add(ib_lm *m, int layer, int role, int64_t r, float alpha)
{
    ib_projection *p = &m->block[layer].p[role];
    int64_t rows, cols;
    ib_lm_role_shape(&m->c, role, &rows, &cols);
    if (r < 1 || r > 4096)
        return ib_fail(IB_EINVAL, "an adapter of rank %lld", (long long)r);
    char path[IB_LM_PATH], a[IB_LM_PATH + 32], b[IB_LM_PATH + 32], v[IB_LM_PATH + 32];
    ib_lm_path(path, layer, role);
    ib_snprintf(a, sizeof a, "%s.lora_A.weight", path);
    ib_snprintf(b, sizeof b, "%s.lora_B.weight", path);
    ib_snprintf(v, sizeof v, "%s.lora_magnitude_vector", path);
    p->a = ib_layer_param(m->trainable, a, 2, (int64_t[]){r, cols}, IB_INIT_UNIFORM_FAN_IN, cols, 1);
    p->b = ib_layer_param(m->trainable, b, 2, (int64_t[]){rows, r}, IB_INIT_ZEROS, r, 1);
    if (m->dora)
        p->m = ib_layer_param(m->trainable, v, 1, &rows, IB_INIT_ZEROS, r, 1);
    p->alpha = alpha;
    p->scale = m->rslora ? alpha / sqrtf((float)r) : alpha / (float)r;
    return p->a && p->b && (!m->dora || p->m) ? IB_OK : IB_ENOMEM;
}

/* m = ||w|| of each row */
static ib_status row_norms(const ib_projection *p, float *out)
{
    float *row = ib_alloc_raw((size_t)ib_matrix_cols(p->w) * sizeof *row);
    if (!row)
        return IB_ENOMEM;
    for (int64_t o = 0; o < ib_matrix_rows(p->w); o++) {
        double sum = 0;
        ib_matrix_decode(p->w, o * ib_matrix_cols(p->w), ib_matrix_cols(p->w), row);
        for (int64_t i = 0; i < ib_matrix_cols(p->w); i++)
            sum += (double)row[i] * row[i];
        out[o] = (float)sqrt(sum);
    }
    ib_free(row);
    return IB_OK;
}

ib_status ib_lm_adapt(ib_lm *m, const ib_adapter_opts *o)
{
    IB_NEED(m);
    static const ib_adapter_opts defaults;
    o = o ? o : &defaults;
    IB_TAKE(o->r, o->r >= 0 && o->r <= 4096, "is %d: an adapter's rank is 1 to 4096", o->r);
    IB_TAKE(o->alpha, o->alpha >= 0 && isfinite(o->alpha), "is %g", o->alpha);
    IB_TAKE(o->dropout, o->dropout >= 0 && o->dropout < 1, "is %g, which is not in [0, 1)", o->dropout);
    words targets = {0}, ranks = {0};
    ib_status status = ib_lm_adapter_begin(m);
    if (status)
        return status;
    if (!(status = split(&targets, o->targets ? o->targets : "all", 0)))
        status = split(&ranks, o->ranks ? o->ranks : "", 1);
    m->r = o->r ? o->r : 16;
    m->alpha = o->alpha > 0 ? o->alpha : 2.0f * (float)m->r;
    m->dropout = o->dropout;
    m->rslora = o->rslora;
    m->dora = o->dora;
    if (!status && !targets.n)
        status = ib_fail(IB_EINVAL, "--lora targets: names no layer");
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++) {
            char path[IB_LM_PATH];
            if (word_for(&targets, ib_lm_path(path, i, r), r) < 0)
                continue;
            const int other = word_for(&ranks, path, r);
            status = ib_lm_adapter_add(m, i, r, other < 0 ? m->r : ranks.rank[other], m->alpha);
        }
    if (!status && !(status = all_used(&targets, "targets", "layer")))
        status = all_used(&ranks, "ranks", "layer of the targets");
    if (!status && !(status = ib_lm_whole_adapt(m, o->save)))
        status = ib_layer_init(m->trainable, o->seed);
    if (!status)
        ib_lm_whole_fill(m);
    for (int i = 0; i < m->c.layers && !status && m->dora; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++)
            if (m->block[i].p[r].m)
                status = row_norms(&m->block[i].p[r], ib_tensor_f32(m->block[i].p[r].m));
    ib_free(targets.text);
    ib_free(ranks.text);
    if (status)
        ib_lm_adapter_end(m);
    return status;
}

/* Every layer of the targets is adapted and no other, with the rank of the last pattern that matches it. */
static ib_status check_layers(const ib_lm *m, words *targets, words *ranks)
{
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            char path[IB_LM_PATH];
            const ib_tensor *a = m->block[i].p[r].a;
            const int named = word_for(targets, ib_lm_path(path, i, r), r), other = a ? word_for(ranks, path, r) : -1;
            if (targets->n && (named >= 0) != (a != NULL))
                return ib_fail(IB_EINVAL, "--lora targets: the adapter has %s layer %s", a ? "a" : "no", path);
            if (other >= 0 && a->shape[0] != ranks->rank[other])
                return ib_fail(IB_EINVAL, "--lora ranks=%s:%d: the adapter has rank %lld for %s", ranks->word[other],
                               ranks->rank[other], (long long)a->shape[0], path);
        }
    const ib_status status = all_used(targets, "targets", "layer");
    return status ? status : all_used(ranks, "ranks", "layer of the adapter");
}

ib_status ib_lm_adapter_check(const ib_lm *m, const ib_adapter_opts *o)
{
    IB_NEED(m);
    IB_NEED(o);
    IB_TAKE(o->r, o->r >= 0, "is %d", o->r);
    IB_TAKE(o->alpha, o->alpha >= 0, "is %g", o->alpha);
    if (!m->adapted)
        return ib_fail(IB_ESTATE, "the model has no adapter");
    if (o->r && o->r != m->r)
        return ib_fail(IB_EINVAL, "--lora r=%d: the adapter has rank %d", o->r, m->r);
    if (o->alpha > 0 && o->alpha != m->alpha)
        return ib_fail(IB_EINVAL, "--lora alpha=%g: the adapter has alpha %g", o->alpha, m->alpha);
    if ((o->rslora && !m->rslora) || (o->dora && !m->dora))
        return ib_fail(IB_EINVAL, "--lora %s: the adapter is another kind", o->dora && !m->dora ? "dora" : "rslora");
    words targets = {0}, ranks = {0};
    ib_status status = split(&targets, o->targets ? o->targets : "", 0);
    if (!status && !(status = split(&ranks, o->ranks ? o->ranks : "", 1)))
        status = check_layers(m, &targets, &ranks);
    if (!status)
        status = ib_lm_whole_check(m, o->save);
    ib_free(targets.text);
    ib_free(ranks.text);
    return status;
}

ib_status ib_lm_set_dropout(ib_lm *m, float p)
{
    IB_NEED(m);
    IB_TAKE(p, p >= 0 && p < 1, "is %g, which is not in [0, 1)", p);
    m->dropout = p;
    return IB_OK;
}

/* out += s B A; then, with magnitudes, each row times m / ||row||: out, sb and c are the device's. */
static void merge(const ib_projection *p, ib_device *dev, float *out, float *sb, float *c)
{
    const int64_t rows = ib_matrix_rows(p->w), cols = ib_matrix_cols(p->w), r = p->a->shape[0];
    dev->v.copy(dev, sb, p->b->data, (size_t)(rows * r) * sizeof *sb);
    dev->k.scale(dev, sb, rows * r, p->scale);
    dev->k.gemm(dev, 0, 0, rows, cols, r, sb, ib_f32(p->a), 1.0f, out);
    if (p->m)
        dev->k.magnitudes(dev, out, rows, cols, ib_f32(p->m), c);
    for (int64_t o = 0; p->m && o < rows; o++)
        dev->k.scale_by(dev, out + o * cols, cols, c + o);
}

/* To the host; IB_EUNSUPPORTED if there was something on the way that the device could not do. */
static ib_status fetch(ib_device *dev, float *out, const float *y, int64_t n)
{
    dev->v.download(dev, out, y, (size_t)n * sizeof *y);
    return *dev->failure ? ib_fail(IB_EUNSUPPORTED, "%s: %s", ib_device_name(dev), dev->failure) : IB_OK;
}

ib_status ib_lm_decoded(const ib_matrix *w, ib_device *dev, float *out)
{
    const int64_t n = ib_matrix_rows(w) * ib_matrix_cols(w);
    float *y = ib_home(dev) ? ib_block_new(dev, (size_t)n * sizeof *y) : out;
    if (!y || !(w = ib_matrix_on(w, dev))) {
        if (y != out)
            ib_block_free(dev, y);
        return ib_error_status();
    }
    dev->k.decode(dev, w, 0, n, y);
    const ib_status status = y != out ? fetch(dev, out, y, n) : IB_OK;
    if (y != out)
        ib_block_free(dev, y);
    return status;
}

ib_status ib_lm_merged(const ib_projection *p, ib_device *dev, float *out)
{
    if (!p->a)
        return ib_lm_decoded(p->w, dev, out);
    const ib_matrix *w = ib_matrix_on(p->w, dev);
    const int64_t rows = ib_matrix_rows(p->w), n = rows * ib_matrix_cols(p->w), factors = rows * p->a->shape[0];
    ib_tensor *const part[] = {p->a, p->b, p->m};
    ib_status status = w ? IB_OK : ib_error_status();
    for (int i = 0; i < 3 && !status; i++)
        status = part[i] ? ib_tensor_place(part[i], dev) : IB_OK;
    float *sb = status ? NULL : ib_block_new(dev, (size_t)(factors + rows) * sizeof *sb),
          *y = sb && ib_home(dev) ? ib_block_new(dev, (size_t)n * sizeof *y) : out;
    if (sb && y) {
        dev->k.decode(dev, w, 0, n, y);
        merge(p, dev, y, sb, sb + factors);
    }
    status = !sb || !y ? ib_error_status() : y != out ? fetch(dev, out, y, n) : IB_OK;
    if (y != out)
        ib_block_free(dev, y);
    ib_block_free(dev, sb);
    return status;
}

ib_status ib_lm_deploy(ib_lm *m, ib_device *dev, const char *format)
{
    IB_NEED(m);
    IB_NEED(dev);
    const ib_storage *f = format ? ib_storage_writable(format) : NULL;
    if (format && !f)
        return ib_error_status();
    if (format && !m->adapted)
        return ib_fail(IB_ESTATE, "the model has no adapter to deploy");
    ib_status status = IB_OK;
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++) {
            ib_projection *p = &m->block[i].p[r];
            ib_matrix_free(p->merged);
            p->merged = NULL;
            if (!f)
                continue;
            const int64_t rows = ib_matrix_rows(p->w), cols = ib_matrix_cols(p->w);
            float *x = ib_alloc_raw((size_t)(rows * cols) * sizeof *x);
            status = x ? ib_lm_merged(p, dev, x) : IB_ENOMEM;
            if (!status && !(p->merged = ib_matrix_encode(ib_storage_fallback(f, cols), rows, cols, x, NULL)))
                status = ib_error_status();
            ib_free(x);
        }
    return status;
}
