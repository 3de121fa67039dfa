/* recipes.c - which format a matrix of a model gets. */
#include <string.h>

#include "base/argument.h"
#include "base/names.h"
#include "ptq/ptq.h"

typedef enum when { ALWAYS, SHARED, FIRST_2, FIRST_4, EIGHTH, SIXTEENTH, MORE, EIGHTH_WEIGHED, EIGHTH_PLAIN } when;

typedef struct rule {
    when when;
    const char *type, *other;
} rule;

typedef struct recipe {
    ib_ptq_name name;
    const char *rest;
    rule v, down, output;
} recipe;

static const recipe table[] = {
#define ALL(type)                                                                                                      \
    {                                                                                                                  \
        ALWAYS, #type, #type                                                                                           \
    }
#define IF(when, type, other)                                                                                          \
    {                                                                                                                  \
        when, #type, #other                                                                                            \
    }
#define RECIPE(name, rest, v, down, output, summary) {{#name, summary}, #rest, v, down, output},
#include "ptq/recipes.def"
#undef RECIPE
#undef IF
#undef ALL
};
enum { N_RECIPES = sizeof table / sizeof *table };

const ib_ptq_name *ib_ptq_recipe_at(int i)
{
    return i >= 0 && i < N_RECIPES ? &table[i].name : NULL;
}

static int holds(when when, const ib_ptq_place *p)
{
    const int i = p->layer, n = p->layers, eighth = n / 8;
    switch (when) {
    case ALWAYS: return 1;
    case SHARED: return p->sharing >= 4;
    case FIRST_2: return i < 2;
    case FIRST_4: return i < 4;
    case EIGHTH: return i < eighth;
    case SIXTEENTH: return i < n / 16;
    case MORE: return i < eighth || i >= 7 * n / 8 || (i - eighth) % 3 == 2;
    case EIGHTH_WEIGHED: return i < eighth && p->weighed;
    case EIGHTH_PLAIN: return i < eighth && !p->weighed;
    }
    return 0;
}

static const char *chosen(const rule *r, const ib_ptq_place *p)
{
    return holds(r->when, p) ? r->type : r->other;
}

static const char *by_recipe(const recipe *r, const ib_ptq_place *p)
{
    if (p->role == IB_PTQ_HEAD || (p->role == IB_PTQ_EMBEDDING && p->tied)) {
        const int whole = p->cols % ib_storage_find(r->rest)->block == 0;
        return !strcmp(r->rest, "q8_0") || !whole ? "q8_0" : "q6_k";
    }
    switch (p->role) {
    case IB_ROLE_V: return chosen(&r->v, p);
    case IB_ROLE_DOWN: return chosen(&r->down, p);
    case IB_ROLE_O: return chosen(&r->output, p);
    default: return r->rest;
    }
}

/* Q4_K_M is q4_k_m */
static int same_name(const char *a, const char *b)
{
    while (*a && (*a | 32) == (*b | 32)) {
        a++;
        b++;
    }
    return *a == *b;
}

const ib_storage *ib_ptq_type_of(const char *to, const ib_ptq_place *p)
{
    for (int i = 0; i < N_RECIPES; i++)
        if (same_name(table[i].name.name, to))
            return ib_storage_find(by_recipe(&table[i], p));
    for (int i = 0; ib_storage_at(i); i++)
        if (same_name(ib_storage_at(i)->name, to))
            return ib_storage_writable(ib_storage_at(i)->name);
    ib_name_refuse(to, table, N_RECIPES, sizeof *table, IB_EINVAL, "no type of files is named");
    return NULL;
}
