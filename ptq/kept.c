/* kept.c - see kept.h */
#include "ptq/kept.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/gguf.h"
#include "tensor/matrix.h"

static const char settings_key[] = "isobit.quantize.settings";
enum { MOST_PLACES = 2 * IB_N_ROLES + IB_N_NORMS };

typedef struct place {
    char name[48];
    ib_matrix **matrix; /* or */
    ib_tensor **tensor;
} place;

static void add(place *p, int *n, const char *name, const char *part, ib_matrix **matrix, ib_tensor **tensor)
{
    p[*n] = (place){.matrix = matrix, .tensor = tensor};
    ib_snprintf(p[*n].name, sizeof p->name, "%s.%s", name, part);
    ++*n;
}

/* All places of a block, p [MOST_PLACES]. */
static int places_of(ib_lm *m, int layer, place *p)
{
    int n = 0;
    if (layer < 0) {
        add(p, &n, "token_embd", "weight", &m->embedding, NULL);
        add(p, &n, "output", "weight", &m->head, NULL);
        return n;
    }
    ib_block *b = &m->block[layer];
    for (int r = 0; r < IB_N_ROLES; r++) {
        add(p, &n, ib_role_names[r].gguf, "weight", &b->p[r].w, NULL);
        add(p, &n, ib_role_names[r].gguf, "bias", NULL, &b->p[r].bias);
    }
    for (int k = 0; k < IB_N_NORMS; k++)
        add(p, &n, ib_norm_names[k].gguf, "weight", NULL, &b->norm[k]);
    return n;
}

static int is_swapped(const ib_swaps *s, const place *p)
{
    for (int i = s->n - 1; i >= 0; i--)
        if ((p->matrix && s->swap[i].matrix == p->matrix) || (p->tensor && s->swap[i].tensor == p->tensor))
            return 1;
    return 0;
}

static char *path_of(const ib_kept *k, int layer)
{
    return layer < 0 ? ib_format_text("%s/ends.gguf", k->folder) : ib_format_text("%s/blk-%d.gguf", k->folder, layer);
}

static void put_data(ib_file_writer *file, const place *p, ib_status *status)
{
    if (p->matrix) {
        ib_gguf_data(file, ib_matrix_parts_of(*p->matrix).data, (size_t)ib_matrix_bytes(*p->matrix));
        return;
    }
    void *copy;
    const float *x = ib_tensor_look(*p->tensor, &copy);
    if (x)
        ib_gguf_data(file, x, (size_t)(*p->tensor)->size * sizeof *x);
    else
        *status = ib_error_status();
    ib_free(copy);
}

ib_status ib_kept_write(const ib_kept *k, int layer)
{
    place p[MOST_PLACES];
    ib_gguf_writer head = {0};
    const int n = places_of(k->m, layer, p);
    char *path = path_of(k, layer);
    ib_status status = path ? IB_OK : IB_ENOMEM;
    ib_gguf_put_string(&head, settings_key, k->settings);
    for (int i = 0; i < n && !status; i++) {
        if (!is_swapped(k->swaps, &p[i]))
            continue;
        const int64_t vector = p[i].tensor ? (*p[i].tensor)->size : 0,
                      shape[] = {p[i].matrix ? ib_matrix_rows(*p[i].matrix) : vector,
                                 p[i].matrix ? ib_matrix_cols(*p[i].matrix) : 1};
        const ib_storage *f = p[i].matrix ? ib_matrix_format(*p[i].matrix) : ib_storage_find("f32");
        if (f->gguf_type < 0)
            status = ib_fail(IB_EUNSUPPORTED, "%s: GGUF has no type %s", p[i].name, f->name);
        else
            ib_gguf_put_tensor(&head, p[i].name, p[i].matrix ? 2 : 1, shape, f);
    }
    ib_file_writer *file = status ? NULL : ib_gguf_start(&head, path);
    if (!status && !file)
        status = ib_error_status();
    for (int i = 0; i < n && !status; i++)
        if (is_swapped(k->swaps, &p[i]))
            put_data(file, &p[i], &status);
    if (!status)
        status = ib_file_writer_finish(file);
    else
        ib_file_writer_drop(file);
    ib_gguf_writer_release(&head);
    ib_free(path);
    return status;
}

/* The file goes away: its bytes are copied. */
static ib_matrix *matrix_of(const ib_entry *e)
{
    uint8_t *bytes = ib_copy(e->data, (size_t)e->bytes);
    return bytes ? ib_matrix_new(e->format, e->shape[0], e->shape[1], &(ib_matrix_parts){.data = bytes}, bytes) : NULL;
}

static ib_status take(const ib_kept *k, const ib_entry *e, const place *p, int n)
{
    int i = 0;
    while (i < n && strcmp(p[i].name, e->name) != 0)
        i++;
    const ib_matrix *w = i < n && p[i].matrix ? *p[i].matrix : NULL;
    const ib_tensor *t = i < n && p[i].tensor ? *p[i].tensor : NULL;
    if (w && e->format && e->ndim == 2 && e->shape[0] == ib_matrix_rows(w) && e->shape[1] == ib_matrix_cols(w))
        return ib_swap_matrix(k->swaps, p[i].matrix, matrix_of(e));
    if (t && e->format && ib_entry_size(e) == t->size)
        return ib_swap_tensor(k->swaps, p[i].tensor, ib_lm_vector(e, t->size, 0, k->folder));
    return ib_fail(IB_EFORMAT, "tensor '%s' is none of the model's", e->name);
}

ib_status ib_kept_read(const ib_kept *k, int layer, int *there)
{
    place p[MOST_PLACES];
    const int n = places_of(k->m, layer, p);
    char *path = path_of(k, layer);
    if (!path)
        return IB_ENOMEM;
    *there = !access(path, F_OK);
    ib_gguf *f = *there ? ib_gguf_open_part(path) : NULL;
    ib_status status = *there && !f ? ib_error_status() : IB_OK;
    char *settings = f ? ib_gguf_string(f, settings_key) : NULL;
    if (f && (!settings || strcmp(settings, k->settings) != 0))
        status = ib_fail(IB_EINVAL, "%s: was made with '%s', not '%s'", path, settings ? settings : "", k->settings);
    for (int64_t i = 0; f && i < f->n_entries && !status; i++)
        if ((status = take(k, &f->entry[i], p, n)))
            ib_error_prefix("%s", path);
    ib_free(settings);
    ib_gguf_close(f);
    ib_free(path);
    return status;
}
