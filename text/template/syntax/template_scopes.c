/* template_scopes.c - names that a scope sets before it reads them. Jinja decides by the text where a name is kept: one
 * that a scope assigns first is that scope's from its beginning, undefined until then, though a variable of the same
 * name was passed to the template. What is set in some branches of an if alone is looked up first. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"

typedef struct row {
    ib_piece name;
    int fresh, stored;
} row;
typedef struct table {
    row *row;
    size_t n, room;
    const struct table *outer;
} table;

static row *find(ib_machine *m, const table *t, ib_piece name)
{
    for (size_t i = 0; i < t->n && ib_step(m, 0); i++)
        if (ib_same(t->row[i].name, name))
            return &t->row[i];
    return NULL;
}

static int known(ib_machine *m, const table *t, ib_piece name)
{
    for (; t; t = t->outer)
        if (find(m, t, name))
            return 1;
    return 0;
}

static row *add(ib_machine *m, table *t, ib_piece name, int fresh)
{
    if (t->n == t->room) {
        const size_t room = 2 * t->room + 8;
        row *grown = ib_take(m, room * sizeof *grown);
        if (!grown)
            return NULL;
        if (t->n)
            memcpy(grown, t->row, t->n * sizeof *grown);
        t->row = grown;
        t->room = room;
    }
    t->row[t->n] = (row){name, fresh, 0};
    return &t->row[t->n++];
}

static void load(ib_machine *m, table *t, ib_piece name)
{
    if (!known(m, t, name))
        add(m, t, name, 0);
}

static void store(ib_machine *m, table *t, ib_piece name)
{
    row *r = find(m, t, name);
    if (!r)
        r = add(m, t, name, !known(m, t->outer, name));
    if (r)
        r->stored = 1;
}

static void read(ib_machine *m, table *t, const ib_node *n)
{
    if (ib_deeper(m))
        for (; n && !m->status; n = n->next) {
            if (n->op == NAME || n->op == MEMBER)
                load(m, t, n->name);
            read(m, t, n->a);
            read(m, t, n->b);
            read(m, t, n->c);
            read(m, t, n->body);
        }
    m->depth--;
}

static void assign(ib_machine *m, table *t, const ib_node *n)
{
    if (ib_deeper(m)) {
        if (n->op == NAME)
            store(m, t, n->name);
        else if (n->op == MEMBER)
            load(m, t, n->name);
        for (const ib_node *one = n->op == TUPLE ? n->a : NULL; one; one = one->next)
            assign(m, t, one);
    }
    m->depth--;
}

static table copied(ib_machine *m, const table *t)
{
    table c = *t;
    c.room = t->n + 8;
    c.row = ib_take(m, c.room * sizeof *c.row);
    if (!c.row)
        return (table){.outer = t->outer};
    if (t->n)
        memcpy(c.row, t->row, t->n * sizeof *c.row);
    return c;
}

static void scan(ib_machine *m, table *t, const ib_node *n);

static void scan_branches(ib_machine *m, table *t, const ib_node *n)
{
    read(m, t, n->a);
    table branch[3] = {copied(m, t), copied(m, t), copied(m, t)};
    scan(m, &branch[0], n->body);
    for (const ib_node *other = n->c; other && !m->status; other = other->c) { /* elif: an if without else, each */
        const ib_node alone = {.op = IF, .a = other->a, .body = other->body};
        scan_branches(m, &branch[1], &alone);
    }
    scan(m, &branch[2], n->otherwise);
    const table before = copied(m, t);
    for (int i = 0; i < 3; i++)
        for (size_t k = 0; k < branch[i].n && !m->status; k++) {
            const row *r = &branch[i].row[k], *old = find(m, &before, r->name);
            row *mine = find(m, t, r->name);
            int stores = 0;
            for (int j = 0; j < 3; j++) {
                const row *there = find(m, &branch[j], r->name);
                stores += there && there->stored;
            }
            if (!mine)
                mine = add(m, t, r->name, 0);
            if (!mine || (old && old->stored))
                continue;
            mine->fresh = r->fresh && !(stores && stores < 3);
            mine->stored = stores > 0;
        }
}

/* One scope's own statements. */
static void scan(ib_machine *m, table *t, const ib_node *n)
{
    if (ib_deeper(m))
        for (; n && !m->status; n = n->next) {
            if (n->op == PRINT)
                read(m, t, n->a);
            else if (n->op == FOR || n->op == CALL_BLOCK || n->op == FILTER_BLOCK || n->op == WITH || n->op == SET)
                read(m, t, n->b);
            if (n->op == SET || n->op == SET_BLOCK)
                assign(m, t, n->a);
            else if (n->op == MACRO)
                store(m, t, n->name);
            else if (n->op == IF)
                scan_branches(m, t, n);
        }
    m->depth--;
}

static const ib_names *scope(ib_machine *m, ib_node *owner, ib_node *body, const table *outer);

static void inner_scopes(ib_machine *m, ib_node *n, const table *t)
{
    if (ib_deeper(m))
        for (; n && !m->status; n = n->next) {
            if (n->op == IF) {
                for (ib_node *one = n; one; one = one->c)
                    inner_scopes(m, one->body, t);
                inner_scopes(m, n->otherwise, t);
            } else if (n->op >= FOR && n->op != SET) {
                n->fresh = scope(m, n, n->body, t);
                if (n->otherwise)
                    scope(m, NULL, n->otherwise, t);
            }
        }
    m->depth--;
}

static const ib_names *scope(ib_machine *m, ib_node *owner, ib_node *body, const table *outer)
{
    table t = {.outer = outer};
    ib_names *first = NULL;
    if (owner && (owner->op == FOR || owner->op == WITH))
        for (const ib_node *target = owner->a; target; target = owner->op == WITH ? target->next : NULL)
            assign(m, &t, target);
    for (const ib_node *p = owner && (owner->op == MACRO || owner->op == CALL_BLOCK) ? owner->a : NULL; p; p = p->next)
        store(m, &t, p->name);
    if (owner && owner->op == FOR)
        store(m, &t, (ib_piece){"loop", 4});
    for (size_t i = 0; i < t.n; i++)
        t.row[i].fresh = 0; /* given at the scope's beginning */
    scan(m, &t, body);
    for (size_t i = 0; i < t.n && !m->status; i++) {
        ib_names *one = t.row[i].fresh ? ib_take(m, sizeof *one) : NULL;
        if (one) {
            one->name = t.row[i].name;
            one->next = first;
            first = one;
        }
    }
    inner_scopes(m, body, &t);
    return first;
}

const ib_names *ib_fresh_names(ib_machine *m, ib_node *body)
{
    return scope(m, NULL, body, NULL);
}
