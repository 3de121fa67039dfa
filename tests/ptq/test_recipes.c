/* test_recipes.c - the types that recipes give, and what rows that do not divide get instead, are llama.cpp's. Broken
 * by: an eighth of the layers that is rounded up, a rule for another matrix, a fallback by another width. */
#include "tests/check.h"

#include "ptq/ptq.h"
#include "tests/golden/recipes.h"

static uint64_t with(uint64_t h, const char *text)
{
    while (*text)
        h = (h ^ (uint8_t)*text++) * 0x100000001b3u;
    return h;
}

static uint64_t with_type(uint64_t h, const char *recipe, const ib_ptq_place *p, const char *end)
{
    const ib_storage *f = ib_ptq_type_of(recipe, p);
    f = f ? ib_storage_fallback(f, p->cols) : NULL;
    REQUIRE(f != NULL);
    return with(with(h, f->name), end);
}

/* Of all matrices of a model, as tests/golden/make_recipes.py has them. */
static uint64_t types_of(uint64_t h, const struct golden_recipe *r, ib_ptq_place p)
{
    static const int roles[] = {IB_ROLE_Q, IB_ROLE_K, IB_ROLE_V, IB_ROLE_O, IB_ROLE_GATE, IB_ROLE_UP, IB_ROLE_DOWN};
    p.role = IB_PTQ_EMBEDDING;
    p.layer = -1;
    p.cols = r->cols;
    h = with_type(h, r->recipe, &p, ",");
    for (p.layer = 0; p.layer < p.layers; p.layer++)
        for (int i = 0; i < 7; i++) {
            p.role = roles[i];
            p.cols = p.role == IB_ROLE_DOWN ? r->inner : r->cols;
            h = with_type(h, r->recipe, &p, p.tied && p.layer == p.layers - 1 && i == 6 ? ";" : ",");
        }
    if (p.tied)
        return h;
    p.role = IB_PTQ_HEAD;
    p.layer = -1;
    p.cols = r->cols;
    return with_type(h, r->recipe, &p, ";");
}

static void types_are_llamas(void)
{
    static const int layers[] = {2, 9, 16, 33};
    for (size_t i = 0; i < sizeof golden_recipes / sizeof *golden_recipes; i++) {
        const struct golden_recipe *r = &golden_recipes[i];
        for (int k = 0; k < 8; k++) {
            uint64_t h = 0xcbf29ce484222325u;
            for (int l = 0; l < 4; l++)
                h = types_of(h, r,
                             (ib_ptq_place){.rows = 64,
                                            .layers = layers[l],
                                            .sharing = k & 4 ? 4 : 1,
                                            .tied = k >> 1 & 1,
                                            .weighed = k & 1});
            if (h != r->types[k])
                printf("\n    %s, rows of %d and %d, four heads share %d, tied %d, weighed %d: other types ", r->recipe,
                       r->cols, r->inner, k >> 2, k >> 1 & 1, k & 1);
            CHECK(h == r->types[k]);
        }
    }
}

SUITE("recipes", T(types_are_llamas))
