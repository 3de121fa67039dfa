/* template_parser.c - statements, and what opens and closes them. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"
#include "base/alloc.h"
#include "base/argument.h"

static ib_node *statements(ib_parser *p, const char *const *ends, const char *opened, int line);

static int need_block_end(ib_parser *p)
{
    if (p->t->type != TOKEN_BLOCK_END)
        ib_expected(p, "%}");
    p->t += !p->m->status;
    return !p->m->status;
}

/* The body up to one of the tags `ends`, which p then stands at. */
static ib_node *body(ib_parser *p, const char *const *ends, const char *opened, int line)
{
    ib_take_sign(p, ':');
    return need_block_end(p) ? statements(p, ends, opened, line) : NULL;
}

/* The body up to the tag `end` and beyond its name. */
static ib_node *body_to(ib_parser *p, const char *end, const char *opened, int line)
{
    const char *const ends[] = {end, NULL};
    ib_node *n = body(p, ends, opened, line);
    p->t += !p->m->status;
    return n;
}

static ib_node *parse_if(ib_parser *p, ib_node *n)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    for (ib_node *one = n; one && !p->m->status;) {
        one->a = ib_parse_tuple(p, WITHOUT_CHOICE, NULL);
        one->body = body(p, ends, "if", n->line);
        if (ib_take_name(p, "elif")) {
            one = one->c = ib_node_new(p, IF); /* c: the next condition */
            continue;
        }
        if (ib_take_name(p, "else"))
            n->otherwise = body_to(p, "endif", "if", n->line);
        else
            ib_take_name(p, "endif");
        break;
    }
    return n;
}

static ib_node *parse_for(ib_parser *p, ib_node *n)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    n->a = ib_parse_target(p, 0);
    if (!ib_take_name(p, "in"))
        return ib_expected(p, "'in'");
    n->b = ib_parse_tuple(p, WITHOUT_CHOICE, "recursive");
    if (ib_take_name(p, "if"))
        n->c = ib_parse_expression(p);
    if (ib_is_name(p, "recursive")) {
        p->m->line = p->t->line;
        ib_unsupported(p->m, "{%% for ... recursive %%} is not supported: a macro can call itself");
    }
    p->loops++;
    n->body = body(p, ends, "for", n->line);
    p->loops--;
    if (ib_take_name(p, "else"))
        n->otherwise = body_to(p, "endfor", "for", n->line);
    else
        ib_take_name(p, "endfor");
    return n;
}

static ib_node *parse_set(ib_parser *p, ib_node *n)
{
    n->a = ib_parse_target(p, 1);
    if (ib_take_sign(p, '=')) {
        n->b = ib_parse_tuple(p, 0, NULL);
        return n;
    }
    n->op = SET_BLOCK;
    n->b = ib_is_sign(p, '|') ? ib_parse_filters(p, NULL, 0) : NULL;
    n->body = body_to(p, "endset", "set", n->line);
    return n;
}

/* (a, b=1): names, with what they are by default in a. */
static ib_node *parameters(ib_parser *p)
{
    ib_node *first = NULL, **last = &first;
    int defaults = 0;
    if (!ib_take_sign(p, '('))
        return ib_expected(p, "'('");
    while (!p->m->status && !ib_is_sign(p, ')')) {
        if (first && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or ')'");
        ib_node *n = p->t->type == TOKEN_NAME ? ib_node_new(p, NAME) : ib_expected(p, "a parameter's name");
        if (!n)
            return NULL;
        n->name = p->t++->value.text;
        if (ib_take_sign(p, '='))
            n->a = ib_parse_expression(p);
        else if (defaults)
            return ib_expected(p, "a parameter with a default");
        defaults |= n->a != NULL;
        *last = n;
        last = &n->next;
    }
    p->t += !p->m->status;
    return first;
}

static ib_node *parse_macro(ib_parser *p, ib_node *n)
{
    const int loops = p->loops;
    if (p->t->type != TOKEN_NAME)
        return ib_expected(p, "a macro's name");
    n->name = p->t++->value.text;
    n->a = parameters(p);
    p->loops = 0;
    n->body = body_to(p, "endmacro", "macro", n->line);
    p->loops = loops;
    return n;
}

static ib_node *parse_call(ib_parser *p, ib_node *n)
{
    const int loops = p->loops;
    n->name = (ib_piece){"caller", 6};
    n->a = ib_is_sign(p, '(') ? parameters(p) : NULL;
    n->b = ib_parse_expression(p);
    if (n->b && n->b->op != CALL)
        return ib_expected(p, "the call of a macro, before what");
    p->loops = 0;
    n->body = body_to(p, "endcall", "call", n->line);
    p->loops = loops;
    return n;
}

static ib_node *parse_filter(ib_parser *p, ib_node *n)
{
    n->b = ib_parse_filters(p, NULL, 1);
    n->body = body_to(p, "endfilter", "filter", n->line);
    return n;
}

/* Targets are a, their values in b. */
static ib_node *parse_with(ib_parser *p, ib_node *n)
{
    ib_node **target = &n->a, **value = &n->b;
    while (!p->m->status && p->t->type != TOKEN_BLOCK_END) {
        if (n->a && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or %}");
        *target = p->t->type == TOKEN_NAME && p->t[1].type == TOKEN_SIGN && p->t[1].sign == '='
                      ? ib_parse_target(p, 0)
                      : ib_expected(p, "name = value");
        if (!*target)
            return NULL;
        p->t++;
        if (!(*value = ib_parse_expression(p)))
            return NULL;
        target = &(*target)->next;
        value = &(*value)->next;
    }
    n->body = body_to(p, "endwith", "with", n->line);
    return n;
}

static ib_node *parse_generation(ib_parser *p, ib_node *n)
{
    const int loops = p->loops;
    p->loops = 0;
    p->generates = 1;
    n->body = body_to(p, "endgeneration", "generation", n->line);
    p->loops = loops;
    return n;
}

static ib_node *parse_leave(ib_parser *p, ib_node *n)
{
    if (!p->loops)
        ib_wrong(p->m, "{%% %s %%} outside of a loop", n->op == BREAK ? "break" : "continue");
    return n;
}

static ib_node *parse_print(ib_parser *p, ib_node *n)
{
    ib_node **last = &n->a;
    while (!p->m->status && p->t->type != TOKEN_BLOCK_END) {
        if (n->a && !ib_take_sign(p, ','))
            return ib_expected(p, "',' or %}");
        if ((*last = ib_parse_expression(p)))
            last = &(*last)->next;
    }
    return n;
}

static const struct {
    const char *name;
    ib_operation op;
    ib_node *(*parse)(ib_parser *p, ib_node *n);
} tags[] = {{"if", IF, parse_if},
            {"for", FOR, parse_for},
            {"set", SET, parse_set},
            {"macro", MACRO, parse_macro},
            {"call", CALL_BLOCK, parse_call},
            {"filter", FILTER_BLOCK, parse_filter},
            {"with", WITH, parse_with},
            {"generation", GENERATION, parse_generation},
            {"break", BREAK, parse_leave},
            {"continue", CONTINUE, parse_leave},
            {"print", PRINT, parse_print}};

static ib_node *statement(ib_parser *p, const char *opened, int line)
{
    p->m->line = p->t->line;
    if (p->t->type != TOKEN_NAME)
        return ib_expected(p, "a tag's name");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (ib_is_name(p, tags[i].name)) {
            ib_node *n = ib_node_new(p, tags[i].op);
            p->t++;
            n = n ? tags[i].parse(p, n) : NULL;
            return n && need_block_end(p) ? n : NULL;
        }
    const ib_piece name = p->t->value.text;
    const int n = name.n < 60 ? (int)name.n : 60;
    if (name.n > 3 && !memcmp(name.s, "end", 3) && opened)
        ib_wrong(p->m, "{%% %.*s %%} where the {%% %s %%} of line %d is open", n, name.s, opened, line);
    else if ((name.n == 4 && (!memcmp(name.s, "else", 4) || !memcmp(name.s, "elif", 4))) ||
             (name.n > 3 && !memcmp(name.s, "end", 3)))
        ib_wrong(p->m, "{%% %.*s %%} closes nothing that is open", n, name.s);
    else
        ib_unsupported(p->m, "the tag {%% %.*s %%} is not supported", n, name.s);
    return NULL;
}

static ib_node *printed(ib_parser *p)
{
    ib_node *n = ib_node_new(p, PRINT);
    p->t++;
    if (n)
        n->a = ib_parse_tuple(p, 0, NULL);
    if (p->t->type != TOKEN_PRINT_END)
        return ib_expected(p, "}}");
    p->t++;
    return n;
}

/* Up to one of the tags `ends`, whose name p then stands at; ends NULL: to the end. */
static ib_node *statements(ib_parser *p, const char *const *ends, const char *opened, int line)
{
    ib_node *first = NULL, **last = &first;
    int closed = !ends;
    if (ib_deeper(p->m))
        while (!p->m->status && p->t->type != TOKEN_END) {
            ib_node *n = NULL;
            if (p->t->type == TOKEN_TEXT) {
                if ((n = ib_node_new(p, TEXT)))
                    n->name = p->t->value.text;
                p->t++;
            } else if (p->t->type == TOKEN_PRINT) {
                n = printed(p);
            } else {
                p->t++;
                for (int i = 0; ends && ends[i] && !(closed = ib_is_name(p, ends[i])); i++)
                    ;
                if (ends && closed)
                    break;
                n = statement(p, opened, line);
            }
            if (!n)
                break;
            *last = n;
            last = &n->next;
        }
    p->m->depth--;
    if (!p->m->status && !closed) {
        p->m->line = line;
        ib_wrong(p->m, "{%% %s %%} has no end", opened);
    }
    return first;
}

/* What the text speaks of. */
static void note_mentioned(struct ib_template *t, const ib_lexeme *tokens)
{
    size_t n = 0;
    for (const ib_lexeme *x = tokens; x->type != TOKEN_END; x++)
        n += x->type == TOKEN_NAME || x->type == TOKEN_WORD;
    t->mentioned = ib_take(&t->m, (n + 1) * sizeof *t->mentioned);
    for (const ib_lexeme *x = tokens; t->mentioned && x->type != TOKEN_END; x++)
        if (x->type == TOKEN_NAME || x->type == TOKEN_WORD)
            t->mentioned[t->n_mentioned++] = x->value.text;
}

int ib_template_mentions(const ib_template *t, const char *name)
{
    for (size_t i = 0; i < t->n_mentioned; i++)
        if (ib_same(t->mentioned[i], (ib_piece){name, strlen(name)}))
            return 1;
    return 0;
}

int ib_template_generates(const ib_template *t)
{
    return t->generates;
}

ib_template *ib_template_new(const char *name, const char *text, size_t n)
{
    ib_template *t = ib_alloc(sizeof *t);
    if (!t)
        return NULL;
    t->m.name = name;
    char *copy = ib_take(&t->m, strlen(name) + 1);
    ib_lexeme *tokens = copy ? ib_template_lex(&t->m, text, n) : NULL;
    ib_parser p = {&t->m, tokens, 0, 0};
    if (tokens) {
        t->m.name = strcpy(copy, name);
        t->body = statements(&p, NULL, NULL, 1);
        t->generates = p.generates;
        note_mentioned(t, tokens);
        t->fresh = ib_fresh_names(&t->m, t->body);
    }
    if (t->m.status) {
        ib_template_free(t);
        return NULL;
    }
    return t;
}

void ib_template_free(ib_template *t)
{
    if (t)
        ib_machine_end(&t->m);
    ib_free(t);
}
