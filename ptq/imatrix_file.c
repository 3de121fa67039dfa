/* imatrix_file.c - importance matrices in memory, either kind of file by its beginning, and whether they are a model's.
 */
#include "ptq/imatrix_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/file.h"

static void release_entry(ib_imatrix_entry *e)
{
    ib_free(e->name);
    ib_free(e->sum);
    ib_free(e->count);
}

void ib_imatrix_release(ib_imatrix *x)
{
    for (int64_t i = 0; i < x->n; i++)
        release_entry(&x->entry[i]);
    ib_free(x->entry);
    ib_free(x->dataset);
    *x = (ib_imatrix){0};
}

ib_imatrix_entry *ib_imatrix_add(ib_imatrix *x, const char *name, size_t length, int64_t n, int64_t mats)
{
    if (x->n == x->room) {
        const int64_t room = 2 * x->room + 64;
        ib_imatrix_entry *grown = ib_realloc(x->entry, (size_t)x->room * sizeof *grown, (size_t)room * sizeof *grown);
        if (!grown)
            return NULL;
        x->entry = grown;
        x->room = room;
    }
    ib_imatrix_entry *e = &x->entry[x->n];
    *e = (ib_imatrix_entry){.n = n, .mats = mats};
    e->name = ib_alloc(length + 1);
    e->sum = ib_alloc((size_t)n * sizeof *e->sum);
    e->count = ib_alloc((size_t)mats * sizeof *e->count);
    if (!e->name || !e->sum || !e->count) {
        release_entry(e);
        return NULL;
    }
    memcpy(e->name, name, length);
    x->n++;
    return e;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ib_imatrix_entry *)a)->name, ((const ib_imatrix_entry *)b)->name);
}

void ib_imatrix_sort(ib_imatrix *x)
{
    if (x->n)
        qsort(x->entry, (size_t)x->n, sizeof *x->entry, by_name);
}

const ib_imatrix_entry *ib_imatrix_find(const ib_imatrix *x, const char *name)
{
    const ib_imatrix_entry key = {.name = (char *)name};
    return x->n ? bsearch(&key, x->entry, (size_t)x->n, sizeof key, by_name) : NULL;
}

void ib_imatrix_weights(const ib_imatrix_entry *e, int64_t mat, float *weight)
{
    const int64_t n = e->n / e->mats;
    for (int64_t i = 0; i < n; i++)
        weight[i] = e->count[mat] ? e->sum[mat * n + i] / (float)e->count[mat] : 1;
}

/* Sums of squares are finite and not below 0, and no name stands twice. */
static ib_status check(ib_imatrix *x)
{
    ib_imatrix_sort(x);
    for (int64_t i = 0; i < x->n; i++) {
        const ib_imatrix_entry *e = &x->entry[i];
        if (i && !strcmp(e->name, e[-1].name))
            return ib_fail(IB_EFORMAT, "%s stands in it twice", e->name);
        for (int64_t j = 0; j < e->n; j++)
            if (!(e->sum[j] >= 0 && isfinite(e->sum[j])))
                return ib_fail(IB_EFORMAT, "%s: value %lld of %lld is %g, which is no sum of squares", e->name,
                               (long long)j, (long long)e->n, (double)e->sum[j]);
    }
    return IB_OK;
}

ib_status ib_imatrix_read(const char *path, ib_imatrix *out)
{
    *out = (ib_imatrix){0};
    ib_mapped file;
    ib_status status = ib_file_map(path, &file);
    if (status)
        return status;
    const int gguf = file.size >= 4 && !memcmp(file.data, "GGUF", 4);
    if (!gguf) {
        status = ib_imatrix_read_dat(file.data, file.size, out);
        if (status)
            ib_error_prefix("%s", path);
    }
    ib_file_unmap(&file);
    if (gguf)
        status = ib_imatrix_read_gguf(path, out);
    if (!status && (status = check(out)))
        ib_error_prefix("%s", path);
    if (status)
        ib_imatrix_release(out);
    return status;
}

/* ---- of a model ---- */

static ib_status look(const ib_imatrix *x, const ib_lm *m, int layer, int role, const ib_imatrix_check *c)
{
    char name[IB_LM_PATH];
    int64_t rows, cols;
    ib_lm_role_shape(&m->c, role, &rows, &cols);
    ib_snprintf(name, sizeof name, "blk.%d.%s.weight", layer, ib_role_names[role].gguf);
    const ib_imatrix_entry *e = ib_imatrix_find(x, name);
    if (e && (e->n != cols || e->mats != 1))
        return ib_fail(IB_EINVAL, "%s: the importance matrix has %lld values of %lld matrices, rows of the model %lld",
                       name, (long long)e->n, (long long)e->mats, (long long)cols);
    if (!e && c->strict)
        return ib_fail(IB_EINVAL, "%s: the importance matrix has no entry for it", name);
    if (!e && c->missing)
        c->missing(c->user, name);
    return IB_OK;
}

/* "blk.LAYER.ROLE.weight" of a matrix that the model has, its head or embedding */
static int knows(const ib_lm *m, const char *name)
{
    char own[IB_LM_PATH];
    if (!strcmp(name, "output.weight") || !strcmp(name, "token_embd.weight"))
        return 1;
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_projection *p = &m->block[i].p[r];
            ib_snprintf(own, sizeof own, "blk.%d.%s.weight", i, ib_role_names[r].gguf);
            if ((p->w || p->weight) && !strcmp(own, name))
                return 1;
        }
    return 0;
}

ib_status ib_imatrix_fits(const ib_imatrix *x, const ib_lm *m, const ib_imatrix_check *c)
{
    ib_status status = IB_OK;
    for (int i = 0; i < m->c.layers && !status; i++)
        for (int r = 0; r < IB_N_ROLES && !status; r++)
            if (m->block[i].p[r].w || m->block[i].p[r].weight)
                status = look(x, m, i, r, c);
    for (int64_t i = 0; i < x->n && !status && c->unknown; i++)
        if (!knows(m, x->entry[i].name))
            c->unknown(c->user, x->entry[i].name);
    return status;
}
