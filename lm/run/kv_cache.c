/* kv_cache.c - keys and values of all tokens so far, a layer each. */
#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

ib_kv *ib_kv_new(ib_lm *m, int context, int int8)
{
    IB_NEED_OR(m, NULL);
    const ib_lm_config *c = &m->c;
    if (context < 1 || context > 1 << 20)
        return ib_fail_null(IB_EINVAL, "ib_kv_new: context is %d tokens", context);
    ib_kv *kv = ib_alloc(sizeof *kv);
    if (!kv)
        return NULL;
    *kv = (ib_kv){NULL, c->layers, 0, context, c->groups, c->dim, int8};
    const size_t row = (size_t)c->groups * (size_t)c->dim * (int8 ? 1 : 2), scales = (size_t)c->groups * sizeof(float);
    kv->layer = ib_alloc((size_t)c->layers * sizeof *kv->layer);
    for (int i = 0; kv->layer && i < c->layers; i++) {
        ib_kv_cache *l = &kv->layer[i];
        *l = (ib_kv_cache){c->groups,
                           c->dim,
                           int8,
                           ib_alloc_raw((size_t)context * row),
                           ib_alloc_raw((size_t)context * row),
                           int8 ? ib_alloc_raw((size_t)context * scales) : NULL,
                           int8 ? ib_alloc_raw((size_t)context * scales) : NULL};
        if (!l->k || !l->v || (int8 && (!l->k_scale || !l->v_scale))) {
            ib_kv_free(kv);
            return NULL;
        }
    }
    if (!kv->layer || ib_lm_rope(m, context)) {
        ib_kv_free(kv);
        return NULL;
    }
    return kv;
}

void ib_kv_free(ib_kv *kv)
{
    if (!kv)
        return;
    for (int i = 0; kv->layer && i < kv->n_layers; i++) {
        ib_free(kv->layer[i].k);
        ib_free(kv->layer[i].v);
        ib_free(kv->layer[i].k_scale);
        ib_free(kv->layer[i].v_scale);
    }
    ib_free(kv->layer);
    ib_free(kv);
}

int ib_kv_length(const ib_kv *kv)
{
    IB_NEED_OR(kv, 0);
    return kv->length;
}

ib_status ib_kv_rewind(ib_kv *kv, int length)
{
    IB_NEED(kv);
    IB_TAKE(length, length >= 0 && length <= kv->length, "is %d of %d tokens", length, kv->length);
    kv->length = length;
    return IB_OK;
}

int64_t ib_kv_bytes(const ib_kv *kv)
{
    IB_NEED_OR(kv, 0);
    return 2ll * kv->n_layers * kv->context * kv->groups * (kv->int8 ? kv->dim + 4 : 2 * kv->dim);
}
