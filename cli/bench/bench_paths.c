/* bench_paths.c - isobit bench --path: what a language model multiplies exactly and in integers, and what limits it. */
#include <string.h>

#include "cli/bench/bench.h"
#include "lm/lm.h"
#include "tensor/matrix.h"

int bench_paths_of(const char *word)
{
    static const struct {
        const char *name;
        int bits;
    } paths[] = {{"exact", BENCH_EXACT}, {"integer", BENCH_INTEGER}, {"both", BENCH_EXACT | BENCH_INTEGER}};
    for (int i = 0; i < 3; i++)
        if (!strcmp(word, paths[i].name))
            return paths[i].bits;
    fprintf(stderr, "isobit: --path '%s': exact, integer and both are possible\n", word);
    return 0;
}

/* Whether the format's codes are at most 4 bits without sign, or as many with it: what LIMIT_INT4 multiplies. Those of
 * iq4_nl, nf4 and fp4 stand for larger numbers. */
static int has_four_bits(const ib_storage *f)
{
    static const char *const names[] = {"q4_0", "q4_1", "q4_k", "q3_k", "q2_k", "int4"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(f->name, names[i]))
            return 1;
    return 0;
}

/* Adds a matrix: head 0: of a linear layer. */
static void weigh(const ib_matrix *w, int head, bench_path *p)
{
    const double n = (double)(ib_matrix_rows(w) * ib_matrix_cols(w));
    const int counts = p->path == IB_PATH_EXACT || ib_matrix_integer_block(w),
              four = p->path == IB_PATH_INTEGER && counts && has_four_bits(ib_matrix_format(w));
    bench_weights *const to[] = {&p->all, counts ? &p->of : NULL, four ? &p->four : NULL};
    for (int i = 0; i < 3; i++)
        if (to[i])
            *(head ? &to[i]->head : &to[i]->linear) += n;
    p->all.bytes += (double)ib_matrix_bytes(w);
}

int bench_take_path(ib_lm *m, ib_path path, bench_path *out)
{
    *out = (bench_path){.path = path, .name = path == IB_PATH_INTEGER ? "integer" : "exact"};
    if (ib_lm_set_path(m, path) || ib_lm_products_of(m, &out->made))
        return complain();
    for (int i = 0; i < m->c.layers; i++)
        for (int r = 0; r < IB_N_ROLES; r++)
            weigh(m->block[i].p[r].w, 0, out);
    weigh(m->head ? m->head : m->embedding, 1, out);
    return 0;
}

bench_limit bench_limit_of(const bench_path *p, double linear, double head, double *work)
{
    const double counted = linear * p->of.linear + head * p->of.head,
                 four = linear * p->four.linear + head * p->four.head;
    *work = 2 * counted;
    return p->path == IB_PATH_EXACT ? LIMIT_REAL : 2 * four > counted ? LIMIT_INT4 : LIMIT_INT8;
}
