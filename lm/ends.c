/* ends.c - the tokens that a model's files name by their numbers: all within the vocabulary; some end a text. */
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "lm/lm.h"

static ib_status add(ib_lm *m, int32_t id)
{
    if (ib_lm_ends_text(m, id))
        return IB_OK;
    int32_t *grown = ib_realloc(m->end, (size_t)m->n_ends * sizeof *grown, (size_t)(m->n_ends + 1) * sizeof *grown);
    if (!grown)
        return IB_ENOMEM;
    m->end = grown;
    m->end[m->n_ends++] = id;
    return IB_OK;
}

int ib_lm_ends_text(const ib_lm *m, int32_t id)
{
    IB_NEED_OR(m, 0);
    for (int i = 0; i < m->n_ends; i++)
        if (m->end[i] == id)
            return 1;
    return 0;
}

/* "eos_token_id", "image_token_ids"; not "token_ids_of" */
static int names_tokens(const char *key)
{
    const char *end = strstr(key, "_token_id");
    return end && (!strcmp(end, "_token_id") || !strcmp(end, "_token_ids"));
}

/* A token, a list of tokens, or null; padding may be -1, which is none. */
static ib_status check_json(ib_lm *m, const char *key, struct json_object *v, const char *file)
{
    const int list = json_object_is_type(v, json_type_array), ends = !strcmp(key, "eos_token_id");
    const size_t n = !v ? 0 : list ? json_object_array_length(v) : 1;
    ib_status status = IB_OK;
    for (size_t i = 0; i < n && !status; i++) {
        struct json_object *one = list ? json_object_array_get_idx(v, i) : v;
        if (!json_object_is_type(one, json_type_int))
            return ib_fail(IB_EFORMAT, "%s: '%s' is %s, neither a token nor a list of tokens", file, key,
                           json_object_to_json_string(v));
        const int64_t id = json_object_get_int64(one);
        if ((id < 0 && (id != -1 || strcmp(key, "pad_token_id"))) || id >= m->c.vocabulary)
            return ib_fail(IB_EFORMAT, "%s: '%s' is %lld, but the vocabulary has %d tokens", file, key, (long long)id,
                           m->c.vocabulary);
        status = ends ? add(m, (int32_t)id) : IB_OK;
    }
    return status;
}

static ib_status add_json(ib_lm *m, struct json_object *o, const char *file)
{
    ib_status status = IB_OK;
    if (!json_object_is_type(o, json_type_object))
        return ib_fail(IB_EFORMAT, "%s: is no object", file);
    json_object_object_foreach(o, key, value)
    {
        if (!status && names_tokens(key))
            status = check_json(m, key, value, file);
    }
    return status;
}

ib_status ib_lm_ends_of_hf(ib_lm *m, struct json_object *config, const char *folder)
{
    ib_status status = add_json(m, config, "config.json");
    char *path = status ? NULL : ib_format_text("%s/generation_config.json", folder);
    struct stat info;
    if (path && !stat(path, &info)) {
        struct json_object *o = ib_json_read(path);
        status = o ? add_json(m, o, "generation_config.json") : ib_error_status();
        json_object_put(o);
    } else if (!status && !path) {
        status = IB_ENOMEM;
    }
    ib_free(path);
    return status;
}

ib_status ib_lm_ends_of_gguf(ib_lm *m, const ib_gguf *f)
{
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    ib_status status = IB_OK;
    for (int64_t i = 0; i < f->n_kv; i++) {
        const ib_gguf_kv *kv = &f->kv[i];
        if (!names_tokens(kv->key) || kv->of == IB_GGUF_STRING)
            continue;
        for (int64_t j = 0; j < kv->n; j++) {
            const double id = ib_gguf_element(kv, j);
            if (!(id >= 0 && id < m->c.vocabulary))
                return ib_fail(IB_EFORMAT, "key '%s' is %.0f, but the vocabulary has %d tokens", kv->key, id,
                               m->c.vocabulary);
        }
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !status; i++)
        if (ib_gguf_find(f, keys[i]))
            status = add(m, ib_int_of(ib_gguf_number(f, keys[i], -1)));
    return status;
}
