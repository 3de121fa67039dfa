/* adapter_files.c - adapters as PEFT folders and as GGUF files. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lm/adapter.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"

#define PEFT "base_model.model."

/* PEFT's patterns: a regular expression for the end of a layer's path. */
static int pattern_matches(const char *key, const char *path)
{
    char *p = ib_format_text("^(?:.*\\.)?(?:%s)$", key);
    int code = 0, found = 0;
    PCRE2_SIZE at;
    pcre2_code *c = p ? pcre2_compile((PCRE2_SPTR)p, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL) : NULL;
    pcre2_match_data *m = c ? pcre2_match_data_create(1, NULL) : NULL;
    if (m)
        found = pcre2_match(c, (PCRE2_SPTR)path, PCRE2_ZERO_TERMINATED, 0, 0, m, NULL) >= 0;
    pcre2_match_data_free(m);
    pcre2_code_free(c);
    ib_free(p);
    return found;
}

static double by_pattern(struct json_object *patterns, const char *path, double otherwise)
{
    if (json_object_is_type(patterns, json_type_object)) {
        json_object_object_foreach(patterns, key, value)
            if (pattern_matches(key, path))
                return json_object_get_double(value);
    }
    return otherwise;
}

static ib_status copy(const ib_entry *e, ib_tensor *t, const char *path)
{
    const ib_matrix m = ib_entry_matrix(e);
    if (!e->format || ib_entry_size(e) != t->size)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' does not fit %s", path, e->name, t->name);
    ib_matrix_decode(&m, 0, t->size, ib_f32(t));
    for (int64_t i = 0; i < t->size; i++)
        if (!isfinite(ib_f32(t)[i]))
            return ib_fail(IB_ENUMERIC, "%s: tensor '%s' holds %g at %lld", path, e->name, (double)ib_f32(t)[i], (long long)i);
    return IB_OK;
}

/* Turns the rows of q's and k's B (and magnitudes) between the file's order and the model's. */
static ib_status turn(const ib_lm *m, int role, ib_tensor *t, int to_pairs)
{
    if (!t || (role != IB_ROLE_Q && role != IB_ROLE_K))
        return IB_OK;
    float *x = ib_alloc_raw((size_t)t->size * sizeof *x);
    if (!x)
        return IB_ENOMEM;
    memcpy(x, t->data, (size_t)t->size * sizeof *x);
    ib_lm_permute_rows(x, t->data, t->shape[0], m->c.dim, (size_t)(t->size / t->shape[0]) * sizeof *x, to_pairs);
    ib_free(x);
    return IB_OK;
}

/* Where the tensors of one layer's adapter are, in either kind of file. */
typedef struct found {
    const ib_entry *a, *b, *m;
    float alpha;
} found;

static ib_status check_shapes(const ib_lm *m, int role, const found *f, const char *path)
{
    int64_t rows, cols;
    char sa[64], sb[64];
    ib_lm_role_shape(&m->c, role, &rows, &cols);
    if (!f->a || !f->b)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' has no other half", path, (f->a ? f->a : f->b)->name);
    if (f->a->ndim != 2 || f->b->ndim != 2 || f->a->shape[1] != cols || f->b->shape[0] != rows || f->a->shape[0] != f->b->shape[1])
        return ib_fail(IB_EFORMAT, "%s: tensors '%s' %s and %s do not fit a layer [%lld,%lld]", path, f->a->name,
                       ib_entry_shape_text(f->a, sa, sizeof sa), ib_entry_shape_text(f->b, sb, sizeof sb), (long long)rows, (long long)cols);
    return IB_OK;
}

/* Adds every layer that `find` finds, then fills all. */
static ib_status read_layers(ib_lm *m, const char *path, int file_pairs, int64_t n_tensors,
                             found (*find)(ib_lm *m, void *file, const char *path, int layer, int role), void *file)
{
    ib_status status = IB_OK;
    int64_t count = 0;
    for (int pass = 0; pass < 2 && !status; pass++) {
        for (int i = 0; i < m->c.layers && !status; i++)
            for (int r = 0; r < IB_N_ROLES && !status; r++) {
                const found f = find(m, file, path, i, r);
                ib_projection *p = &m->block[i].p[r];
                if (!f.a && !f.b)
                    continue;
                if (!pass) {
                    count += 2 + (f.m != NULL);
                    if (!(status = check_shapes(m, r, &f, path)))
                        status = ib_lm_adapter_add(m, i, r, f.a->shape[0], f.alpha);
                    continue;
                }
                if ((status = copy(f.a, p->a, path)) || (status = copy(f.b, p->b, path)))
                    break;
                if (p->m)
                    status = f.m ? copy(f.m, p->m, path) : ib_fail(IB_EFORMAT, "%s: layer %d has no magnitude vector", path, i);
                if (!status && file_pairs != m->pairs && ((status = turn(m, r, p->b, m->pairs)) == IB_OK))
                    status = turn(m, r, p->m, m->pairs);
            }
        if (!status && !pass)
            status = !count ? ib_fail(IB_EFORMAT, "%s: holds no adapter of a layer of this model", path)
                     : count != n_tensors ? ib_fail(IB_EUNSUPPORTED, "%s: %lld of its %lld tensors belong to no linear layer of this model", path,
                                                    (long long)(n_tensors - count), (long long)n_tensors)
                                          : ib_layer_init(m->trainable, 0);
    }
    return status;
}

typedef struct peft {
    ib_safetensors *f;
    struct json_object *config;
} peft;

static found find_peft(ib_lm *m, void *file, const char *path, int layer, int role)
{
    (void)path;
    peft *p = file;
    found f = {0};
    char name[256], base[IB_LM_PATH];
    ib_lm_path(base, layer, role);
    const struct {
        const char *suffix;
        const ib_entry **e;
    } parts[] = {{".lora_A.weight", &f.a}, {".lora_B.weight", &f.b}, {".lora_magnitude_vector", &f.m}, {".lora_magnitude_vector.weight", &f.m}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, PEFT "%s%s", base, parts[i].suffix);
        const ib_entry *e = ib_safetensors_find(p->f, name);
        *parts[i].e = e ? e : *parts[i].e;
    }
    f.alpha = (float)by_pattern(ib_json_get(p->config, "alpha_pattern"), base, m->alpha);
    return f;
}

static ib_status open_peft(ib_lm *m, const char *folder)
{
    char *name = ib_format_text("%s/adapter_config.json", folder), *weights = ib_format_text("%s/adapter_model.safetensors", folder);
    peft p = {0};
    ib_status status = IB_ENOMEM;
    if (name && weights) {
        p.config = ib_json_read(name);
        p.f = p.config ? ib_safetensors_open(weights) : NULL;
        status = p.f ? IB_OK : ib_error_status();
    }
    const char *type = ib_json_text(p.config, "peft_type");
    if (!status && (!type || strcmp(type, "LORA")))
        status = ib_fail(IB_EUNSUPPORTED, "%s: peft_type %s; LORA is supported", name, type ? type : "missing");
    if (!status) {
        m->r = ib_int_of(ib_json_number(p.config, "r", 8));
        m->alpha = (float)ib_json_number(p.config, "lora_alpha", 8);
        m->dropout = (float)ib_json_number(p.config, "lora_dropout", 0);
        m->rslora = ib_json_number(p.config, "use_rslora", 0) != 0;
        m->dora = ib_json_number(p.config, "use_dora", 0) != 0;
        if (!(status = ib_lm_adapter_begin(m)))
            status = read_layers(m, weights, 0, p.f->n_entries, find_peft, &p);
    }
    ib_safetensors_close(p.f);
    json_object_put(p.config);
    ib_free(name);
    ib_free(weights);
    return status;
}

static found find_gguf(ib_lm *m, void *file, const char *path, int layer, int role)
{
    (void)path;
    char name[256];
    found f = {.alpha = m->alpha};
    snprintf(name, sizeof name, "blk.%d.%s.weight.lora_a", layer, ib_role_names[role].gguf);
    f.a = ib_gguf_tensor(file, name);
    snprintf(name, sizeof name, "blk.%d.%s.weight.lora_b", layer, ib_role_names[role].gguf);
    f.b = ib_gguf_tensor(file, name);
    return f;
}

static ib_status open_gguf(ib_lm *m, const char *path)
{
    ib_gguf *f = ib_gguf_open(path);
    if (!f)
        return ib_error_status();
    char *type = ib_gguf_string(f, "general.type"), *kind = ib_gguf_string(f, "adapter.type"), *arch = ib_gguf_string(f, "general.architecture");
    ib_status status = IB_OK;
    if (!type || strcmp(type, "adapter") || !kind || strcmp(kind, "lora"))
        status = ib_fail(IB_EFORMAT, "%s: is not a LoRA adapter", path);
    else if (arch && strcmp(arch, m->c.arch) && !(m->arch->gguf_pairs && !strcmp(arch, "llama")))
        status = ib_fail(IB_EINVAL, "%s: is for architecture %s, the model is %s", path, arch, m->c.arch);
    m->alpha = (float)ib_gguf_number(f, "adapter.lora.alpha", 0);
    if (!status && !(status = ib_lm_adapter_begin(m)))
        status = read_layers(m, path, m->arch->gguf_pairs, f->n_entries, find_gguf, f);
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES; r++)
            m->r = m->block[i].p[r].a ? (int)m->block[i].p[r].a->shape[0] : m->r;
    ib_free(type);
    ib_free(kind);
    ib_free(arch);
    ib_gguf_close(f);
    return status;
}

ib_status ib_lm_adapter_open(ib_lm *m, const char *path)
{
    IB_NEED(m);
    IB_NEED(path);
    struct stat info;
    if (stat(path, &info))
        return ib_fail(IB_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    return S_ISDIR(info.st_mode) ? open_peft(m, path) : open_gguf(m, path);
}

/* ---- writing ---- */

static struct json_object *config_of(const ib_lm *m, const char *base)
{
    struct json_object *o = json_object_new_object(), *targets = json_object_new_array(), *ranks = json_object_new_object(), *alphas = json_object_new_object();
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
    return o;
}

/* Calls visit for every adapter tensor with rows in halves (to_pairs 0) or pairs; visit's bytes are valid for its call. */
static ib_status each_tensor(const ib_lm *m, int to_pairs, ib_status (*visit)(void *user, int layer, int role, char part, const ib_tensor *t), void *user)
{
    ib_status status = IB_OK;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            ib_projection *p = &m->block[i].p[r];
            ib_tensor *parts[] = {p->a, p->b, p->m};
            for (int k = 0; k < 3 && !status; k++) {
                if (!parts[k])
                    continue;
                ib_tensor t = *parts[k];
                float *x = ib_alloc_raw((size_t)t.size * sizeof *x);
                if (!x)
                    return IB_ENOMEM;
                t.data = memcpy(x, t.data, (size_t)t.size * sizeof *x);
                if (k && to_pairs != m->pairs)
                    status = turn(m, r, &t, to_pairs);
                if (!status)
                    status = visit(user, i, r, "abm"[k], &t);
                ib_free(x);
            }
        }
    return status;
}

typedef struct peft_writer {
    ib_safetensors_item *items;
    float *values;
    char *names;
    int n;
} peft_writer;

static ib_status add_item(void *user, int layer, int role, char part, const ib_tensor *t)
{
    peft_writer *w = user;
    char base[IB_LM_PATH], *name = w->names + 200 * w->n;
    snprintf(name, 200, PEFT "%s.%s", ib_lm_path(base, layer, role), part == 'a' ? "lora_A.weight" : part == 'b' ? "lora_B.weight" : "lora_magnitude_vector");
    memcpy(w->values, t->data, (size_t)t->size * sizeof(float));
    w->items[w->n++] = (ib_safetensors_item){name, "F32", t->ndim, {t->shape[0], t->ndim > 1 ? t->shape[1] : 0}, w->values, (size_t)t->size * sizeof(float)};
    w->values += t->size;
    return IB_OK;
}

ib_status ib_lm_adapter_save(const ib_lm *m, const char *folder, const char *base)
{
    IB_NEED(m);
    IB_NEED(folder);
    if (!m->adapted)
        return ib_fail(IB_ESTATE, "the model has no adapter to save");
    const int n = ib_param_count(m->trainable);
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        total += ib_param_at(m->trainable, i)->size;
    if (mkdir(folder, 0777) && errno != EEXIST)
        return ib_fail(IB_EIO, "%s: cannot be made: %s", folder, strerror(errno));
    char *config = ib_format_text("%s/adapter_config.json", folder), *weights = ib_format_text("%s/adapter_model.safetensors", folder);
    peft_writer w = {ib_alloc((size_t)n * sizeof *w.items), ib_alloc_raw((size_t)total * sizeof(float)), ib_alloc((size_t)n * 200), 0};
    float *values = w.values;
    ib_status status = config && weights && w.items && values && w.names ? each_tensor(m, 0, add_item, &w) : IB_ENOMEM;
    if (!status)
        status = ib_safetensors_write(weights, w.n, w.items, (const char *[]){"format", "pt", NULL});
    if (!status)
        status = ib_json_write(config, config_of(m, base));
    ib_free(config);
    ib_free(weights);
    ib_free(w.items);
    ib_free(values);
    ib_free(w.names);
    return status;
}

typedef struct gguf_writer {
    ib_gguf_writer *head;
    ib_file_writer *file; /* NULL: the first pass, infos only */
    const ib_lm *m;
} gguf_writer;

static ib_status add_gguf(void *user, int layer, int role, char part, const ib_tensor *t)
{
    gguf_writer *w = user;
    const ib_projection *p = &w->m->block[layer].p[role];
    if (!w->file) {
        char name[200];
        snprintf(name, sizeof name, "blk.%d.%s.weight.lora_%c", layer, ib_role_names[role].gguf, part);
        ib_gguf_put_tensor(w->head, name, 2, t->shape, ib_storage_find("f32"));
        return IB_OK;
    }
    /* readers compute scale = alpha / r with the file's one alpha: what differs goes into B */
    const float f = p->scale / (w->m->alpha / (float)p->a->shape[0]);
    for (int64_t i = 0; part == 'b' && f != 1.0f && i < t->size; i++)
        ib_f32(t)[i] *= f;
    ib_gguf_data(w->file, t->data, (size_t)t->size * sizeof(float));
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
    ib_gguf_writer head = {0};
    gguf_writer w = {&head, NULL, m};
    ib_gguf_put_string(&head, "general.type", "adapter");
    ib_gguf_put_string(&head, "adapter.type", "lora");
    ib_gguf_put_string(&head, "general.architecture", m->arch->gguf_pairs ? "llama" : m->c.arch);
    ib_gguf_put_f32(&head, "adapter.lora.alpha", m->alpha);
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
