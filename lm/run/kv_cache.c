/* kv_cache.c - keys and values of all tokens so far, a layer each. */
#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

/* Bytes of a part, which begins where a device's block may. */
static size_t part(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Of each layer keys, their scales, values and theirs, one behind the other. */
static void share_out(ib_kv *kv)
{
    const size_t rows = (size_t)kv->context * (size_t)kv->groups, scales = kv->int8 ? rows * sizeof(float) : 0,
                 codes = rows * (size_t)kv->dim * (kv->int8 ? 1 : sizeof(uint16_t)), half = part(scales + codes);
    for (int i = 0; i < kv->n_layers; i++) {
        char *k = (char *)kv->numbers + 2 * (size_t)i * half, *v = k + half;
        kv->layer[i] = (ib_kv_cache){kv->groups,
                                     kv->dim,
                                     kv->int8,
                                     k + scales,
                                     v + scales,
                                     kv->int8 ? (float *)k : NULL,
                                     kv->int8 ? (float *)v : NULL};
    }
}

ib_kv *ib_kv_new(ib_lm *m, int context, int int8)
{
    IB_NEED_OR(m, NULL);
    const ib_lm_config *c = &m->c;
    if (context < 1 || context > 1 << 20)
        return ib_fail_null(IB_EINVAL, "ib_kv_new: context is %d tokens", context);
    ib_kv *kv = ib_alloc(sizeof *kv);
    if (!kv)
        return NULL;
    const size_t row = (size_t)c->groups * (int8 ? (size_t)c->dim + sizeof(float) : (size_t)c->dim * sizeof(uint16_t));
    *kv = (ib_kv){.bytes = 2 * (size_t)c->layers * part((size_t)context * row),
                  .n_layers = c->layers,
                  .context = context,
                  .groups = c->groups,
                  .dim = c->dim,
                  .int8 = int8};
    if (!(kv->layer = ib_alloc((size_t)c->layers * sizeof *kv->layer)) ||
        !(kv->numbers = ib_block_new(NULL, kv->bytes)) || ib_lm_rope(m, context)) {
        ib_kv_free(kv);
        return NULL;
    }
    share_out(kv);
    return kv;
}

void ib_kv_free(ib_kv *kv)
{
    if (!kv)
        return;
    ib_block_free(kv->dev, kv->numbers);
    ib_free(kv->layer);
    ib_free(kv);
}

ib_status ib_kv_place(ib_kv *kv, ib_device *dev)
{
    ib_device *from = kv->dev, *to = ib_home(dev);
    if (from == to)
        return IB_OK;
    if (ib_block_can_move(from, to, "cache", "keys and values"))
        return IB_EUNSUPPORTED;
    void *numbers = kv->length ? ib_block_copied(from, to, kv->numbers, kv->bytes) : ib_block_new(to, kv->bytes);
    if (!numbers)
        return ib_error_status();
    ib_block_free(from, kv->numbers);
    kv->numbers = numbers;
    kv->dev = to;
    share_out(kv);
    return IB_OK;
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
