/* config_hf.c - config.json: its fields by config_fields.def, with the defaults of transformers' classes
 * (archs.def). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/names.h"
#include "base/number.h"
#include "lm/load/config_hf.h"
#include "lm/load/fields.h"

typedef struct hf_rope {
    const char *type, *old_type;
    double theta, factor, original, attention_factor, beta_fast, beta_slow, mscale, mscale_all, low, high;
    int truncate;
    struct json_object *short_factor, *long_factor, *full, *sliding;
} hf_rope;

typedef struct hf_config {
    const char *model_type, *activation;
    int layers, width, ff, heads, groups, dim, vocabulary, context, window, use_window, first_local, pattern, original,
        tied, attention_bias, mlp_bias;
    double eps, scalar, theta, local_theta, score_cap, logit_cap;
    struct json_object *layer_types, *rope_scaling, *rope_parameters, *quantization, *groups_of, *weights_of, *ends;
    ib_hf_codes codes;
    ib_hf_scheme scheme;
    struct json_object *activations_of;
    hf_rope rope; /* the object that is being read */
} hf_config;

#define IB_FIELD_STRUCT hf_config
static const ib_field fields[] = {
#include "lm/load/config_fields.def"
};
const ib_field_table ib_config_fields = {"config.json", fields, sizeof fields / sizeof *fields};

typedef struct reader {
    ib_lm *m;
    const char *file;
    unsigned archs;
    hf_config k;
} reader;

static ib_status walk(reader *r, const char *prefix, struct json_object *o)
{
    return o ? ib_fields_json(&ib_config_fields, r->archs, r->file, prefix, o, &r->k) : IB_OK;
}

/* Members that this kind of scaling does not have would be ignored by transformers. */
static ib_status only_its_members(const reader *r, const ib_rope_kind *kind, struct json_object *o)
{
    json_object_object_foreach(o, name, value)
    {
        const char *at = strstr(kind->members, name);
        const size_t n = strlen(name);
        const int own = at && (at == kind->members || at[-1] == ' ') && (!at[n] || at[n] == ' ');
        if (value && !own && strcmp(name, "rope_type") && strcmp(name, "type") && strcmp(name, "rope_theta") &&
            strcmp(name, "partial_rotary_factor") && strcmp(name, "finetuned"))
            return ib_fail(IB_EUNSUPPORTED, "%s: RoPE scaling '%s' has no '%s': remove it", r->file, kind->name, name);
    }
    return IB_OK;
}

static ib_status read_factors(const reader *r, ib_rope_scaling *s, int half)
{
    struct json_object *lists[2] = {r->k.rope.short_factor, r->k.rope.long_factor};
    for (int i = 0; i < 2; i++) {
        if (!json_object_is_type(lists[i], json_type_array) || json_object_array_length(lists[i]) != (size_t)half)
            return ib_fail(
                IB_EFORMAT,
                "%s: RoPE scaling 'longrope' needs 'short_factor' and 'long_factor', each a list of %d numbers",
                r->file, half);
        for (int j = 0; j < half; j++)
            if (!(json_object_get_double(json_object_array_get_idx(lists[i], (size_t)j)) > 0))
                return ib_fail(IB_EFORMAT, "%s: RoPE scaling 'longrope' has a factor of %s", r->file,
                               json_object_to_json_string(json_object_array_get_idx(lists[i], (size_t)j)));
    }
    if (!(s->given = ib_alloc((size_t)half * sizeof *s->given)))
        return IB_ENOMEM;
    s->whole = json_object_equal(lists[0], lists[1]);
    for (int j = 0; j < half; j++)
        s->given[j] = (float)json_object_get_double(json_object_array_get_idx(lists[0], (size_t)j));
    return IB_OK;
}

/* One description of rotary positions, and its base; theta: where it does not say one. */
static ib_status read_rope(reader *r, struct json_object *o, int local, double theta)
{
    ib_rope_scaling *s = &r->m->scaling[local];
    ib_lm_config *c = &r->m->c;
    const hf_rope *p = &r->k.rope;
    r->k.rope = (hf_rope){.truncate = 1};
    ib_status status = walk(r, "rope_parameters.", o);
    if (status)
        return status;
    if (p->type && p->old_type && strcmp(p->type, p->old_type))
        return ib_fail(IB_EFORMAT, "%s: 'rope_type' is '%s', but 'type' is '%s'", r->file, p->type, p->old_type);
    if (!(s->kind = ib_rope_kind_find(p->type ? p->type : p->old_type ? p->old_type : "default"))) {
        ib_error_prefix("%s", r->file);
        return IB_EUNSUPPORTED;
    }
    if (o && (status = only_its_members(r, s->kind, o)))
        return status;
    const double original = r->k.original > 0 ? r->k.original : p->original;
    if (!(original <= INT32_MAX))
        return ib_fail(IB_EFORMAT, "%s: 'original_max_position_embeddings' is %g positions", r->file, original);
    *s = (ib_rope_scaling){.kind = s->kind,
                           .factor = p->factor,
                           .original = original,
                           .attention_factor = p->attention_factor,
                           .beta_fast = p->beta_fast,
                           .beta_slow = p->beta_slow,
                           .mscale = p->mscale,
                           .mscale_all = p->mscale_all,
                           .low = p->low,
                           .high = p->high,
                           .whole = p->truncate};
    const double beside = local ? r->k.local_theta : r->k.theta;
    if (p->theta > 0 && beside > 0 && p->theta != beside)
        return ib_fail(IB_EFORMAT, "%s: '%s' is %.9g, but 'rope_theta' within 'rope_parameters' is %.9g: keep one",
                       r->file, local ? "rope_local_base_freq" : "rope_theta", beside, p->theta);
    *(local ? &c->rope_base_local : &c->rope_base) = (float)(p->theta > 0 ? p->theta : theta);
    if (!local && !strcmp(s->kind->name, "linear"))
        c->rope_factor = (float)p->factor;
    const int dim = c->dim ? c->dim : c->heads > 0 ? c->width / c->heads : 0;
    return strcmp(s->kind->name, "longrope") ? IB_OK : read_factors(r, s, dim / 2);
}

static ib_status read_ropes(reader *r)
{
    const ib_arch *a = r->m->arch;
    struct json_object *scaling = r->k.rope_scaling, *parameters = r->k.rope_parameters, *full = NULL, *local = NULL;
    const double theta = r->k.theta > 0 ? r->k.theta : a->hf_base;
    if (!a->hf_local_base) {
        if (scaling && parameters && !json_object_equal(scaling, parameters))
            return ib_fail(IB_EFORMAT, "%s: 'rope_scaling' and 'rope_parameters' say different things: keep one",
                           r->file);
        return read_rope(r, scaling ? scaling : parameters, 0, theta);
    }
    r->k.rope = (hf_rope){.truncate = 1};
    ib_status status = walk(r, "rope_parameters.", parameters);
    full = r->k.rope.full;
    local = r->k.rope.sliding;
    if (status || (parameters && json_object_object_length(parameters) != (full != NULL) + (local != NULL)))
        return status
                   ? status
                   : ib_fail(
                         IB_EUNSUPPORTED,
                         "%s: 'rope_parameters' of gemma3 has other members than full_attention and sliding_attention",
                         r->file);
    if (scaling && full && !json_object_equal(scaling, full))
        return ib_fail(IB_EFORMAT, "%s: 'rope_scaling' and 'rope_parameters' say different things: keep one", r->file);
    status = read_rope(r, scaling ? scaling : full, 0, theta);
    return status ? status : read_rope(r, local, 1, r->k.local_theta > 0 ? r->k.local_theta : a->hf_local_base);
}

static ib_status read_quantization(reader *r)
{
    ib_status status = walk(r, "quantization_config.", r->k.quantization);
    struct json_object *groups = r->k.groups_of;
    if (!status)
        status = ib_hf_codes_check(&r->k.codes, r->file);
    if (status || !groups)
        return status;
    if (!json_object_is_type(groups, json_type_object))
        return ib_fail(IB_EFORMAT, "%s: 'quantization_config.config_groups' is no object", r->file);
    json_object_object_foreach(groups, name, group)
    {
        (void)name;
        r->k.weights_of = r->k.activations_of = NULL;
        r->k.scheme = (ib_hf_scheme){.symmetric = 1};
        if ((status = ib_fields_json(&ib_config_fields, r->archs, r->file, "quantization_config.config_groups.*.",
                                     group, &r->k)) ||
            (status = walk(r, "quantization_config.weights.", r->k.weights_of)) ||
            (status = walk(r, "quantization_config.activations.", r->k.activations_of)) ||
            (r->k.weights_of && (status = ib_hf_codes_add(&r->k.codes, &r->k.scheme, r->file))))
            break;
    }
    return status;
}

static const struct {
    const char *name;
    int kind;
} activations[] = {{"silu", 0},      {"swish", 0}, {"gelu_pytorch_tanh", 1}, {"gelu_new", 1},
                   {"gelu_fast", 1}, {"gelu", 2},  {"gelu_python", 2},       {"relu", 3}};

const char *ib_lm_activation_name(int activation)
{
    int i = 0;
    while (activations[i].kind != activation)
        i++;
    return activations[i].name;
}

static ib_status read_activation(reader *r)
{
    const char *what = r->m->arch->hf_scalar ? "'hidden_activation' is" : "'hidden_act' is";
    const int i = IB_NAME_FIND(r->k.activation, activations, IB_EUNSUPPORTED, what);
    if (i < 0) {
        ib_error_prefix("%s", r->file);
        return IB_EUNSUPPORTED;
    }
    r->m->activation = activations[i].kind;
    return IB_OK;
}

/* Which layers are local: layer_types, or what the class makes of the other fields. */
static ib_status read_layer_types(reader *r)
{
    const ib_arch *a = r->m->arch;
    struct json_object *types = r->k.layer_types;
    const int layers = r->m->c.layers;
    if (types && (!json_object_is_type(types, json_type_array) || json_object_array_length(types) != (size_t)layers))
        return ib_fail(IB_EFORMAT, "%s: 'layer_types' is no list of %d layers", r->file, layers);
    if (r->k.pattern < 1 && a->global_every)
        return ib_fail(IB_EFORMAT, "%s: 'sliding_window_pattern' is %d", r->file, r->k.pattern);
    for (int i = 0; i < layers; i++) {
        int local = a->global_every ? (i + 1) % r->k.pattern != 0 : a->hf_late_windows ? i >= r->k.first_local : 1;
        if (types) {
            const char *t = json_object_get_string(json_object_array_get_idx(types, (size_t)i));
            local = t && !strcmp(t, "sliding_attention");
            if (!local && (!t || strcmp(t, "full_attention")))
                return ib_fail(
                    IB_EUNSUPPORTED,
                    "%s: 'layer_types' has '%s' for layer %d; there are full_attention and sliding_attention", r->file,
                    t ? t : "null", i);
            if (local && !r->m->c.window && (!a->hf_late_windows || r->k.use_window))
                return ib_fail(IB_EFORMAT, "%s: layer %d is of sliding_attention, but there is no 'sliding_window'",
                               r->file, i);
        }
        r->m->block[i].local = r->m->c.window && local;
    }
    return IB_OK;
}

/* Of the fields that only ever are in files a default would be a guess. */
static ib_status need_all(const reader *r, struct json_object *c)
{
    static const char *const needed[] = {"vocab_size",        "hidden_size",         "intermediate_size",
                                         "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
                                         "rms_norm_eps"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!ib_json_get(c, needed[i]))
            return ib_fail(IB_EFORMAT, "%s: has no '%s'", r->file, needed[i]);
    return IB_OK;
}

ib_status ib_lm_config_of_hf(ib_lm *m, struct json_object *c, const char *file, ib_hf_biases *biases,
                             ib_hf_codes *codes)
{
    ib_lm_config *k = &m->c;
    const char *type = ib_json_text(c, "model_type");
    if (!type)
        return ib_fail(IB_EFORMAT, "%s: has no 'model_type'", file);
    if (!strcmp(type, "gemma3"))
        return ib_fail(IB_EUNSUPPORTED,
                       "%s: 'model_type' is gemma3, which is the one with pictures; the one of text alone, "
                       "gemma3_text, is supported",
                       file);
    ib_snprintf(k->arch, sizeof k->arch, "%s", !strcmp(type, "gemma3_text") ? "gemma3" : type);
    if (!(m->arch = ib_arch_find(k->arch))) {
        ib_error_prefix("%s", file);
        return IB_EUNSUPPORTED;
    }
    const ib_arch *a = m->arch;
    reader r = {m,
                file,
                ib_arch_bit(a),
                {.activation = a->gelu ? "gelu_pytorch_tanh" : "silu",
                 .groups = a->hf_groups,
                 .dim = a->hf_dim,
                 .context = a->hf_context,
                 .window = a->hf_window,
                 .use_window = !a->hf_late_windows,
                 .first_local = 28,
                 .pattern = a->global_every,
                 .tied = a->hf_tied,
                 .eps = 1e-6,
                 .scalar = a->hf_scalar,
                 .score_cap = a->capped ? 50 : 0,
                 .logit_cap = a->capped ? 30 : 0}};
    ib_status status = need_all(&r, c);
    if (status || (status = walk(&r, "", c)))
        return status;
    *k = (ib_lm_config){.layers = r.k.layers,
                        .width = r.k.width,
                        .ff = r.k.ff,
                        .heads = r.k.heads,
                        .groups = r.k.groups,
                        .dim = r.k.dim,
                        .vocabulary = r.k.vocabulary,
                        .context = r.k.context,
                        .eps = (float)r.k.eps,
                        .tied = r.k.tied,
                        .window = r.k.use_window ? r.k.window : 0,
                        .score_cap = (float)r.k.score_cap,
                        .logit_cap = (float)r.k.logit_cap,
                        .attention_scale = r.k.scalar > 0 ? (float)(1 / sqrt(r.k.scalar)) : 0};
    ib_snprintf(k->arch, sizeof k->arch, "%s", a->name);
    if (r.k.context < 1 || !(r.k.eps > 0) || r.k.window < 0 || r.k.scalar < 0 || r.k.theta < 0 || r.k.score_cap < 0 ||
        r.k.logit_cap < 0)
        return ib_fail(IB_EFORMAT,
                       "%s: a context of %d, an epsilon of %g, a window of %d, a base of %g, caps of %g and %g", file,
                       r.k.context, r.k.eps, r.k.window, r.k.theta, r.k.score_cap, r.k.logit_cap);
    if (r.k.heads < 1 || (r.k.groups && (r.k.groups < 0 || r.k.heads % r.k.groups)) ||
        (!r.k.dim && r.k.width % r.k.heads))
        return ib_fail(IB_EFORMAT,
                       "%s: 'num_attention_heads' is %d, 'num_key_value_heads' %d, 'hidden_size' %d: they do not "
                       "divide each other",
                       file, r.k.heads, r.k.groups, r.k.width);
    *biases = (ib_hf_biases){a->qkv_bias || r.k.attention_bias, r.k.attention_bias, r.k.mlp_bias};
    if ((status = read_activation(&r)) || (status = read_ropes(&r)) || (status = read_quantization(&r)))
        return status;
    *codes = r.k.codes;
    if ((status = ib_lm_alloc(m))) {
        ib_error_prefix("%s", file);
        return status;
    }
    return read_layer_types(&r);
}
