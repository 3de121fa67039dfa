/* path.c - whether products of the model are made in integers, and which of them. */
#include <string.h>

#include "base/argument.h"
#include "base/number.h"
#include "lm/lm.h"
#include "tensor/matrix.h"
#include "tensor/storage_places.h"

ib_status ib_lm_set_path(ib_lm *m, ib_path path)
{
    IB_NEED(m);
    IB_TAKE(path, path == IB_PATH_EXACT || path == IB_PATH_INTEGER, "is %d", (int)path);
    m->integer = path == IB_PATH_INTEGER;
    return IB_OK;
}

/* Counts w (NULL: a trained one), by its format where it is multiplied exactly. */
static void count(const ib_lm *m, const ib_matrix *w, ib_lm_products *out, int64_t *exact)
{
    if (m->integer && w && ib_matrix_integer_block(w))
        out->integer++;
    else {
        out->exact++;
        exact[w ? ib_matrix_format(w)->index : IB_AT_f32]++;
    }
}

ib_status ib_lm_products_of(const ib_lm *m, ib_lm_products *out)
{
    IB_NEED(m);
    IB_NEED(out);
    int64_t exact[IB_N_STORAGE] = {0};
    *out = (ib_lm_products){0};
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++) {
            const ib_projection *p = &m->block[i].p[r];
            count(m, p->merged ? p->merged : p->w, out, exact);
        }
    count(m, m->head_w ? NULL : m->head ? m->head : m->embedding, out, exact);
    size_t at = 0;
    for (int f = 0; ib_storage_at(f); f++)
        if (exact[f] && at < sizeof out->exact_formats)
            at += (size_t)ib_snprintf(out->exact_formats + at, sizeof out->exact_formats - at, "%s%lld of %s",
                                      at ? ", " : "", (long long)exact[f], ib_storage_at(f)->name);
    return IB_OK;
}
