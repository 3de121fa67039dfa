/* template_expression.c - expressions, by the precedence that Jinja gives its operators. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"

int ib_deeper(ib_machine *m)
{
    if (++m->depth > IB_MOST_DEPTH)
        ib_wrong(m, "it nests more than %d levels deep", IB_MOST_DEPTH);
    return ib_step(m, 0);
}

ib_node *ib_node_new(ib_parser *p, ib_operation op)
{
    ib_node *n = ib_take(p->m, sizeof *n);
    if (n) {
        n->op = op;
        n->line = p->t->line;
    }
    return n;
}

ib_node *ib_expected(ib_parser *p, const char *what)
{
    p->m->line = p->t->line;
    const ib_lexeme *t = p->t;
    const char sign[3] = {(char)t->sign, (char)(t->sign >> 8), 0};
    if (t->type == TOKEN_NAME)
        ib_wrong(p->m, "%s is expected, not '%.*s'", what, t->value.text.n < 60 ? (int)t->value.text.n : 60,
                 t->value.text.s);
    else
        ib_wrong(p->m, "%s is expected, not %s%s%s", what, t->type == TOKEN_SIGN ? "'" : "",
                 t->type == TOKEN_SIGN        ? sign
                 : t->type == TOKEN_END       ? "the template's end"
                 : t->type == TOKEN_PRINT_END ? "}}"
                 : t->type == TOKEN_BLOCK_END ? "%}"
                 : t->type == TOKEN_WORD      ? "a text"
                                              : "a number",
                 t->type == TOKEN_SIGN ? "'" : "");
    return NULL;
}

int ib_is_sign(const ib_parser *p, int sign)
{
    return p->t->type == TOKEN_SIGN && p->t->sign == sign;
}
int ib_is_name(const ib_parser *p, const char *name)
{
    return p->t->type == TOKEN_NAME && ib_same(p->t->value.text, (ib_piece){name, strlen(name)});
}
int ib_take_sign(ib_parser *p, int sign)
{
    const int there = !p->m->status && ib_is_sign(p, sign);
    p->t += there;
    return there;
}
int ib_take_name(ib_parser *p, const char *name)
{
    const int there = !p->m->status && ib_is_name(p, name);
    p->t += there;
    return there;
}

ib_node *ib_need_sign(ib_parser *p, int sign, const char *what, ib_node *n)
{
    return ib_take_sign(p, sign) ? n : ib_expected(p, what);
}

ib_node *ib_node_two(ib_parser *p, ib_operation op, int sign, ib_node *a, ib_node *b)
{
    ib_node *n = ib_node_new(p, op);
    if (n) {
        n->sign = sign;
        n->a = a;
        n->b = b;
        n->line = a ? a->line : n->line;
    }
    return n;
}

/* One operator of the level, and its second half. */
static int operator_at(const ib_parser *p, int level)
{
    static const int signs[][5] = {{IB_TWO('*', '*')}, {'*', '/', IB_TWO('/', '/'), '%'}, {'~'}, {'+', '-'}};
    for (int i = 0; i < 5 && signs[level][i]; i++)
        if (ib_is_sign(p, signs[level][i]))
            return signs[level][i];
    return 0;
}

static ib_node *binary(ib_parser *p, int level)
{
    ib_node *n = level < 0 ? ib_parse_unary(p, 1) : binary(p, level - 1);
    for (int sign; level >= 0 && n && !p->m->status && (sign = operator_at(p, level)) != 0;) {
        p->t++;
        n = ib_node_two(p, sign == '~' ? CONCAT : ARITHMETIC, sign, n,
                        level ? binary(p, level - 1) : ib_parse_unary(p, 1));
    }
    return n;
}

/* a < b <= c: the parts are a list, each with the sign before it. */
static ib_node *compare(ib_parser *p)
{
    static const int signs[] = {IB_TWO('=', '='), IB_TWO('!', '='), '<', IB_TWO('<', '='), '>', IB_TWO('>', '=')};
    ib_node *first = binary(p, 3), *n = NULL, **last = NULL;
    while (first && !p->m->status) {
        int sign = 0;
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            sign = ib_is_sign(p, signs[i]) ? signs[i] : sign;
        if (ib_is_name(p, "in"))
            sign = 'i';
        else if (ib_is_name(p, "not") && p->t[1].type == TOKEN_NAME && ib_is_text(p->t[1].value, "in"))
            sign = IB_TWO('n', 'i');
        if (!sign)
            break;
        p->t += sign == IB_TWO('n', 'i') ? 2 : 1;
        if (!n) {
            if (!(n = ib_node_two(p, COMPARE, 0, first, NULL)))
                return NULL;
            last = &n->b;
        }
        ib_node *part = ib_node_two(p, NOT, sign, binary(p, 3), NULL);
        if (!part)
            return NULL;
        *last = part;
        last = &part->next;
    }
    return n ? n : first;
}

static ib_node *negation(ib_parser *p)
{
    ib_node *n = NULL;
    if (!ib_take_name(p, "not"))
        return compare(p);
    if (ib_deeper(p->m))
        n = ib_node_two(p, NOT, 0, negation(p), NULL);
    p->m->depth--;
    return n;
}

static ib_node *conjunction(ib_parser *p)
{
    ib_node *n = negation(p);
    while (n && ib_take_name(p, "and"))
        n = ib_node_two(p, AND, 0, n, negation(p));
    return n;
}

static ib_node *disjunction(ib_parser *p)
{
    ib_node *n = conjunction(p);
    while (n && ib_take_name(p, "or"))
        n = ib_node_two(p, OR, 0, n, conjunction(p));
    return n;
}

/* a if b else c: the condition is a, what it chooses b and c. */
ib_node *ib_parse_expression(ib_parser *p)
{
    ib_node *n = NULL;
    if (ib_deeper(p->m))
        n = disjunction(p);
    while (n && ib_take_name(p, "if")) {
        n = ib_node_two(p, CHOICE, 0, disjunction(p), n);
        if (n && ib_take_name(p, "else"))
            n->c = ib_parse_expression(p);
    }
    p->m->depth--;
    return n;
}

static int ends_tuple(const ib_parser *p, const char *end)
{
    return p->t->type == TOKEN_PRINT_END || p->t->type == TOKEN_BLOCK_END || ib_is_sign(p, ')') ||
           (end && ib_is_name(p, end));
}

ib_node *ib_parse_tuple(ib_parser *p, int how, const char *end)
{
    ib_node *first = NULL, **last = &first;
    int commas = 0;
    for (; !p->m->status && !ends_tuple(p, end); commas++) {
        ib_node *n = how & WITHOUT_CHOICE ? disjunction(p) : ib_parse_expression(p);
        if (!n)
            return NULL;
        *last = n;
        last = &n->next;
        if (!ib_take_sign(p, ','))
            break;
    }
    if (first && !first->next && !commas)
        return first;
    if (!first && !(how & EMPTY_TOO))
        return ib_expected(p, "an expression");
    ib_node *n = ib_node_new(p, TUPLE);
    if (n)
        n->a = first;
    return n;
}

static ib_node *one_target(ib_parser *p, int members)
{
    ib_node *n = NULL;
    if (ib_take_sign(p, '(')) {
        if (ib_deeper(p->m))
            n = ib_parse_target(p, members);
        p->m->depth--;
        return n ? ib_need_sign(p, ')', "')'", n) : NULL;
    }
    if (members && p->t->type == TOKEN_NAME && p->t[1].type == TOKEN_SIGN && p->t[1].sign == '.' &&
        p->t[2].type == TOKEN_NAME) {
        if ((n = ib_node_new(p, MEMBER))) {
            n->name = p->t[0].value.text;
            n->value = p->t[2].value;
        }
        p->t += 3;
        return n;
    }
    const ib_lexeme *at = p->t;
    n = at->type == TOKEN_NAME ? ib_parse_primary(p) : NULL;
    if (n && n->op == NAME)
        return n;
    p->t = at;
    return ib_expected(p, "a name that is assigned to");
}

ib_node *ib_parse_target(ib_parser *p, int members)
{
    ib_node *n = one_target(p, members), **last = n ? &n->next : NULL;
    if (!n || !ib_is_sign(p, ','))
        return n;
    ib_node *tuple = ib_node_new(p, TUPLE);
    if (!tuple)
        return NULL;
    tuple->a = n;
    while (ib_take_sign(p, ',') && !ib_is_name(p, "in") && !ib_is_sign(p, '=') && !ends_tuple(p, NULL)) {
        if (!(*last = one_target(p, members)))
            return NULL;
        last = &(*last)->next;
    }
    return tuple;
}
