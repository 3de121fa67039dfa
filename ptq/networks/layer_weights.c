/* layer_weights.c - a layer's weights and their codes, and weights that make codes of one's own. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ptq/networks/rounding.h"

/* The step's product, of a sample of zeros. */
static ib_status trace(const ib_rounding *k, const ib_step *s, ib_node *n)
{
    const ib_input_info *in = &k->net->input;
    const int64_t shape[] = {1, in->c, in->h, in->w};
    float *zeros = ib_alloc((size_t)(shape[1] * shape[2] * shape[3]) * sizeof *zeros);
    if (!zeros)
        return IB_ENOMEM;
    ib_graph_begin(k->g, IB_TRACE);
    ib_tensor *y = ib_layer_forward(k->g, k->net, ib_input(k->g, 4, shape, zeros));
    ib_free(zeros);
    return y ? ib_product_node(k->g, s, n) : ib_error_status();
}

static ib_status read_codes(const ib_rounding *k, const ib_tensor *t, int8_t *code)
{
    k->g->dev->v.download(k->g->dev, code, ib_codes(t), (size_t)t->size);
    return IB_OK;
}

ib_status ib_layer_weights_read(ib_layer_weights *w, const ib_rounding *k, const ib_step *s)
{
    ib_node n;
    *w = (ib_layer_weights){0};
    ib_status status = trace(k, s, &n);
    if (status)
        return status;
    const ib_tensor *q = n.in[1], *b = n.n_in > 2 ? n.in[2] : NULL, *folded = k->g->nodes[q->node].in[0];
    w->outs = q->shape[0];
    w->cols = q->size / w->outs;
    w->qmax = q->q.qmax;
    w->w = ib_alloc_raw((size_t)q->size * sizeof *w->w);
    w->bias = ib_alloc((size_t)w->outs * sizeof *w->bias);
    w->scale = ib_alloc_raw((size_t)w->outs * sizeof *w->scale);
    w->code = ib_alloc_raw((size_t)q->size);
    if (!w->w || !w->bias || !w->scale || !w->code)
        status = IB_ENOMEM;
    if (!status)
        status = ib_tensor_read(folded, w->w);
    if (!status && b)
        status = ib_tensor_read(b, w->bias);
    if (!status)
        status = read_codes(k, q, w->code);
    if (!status)
        k->g->dev->v.download(k->g->dev, w->scale, q->q.scale, (size_t)q->q.n_scales * sizeof *w->scale);
    for (int64_t o = 1; !status && q->q.n_scales == 1 && o < w->outs; o++)
        w->scale[o] = w->scale[0];
    if (status)
        ib_layer_weights_release(w);
    return status;
}

void ib_layer_weights_release(ib_layer_weights *w)
{
    ib_free(w->w);
    ib_free(w->bias);
    ib_free(w->scale);
    ib_free(w->code);
    *w = (ib_layer_weights){0};
}

/* A folded weight is w gain; a channel whose gain is 0 has no weights but 0. */
static ib_status gains(const ib_step *s, int64_t outs, float *gain)
{
    void *of_gamma = NULL, *of_var = NULL;
    for (int64_t o = 0; o < outs; o++)
        gain[o] = 1;
    if (!s->gamma)
        return IB_OK;
    const float *gamma = ib_tensor_look(s->gamma, &of_gamma), *var = gamma ? ib_tensor_look(s->var, &of_var) : NULL;
    for (int64_t o = 0; var && o < outs; o++)
        gain[o] = gamma[o] / sqrtf(var[o] + s->eps);
    ib_free(of_gamma);
    ib_free(of_var);
    return var ? IB_OK : ib_error_status();
}

static ib_status check_codes(const ib_layer_weights *w, const ib_rounding *k, const ib_step *s)
{
    ib_node n;
    int8_t *now = ib_alloc_raw((size_t)(w->outs * w->cols));
    ib_status status = now ? trace(k, s, &n) : IB_ENOMEM;
    if (!status)
        status = read_codes(k, n.in[1], now);
    int64_t bad = 0;
    for (int64_t i = 0; !status && i < w->outs * w->cols; i++)
        bad += now[i] != w->code[i];
    if (bad)
        status = ib_fail(IB_ENUMERIC, "layer '%s': %lld of %lld codes cannot be had by weights in fp32", s->name,
                         (long long)bad, (long long)(w->outs * w->cols));
    ib_free(now);
    return status;
}

ib_status ib_layer_weights_write(const ib_layer_weights *w, const ib_rounding *k, const ib_step *s)
{
    const size_t size = (size_t)(w->outs * w->cols);
    float *raw = ib_alloc_raw(size * sizeof *raw), *gain = ib_alloc_raw((size_t)w->outs * sizeof *gain);
    ib_status status = raw && gain ? ib_tensor_read(s->leaf[1], raw) : IB_ENOMEM;
    if (!status)
        status = gains(s, w->outs, gain);
    for (int64_t o = 0; !status && o < w->outs; o++)
        for (int64_t c = o * w->cols; gain[o] != 0 && c < (o + 1) * w->cols; c++)
            raw[c] = (float)w->code[c] * w->scale[o] / gain[o];
    if (!status)
        status = ib_tensor_write(s->leaf[1], raw);
    ib_free(raw);
    ib_free(gain);
    return status ? status : check_codes(w, k, s);
}
