/* gguf_split.c - GGUF files, whole or in parts: NAME-00001-of-0000N.gguf and on, as llama.cpp's llama-gguf-split writes
 * them; the first holds the metadata, each holds tensors. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"
#include "files/gguf.h"

static ib_status check_part(const ib_gguf *p, int no, int count)
{
    if (ib_gguf_number(p, "split.no", -1) != no || ib_gguf_number(p, "split.count", -1) != count)
        return ib_fail(IB_EFORMAT, "%s: says that it is part %g of %g, not %d of %d", p->path,
                       ib_gguf_number(p, "split.no", -1) + 1, ib_gguf_number(p, "split.count", -1), no + 1, count);
    for (int64_t i = 0; i < p->n_kv && no; i++)
        if (strncmp(p->kv[i].key, "split.", 6) && strncmp(p->kv[i].key, "general.", 8))
            return ib_fail(IB_EUNSUPPORTED, "%s: key '%s' is in a part that is not the first", p->path, p->kv[i].key);
    return IB_OK;
}

/* Its entries become f's. */
static ib_status add_part(ib_gguf *f, const char *path, int no, int count)
{
    ib_gguf *p = ib_gguf_open_part(path);
    if (!p)
        return ib_error_status();
    f->part[f->n_parts++] = p;
    const ib_status status = check_part(p, no, count);
    if (status)
        return status;
    ib_entry *all = ib_realloc(f->entry, (size_t)f->n_entries * sizeof *all,
                               (size_t)(f->n_entries + p->n_entries + 1) * sizeof *all);
    if (!all)
        return IB_ENOMEM;
    f->entry = all;
    memcpy(all + f->n_entries, p->entry, (size_t)p->n_entries * sizeof *all);
    f->n_entries += p->n_entries;
    p->n_entries = 0; /* the names are f's to free */
    return IB_OK;
}

/* The parts behind the first, if it is one of several. */
static ib_status add_parts(ib_gguf *f)
{
    const double said = ib_gguf_number(f, "split.count", 1), no = ib_gguf_number(f, "split.no", 0);
    const int count = said >= 1 && said <= 65535 ? (int)said : 0;
    if (count == 1)
        return IB_OK;
    if (!count)
        return ib_fail(IB_EFORMAT, "%s: says that it is one of %g parts", f->path, said);
    if (no != 0)
        return ib_fail(IB_EUNSUPPORTED, "%s: is part %g of %d: open the first, NAME-00001-of-%05d.gguf", f->path,
                       no + 1, count, count);
    char end[40];
    ib_snprintf(end, sizeof end, "-00001-of-%05d.gguf", count);
    const size_t n = strlen(f->path), k = strlen(end);
    if (n < k || strcmp(f->path + n - k, end))
        return ib_fail(
            IB_EFORMAT,
            "%s: is the first of %d parts, but its name does not end in %s, by which the others would be found",
            f->path, count, end);
    if (!(f->part = ib_alloc((size_t)count * sizeof *f->part)))
        return IB_ENOMEM;
    ib_status status = check_part(f, 0, count);
    for (int i = 1; i < count && !status; i++) {
        char *path = ib_format_text("%.*s-%05d-of-%05d.gguf", (int)(n - k), f->path, i + 1, count);
        status = path ? add_part(f, path, i, count) : IB_ENOMEM;
        ib_free(path);
    }
    const double tensors = ib_gguf_number(f, "split.tensors.count", (double)f->n_entries);
    if (!status && tensors != (double)f->n_entries)
        status = ib_fail(IB_EFORMAT, "%s: says that there are %g tensors in its parts, there are %lld", f->path,
                         tensors, (long long)f->n_entries);
    return status;
}

ib_gguf *ib_gguf_open(const char *path)
{
    ib_gguf *f = ib_gguf_open_part(path);
    if (!f || !add_parts(f))
        return f;
    ib_gguf_close(f);
    return NULL;
}
