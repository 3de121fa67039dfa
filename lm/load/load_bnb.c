/* load_bnb.c - matrices as bitsandbytes stores them. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/load/codes_hf.h"

static int is_f32(const ib_entry *e, int64_t n)
{
    return e && !strcmp(e->type, "F32") && ib_entry_size(e) == n;
}

/* LLM.int8() (arXiv:2208.07339): bytes, and of each row the largest size, 127 of which its codes are; which columns are
 * multiplied in halves is found at run time. */
static ib_status read_int8(const ib_hf_wanted *w, const ib_entry *e, ib_matrix **out)
{
    const ib_entry *most = ib_hf_find(w->f, w->base, ".SCB"), *order = ib_hf_find(w->f, w->base, ".weight_format");
    const int64_t rows = w->rows;
    char text[64];
    if (!is_f32(most, rows) || e->ndim != 2 || e->shape[0] != rows || e->shape[1] != w->cols)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s' is %s %s, and there is no '%s.SCB' for [%lld,%lld]", e->name,
                       e->type, ib_entry_shape_text(e, text, sizeof text), w->base, (long long)rows,
                       (long long)w->cols);
    if (order && (order->bytes != 1 || order->data[0]))
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s' is not 0: codes that are not in rows are not read", order->name);
    float *absmax = ib_alloc((size_t)rows * sizeof *absmax);
    if (!absmax)
        return IB_ENOMEM;
    memcpy(absmax, most->data, (size_t)rows * sizeof *absmax);
    const ib_matrix_parts p = {.data = e->data, .absmax = absmax, .unit = 7.874015718698502e-3f}; /* 1/127 */
    *out = ib_matrix_new(ib_storage_find("int8"), rows, w->cols, &p, absmax);
    return *out ? IB_OK : IB_ENOMEM;
}

/* bitsandbytes: codes as bytes, scales and tables beside them, the shape in a JSON text that is itself a tensor. */
ib_status ib_hf_read_bnb(const ib_hf_wanted *w, ib_matrix **out)
{
    const ib_safetensors *f = w->f;
    const char *base = w->base;
    const int64_t rows = w->rows, cols = w->cols;
    const ib_entry *e = ib_hf_find(f, base, ".weight");
    if (!strcmp(e->type, "I8"))
        return read_int8(w, e, out);
    const ib_entry *absmax = ib_hf_find(f, base, ".weight.absmax"), *map = ib_hf_find(f, base, ".weight.quant_map"),
                   *nested = ib_hf_find(f, base, ".weight.nested_absmax");
    const ib_entry *nested_map = ib_hf_find(f, base, ".weight.nested_quant_map"),
                   *state = ib_hf_find(f, base, ".weight.quant_state.bitsandbytes__nf4");
    const char *kind = "nf4";
    if (!state && (state = ib_hf_find(f, base, ".weight.quant_state.bitsandbytes__fp4")))
        kind = "fp4";
    if (!absmax || !is_f32(map, 16) || !state)
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' is of type %s and has no bitsandbytes state", base,
                       e->type);
    char *text = ib_alloc((size_t)state->bytes + 1);
    if (!text)
        return IB_ENOMEM;
    memcpy(text, state->data, (size_t)state->bytes);
    struct json_object *o = json_tokener_parse(text);
    const int64_t block = ib_int_of(ib_json_number(o, "blocksize", 0)),
                  inner = ib_int_of(ib_json_number(o, "nested_blocksize", 256));
    ib_matrix_parts p = {.data = e->data, .offset = (float)ib_json_number(o, "nested_offset", 0)};
    json_object_put(o);
    ib_free(text);
    if (!isfinite(p.offset))
        return ib_fail(IB_ENUMERIC, "tensor '%s.weight': 'nested_offset' is %g", base, (double)p.offset);
    const int64_t n = rows * cols, blocks = (n + IB_NF4_BLOCK - 1) / IB_NF4_BLOCK;
    if (block != IB_NF4_BLOCK || (nested && inner != IB_NESTED_BLOCK))
        return ib_fail(IB_EUNSUPPORTED, "tensor '%s.weight' has blocks of %lld and %lld; 64 and 256 are supported",
                       base, (long long)block, (long long)inner);
    const int64_t groups = nested ? (blocks + IB_NESTED_BLOCK - 1) / IB_NESTED_BLOCK : 0;
    if (e->bytes != (n + 1) / 2 || ib_entry_size(absmax) != blocks ||
        !(nested ? is_f32(nested_map, 256) && absmax->bytes == blocks && is_f32(nested, groups)
                 : is_f32(absmax, blocks)))
        return ib_fail(IB_EFORMAT, "tensor '%s.weight' has %lld bytes with %lld scales for [%lld,%lld]", base,
                       (long long)e->bytes, (long long)ib_entry_size(absmax), (long long)rows, (long long)cols);
    /* tables are copied: nothing in the file is aligned */
    float *t = ib_alloc((size_t)(16 + 256 + groups + (nested ? 0 : blocks)) * sizeof *t);
    if (!t)
        return IB_ENOMEM;
    memcpy(t, map->data, 64);
    p.code = t;
    if (nested) {
        memcpy(t + 16, nested_map->data, 1024);
        memcpy(t + 272, nested->data, (size_t)groups * 4);
        p.map = t + 16;
        p.nested = t + 272;
        p.absmax8 = absmax->data;
    } else {
        memcpy(t + 272, absmax->data, (size_t)blocks * 4);
        p.absmax = t + 272;
    }
    char name[16];
    ib_snprintf(name, sizeof name, "%s%s", kind, nested ? "_dq" : "");
    *out = ib_matrix_new(ib_storage_find(name), rows, cols, &p, t);
    return *out ? IB_OK : IB_ENOMEM;
}
