/* adapter_config.c - see adapter_config.h */
#include "lm/adapters/adapter_config.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lm/load/fields.h"

#define IB_FIELD_STRUCT ib_adapter_config
static const ib_field fields[] = {
#include "lm/adapters/adapter_fields.def"
};
const ib_field_table ib_adapter_fields = {"adapter_config.json", fields, sizeof fields / sizeof *fields};

/* -1: not a regular expression */
static int whole_match(const char *pattern, const char *text)
{
    char *p = ib_format_text("^(?:%s)$", pattern);
    int code = 0, found = -1;
    PCRE2_SIZE at;
    pcre2_code *c = p ? pcre2_compile((PCRE2_SPTR)p, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL) : NULL;
    pcre2_match_data *m = c ? pcre2_match_data_create(1, NULL) : NULL;
    if (m)
        found = pcre2_match(c, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, m, NULL) >= 0;
    pcre2_match_data_free(m);
    pcre2_code_free(c);
    ib_free(p);
    return found;
}

/* A text is an expression for the whole path, a list holds paths or their ends. */
static int is_named(struct json_object *list, const char *path)
{
    if (json_object_is_type(list, json_type_string))
        return whole_match(json_object_get_string(list), path) == 1;
    const size_t n = strlen(path);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        const char *end = json_object_get_string(json_object_array_get_idx(list, i));
        const size_t k = end ? strlen(end) : 0;
        if (k && k <= n && !strcmp(path + n - k, end) && (k == n || path[n - k - 1] == '.'))
            return 1;
    }
    return 0;
}

static int holds(struct json_object *list, int layer)
{
    if (json_object_is_type(list, json_type_int))
        return json_object_get_int(list) == layer;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (json_object_get_int(json_object_array_get_idx(list, i)) == layer)
            return 1;
    return json_object_array_length(list) == 0;
}

/* "layers", the name of the list of blocks, has to be among the names. */
static int counts_blocks(struct json_object *pattern)
{
    if (json_object_is_type(pattern, json_type_string))
        return !*json_object_get_string(pattern) || !strcmp(json_object_get_string(pattern), "layers");
    const size_t n = pattern ? json_object_array_length(pattern) : 0;
    int found = !n;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_object_get_string(json_object_array_get_idx(pattern, i));
        found |= s && !strcmp(s, "layers");
    }
    return found;
}

int ib_adapter_config_names(const ib_adapter_config *c, const char *path, int layer)
{
    const char *word = json_object_is_type(c->targets, json_type_string) ? json_object_get_string(c->targets) : NULL;
    if (is_named(c->excluded, path) || !((word && !strcmp(word, "all-linear")) || is_named(c->targets, path)))
        return 0;
    return !c->layers || (holds(c->layers, layer) && counts_blocks(c->layers_pattern));
}

/* PEFT's patterns: a regular expression for the end of a layer's path. */
static double by_pattern(struct json_object *patterns, const char *path, double otherwise)
{
    if (!patterns)
        return otherwise;
    json_object_object_foreach(patterns, key, value)
    {
        char *p = ib_format_text("(?:.*\\.)?(?:%s)", key);
        const int match = p && whole_match(p, path) == 1;
        ib_free(p);
        if (match)
            return json_object_get_double(value);
    }
    return otherwise;
}

double ib_adapter_config_rank(const ib_adapter_config *c, const char *path)
{
    return by_pattern(c->ranks, path, c->r);
}

double ib_adapter_config_alpha(const ib_adapter_config *c, const char *path)
{
    return by_pattern(c->alphas, path, c->alpha);
}

int ib_adapter_config_saves(const ib_adapter_config *c, int which)
{
    for (size_t i = 0; c->save && i < json_object_array_length(c->save); i++)
        if (ib_whole_find(json_object_get_string(json_object_array_get_idx(c->save, i))) == which)
            return 1;
    return 0;
}

/* PEFT takes a list of ends of names, whichever they meet; here each has to be the one module that it means. */
static ib_status check_saved(struct json_object *o, const char *file)
{
    if (o && !json_object_is_type(o, json_type_array))
        return ib_fail(IB_EFORMAT, "%s: 'modules_to_save' is %.80s, no list of names", file,
                       json_object_to_json_string(o));
    for (size_t i = 0; o && i < json_object_array_length(o); i++) {
        struct json_object *name = json_object_array_get_idx(o, i);
        const char *text = json_object_is_type(name, json_type_string) ? json_object_get_string(name) : NULL;
        if (ib_whole_find(text) < 0)
            return ib_fail(
                IB_EUNSUPPORTED,
                "%s: 'modules_to_save' has %.80s: of whole trained modules embed_tokens and lm_head are read", file,
                json_object_to_json_string(name));
    }
    return IB_OK;
}

/* A text, or a list of values of one type; words: regular expressions are allowed as a text. */
static ib_status check_list(struct json_object *o, const char *file, const char *name, json_type of, json_type alone)
{
    if (!o || json_object_is_type(o, alone))
        return !o || alone != json_type_string || strcmp(name, "layers_pattern") == 0 ||
                       whole_match(json_object_get_string(o), "") >= 0
                   ? IB_OK
                   : ib_fail(IB_EFORMAT, "%s: '%s' is \"%s\", which is no regular expression", file, name,
                             json_object_get_string(o));
    int good = json_object_is_type(o, json_type_array);
    for (size_t i = 0; good && i < json_object_array_length(o); i++)
        good = json_object_is_type(json_object_array_get_idx(o, i), of);
    return good ? IB_OK
                : ib_fail(IB_EFORMAT, "%s: '%s' is %.80s", file, name,
                          json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static ib_status check_pattern(struct json_object *o, const char *file, const char *name)
{
    if (o && !json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "%s: '%s' is no object", file, name);
    if (!o)
        return IB_OK;
    json_object_object_foreach(
        o, key,
        value) if ((!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)) ||
                   !(json_object_get_double(value) > 0) ||
                   whole_match(key, "") < 0) return ib_fail(IB_EFORMAT, "%s: '%s' has %.40s for '%.60s'", file, name,
                                                            json_object_to_json_string(value), key);
    return IB_OK;
}

ib_status ib_adapter_config_read(struct json_object *o, const char *file, ib_adapter_config *out)
{
    *out = (ib_adapter_config){.r = 8, .alpha = 8}; /* LoraConfig's defaults */
    ib_status status = ib_fields_json(&ib_adapter_fields, IB_ALL, file, "", o, out);
    if (!status && !ib_json_get(o, "peft_type"))
        status = ib_fail(IB_EFORMAT, "%s: has no 'peft_type'", file);
    if (!status && (out->r < 1 || !(out->alpha > 0) || !(out->dropout >= 0 && out->dropout < 1)))
        status = ib_fail(IB_EFORMAT, "%s: a rank of %d, an alpha of %g, a dropout of %g", file, out->r, out->alpha,
                         out->dropout);
    if (!status && !out->targets)
        status = ib_fail(IB_EFORMAT, "%s: has no 'target_modules'", file);
    if (status || (status = check_list(out->targets, file, "target_modules", json_type_string, json_type_string)) ||
        (status = check_list(out->excluded, file, "exclude_modules", json_type_string, json_type_string)) ||
        (status = check_list(out->layers, file, "layers_to_transform", json_type_int, json_type_int)) ||
        (status = check_list(out->layers_pattern, file, "layers_pattern", json_type_string, json_type_string)) ||
        (status = check_saved(out->save, file)) || (status = check_pattern(out->ranks, file, "rank_pattern")))
        return status;
    return check_pattern(out->alphas, file, "alpha_pattern");
}
