/* adapter_files.c - reading adapters: IB_PEFT folders and GGUF files; they are written in adapter_save.c. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "lm/adapters/adapter.h"
#include "lm/adapters/adapter_config.h"
#include "lm/load/fields.h"

static ib_status copy(const ib_entry *e, ib_tensor *t, const char *path)
{
    if (!e->format || ib_entry_size(e) != t->size)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' does not fit %s", path, e->name, t->name);
    float *x = ib_tensor_f32(t); /* it has met no device yet */
    ib_entry_decode(e, 0, t->size, x);
    for (int64_t i = 0; i < t->size; i++)
        if (!isfinite(x[i]))
            return ib_fail(IB_ENUMERIC, "%s: tensor '%s' holds %g at %lld", path, e->name, (double)x[i], (long long)i);
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
    if (f->a->ndim != 2 || f->b->ndim != 2 || f->a->shape[1] != cols || f->b->shape[0] != rows ||
        f->a->shape[0] != f->b->shape[1])
        return ib_fail(IB_EFORMAT, "%s: tensors '%s' %s and %s do not fit a layer [%lld,%lld]", path, f->a->name,
                       ib_entry_shape_text(f->a, sa, sizeof sa), ib_entry_shape_text(f->b, sb, sizeof sb),
                       (long long)rows, (long long)cols);
    return IB_OK;
}

/* Adds every layer that `find` finds, then fills all; `more` adds to them and to the count what else the file has. */
static ib_status read_layers(ib_lm *m, const char *path, int file_pairs, int64_t n_tensors,
                             found (*find)(ib_lm *m, void *file, const char *path, int layer, int role),
                             ib_status (*more)(ib_lm *m, void *file, const char *path, int64_t *count), void *file)
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
                    status = f.m ? copy(f.m, p->m, path)
                                 : ib_fail(IB_EFORMAT, "%s: layer %d has no magnitude vector", path, i);
                if (!status && file_pairs != m->pairs &&
                    !(status = ib_lm_adapter_turn(m, r, p->b, ib_tensor_f32(p->b), m->pairs)) && p->m)
                    status = ib_lm_adapter_turn(m, r, p->m, ib_tensor_f32(p->m), m->pairs);
            }
        if (!status && !pass && count && more)
            status = more(m, file, path, &count);
        if (!status && !pass)
            status =
                !count ? ib_fail(IB_EFORMAT, "%s: holds no adapter of a layer of this model", path)
                : count != n_tensors
                    ? ib_fail(IB_EUNSUPPORTED, "%s: %lld of its %lld tensors belong to no linear layer of this model",
                              path, (long long)(n_tensors - count), (long long)n_tensors)
                    : ib_layer_init(m->trainable, 0);
    }
    return status;
}

typedef struct peft {
    ib_safetensors *f;
    ib_adapter_config c;
} peft;

static found find_peft(ib_lm *m, void *file, const char *path, int layer, int role)
{
    (void)path;
    (void)m;
    peft *p = file;
    found f = {0};
    char name[256], base[IB_LM_PATH];
    ib_lm_path(base, layer, role);
    const struct {
        const char *suffix;
        const ib_entry **e;
    } parts[] = {{".lora_A.weight", &f.a},
                 {".lora_B.weight", &f.b},
                 {".lora_magnitude_vector", &f.m},
                 {".lora_magnitude_vector.weight", &f.m}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ib_snprintf(name, sizeof name, IB_PEFT "%s%s", base, parts[i].suffix);
        const ib_entry *e = ib_safetensors_find(p->f, name);
        *parts[i].e = e ? e : *parts[i].e;
    }
    f.alpha = (float)ib_adapter_config_alpha(&p->c, base);
    return f;
}

/* The tensor of a weight that was trained whole, or NULL. */
static const ib_entry *find_whole(const peft *p, int which)
{
    char name[256];
    ib_snprintf(name, sizeof name, IB_PEFT "%s.weight", ib_whole_paths[which]);
    return ib_safetensors_find(p->f, name);
}

static ib_status add_whole(ib_lm *m, void *file, const char *path, int64_t *count)
{
    ib_status status = IB_OK;
    for (int i = 0; i < IB_N_WHOLE && !status; i++) {
        const ib_entry *e = find_whole(file, i);
        char shape[64];
        if (e && (e->ndim != 2 || e->shape[0] != m->c.vocabulary || e->shape[1] != m->c.width))
            return ib_fail(IB_EFORMAT, "%s: tensor '%s' %s does not fit a %s [%d,%d]", path, e->name,
                           ib_entry_shape_text(e, shape, sizeof shape), ib_whole_name(i), m->c.vocabulary, m->c.width);
        if (e)
            status = ib_lm_whole_add(m, i);
        *count += e != NULL;
    }
    return status;
}

/* What the configuration says against what the tensors are. */
static ib_status agree(ib_lm *m, peft *p, const char *file)
{
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            char base[IB_LM_PATH];
            const found f = find_peft(m, p, file, i, r);
            const int named = ib_adapter_config_names(&p->c, ib_lm_path(base, i, r), i), there = f.a || f.b;
            const double rank = ib_adapter_config_rank(&p->c, base);
            if (named != there)
                return named ? ib_fail(IB_EFORMAT, "%s: names layer %s, which has no tensors", file, base)
                             : ib_fail(IB_EFORMAT, "%s: does not name layer %s, which has tensors", file, base);
            if (f.a && (f.a->ndim != 2 || (double)f.a->shape[0] != rank))
                return ib_fail(IB_EFORMAT, "%s: says rank %g for %s, whose tensors have %lld", file, rank, base,
                               (long long)f.a->shape[0]);
            if (f.m && !p->c.dora)
                return ib_fail(IB_EFORMAT, "%s: 'use_dora' is false, but there is tensor '%s'", file, f.m->name);
        }
    for (int i = 0; i < IB_N_WHOLE; i++) {
        const int named = ib_adapter_config_saves(&p->c, i);
        if (named != (find_whole(p, i) != NULL))
            return ib_fail(IB_EFORMAT,
                           named ? "%s: 'modules_to_save' names %s, which has no tensor"
                                 : "%s: 'modules_to_save' does not name %s, which has a tensor",
                           file, ib_whole_name(i));
    }
    return IB_OK;
}

/* The adapter remembers over which format of the base it was trained; the model takes it, unless one was chosen. */
static ib_status take_base(ib_lm *m, const char *recorded, const char *path)
{
    if (!recorded)
        return IB_OK;
    const ib_status status = m->base_chosen ? IB_OK : ib_lm_requantize(m, recorded);
    if (status)
        ib_error_prefix("%s: was trained over a base in '%s'", path, recorded);
    else
        ib_snprintf(m->adapter_base, sizeof m->adapter_base, "%s", recorded);
    return status;
}

static ib_status open_peft(ib_lm *m, const char *folder)
{
    char *name = ib_format_text("%s/adapter_config.json", folder),
         *weights = ib_format_text("%s/adapter_model.safetensors", folder);
    struct json_object *config = name && weights ? ib_json_read(name) : NULL;
    peft p = {.f = config ? ib_safetensors_open(weights) : NULL};
    ib_status status = p.f               ? ib_adapter_config_read(config, name, &p.c)
                       : name && weights ? ib_error_status()
                                         : IB_ENOMEM;
    if (!status)
        status = agree(m, &p, name);
    if (!status) {
        m->r = p.c.r;
        m->alpha = (float)p.c.alpha;
        m->dropout = (float)p.c.dropout;
        m->rslora = p.c.rslora;
        m->dora = p.c.dora;
        status = read_layers(m, weights, 0, p.f->n_entries, find_peft, add_whole, &p);
    }
    for (int i = 0; i < IB_N_WHOLE && !status; i++)
        if (ib_lm_whole(m, i))
            status = copy(find_whole(&p, i), ib_lm_whole(m, i), weights);
    if (!status)
        status = take_base(m, ib_json_text(p.f->metadata, "isobit.base"), weights);
    ib_safetensors_close(p.f);
    json_object_put(config);
    ib_free(name);
    ib_free(weights);
    return status;
}

static found find_gguf(ib_lm *m, void *file, const char *path, int layer, int role)
{
    (void)path;
    char name[256];
    found f = {.alpha = m->alpha};
    ib_snprintf(name, sizeof name, "blk.%d.%s.weight.lora_a", layer, ib_role_names[role].gguf);
    f.a = ib_gguf_tensor(file, name);
    ib_snprintf(name, sizeof name, "blk.%d.%s.weight.lora_b", layer, ib_role_names[role].gguf);
    f.b = ib_gguf_tensor(file, name);
    if (f.a && !(f.alpha > 0)) /* a file without an alpha means a scale of 1 */
        f.alpha = (float)f.a->shape[0];
    return f;
}

typedef struct gguf_adapter {
    double alpha;
} gguf_adapter;
#undef IB_FIELD_STRUCT
#define IB_FIELD_STRUCT gguf_adapter
static const ib_field gguf_fields[] = {
    ONLY("general.type", IB_ALL, "\"adapter\"", "another kind of file")
        ONLY("adapter.type", IB_ALL, "\"lora\"", "other kinds of adapters are not read")
            READ("adapter.lora.alpha", IB_ALL, REAL, alpha, "the product is scaled by alpha / r; 0 or none: by 1")
                FREE("adapter.lora.task_name", "says what it is for") FREE("adapter.lora.prompt_prefix",
                                                                           "says what it is for")
                    REFUSED("adapter.alora.invocation_tokens", "an adapter that begins at some token is not supported")
                        REFUSED("adapter.*", "an unknown key, which may change what the adapter computes")
                            FREE("*", "describes the file")};
const ib_field_table ib_gguf_adapter_fields = {"gguf-adapter", gguf_fields, sizeof gguf_fields / sizeof *gguf_fields};

static ib_status open_gguf(ib_lm *m, const char *path)
{
    ib_gguf *f = ib_gguf_open(path);
    if (!f)
        return ib_error_status();
    gguf_adapter k = {0};
    char *kind = ib_gguf_string(f, "adapter.type"), *arch = ib_gguf_string(f, "general.architecture"),
         *base = ib_gguf_string(f, "isobit.base");
    ib_status status = kind ? ib_fields_gguf(&ib_gguf_adapter_fields, IB_ALL, "", f, &k)
                            : ib_fail(IB_EFORMAT, "is not a LoRA adapter");
    if (!status && arch && strcmp(arch, m->c.arch) && !(m->arch->gguf_pairs && !strcmp(arch, "llama")))
        status = ib_fail(IB_EINVAL, "is for architecture %s, the model is %s", arch, m->c.arch);
    if (status)
        ib_error_prefix("%s", path);
    m->alpha = (float)k.alpha;
    if (!status && !(status = read_layers(m, path, m->arch->gguf_pairs, f->n_entries, find_gguf, NULL, f)))
        status = take_base(m, base, path);
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES; r++)
            if (m->block[i].p[r].a) {
                m->r = (int)m->block[i].p[r].a->shape[0];
                m->alpha = k.alpha > 0 ? m->alpha : m->block[i].p[r].alpha;
            }
    ib_free(kind);
    ib_free(arch);
    ib_free(base);
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
    ib_status status = ib_lm_adapter_begin(m);
    if (!status && (status = S_ISDIR(info.st_mode) ? open_peft(m, path) : open_gguf(m, path)))
        ib_lm_adapter_end(m);
    return status;
}
