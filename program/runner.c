/* runner.c - integer programs on the device's kernels: constants packed once, memory planned once, samples shared out
 * among threads.
 *
 * Where the device has products for images with channels last (nhwc), values stay in that order from layer to layer;
 * codes in the program's own order are made only for instructions without such a form, and for the result. */
#include <omp.h>
#include <string.h>

#include "base/argument.h"
#include "base/assert.h"
#include "base/trace.h"
#include "program/instr.h"

/* How a value is held. */
typedef struct held {
    ib_nhwc image; /* geometry; data NULL */
    int as_codes, as_image;
    int64_t offset; /* of the image in a worker's images, a sample */
} held;

/* What a thread works with. */
typedef struct worker {
    int8_t **value, *arena, *constants; /* constants: one behind the other, each for all samples */
    ib_nhwc *image;
    uint8_t *images;
    int32_t *acc;
    float *scratch;
} worker;

struct ib_runner {
    const ib_program *p;
    ib_device *dev;
    int64_t batch, chunk; /* samples of a run, and of a worker at a time */
    int n_workers, threads;
    worker *workers;
    held *held;           /* [n_values] */
    int *nhwc;            /* [n_instrs] runs on images */
    void **packed;        /* [n_instrs] */
    int64_t images, macs; /* of a sample: bytes of all images, products */
};

/* An instruction runs on images if its inputs are images anyway, or if it is a convolution. */
static void choose_forms(ib_runner *r, int traced)
{
    const ib_program *p = r->p;
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_instr *n = &p->instrs[i];
        ib_nhwc image;
        int fits = n->cls->run_nhwc && ib_value_image(&p->values[n->out], &image) &&
                   (!n->cls->pack_nhwc || n->cls->pack_nhwc(p, n, r->dev, NULL));
        for (int j = 0; j < n->n_in; j++) {
            const int in = n->in[j], made = p->values[in].first;
            fits = fits && ib_value_image(&p->values[in], &image) &&
                   (n->cls == &ib_instr_conv2d || (made >= 0 && r->nhwc[made]));
        }
        r->nhwc[i] = fits;
        for (int j = 0; j < n->n_in; j++)
            *(fits ? &r->held[n->in[j]].as_image : &r->held[n->in[j]].as_codes) = 1;
        *(fits ? &r->held[n->out].as_image : &r->held[n->out].as_codes) = 1;
    }
    r->held[p->result].as_codes = 1;
    for (int v = 0; v < p->n_values; v++)
        r->held[v].as_codes |= traced;
}

/* As many pixels around each image as the windows of its readers reach. */
static void choose_borders(ib_runner *r)
{
    const ib_program *p = r->p;
    for (int v = 0; v < p->n_values; v++)
        ib_value_image(&p->values[v], &r->held[v].image);
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_instr *n = &p->instrs[i];
        if (!r->nhwc[i] || !n->cls->pack_nhwc)
            continue;
        ib_nhwc *x = &r->held[n->in[0]].image;
        const ib_window s = ib_product_window(n, x, 1);
        const int64_t reach[] = {s.ph, s.pw, (s.oh - 1) * s.sh + s.kh - s.ph - s.ih,
                                 (s.ow - 1) * s.sw + s.kw - s.pw - s.iw};
        for (int j = 0; j < 4; j++)
            x->border = reach[j] > x->border ? (int)reach[j] : x->border;
    }
}

static int same_frame(const ib_runner *r, int u, int v)
{
    const ib_nhwc *a = &r->held[u].image, *b = &r->held[v].image;
    return a->c == b->c && a->h == b->h && a->w == b->w && a->border == b->border &&
           r->p->values[u].zero == r->p->values[v].zero;
}

/* Images of one geometry and zero point, so of one border that is written once, take each other's place when their
 * time is over. */
static void place_images(ib_runner *r)
{
    const ib_program *p = r->p;
    for (int v = 0; v < p->n_values; v++) {
        held *h = &r->held[v];
        h->offset = -1;
        if (!h->as_image)
            continue;
        for (int u = 0; u < v && h->offset < 0; u++) {
            int is_free = r->held[u].as_image && same_frame(r, u, v);
            for (int o = 0; o < v && is_free; o++) /* who else has that place */
                is_free = !r->held[o].as_image || r->held[o].offset != r->held[u].offset ||
                          p->values[o].last < p->values[v].first;
            if (is_free)
                h->offset = r->held[u].offset;
        }
        if (h->offset < 0) {
            h->offset = r->images;
            r->images += (ib_nhwc_bytes(&h->image) + 63) / 64 * 64;
        }
    }
}

static int64_t scratch_of(ib_device *dev, const ib_instr *i, int64_t n)
{
    const ib_window s = ib_product_window(i, NULL, n);
    if (!i->codes)
        return 0;
    return i->cls == &ib_instr_conv2d ? dev->v.qconv2d_words(dev, &s)
                                      : dev->v.qlinear_words(dev, n, i->p.conv.in_c, i->p.conv.out_c);
}

/* Work space that kernels need with the present number of threads. */
static ib_status make_scratch(ib_runner *r)
{
    int64_t scratch = 1;
    for (int i = 0; i < r->p->n_instrs; i++)
        if (!r->nhwc[i]) {
            const int64_t n = scratch_of(r->dev, &r->p->instrs[i], r->chunk);
            scratch = n > scratch ? n : scratch;
        }
    r->threads = ib_threads();
    for (int i = 0; i < r->n_workers; i++) {
        ib_free(r->workers[i].scratch);
        if (!(r->workers[i].scratch = ib_alloc((size_t)scratch * sizeof(float))))
            return IB_ENOMEM;
    }
    return IB_OK;
}

static ib_status make_worker(ib_runner *r, worker *w)
{
    const ib_program *p = r->p;
    int64_t acc = 1;
    for (int v = 0; v < p->n_values; v++)
        if (r->held[v].as_codes && p->values[v].size > acc)
            acc = p->values[v].size;
    int64_t constants = 0;
    for (int v = 0; v < p->n_values; v++)
        constants += ib_constant_of(p, v) ? p->values[v].size : 0;
    if (!(w->constants = ib_alloc((size_t)(constants * r->chunk + 1))))
        return IB_ENOMEM;
    if (!(w->value = ib_alloc((size_t)p->n_values * sizeof *w->value)) ||
        !(w->image = ib_alloc((size_t)p->n_values * sizeof *w->image)) ||
        !(w->arena = ib_alloc((size_t)(p->arena * r->chunk + 1))) ||
        !(w->acc = ib_alloc((size_t)(acc * r->chunk) * sizeof *w->acc)) ||
        !(w->images = ib_alloc((size_t)(r->images * r->chunk + IB_NHWC_SLACK))))
        return IB_ENOMEM;
    int8_t *to = w->constants;
    for (int v = 0; v < p->n_values; v++)
        for (int64_t i = 0; ib_constant_of(p, v) && i < r->chunk; i++, to += p->values[v].size)
            memcpy(to, ib_constant_of(p, v), (size_t)p->values[v].size);
    for (int v = 0; v < p->n_values; v++)
        if (r->held[v].as_image) {
            w->image[v] = r->held[v].image;
            w->image[v].data = w->images + r->held[v].offset * r->chunk;
            memset(w->image[v].data, p->values[v].zero + 128, (size_t)(ib_nhwc_bytes(&w->image[v]) * r->chunk));
        }
    return IB_OK;
}

static ib_runner *new_runner(const ib_program *p, ib_device *dev, int64_t batch, int traced)
{
    enum { CACHE = 256 * 1024, MOST = 64 }; /* bytes of values that a worker goes through again and again; samples */
    if (!p || !dev)
        return NULL;
    if (batch < 1)
        return ib_fail_null(IB_EINVAL, "ib_runner_new: batch is %lld", (long long)batch);
    ib_runner *r = ib_alloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (ib_runner){.p = p, .dev = dev->host, .batch = batch};
    if (!(r->held = ib_alloc((size_t)p->n_values * sizeof *r->held)) ||
        !(r->nhwc = ib_alloc((size_t)p->n_instrs * sizeof *r->nhwc)) ||
        !(r->packed = ib_alloc((size_t)p->n_instrs * sizeof *r->packed)))
        goto fail;
    for (int i = 0; i < p->n_instrs; i++)
        r->macs += p->instrs[i].macs;
    choose_forms(r, traced);
    choose_borders(r);
    place_images(r);
    const int64_t threads = ib_threads(), share = (batch + threads - 1) / threads,
                  fit = CACHE / (r->images + p->arena + 1);
    r->chunk = traced ? batch : fit < 1 ? 1 : fit > MOST ? MOST : fit;
    r->chunk = !traced && r->chunk > share ? share : r->chunk;
    r->n_workers = (int)((batch + r->chunk - 1) / r->chunk < threads ? (batch + r->chunk - 1) / r->chunk : threads);
    if (!(r->workers = ib_alloc((size_t)r->n_workers * sizeof *r->workers)))
        goto fail;
    for (int i = 0; i < r->n_workers; i++)
        if (make_worker(r, &r->workers[i]))
            goto fail;
    if (make_scratch(r))
        goto fail;
    for (int i = 0; i < p->n_instrs; i++) {
        const ib_instr *n = &p->instrs[i];
        int64_t (*pack)(const ib_program *, const ib_instr *, ib_device *, void *) =
            r->nhwc[i] ? n->cls->pack_nhwc : n->cls->pack;
        const int64_t bytes = pack ? pack(p, n, r->dev, NULL) : 0;
        if (bytes && !(r->packed[i] = ib_alloc((size_t)bytes)))
            goto fail;
        if (bytes)
            pack(p, n, r->dev, r->packed[i]);
    }
    return r;
fail:
    ib_runner_free(r);
    return NULL;
}

ib_runner *ib_runner_new(const ib_program *p, ib_device *dev, int64_t batch)
{
    IB_NEED_OR(p, NULL);
    IB_NEED_OR(dev, NULL);
    return new_runner(p, dev, batch, ib_trace_begin() > 0);
}

ib_runner *ib_runner_new_traced(const ib_program *p, ib_device *dev, int64_t batch)
{
    return new_runner(p, dev, batch, 1);
}

void ib_runner_free(ib_runner *r)
{
    if (!r)
        return;
    for (int i = 0; r->packed && i < r->p->n_instrs; i++)
        ib_free(r->packed[i]);
    for (int i = 0; r->workers && i < r->n_workers; i++) {
        worker *w = &r->workers[i];
        void *all[] = {w->value, w->image, w->arena, w->constants, w->acc, w->images, w->scratch};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            ib_free(all[j]);
    }
    void *all[] = {r->workers, r->held, r->nhwc, r->packed, r};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ib_free(all[i]);
}

/* Who looks at every instruction's result. */
typedef struct observer {
    void (*see)(void *, int, const int8_t *);
    void *context;
} observer;

/* A share of instruction i, and of its result in the order that later instructions need; -1 puts the input in order. */
static ib_status run_image(const ib_runner *r, const worker *w, int64_t n, int i, ib_share share)
{
    if (i < 0) {
        if (r->held[0].as_image)
            r->dev->k.nhwc_from(r->dev, w->value[0], n, &w->image[0], share);
        return IB_OK;
    }
    const ib_instr *instr = &r->p->instrs[i];
    const ib_status status = instr->cls->run_nhwc(
        r->p, instr, &(ib_run){r->dev, n, w->value, w->image, share, r->packed[i], w->acc, w->scratch});
    if (r->held[instr->out].as_codes)
        r->dev->k.nhwc_to(r->dev, &w->image[instr->out], n, w->value[instr->out], share);
    return status;
}

/* Instructions first .. end - 1, all on images. In a team, each thread takes the same part of every image, so that most
 * of what it reads it has written itself. */
static ib_status run_images(const ib_runner *r, const worker *w, int64_t n, int first, int end, int team)
{
    int status = IB_OK;
    if (team == 1) {
        for (int i = first; i < end && !status; i++)
            status = (int)run_image(r, w, n, i, (ib_share){0, 1});
        return (ib_status)status;
    }
#pragma omp parallel num_threads(team) reduction(min : status)
    for (int i = first; i < end; i++) {
        const int failed = (int)run_image(r, w, n, i, (ib_share){omp_get_thread_num(), omp_get_num_threads()});
        status = failed < status ? failed : status; /* codes are negative */
#pragma omp barrier
    }
    return (ib_status)status;
}

static ib_status run_chunk(const ib_runner *r, const worker *w, int64_t n, const int8_t *in, int8_t *out, int team,
                           const observer *o)
{
    static const ib_share all = {0, 1};
    const ib_program *p = r->p;
    ib_status status = IB_OK;
    int8_t *constant = w->constants;
    IB_ASSERT(n >= 1 && n <= r->chunk, "a run takes at most a chunk of samples");
    IB_ASSERT(ib_threads() <= r->threads, "a runner has scratch for every thread");
    for (int v = 0; v < p->n_values; v++)
        if (ib_constant_of(p, v)) {
            w->value[v] = constant;
            constant += p->values[v].size * r->chunk;
        } else {
            w->value[v] = ib_is_output(p, v)  ? out
                          : p->values[v].root ? w->arena + p->values[v].offset * n
                                              : (int8_t *)in;
        }
    for (int i = -1, end; i < p->n_instrs && !status; i = end) {
        end = i + 1;
        if (i < 0 || r->nhwc[i]) {
            while (end < p->n_instrs && r->nhwc[end] && !o)
                end++;
            status = run_images(r, w, n, i, end, team);
        } else {
            const ib_instr *instr = &p->instrs[i];
            IB_ASSERT(w->value[instr->out] && (uintptr_t)r->packed[i] % 64 == 0, "an instruction has its memory");
            status = instr->cls->run(p, instr,
                                     &(ib_run){r->dev, n, w->value, w->image, all, r->packed[i], w->acc, w->scratch});
            if (r->held[instr->out].as_image)
                r->dev->k.nhwc_from(r->dev, w->value[instr->out], n, &w->image[instr->out], all);
        }
        if (i >= 0 && !status && o)
            o->see(o->context, i, w->value[p->instrs[i].out]);
    }
    return status;
}

/* Threads for one sample. */
static int team_of(const ib_runner *r)
{
    enum { WORTH = 1 << 20 }; /* products */
    return r->macs > WORTH && !omp_in_parallel() ? ib_threads() : 1;
}

ib_status ib_runner_run_traced(ib_runner *r, int64_t n, const int8_t *in, int8_t *out,
                               void (*see)(void *, int, const int8_t *), void *context)
{
    return run_chunk(r, r->workers, n, in, out, team_of(r), see ? &(observer){see, context} : NULL);
}

ib_status ib_runner_run(ib_runner *r, int64_t n, const int8_t *in, int8_t *out)
{
    IB_NEED(r);
    IB_NEED(in);
    IB_NEED(out);
    if (n < 0 || n > r->batch)
        return ib_fail(IB_EINVAL, "ib_runner_run: n is %lld samples, made for at most %lld", (long long)n,
                       (long long)r->batch);
    if (ib_threads() > r->threads && make_scratch(r))
        return IB_ENOMEM;
    if (ib_trace_begin())
        return n ? ib_trace_runner(r, r->p, n, in, out) : IB_OK;
    const int64_t share = (n + r->n_workers - 1) / r->n_workers, chunk = share < r->chunk ? share : r->chunk,
                  x = r->p->values[0].size, y = r->p->values[r->p->result].size;
    const int team = 2 * n <= ib_threads() ? team_of(r) : 1;
    int status = IB_OK;
    if (team > 1 || r->n_workers == 1 || n <= chunk) {
        for (int64_t i = 0; i < n && !status; i += chunk)
            status = (int)run_chunk(r, r->workers, n - i < chunk ? n - i : chunk, in + i * x, out + i * y, team, NULL);
        return (ib_status)status;
    }
#pragma omp parallel num_threads(r->n_workers) reduction(min : status)
    {
        omp_set_num_threads(1); /* a worker's scratch is one thread's, whatever OMP_NUM_THREADS has for inner regions */
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i += chunk) {
            const int failed = (int)run_chunk(r, &r->workers[omp_get_thread_num()], n - i < chunk ? n - i : chunk,
                                              in + i * x, out + i * y, 1, NULL);
            status = failed < status ? failed : status; /* codes are negative */
        }
    }
    return (ib_status)status;
}
