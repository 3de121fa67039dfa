/* template_primary.c - the parts of expressions: literals, calls, filters, tests, attributes and items. */
#include "text/template/syntax/template_nodes.h"

/* (a, *b, name=c, **d): a list of nodes, behind the opening bracket. */
static ib_node *arguments(ib_parser *p)
{
    ib_node *first = NULL, **last = &first;
    int named = 0;
    while (!p->m->status && !ib_is_sign(p, ')')) {
        if (first && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or ')'");
        if (ib_is_sign(p, ')'))
            break;
        ib_node *n = NULL;
        const int spread = ib_is_sign(p, '*'), pairs = ib_is_sign(p, IB_TWO('*', '*'));
        if (spread || pairs || (p->t->type == TOKEN_NAME && p->t[1].type == TOKEN_SIGN && p->t[1].sign == '=')) {
            if (!(n = ib_node_new(p, spread ? SPREAD : pairs ? SPREAD_DICT : KEYWORD)))
                return NULL;
            n->name = spread || pairs ? (ib_piece){0} : p->t->value.text;
            p->t += spread || pairs ? 1 : 2;
            n->a = ib_parse_expression(p);
            named |= !spread;
        } else if (named) {
            return ib_expected(p, "an argument with a name");
        } else {
            n = ib_parse_expression(p);
        }
        *last = n;
        last = n ? &n->next : last;
    }
    p->t += !p->m->status;
    return first;
}

static ib_node *call(ib_parser *p, ib_node *callee)
{
    ib_node *n = ib_node_two(p, CALL, 0, callee, NULL);
    p->t++;
    if (n)
        n->b = arguments(p);
    return n;
}

ib_node *ib_parse_filters(ib_parser *p, ib_node *value, int first)
{
    while (first || ib_take_sign(p, '|')) {
        if (p->t->type != TOKEN_NAME)
            return ib_expected(p, "a filter's name");
        ib_node *n = ib_node_two(p, FILTER, 0, value, NULL);
        if (!n)
            return NULL;
        n->line = p->t->line;
        n->name = p->t++->value.text;
        n->b = ib_take_sign(p, '(') ? arguments(p) : NULL;
        value = n;
        first = 0;
    }
    return value;
}

/* [a], [from:to:step] behind the bracket */
static ib_node *subscript(ib_parser *p, ib_node *of)
{
    ib_node *part[3] = {0};
    int colons = 0;
    for (int i = 0; i < 3 && !p->m->status; i++) {
        if (!ib_is_sign(p, ':') && !ib_is_sign(p, ']') && !ib_is_sign(p, ','))
            part[i] = ib_parse_expression(p);
        if (i == 2 || !ib_take_sign(p, ':'))
            break;
        colons++;
    }
    if (!colons && !part[0])
        return ib_expected(p, "an index");
    ib_node *n = ib_node_two(p, colons ? SLICE : ITEM, 0, of, part[0]);
    if (n && colons) {
        n->c = part[1];
        n->body = part[2];
    }
    return ib_need_sign(p, ']', "']'", n);
}

static ib_node *postfix(ib_parser *p, ib_node *n)
{
    while (n && !p->m->status) {
        if (ib_is_sign(p, '(')) {
            n = call(p, n);
        } else if (ib_take_sign(p, '[')) {
            n = subscript(p, n);
        } else if (ib_take_sign(p, '.')) {
            const int number = p->t->type == TOKEN_NUMBER && p->t->value.kind == KIND_INT;
            if (p->t->type != TOKEN_NAME && !number)
                return ib_expected(p, "an attribute's name");
            ib_node *whole = number ? ib_node_new(p, CONSTANT) : NULL;
            n = ib_node_two(p, number ? ITEM : ATTRIBUTE, 0, n, whole);
            if (whole)
                whole->value = p->t->value;
            else if (n)
                n->name = p->t->value.text;
            p->t++;
        } else {
            break;
        }
    }
    return n;
}

static ib_node *list(ib_parser *p)
{
    ib_node *n = ib_node_new(p, LIST), **last = n ? &n->a : NULL;
    p->t++;
    while (n && !p->m->status && !ib_is_sign(p, ']')) {
        if (n->a && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or ']'");
        if (ib_is_sign(p, ']'))
            break;
        if ((*last = ib_parse_expression(p)))
            last = &(*last)->next;
    }
    p->t += !p->m->status;
    return n;
}

/* Keys and values by turns. */
static ib_node *dict(ib_parser *p)
{
    ib_node *n = ib_node_new(p, DICT), **last = n ? &n->a : NULL;
    p->t++;
    while (n && !p->m->status && !ib_is_sign(p, '}')) {
        if (n->a && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or '}'");
        if (ib_is_sign(p, '}'))
            break;
        ib_node *key = ib_parse_expression(p);
        if (!ib_need_sign(p, ':', "':'", key) || !key)
            return NULL;
        *last = key;
        key->next = ib_parse_expression(p);
        last = key->next ? &key->next->next : last;
    }
    p->t += !p->m->status;
    return n;
}

ib_node *ib_parse_primary(ib_parser *p)
{
    static const struct {
        const char *name;
        ib_kind kind;
        int truth;
    } words[] = {{"true", KIND_BOOL, 1},  {"True", KIND_BOOL, 1}, {"false", KIND_BOOL, 0},
                 {"False", KIND_BOOL, 0}, {"none", KIND_NONE, 0}, {"None", KIND_NONE, 0}};
    if (ib_is_sign(p, '['))
        return list(p);
    if (ib_is_sign(p, '{'))
        return dict(p);
    if (ib_take_sign(p, '('))
        return ib_need_sign(p, ')', "')'", ib_parse_tuple(p, EMPTY_TOO, NULL));
    if (p->t->type != TOKEN_NAME && p->t->type != TOKEN_WORD && p->t->type != TOKEN_NUMBER)
        return ib_expected(p, "an expression");
    ib_node *n = ib_node_new(p, p->t->type == TOKEN_NAME ? NAME : CONSTANT);
    if (!n)
        return NULL;
    n->value = p->t->value;
    n->name = p->t->type == TOKEN_NAME ? p->t->value.text : n->name;
    for (size_t i = 0; n->op == NAME && i < sizeof words / sizeof *words; i++)
        if (ib_is_name(p, words[i].name)) {
            n->op = CONSTANT;
            n->value = (ib_value){.kind = words[i].kind, .i = words[i].truth};
        }
    ib_build b = {.m = p->m};
    for (; p->t->type == TOKEN_WORD && p->t[1].type == TOKEN_WORD; p->t++) { /* texts side by side are one */
        ib_print(&b, p->t->value);
        n->value.kind = KIND_ABSENT;
    }
    if (n->value.kind == KIND_ABSENT) {
        ib_print(&b, p->t->value);
        n->value = ib_built(&b);
    }
    p->t++;
    return n;
}

/* Behind `is`. */
static ib_node *test(ib_parser *p, ib_node *value)
{
    const int negated = ib_take_name(p, "not");
    if (p->t->type != TOKEN_NAME)
        return ib_expected(p, "a test's name");
    ib_node *n = ib_node_two(p, TEST, 0, value, NULL);
    if (!n)
        return NULL;
    n->line = p->t->line;
    n->name = p->t++->value.text;
    const ib_token_type type = p->t->type;
    if (ib_take_sign(p, '('))
        n->b = arguments(p);
    else if (type == TOKEN_WORD || type == TOKEN_NUMBER || ib_is_sign(p, '[') || ib_is_sign(p, '{') ||
             (type == TOKEN_NAME && !ib_is_name(p, "else") && !ib_is_name(p, "or") && !ib_is_name(p, "and") &&
              !ib_is_name(p, "if") && !ib_is_name(p, "in") && !ib_is_name(p, "not") && !ib_is_name(p, "is")))
        n->b = postfix(p, ib_parse_primary(p));
    return negated ? ib_node_two(p, NOT, 0, n, NULL) : n;
}

ib_node *ib_parse_unary(ib_parser *p, int filters)
{
    ib_node *n = NULL;
    const int sign = ib_is_sign(p, '-') ? '-' : ib_is_sign(p, '+') ? '+' : 0;
    if (ib_deeper(p->m)) {
        p->t += sign != 0;
        n = sign ? ib_node_two(p, SIGNED, sign, ib_parse_unary(p, 0), NULL) : ib_parse_primary(p);
        n = postfix(p, n);
    }
    while (filters && n && !p->m->status) {
        if (ib_is_sign(p, '|'))
            n = ib_parse_filters(p, n, 0);
        else if (ib_take_name(p, "is"))
            n = test(p, n);
        else if (ib_is_sign(p, '('))
            n = call(p, n);
        else
            break;
    }
    p->m->depth--;
    return n;
}
