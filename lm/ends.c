/* ends.c - the tokens that end a text, as a model's files name them. */
#include <sys/stat.h>

#include "lm/lm.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"

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

/* A token, a list of tokens, or null. */
static ib_status add_json(ib_lm *m, struct json_object *o, const char *file)
{
    struct json_object *v = ib_json_get(o, "eos_token_id");
    const int list = json_object_is_type(v, json_type_array);
    const size_t n = !v ? 0 : list ? json_object_array_length(v) : 1;
    ib_status status = IB_OK;
    for (size_t i = 0; i < n && !status; i++) {
        struct json_object *one = list ? json_object_array_get_idx(v, i) : v;
        status = json_object_is_type(one, json_type_int)
                     ? add(m, ib_int_of(json_object_get_double(one)))
                     : ib_fail(IB_EFORMAT, "%s: 'eos_token_id' is %s, neither a token nor a list of tokens", file, json_object_to_json_string(v));
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
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
    ib_status status = IB_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !status; i++)
        if (ib_gguf_find(f, keys[i]))
            status = add(m, ib_int_of(ib_gguf_number(f, keys[i], -1)));
    return status;
}
