/* adapter_whole.c - embedding and head that are trained whole beside an adapter: PEFT's modules_to_save. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "lm/adapters/adapter.h"

const char *const ib_whole_paths[IB_N_WHOLE] = {"model.embed_tokens", "lm_head"};

const char *ib_whole_name(int which)
{
    const char *dot = strrchr(ib_whole_paths[which], '.');
    return dot ? dot + 1 : ib_whole_paths[which];
}

int ib_whole_find(const char *name)
{
    for (int i = 0; name && i < IB_N_WHOLE; i++)
        if (!strcmp(name, ib_whole_paths[i]) || !strcmp(name, ib_whole_name(i)))
            return i;
    return -1;
}

ib_tensor *ib_lm_whole(const ib_lm *m, int which)
{
    return !m->adapted ? NULL : which == IB_WHOLE_HEAD ? m->head_w : m->embedding_w;
}

ib_status ib_lm_whole_add(ib_lm *m, int which)
{
    ib_tensor **t = which == IB_WHOLE_HEAD ? &m->head_w : &m->embedding_w;
    char name[IB_LM_PATH];
    ib_snprintf(name, sizeof name, "%s.weight", ib_whole_paths[which]);
    if (!*t)
        *t = ib_layer_param(m->trainable, name, 2, (int64_t[]){m->c.vocabulary, m->c.width}, IB_INIT_ZEROS, 1, 1);
    return *t ? IB_OK : IB_ENOMEM;
}

void ib_lm_whole_fill(ib_lm *m)
{
    for (int i = 0; i < IB_N_WHOLE; i++) {
        ib_tensor *t = ib_lm_whole(m, i);
        const ib_matrix *w = i == IB_WHOLE_HEAD && m->head ? m->head : m->embedding;
        if (t)
            ib_matrix_decode(w, 0, t->size, ib_tensor_f32(t));
    }
}

/* What the list of --lora save= says, a bit for each; no list: 0. */
static ib_status read_names(const char *list, unsigned *out)
{
    char *text = ib_strdup(list ? list : ""), *save = NULL;
    *out = 0;
    if (!text)
        return IB_ENOMEM;
    ib_status status = IB_OK;
    for (char *s = strtok_r(text, ", ", &save); s && !status; s = strtok_r(NULL, ", ", &save)) {
        const int which = ib_whole_find(s);
        if (which < 0)
            status = ib_fail(IB_EINVAL, "--lora save: '%s': embed_tokens and lm_head can be trained whole", s);
        else
            *out |= 1u << which;
    }
    if (!status && list && !*out)
        status = ib_fail(IB_EINVAL, "--lora save: names no weight: embed_tokens and lm_head can be trained whole");
    ib_free(text);
    return status;
}

ib_status ib_lm_whole_adapt(ib_lm *m, const char *list)
{
    unsigned named;
    ib_status status = read_names(list, &named);
    for (int i = 0; i < IB_N_WHOLE && !status; i++)
        if (named >> i & 1)
            status = ib_lm_whole_add(m, i);
    return status;
}

ib_status ib_lm_whole_check(const ib_lm *m, const char *list)
{
    unsigned named;
    const ib_status status = read_names(list, &named);
    for (int i = 0; i < IB_N_WHOLE && list && !status; i++)
        if ((named >> i & 1) != (ib_lm_whole(m, i) != NULL))
            return ib_fail(IB_EINVAL, "--lora save: the adapter has %s whole %s", ib_lm_whole(m, i) ? "a" : "no",
                           ib_whole_name(i));
    return status;
}
