/* codes_hf.c - which layout the codes of a Hugging Face folder have, and finding their tensors. */
#include "lm/load/codes_hf.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/number.h"

const ib_entry *ib_hf_find(const ib_safetensors *f, const char *base, const char *suffix)
{
    char name[256];
    ib_snprintf(name, sizeof name, "%s%s", base, suffix);
    return ib_safetensors_find(f, name);
}

const ib_entry *ib_hf_need(const ib_safetensors *f, const char *base, const char *suffix, const char *type,
                           const int64_t shape[2])
{
    const ib_entry *e = ib_hf_find(f, base, suffix);
    char text[64];
    if (!e)
        return ib_fail_null(IB_EFORMAT, "has no tensor '%s%s'", base, suffix);
    if (strcmp(e->type, type) || e->ndim != 2 || e->shape[0] != shape[0] || e->shape[1] != shape[1])
        return ib_fail_null(IB_EFORMAT, "tensor '%s' is %s %s, not %s [%lld,%lld]", e->name, e->type,
                            ib_entry_shape_text(e, text, sizeof text), type, (long long)shape[0], (long long)shape[1]);
    return e;
}

ib_status ib_hf_codes_add(ib_hf_codes *c, const ib_hf_scheme *s, const char *file)
{
    const int by_group = s->order && (!strcmp(s->order, "group") || !strcmp(s->order, "dynamic"));
    if (s->bits < 2 || s->bits > 8)
        return ib_fail(IB_EUNSUPPORTED, "%s: 'quantization_config.config_groups' has 'num_bits' %d; there are 2 to 8",
                       file, s->bits);
    if (s->order && !by_group && strcmp(s->order, "weight") && strcmp(s->order, "static"))
        return ib_fail(IB_EUNSUPPORTED, "%s: 'quantization_config.config_groups' has 'actorder' '%s'", file, s->order);
    c->mixed |= c->schemes && s->group != c->group;
    c->needs_zeros = (!c->schemes || c->needs_zeros) && !s->symmetric;
    c->group = c->schemes ? c->group : s->group;
    c->packed_bits |= 1u << s->bits;
    c->by_group |= by_group;
    c->schemes++;
    return IB_OK;
}

/* The name that the members agree on, NULL: none has one; they say the same thing twice. */
static ib_status agreed(const char *file, const char *const *member, const char *const *value, int n, const char **out)
{
    int at = -1;
    for (int i = 0; i < n; i++) {
        if (value[i] && at >= 0 && strcasecmp(value[i], value[at]))
            return ib_fail(IB_EFORMAT, "%s: 'quantization_config.%s' is '%s', but '%s' is '%s'", file, member[at],
                           value[at], member[i], value[i]);
        at = at < 0 && value[i] ? i : at;
    }
    *out = at < 0 ? NULL : value[at];
    return IB_OK;
}

static const struct {
    const char *method, *format;
    ib_hf_layout layout;
} layouts[] = {{"gptq", "gptq", IB_HF_GPTQ}, /* the first is that of files which do not say */
               {"gptq", "gptq_v2", IB_HF_GPTQ_V2},
               {"awq", "gemm", IB_HF_AWQ_GEMM},
               {"awq", "gemv", IB_HF_AWQ_GEMV},
               {"compressed-tensors", "pack-quantized", IB_HF_COMPRESSED},
               {"compressed-tensors", "int-quantized", IB_HF_COMPRESSED},
               {"compressed-tensors", "mixed-precision", IB_HF_COMPRESSED},
               {"bitsandbytes", NULL, IB_HF_BITSANDBYTES}};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

ib_status ib_hf_codes_check(ib_hf_codes *c, const char *file)
{
    static const char *const methods[] = {"quant_method", "method"}, *const formats[] = {"checkpoint_format", "format",
                                                                                         "version"};
    const char *method = NULL, *format = NULL;
    const int is_compressed = c->method && !strcmp(c->method, "compressed-tensors"); /* its version is the writer's */
    ib_status status = agreed(file, methods, (const char *[]){c->method, c->method_again}, 2, &method);
    if (!status && method)
        status = agreed(file, formats, (const char *[]){c->checkpoint, c->format, is_compressed ? NULL : c->version}, 3,
                        &format);
    if (status || !method)
        return status;
    int first = -1, found = -1;
    for (int i = 0; i < N_LAYOUTS; i++)
        if (!strcasecmp(layouts[i].method, method)) {
            first = first < 0 ? i : first;
            if (format && layouts[i].format && !strcasecmp(layouts[i].format, format))
                found = i;
        }
    if (!format && first >= 0)
        found = first;
    if (found < 0)
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: 'quantization_config' has the layout '%s' of '%s': gptq and gptq_v2 of gptq, gemm and gemv "
                       "of awq, pack-quantized and int-quantized of compressed-tensors and bitsandbytes are read",
                       file, format ? format : "", method);
    c->layout = layouts[found].layout;
    const int is_gptq = c->layout == IB_HF_GPTQ || c->layout == IB_HF_GPTQ_V2,
              is_awq = c->layout == IB_HF_AWQ_GEMM || c->layout == IB_HF_AWQ_GEMV;
    if (is_gptq && c->bits != 2 && c->bits != 3 && c->bits != 4 && c->bits != 8)
        return ib_fail(IB_EUNSUPPORTED, "%s: 'quantization_config.bits' is %d; gptq has 2, 3, 4 and 8", file, c->bits);
    if (is_awq && c->bits != 4)
        return ib_fail(IB_EUNSUPPORTED, "%s: 'quantization_config.bits' is %d; awq has 4", file, c->bits);
    if ((is_gptq || is_awq) && c->group != -1 && c->group < 1)
        return ib_fail(IB_EFORMAT, "%s: 'quantization_config.group_size' is %d; it is -1 (rows) or columns", file,
                       c->group);
    return IB_OK;
}
