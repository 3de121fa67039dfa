/* adapter_save.c - writing adapters: PEFT folders and GGUF files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "files/folder.h"
#include "lm/adapters/adapter.h"
#include "lm/save/model_card.h"

ib_status ib_lm_adapter_turn(const ib_lm *m, int role, const ib_tensor *t, float *values, int to_pairs)
{
    if (role != IB_ROLE_Q && role != IB_ROLE_K)
        return IB_OK;
    float *x = ib_alloc_raw((size_t)t->size * sizeof *x);
    if (!x)
        return IB_ENOMEM;
    memcpy(x, values, (size_t)t->size * sizeof *x);
    ib_lm_permute_rows(x, values, t->shape[0], m->c.dim, (size_t)(t->size / t->shape[0]) * sizeof *x, to_pairs);
    ib_free(x);
    return IB_OK;
}

static struct json_object *config_of(const ib_lm *m, const char *base)
{
    struct json_object *o = json_object_new_object(), *targets = json_object_new_array(),
                       *ranks = json_object_new_object(), *alphas = json_object_new_object();
    for (int r = 0; r < IB_N_ROLES; r++) {
        int any = 0;
        for (int i = 0; i < m->c.layers; i++) {
            const ib_projection *p = &m->block[i].p[r];
            any |= p->a != NULL;
            char path[IB_LM_PATH];
            ib_lm_path(path, i, r);
            if (p->a && p->a->shape[0] != m->r)
                json_object_object_add(ranks, path + 6, json_object_new_int64(p->a->shape[0])); /* without "model." */
            if (p->a && p->alpha != m->alpha)
                json_object_object_add(alphas, path + 6, json_object_new_double(p->alpha));
        }
        for (int i = 0; any && i < m->c.layers; i++) { /* a role whole by its name, else the layers that have it */
            int all = 1;
            for (int j = 0; j < m->c.layers; j++)
                all &= m->block[j].p[r].a != NULL;
            char path[IB_LM_PATH];
            if (all && i == 0)
                json_object_array_add(targets, json_object_new_string(strrchr(ib_role_names[r].hf, '.') + 1));
            else if (!all && m->block[i].p[r].a)
                json_object_array_add(targets, json_object_new_string(ib_lm_path(path, i, r)));
        }
    }
    json_object_object_add(o, "peft_type", json_object_new_string("LORA"));
    json_object_object_add(o, "task_type", json_object_new_string("CAUSAL_LM"));
    json_object_object_add(o, "base_model_name_or_path", json_object_new_string(base ? base : ""));
    json_object_object_add(o, "inference_mode", json_object_new_boolean(1));
    json_object_object_add(o, "r", json_object_new_int(m->r));
    json_object_object_add(o, "lora_alpha", json_object_new_double(m->alpha));
    json_object_object_add(o, "lora_dropout", json_object_new_double(m->dropout));
    json_object_object_add(o, "bias", json_object_new_string("none"));
    json_object_object_add(o, "target_modules", targets);
    json_object_object_add(o, "use_rslora", json_object_new_boolean(m->rslora));
    json_object_object_add(o, "use_dora", json_object_new_boolean(m->dora));
    json_object_object_add(o, "rank_pattern", ranks);
    json_object_object_add(o, "alpha_pattern", alphas);
    json_object_object_add(o, "fan_in_fan_out", json_object_new_boolean(0));
    struct json_object *saved = json_object_new_array();
    for (int i = 0; i < IB_N_WHOLE; i++)
        if (ib_lm_whole(m, i))
            json_object_array_add(saved, json_object_new_string(ib_whole_name(i)));
    if (json_object_array_length(saved))
        json_object_object_add(o, "modules_to_save", saved);
    else
        json_object_put(saved);
    return o;
}

/* The base by its name on the Hub, where its files tell it: peft finds it there. */
static ib_status write_config(const ib_lm *m, const char *base, const char *path)
{
    const uint64_t failures = ib_failures();
    char *hub = ib_origin_hub(m, base);
    const ib_status status =
        ib_failures() == failures ? ib_json_write(path, config_of(m, hub ? hub : base)) : ib_error_status();
    ib_free(hub);
    return status;
}

/* An adapter tensor as it is written, rows in halves or pairs: where it lies, or a copy, which is the caller's. */
static const float *written(const ib_lm *m, int to_pairs, int role, char part, const ib_tensor *t, void **copy)
{
    const float *x = ib_tensor_look(t, copy);
    const int turns = (role == IB_ROLE_Q || role == IB_ROLE_K) && part != 'a' && to_pairs != m->pairs;
    if (x && turns && !*copy && (*copy = ib_alloc_raw((size_t)t->size * sizeof *x)))
        memcpy(*copy, x, (size_t)t->size * sizeof *x);
    if (!x || (turns && (!*copy || ib_lm_adapter_turn(m, role, t, *copy, to_pairs))))
        return NULL;
    return turns ? *copy : x;
}

/* Calls visit for every adapter tensor and its values; *copy, if there is one, is freed then unless visit takes it. */
static ib_status each_tensor(const ib_lm *m, int to_pairs,
                             ib_status (*visit)(void *user, int layer, int role, char part, const ib_tensor *t,
                                                const float *x, void **copy),
                             void *user)
{
    ib_status status = IB_OK;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            ib_projection *p = &m->block[i].p[r];
            ib_tensor *parts[] = {p->a, p->b, p->m};
            for (int k = 0; k < 3 && !status; k++) {
                void *copy = NULL;
                if (!parts[k])
                    continue;
                const float *x = written(m, to_pairs, r, "abm"[k], parts[k], &copy);
                status = x ? visit(user, i, r, "abm"[k], parts[k], x, &copy) : ib_error_status();
                ib_free(copy);
            }
        }
    return status;
}

/* copies: of tensors whose rows are turned, or that the host cannot read */
typedef struct peft_writer {
    ib_safetensors_item *items;
    void **copies;
    char *names;
    int n;
} peft_writer;

static ib_status add_item(void *user, int layer, int role, char part, const ib_tensor *t, const float *x, void **copy)
{
    peft_writer *w = user;
    char base[IB_LM_PATH], *name = w->names + 200 * w->n;
    ib_snprintf(name, 200, IB_PEFT "%s.%s", ib_lm_path(base, layer, role),
                part == 'a'   ? "lora_A.weight"
                : part == 'b' ? "lora_B.weight"
                              : "lora_magnitude_vector");
    w->copies[w->n] = *copy;
    *copy = NULL;
    w->items[w->n++] = (ib_safetensors_item){
        name, "F32", t->ndim, {t->shape[0], t->ndim > 1 ? t->shape[1] : 0}, x, (size_t)t->size * sizeof(float)};
    return IB_OK;
}

/* Those that are trained whole, as they are. */
static ib_status add_whole(peft_writer *w, const ib_lm *m)
{
    for (int i = 0; i < IB_N_WHOLE; i++) {
        const ib_tensor *t = ib_lm_whole(m, i);
        char *name = w->names + 200 * w->n;
        if (!t)
            continue;
        const void *x = ib_tensor_look(t, &w->copies[w->n]);
        if (!x)
            return ib_error_status();
        ib_snprintf(name, 200, IB_PEFT "%s.weight", ib_whole_paths[i]);
        w->items[w->n++] =
            (ib_safetensors_item){name, "F32", 2, {t->shape[0], t->shape[1]}, x, (size_t)t->size * sizeof(float)};
    }
    return IB_OK;
}

ib_status ib_lm_adapter_save(const ib_lm *m, const char *folder, const char *base)
{
    IB_NEED(m);
    IB_NEED(folder);
    if (!m->adapted)
        return ib_fail(IB_ESTATE, "the model has no adapter to save");
    const int n = ib_param_count(m->trainable);
    ib_folder_writer *to = ib_folder_writer_open(folder, "adapter_config.json");
    if (!to)
        return ib_error_status();
    const char *at = ib_folder_writer_at(to);
    char *config = ib_format_text("%s/adapter_config.json", at),
         *weights = ib_format_text("%s/adapter_model.safetensors", at);
    static const char *const own[] = {"adapter_config.json", "adapter_model.safetensors", NULL};
    peft_writer w = {.items = ib_alloc((size_t)n * sizeof *w.items),
                     .copies = ib_alloc((size_t)n * sizeof *w.copies),
                     .names = ib_alloc((size_t)n * 200)};
    ib_status status = config && weights && w.items && w.copies && w.names ? IB_OK : IB_ENOMEM;
    if (!status && !(status = ib_folder_writer_check(to, ib_model_files, own)))
        status = each_tensor(m, 0, add_item, &w);
    if (!status)
        status = add_whole(&w, m);
    if (!status)
        status = ib_safetensors_write(weights, w.n, w.items,
                                      (const char *[]){"format", "pt", *m->base ? "isobit.base" : NULL, m->base, NULL});
    if (!status)
        status = write_config(m, base, config);
    if (!status)
        status = ib_save_adapter_card(m, base, folder, at);
    if (!status)
        status = ib_folder_writer_finish(to);
    else
        ib_folder_writer_drop(to);
    ib_free(config);
    ib_free(weights);
    ib_free(w.items);
    ib_free(w.names);
    for (int i = 0; w.copies && i < n; i++)
        ib_free(w.copies[i]);
    ib_free(w.copies);
    return status;
}

typedef struct gguf_writer {
    ib_gguf_writer *head;
    ib_file_writer *file; /* NULL: the first pass, infos only */
    const ib_lm *m;
} gguf_writer;

static ib_status add_gguf(void *user, int layer, int role, char part, const ib_tensor *t, const float *x, void **copy)
{
    gguf_writer *w = user;
    const ib_projection *p = &w->m->block[layer].p[role];
    if (!w->file) {
        char name[200];
        ib_snprintf(name, sizeof name, "blk.%d.%s.weight.lora_%c", layer, ib_role_names[role].gguf, part);
        ib_gguf_put_tensor(w->head, name, 2, t->shape, ib_storage_find("f32"));
        return IB_OK;
    }
    /* readers compute scale = alpha / r with the file's one alpha: what differs goes into B */
    const float f = p->scale / (w->m->alpha / (float)p->a->shape[0]);
    if (part == 'b' && f != 1.0f) {
        float *scaled = *copy ? *copy : (*copy = ib_alloc_raw((size_t)t->size * sizeof *scaled));
        if (!scaled)
            return IB_ENOMEM;
        for (int64_t i = 0; i < t->size; i++)
            scaled[i] = x[i] * f;
        x = scaled;
    }
    ib_gguf_data(w->file, x, (size_t)t->size * sizeof(float));
    return IB_OK;
}

ib_status ib_lm_adapter_save_gguf(const ib_lm *m, const char *path)
{
    IB_NEED(m);
    IB_NEED(path);
    if (!m->adapted)
        return ib_fail(IB_ESTATE, "the model has no adapter to save");
    if (m->dora)
        return ib_fail(IB_EUNSUPPORTED, "%s: a DoRA adapter cannot be a GGUF adapter; merge it instead", path);
    for (int i = 0; i < IB_N_WHOLE; i++)
        if (ib_lm_whole(m, i))
            return ib_fail(IB_EUNSUPPORTED,
                           "%s: a GGUF adapter has no place for %s, which was trained whole; merge it instead", path,
                           ib_whole_name(i));
    ib_gguf_writer head = {0};
    gguf_writer w = {&head, NULL, m};
    ib_gguf_put_string(&head, "general.type", "adapter");
    ib_gguf_put_string(&head, "adapter.type", "lora");
    ib_gguf_put_string(&head, "general.architecture", m->arch->gguf_pairs ? "llama" : m->c.arch);
    ib_gguf_put_f32(&head, "adapter.lora.alpha", m->alpha);
    if (*m->base)
        ib_gguf_put_string(&head, "isobit.base", m->base);
    ib_status status = each_tensor(m, m->arch->gguf_pairs, add_gguf, &w);
    if (!status && (w.file = ib_gguf_start(&head, path)) == NULL)
        status = ib_error_status();
    if (!status)
        status = each_tensor(m, m->arch->gguf_pairs, add_gguf, &w);
    if (!status)
        status = ib_file_writer_finish(w.file);
    else
        ib_file_writer_drop(w.file);
    ib_gguf_writer_release(&head);
    return status;
}
