/* resume_state.c - see resume_state.h */
#include "lm/train/resume_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <isobit/finetune.h>

#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"
#include "lm/train/settings.h"

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

void ib_state_remove(const char *folder)
{
    char *path = path_of(folder);
    if (path)
        unlink(path);
    ib_free(path);
}

/* A number of the metadata, which are texts; -1: there is none. */
static int64_t number(const ib_safetensors *f, const char *key)
{
    const char *text = ib_json_text(f->metadata, key);
    char *end;
    const long long n = text ? strtoll(text, &end, 10) : -1;
    return text && end != text && !*end && n >= 0 ? n : -1;
}

/* The open state at `path`, or NULL. */
static ib_safetensors *open_state(const char *path, ib_finetune_state *s, int64_t *taken)
{
    ib_safetensors *f = ib_safetensors_open(path);
    if (!f)
        return NULL;
    const char *kind = ib_json_text(f->metadata, "format");
    const int64_t steps = number(f, "steps");
    *s = (ib_finetune_state){number(f, "step"), steps < 0 ? 0 : steps, NULL};
    s->settings = (char *)ib_json_text(f->metadata, "settings"); /* borrowed, as long as f is open */
    *taken = number(f, "optimizer_steps");
    if (kind && !strcmp(kind, "isobit-training-state") && s->step >= 0 && *taken >= 0 && s->settings)
        return f;
    ib_fail(IB_EFORMAT, "%s: is not a training state", path);
    ib_safetensors_close(f);
    return NULL;
}

ib_status ib_finetune_peek(const char *out, ib_finetune_state *state)
{
    IB_NEED(out);
    IB_NEED(state);
    *state = (ib_finetune_state){.step = -1};
    if (!ib_state_exists(out))
        return IB_OK;
    int64_t taken;
    ib_finetune_state s;
    char *path = path_of(out);
    ib_safetensors *f = path ? open_state(path, &s, &taken) : NULL;
    ib_status status = f ? IB_OK : ib_error_status();
    if (f && !(s.settings = ib_strdup(s.settings)))
        status = IB_ENOMEM;
    if (!status)
        *state = s;
    ib_safetensors_close(f);
    ib_free(path);
    return status;
}

ib_status ib_state_save(const char *folder, const ib_lm *m, const ib_optim *opt, const char *settings, int64_t step,
                        int64_t steps)
{
    if (mkdir(folder, 0777) && errno != EEXIST)
        return ib_fail(IB_EIO, "%s: cannot be made: %s", folder, strerror(errno));
    const int n = opt->n_slots, states = opt->cls->n_states;
    ib_safetensors_item *items = ib_alloc((size_t)(n * (1 + states)) * sizeof *items);
    char *names = ib_alloc((size_t)(n * (1 + states)) * NAME), done[32], all[32], taken[32];
    char *path = path_of(folder);
    void **copies = ib_alloc((size_t)(n * (1 + states)) * sizeof *copies); /* of what the host cannot read */
    ib_status status = items && names && path && copies ? IB_OK : IB_ENOMEM;
    int k = 0;
    for (int i = 0; i < n && !status; i++) {
        const ib_optim_slot *s = &opt->slots[i];
        const ib_tensor *p = s->param;
        for (int j = -1; j < states && !status; j++, k++) {
            char *name = names + k * NAME;
            ib_snprintf(name, NAME, "%s%s%.0d", p->name, j < 0 ? "" : ".state", j < 0 ? 0 : j + 1);
            const void *numbers = j < 0 ? ib_tensor_look(p, &copies[k]) : ib_optim_state_read(opt, s, j, &copies[k]);
            status = numbers ? IB_OK : ib_error_status();
            items[k] = j < 0 ? (ib_safetensors_item){name,    "F32",
                                                     p->ndim, {p->shape[0], p->shape[1], p->shape[2], p->shape[3]},
                                                     numbers, (size_t)p->size * 4}
                             : (ib_safetensors_item){name,    "U8",
                                                     1,       {(int64_t)ib_optim_state_bytes(opt, s)},
                                                     numbers, ib_optim_state_bytes(opt, s)};
        }
    }
    ib_snprintf(done, sizeof done, "%lld", (long long)step);
    ib_snprintf(all, sizeof all, "%lld", (long long)steps);
    ib_snprintf(taken, sizeof taken, "%lld", n ? (long long)ib_optim_taken(opt, &opt->slots[0]) : 0);
    const char *metadata[] = {
        "format",   "isobit-training-state",  "step", done,      "steps", all, "optimizer_steps", taken,
        "settings", settings ? settings : "", "arch", m->c.arch, NULL};
    if (!status)
        status = ib_safetensors_write(path, k, items, metadata);
    for (int i = 0; copies && i < n * (1 + states); i++)
        ib_free(copies[i]);
    ib_free(copies);
    ib_free(items);
    ib_free(names);
    ib_free(path);
    return status;
}

/* Tensor `name` of `bytes`, or NULL with ib_error(). */
static const void *find(const ib_safetensors *f, const char *path, const char *name, size_t bytes)
{
    const ib_entry *e = ib_safetensors_find(f, name);
    if (!e || (size_t)e->bytes != bytes)
        return ib_fail_null(IB_EFORMAT, "%s: tensor '%s' is missing or has another size", path, name);
    return e->data;
}

ib_status ib_state_load(const char *folder, ib_optim *opt, const char *settings, int64_t steps, int64_t *step)
{
    int64_t taken;
    ib_finetune_state s;
    char *path = path_of(folder), name[NAME];
    ib_safetensors *f = path ? open_state(path, &s, &taken) : NULL;
    ib_status status = f ? ib_settings_same(path, s.settings, settings ? settings : "") : ib_error_status();
    if (!status && s.step > steps)
        status = ib_fail(IB_EINVAL, "%s: %lld steps are done, more than the %lld that are asked for", path,
                         (long long)s.step, (long long)steps);
    for (int i = 0; i < opt->n_slots && !status; i++) {
        ib_optim_slot *slot = &opt->slots[i];
        const void *from = find(f, path, slot->param->name, (size_t)slot->param->size * 4);
        if (from)
            ib_block_write(slot->param->dev, slot->param->data, from, (size_t)slot->param->size * 4);
        for (int j = 0; j < opt->cls->n_states && from; j++) {
            ib_snprintf(name, sizeof name, "%s.state%d", slot->param->name, j + 1);
            if ((from = find(f, path, name, ib_optim_state_bytes(opt, slot))))
                ib_optim_state_write(opt, slot, j, from);
        }
        status = from ? IB_OK : ib_error_status();
        ib_optim_set_taken(opt, slot, taken);
    }
    if (!status)
        *step = s.step;
    ib_safetensors_close(f);
    ib_free(path);
    return status;
}
