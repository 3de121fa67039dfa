/* quantize_model.c - a model's matrices, one after the other, in the formats of a recipe by a method. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "ptq/calibrate.h"
#include "ptq/kept.h"
#include "ptq/transform.h"
#include "tensor/matrix.h"

/* A matrix of the model and what takes its place. */
typedef struct place {
    ib_matrix **at;
    ib_ptq_place of;
    const ib_storage *asked, *to;
    char name[IB_LM_PATH];
} place;

typedef struct quantizing {
    ib_lm *m;
    ib_graph *g;
    const ib_ptq_opts *o;
    const ib_ptq_method *method;
    const ib_transform *transform; /* or NULL */
    char transformed[IB_N_INPUTS][IB_PTQ_NOTE];
    ib_calibration c;
    ib_swaps swaps;
    place *place; /* [n] */
    int n;
    ib_kept kept; /* folder NULL: nothing is */
} quantizing;

static ib_status put(quantizing *q, ib_matrix **at, int layer, int role)
{
    const ib_lm_config *c = &q->m->c;
    place *p = &q->place[q->n];
    *p = (place){.at = at,
                 .of = {.layer = layer,
                        .role = role,
                        .rows = ib_matrix_rows(*at),
                        .cols = ib_matrix_cols(*at),
                        .layers = c->layers,
                        .sharing = c->heads / c->groups,
                        .tied = ib_lm_is_tied(q->m),
                        .weighed = q->method->needs != 0}};
    if (role == IB_PTQ_EMBEDDING || role == IB_PTQ_HEAD)
        ib_snprintf(p->name, sizeof p->name, "%s", role == IB_PTQ_HEAD ? "output.weight" : "token_embd.weight");
    else
        ib_snprintf(p->name, sizeof p->name, "blk.%d.%s.weight", layer, ib_role_names[role].gguf);
    if (!(p->asked = ib_ptq_type_of(q->o->to, &p->of)) || !(p->to = ib_storage_fallback(p->asked, p->of.cols)))
        return ib_error_status();
    const int apart = role == IB_PTQ_EMBEDDING || role == IB_PTQ_HEAD, integers = !strcmp(p->to->name, "int4");
    if (q->o->folder && apart) /* their values stay */
        p->to = p->asked = ib_storage_find(ib_matrix_format(*at)->block == 1 ? ib_matrix_format(*at)->name : "f32");
    if (q->o->folder ? p->to->block > 1 && p->to->encode && !integers : p->to->gguf_type < 0)
        return ib_fail(IB_EUNSUPPORTED, "%s is no type of %s", p->to->name,
                       q->o->folder ? "Hugging Face folders" : "GGUF files");
    if (p->to != p->asked && q->o->strict)
        return ib_fail(IB_EUNSUPPORTED, "%s: rows of %lld are not whole blocks of %d, which %s has", p->name,
                       (long long)p->of.cols, p->asked->block, p->asked->name);
    q->n++;
    return IB_OK;
}

static ib_status plan(quantizing *q)
{
    ib_lm *m = q->m;
    if (!(q->place = ib_alloc((size_t)(m->c.layers * IB_N_ROLES + 2) * sizeof *q->place)))
        return IB_ENOMEM;
    ib_status status = put(q, &m->embedding, -1, IB_PTQ_EMBEDDING);
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++)
            status = m->block[i].p[r].w ? put(q, &m->block[i].p[r].w, i, r) : IB_OK;
    return status || !m->head ? status : put(q, &m->head, -1, IB_PTQ_HEAD);
}

/* The codes of a method are kept if their error is no larger than that of rounding to nearest. Single values (f16),
 * which share nothing, are rounded. */
static ib_matrix *made_of(const quantizing *q, const ib_ptq_task *t, ib_ptq_report *r)
{
    const int single = t->to->block == 1 && t->to->decode;
    ib_matrix *made = single ? ib_ptq_nearest(t, r) : q->method->quantize(t, r);
    r->method = single ? "nearest" : q->method->name.name;
    if (!made || (r->error = ib_ptq_error(t, made)) < 0 || !t->of)
        return made;
    if (single) {
        r->nearest_error = r->error;
        return made;
    }
    ib_matrix *nearest = ib_matrix_encode(t->to, t->rows, t->cols, t->w, NULL);
    r->nearest_error = nearest ? ib_ptq_error(t, nearest) : -1;
    if (nearest && r->nearest_error < r->error) {
        ib_matrix_free(made);
        ib_snprintf(r->note, sizeof r->note, "the codes of %s had an error of %.3g", q->method->name.name, r->error);
        r->error = r->nearest_error;
        r->method = "nearest";
        return nearest;
    }
    ib_matrix_free(nearest);
    return made;
}

static ib_status tell(const quantizing *q, const ib_ptq_report *r)
{
    return q->o->tell && q->o->tell(q->o->user, r) ? ib_fail(IB_ESTOPPED, "stopped at %s", r->tensor) : IB_OK;
}

static ib_status quantize(quantizing *q, place *p)
{
    const int64_t rows = p->of.rows, cols = p->of.cols;
    float *w = ib_alloc_raw((size_t)(rows * cols) * sizeof *w);
    ib_ptq_report r = {.tensor = p->name,
                       .asked = p->asked->name,
                       .got = p->to->name,
                       .rows = rows,
                       .cols = cols,
                       .bytes = ib_storage_bytes(p->to, rows, cols),
                       .nearest_error = -1};
    if (p->of.layer >= 0)
        ib_snprintf(r.transform, sizeof r.transform, "%s", q->transformed[ib_input_of(p->of.role)]);
    ib_ptq_task t = {.w = w, .rows = rows, .cols = cols, .to = p->to, .o = q->o, .g = q->g};
    if (q->c.windows && p->of.layer >= 0)
        t.of = &q->c.input[ib_input_of(p->of.role)];
    ib_matrix *made = NULL;
    if (w && !ib_lm_decoded(*p->at, q->g->dev, w) && (t.energy = ib_ptq_energy(&t, w)) >= 0)
        made = made_of(q, &t, &r);
    ib_free(w);
    const ib_status status = ib_swap_matrix(&q->swaps, p->at, made);
    if (status) {
        ib_error_prefix("%s", p->name);
        return status;
    }
    return tell(q, &r);
}

/* places: the layer's */
static ib_status transform(quantizing *q, int layer, const place *places)
{
    ib_transforming t = {.m = q->m, .g = q->g, .o = q->o, .layer = layer, .input = q->c.input, .swaps = &q->swaps};
    for (const place *p = places; p < q->place + q->n && p->of.layer == layer; p++)
        t.to[p->of.role] = p->to;
    const ib_status status = q->transform->block(&t);
    memcpy(q->transformed, t.note, sizeof t.note);
    return status;
}

/* Tells of a matrix that an earlier run has made. */
static ib_status found(const quantizing *q, const place *p)
{
    const ib_ptq_report r = {.tensor = p->name,
                             .asked = p->asked->name,
                             .got = p->to->name,
                             .method = "kept",
                             .rows = p->of.rows,
                             .cols = p->of.cols,
                             .bytes = ib_matrix_bytes(*p->at),
                             .error = -1,
                             .nearest_error = -1};
    return tell(q, &r);
}

/* The matrices of a block, or (layer -1) the embedding: an earlier run's, or made now and kept. */
static ib_status take_layer(quantizing *q, int layer)
{
    int there = 0, n = 0;
    place *p = q->place;
    while (p->of.layer != layer)
        p++;
    while (p + n < q->place + q->n && p[n].of.layer == layer && p[n].of.role != IB_PTQ_HEAD)
        n++;
    ib_status status = q->kept.folder ? ib_kept_read(&q->kept, layer, &there) : IB_OK;
    if (there && layer >= 0)
        ib_calibration_skip(&q->c);
    else if (!status && q->c.windows && layer >= 0)
        status = ib_calibration_see(&q->c, layer);
    if (!status && !there && q->transform && layer >= 0)
        status = transform(q, layer, p);
    for (int i = 0; i < n && !status; i++)
        status = there ? found(q, p + i) : quantize(q, p + i);
    return status || there || !q->kept.folder ? status : ib_kept_write(&q->kept, layer);
}

static ib_status run(quantizing *q)
{
    ib_status status = take_layer(q, -1);
    if (!status)
        status = ib_calibration_embed(&q->c);
    for (int layer = 0; layer < q->m->c.layers && !status; layer++) {
        status = take_layer(q, layer);
        if (!status && q->c.windows && layer + 1 < q->m->c.layers)
            status = ib_calibration_pass(&q->c, layer);
        if (status)
            ib_error_prefix("layer %d", layer);
    }
    return status || !q->m->head ? status : quantize(q, &q->place[q->n - 1]);
}

/* A mark of bytes: FNV-1a. */
static uint64_t mark(uint64_t h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return h;
}

/* All that the codes depend on: options, text, and of each matrix the first elements. */
static char *settings_of(const quantizing *q)
{
    const ib_ptq_opts *o = q->o;
    uint64_t text = 0xcbf29ce484222325u, model = text;
    text = mark(text, o->ids, o->ids ? (size_t)o->n * sizeof *o->ids : 0);
    for (int i = 0; i < q->n; i++) {
        float x[64];
        const int64_t size = q->place[i].of.rows * q->place[i].of.cols;
        ib_matrix_decode(*q->place[i].at, 0, size < 64 ? size : 64, x);
        model = mark(model, x, (size_t)(size < 64 ? size : 64) * sizeof *x);
    }
    return ib_format_text(
        "to %s, transform %s, alpha %g, method %s, context %d, windows %lld, bos %d, damping %g, text "
        "%016llx, model %016llx",
        o->to, q->transform ? q->transform->name.name : "none", o->alpha, q->method->name.name, o->context,
        (long long)o->windows, o->bos, o->damping, (unsigned long long)text, (unsigned long long)model);
}

ib_status ib_lm_quantize(ib_lm *m, ib_graph *g, const ib_ptq_opts *o)
{
    IB_NEED(m);
    IB_NEED(g);
    IB_NEED(o);
    IB_NEED(o->to);
    IB_TAKE(o->to, ib_ptq_type_of(o->to, &(ib_ptq_place){.cols = 256, .layers = 1}), "'%s': %s", o->to, ib_error());
    IB_TAKE(m, !m->adapted && !m->trainable, "has %s that are trained: merge or freeze it first", "weights");
    IB_TAKE(o->context, !o->context || (o->context >= 4 && o->context <= 1 << 20), "is %d", o->context);
    IB_TAKE(o->windows, o->windows >= 0, "is %lld", (long long)o->windows);
    IB_TAKE(o->damping, o->damping >= 0 && isfinite(o->damping), "is %g", o->damping);
    IB_TAKE(o->alpha, o->alpha >= 0 && o->alpha <= 1, "is %g", o->alpha);
    IB_TAKE(o->bos, o->bos >= -1 && o->bos < m->c.vocabulary, "is %d", o->bos);
    quantizing q = {.m = m, .g = g, .o = o};
    const int automatic = !o->method || !strcmp(o->method, "auto");
    if (!(q.method = ib_ptq_method_find(automatic ? o->ids ? "gptq" : "nearest" : o->method)))
        return ib_error_status();
    if (q.method->needs && !o->ids)
        return ib_fail(IB_EINVAL, "method %s needs a calibration text", q.method->name.name);
    const char *before = o->transform ? o->transform : q.method->transform;
    if (before && !(q.transform = ib_transform_find(before)))
        return ib_error_status();
    if (before && !o->ids)
        return ib_fail(IB_EINVAL, "transform %s needs a calibration text", before);
    ib_status status = plan(&q);
    char *settings = status ? NULL : settings_of(&q);
    q.kept = (ib_kept){o->work, settings, m, &q.swaps};
    if (!status && !settings)
        status = IB_ENOMEM;
    if (!status)
        status = ib_calibration_start(&q.c, m, g, o, q.method->needs | (q.transform ? q.transform->needs : 0));
    if (!status)
        status = run(&q);
    ib_swaps_end(&q.swaps, !status);
    ib_calibration_end(&q.c);
    ib_free(q.place);
    ib_free(settings);
    return status;
}
