/* state.c - see state.h */
#include "lm/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lm/settings.h"
#include "tensor/alloc.h"
#include "tensor/argument.h"
#include "tensor/number.h"

enum { NAME = 200 };

static char *path_of(const char *folder)
{
    return ib_format_text("%s/state.safetensors", folder);
}

int ib_state_exists(const char *folder)
{
    struct stat info;
    char *path = path_of(folder);
    const int there = path && !stat(path, &info);
    ib_free(path);
    return there;
}

char *ib_finetune_settings(const char *out)
{
    IB_NEED_OR(out, NULL);
    char *path = ib_state_exists(out) ? path_of(out) : NULL;
    ib_safetensors *f = path ? ib_safetensors_open(path) : NULL;
    const char *settings = f ? ib_json_text(f->metadata, "settings") : NULL;
    char *copy = settings ? ib_strdup(settings) : NULL;
    ib_safetensors_close(f);
    ib_free(path);
    return copy;
}

ib_status ib_state_save(const char *folder, const ib_lm *m, const ib_optim *opt, const char *settings, int64_t step)
{
    if (mkdir(folder, 0777) && errno != EEXIST)
        return ib_fail(IB_EIO, "%s: cannot be made: %s", folder, strerror(errno));
    const int n = opt->n_slots, states = opt->cls->n_states;
    ib_safetensors_item *items = ib_alloc((size_t)(n * (1 + states)) * sizeof *items);
    char *names = ib_alloc((size_t)(n * (1 + states)) * NAME), number[32], taken[32];
    char *path = path_of(folder);
    ib_status status = items && names && path ? IB_OK : IB_ENOMEM;
    int k = 0;
    for (int i = 0; i < n && !status; i++) {
        const ib_optim_slot *s = &opt->slots[i];
        const ib_tensor *p = s->param;
        for (int j = -1; j < states; j++, k++) {
            char *name = names + k * NAME;
            ib_snprintf(name, NAME, "%s%s%.0d", p->name, j < 0 ? "" : ".state", j < 0 ? 0 : j + 1);
            items[k] = j < 0 ? (ib_safetensors_item){name, "F32", p->ndim, {p->shape[0], p->shape[1], p->shape[2], p->shape[3]}, p->data, (size_t)p->size * 4}
                             : (ib_safetensors_item){name, "U8", 1, {(int64_t)ib_optim_state_bytes(opt, s)}, s->state[j], ib_optim_state_bytes(opt, s)};
        }
    }
    ib_snprintf(number, sizeof number, "%lld", (long long)step);
    ib_snprintf(taken, sizeof taken, "%lld", n ? (long long)opt->slots[0].t : 0);
    const char *metadata[] = {"format", "isobit-training-state", "step", number, "optimizer_steps", taken, "settings", settings ? settings : "",
                              "arch", m->c.arch, NULL};
    if (!status)
        status = ib_safetensors_write(path, k, items, metadata);
    ib_free(items);
    ib_free(names);
    ib_free(path);
    return status;
}

static ib_status read_into(const ib_safetensors *f, const char *path, const char *name, void *to, size_t bytes)
{
    const ib_entry *e = ib_safetensors_find(f, name);
    if (!e || (size_t)e->bytes != bytes)
        return ib_fail(IB_EFORMAT, "%s: tensor '%s' is missing or has another size", path, name);
    memcpy(to, e->data, bytes);
    return IB_OK;
}

ib_status ib_state_load(const char *folder, ib_lm *m, ib_optim *opt, const char *settings, int64_t *step)
{
    char *path = path_of(folder), name[NAME];
    ib_safetensors *f = path ? ib_safetensors_open(path) : NULL;
    ib_status status = f ? IB_OK : ib_error_status();
    const char *kind = f ? ib_json_text(f->metadata, "format") : NULL, *number = f ? ib_json_text(f->metadata, "step") : NULL;
    const char *taken = f ? ib_json_text(f->metadata, "optimizer_steps") : NULL, *old = f ? ib_json_text(f->metadata, "settings") : NULL;
    (void)m;
    if (!status && (!kind || strcmp(kind, "isobit-training-state") || !number || !taken || !old))
        status = ib_fail(IB_EFORMAT, "%s: is not a training state", path);
    if (!status)
        status = ib_settings_same(path, old, settings ? settings : "");
    for (int i = 0; i < opt->n_slots && !status; i++) {
        ib_optim_slot *s = &opt->slots[i];
        status = read_into(f, path, s->param->name, s->param->data, (size_t)s->param->size * 4);
        for (int j = 0; j < opt->cls->n_states && !status; j++) {
            ib_snprintf(name, sizeof name, "%s.state%d", s->param->name, j + 1);
            status = read_into(f, path, name, s->state[j], ib_optim_state_bytes(opt, s));
        }
        s->t = atoll(taken ? taken : "0");
    }
    if (!status)
        *step = atoll(number);
    ib_safetensors_close(f);
    ib_free(path);
    return status;
}
