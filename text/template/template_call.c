/* template_call.c - macros and functions, and how arguments find their parameters. */
#include <string.h>

#include "text/template/functions/template_functions.h"

static const ib_function functions[] = {
#define ROW(kind, name, parameters, code) {kind, name, parameters, code},
#include "text/template/functions/template_functions.def"
#undef ROW
};

const ib_function *ib_function_find(ib_function_kind kind, ib_piece name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (functions[i].kind == kind && ib_same(name, (ib_piece){functions[i].name, strlen(functions[i].name)}))
            return &functions[i];
    return NULL;
}

ib_value ib_function_value(ib_machine *m, const ib_function *f, ib_value self)
{
    ib_bound *b = ib_take(m, sizeof *b);
    if (!b)
        return ib_undefined((ib_piece){0});
    *b = (ib_bound){f, self};
    return (ib_value){.kind = KIND_FUNCTION, .bound = b};
}

ib_arguments ib_no_arguments(ib_machine *m)
{
    return (ib_arguments){ib_list_new(m, A_TUPLE), ib_dict_new(m)};
}

ib_arguments ib_eval_arguments(ib_machine *m, const ib_node *list)
{
    ib_arguments args = ib_no_arguments(m);
    for (const ib_node *n = list; n && !m->status; n = n->next) {
        const ib_value v = ib_eval(m, n->op == KEYWORD || n->op == SPREAD || n->op == SPREAD_DICT ? n->a : n);
        if (n->op == KEYWORD) {
            ib_dict_set(m, args.named, ib_text_of(n->name.s, n->name.n), v);
        } else if (n->op == SPREAD) {
            const ib_list *items = ib_items_of(m, v);
            for (size_t i = 0; items && i < items->n; i++)
                ib_append(m, args.positional, items->item[i]);
        } else if (n->op == SPREAD_DICT) {
            if (v.kind != KIND_DICT)
                ib_wrong(m, "** of a %s", ib_type_name(v));
            for (size_t i = 0; !m->status && i < v.dict->n; i++)
                ib_dict_set(m, args.named, v.dict->entry[i].key, v.dict->entry[i].value);
        } else {
            ib_append(m, args.positional, v);
        }
    }
    return args;
}

static ib_value unknown_argument(ib_machine *m, const ib_function *f, const ib_dict *named)
{
    for (size_t i = 0; i < named->n; i++) {
        const ib_piece name = named->entry[i].key.kind == KIND_TEXT ? named->entry[i].key.text : (ib_piece){"?", 1};
        const char *s = f->parameters;
        while (*s && (strcspn(s, " ") != name.n || memcmp(s, name.s, name.n)))
            s += strcspn(s, " "), s += *s == ' ';
        if (!*s)
            return ib_wrong(m, "%s has no argument named '%.*s'", f->name, (int)name.n, name.s);
    }
    return ib_undefined((ib_piece){0});
}

ib_value ib_apply_function(ib_machine *m, const ib_function *f, ib_value self, ib_arguments args)
{
    ib_value a[IB_MOST_PARAMETERS + 1];
    size_t n = 0, used = 0;
    int optional = 0;
    if (m->status)
        return ib_undefined((ib_piece){0});
    if (!strcmp(f->parameters, "*"))
        return f->code(m, self, NULL, args);
    for (const char *s = f->parameters; *s && n < IB_MOST_PARAMETERS; s += strcspn(s, " "), s += *s == ' ') {
        const size_t length = strcspn(s, " ");
        if (*s == '|') {
            optional = 1;
            continue;
        }
        const ib_value *named = ib_dict_find(m, args.named, ib_text_of(s, length));
        used += named != NULL;
        if (n < args.positional.list->n && !named)
            a[n] = args.positional.list->item[n];
        else if (named && n >= args.positional.list->n)
            a[n] = *named;
        else if (optional && !named)
            a[n] = (ib_value){.kind = KIND_ABSENT};
        else
            return ib_wrong(m, "%s: its argument '%.*s' is given %s", f->name, (int)length, s, named ? "twice" : "not");
        n++;
    }
    if (args.positional.list->n > n)
        return ib_wrong(m, "%s takes %zu arguments at most, not %zu", f->name, n, args.positional.list->n);
    if (used < args.named.dict->n)
        return unknown_argument(m, f, args.named.dict);
    return f->code(m, self, a, args);
}

/* Whether a name is used somewhere in the statements or expressions. */
static int uses(const ib_node *n, ib_piece name)
{
    for (; n; n = n->next)
        if ((n->op == NAME && ib_same(n->name, name)) || uses(n->a, name) || uses(n->b, name) || uses(n->c, name) ||
            uses(n->body, name) || uses(n->otherwise, name))
            return 1;
    return 0;
}

ib_value ib_macro_of(ib_machine *m, const ib_node *n)
{
    ib_macro *macro = ib_take(m, sizeof *macro);
    if (!macro)
        return ib_undefined((ib_piece){0});
    *macro = (ib_macro){n, m->scope, uses(n->body, (ib_piece){"caller", 6}), uses(n->body, (ib_piece){"kwargs", 6}),
                        uses(n->body, (ib_piece){"varargs", 7})};
    return (ib_value){.kind = KIND_MACRO, .macro = macro};
}

static ib_value call_macro(ib_machine *m, const ib_macro *macro, ib_arguments args)
{
    const ib_node *n = macro->node;
    ib_scope *before = m->scope, *scope = ib_open_scope(m, macro->scope, n->fresh);
    const ib_value keywords = ib_dict_new(m), more = ib_list_new(m, A_TUPLE);
    size_t at = 0, used = 0;
    m->scope = scope;
    for (const ib_node *p = n->a; p && !m->status; p = p->next) {
        const ib_value *named = ib_dict_find(m, args.named, ib_text_of(p->name.s, p->name.n));
        used += named != NULL;
        if (named && at < args.positional.list->n)
            ib_wrong(m, "%.*s: its argument '%.*s' is given twice", (int)n->name.n, n->name.s, (int)p->name.n,
                     p->name.s);
        else if (named || at < args.positional.list->n)
            ib_set_variable(m, scope, p->name, named ? *named : args.positional.list->item[at]);
        else
            ib_set_variable(m, scope, p->name, p->a ? ib_eval(m, p->a) : ib_undefined(p->name));
        at++;
    }
    for (; !m->status && at < args.positional.list->n; at++)
        ib_append(m, more, args.positional.list->item[at]);
    const ib_value *caller = m->status ? NULL : ib_dict_find(m, args.named, ib_word("caller"));
    if (macro->uses_caller)
        ib_set_variable(m, scope, (ib_piece){"caller", 6}, caller ? *caller : ib_undefined((ib_piece){"caller", 6}));
    used += caller && macro->uses_caller;
    for (size_t i = 0; !m->status && i < args.named.dict->n; i++) {
        const ib_entry *e = &args.named.dict->entry[i];
        int known = macro->uses_caller && ib_is_text(e->key, "caller");
        for (const ib_node *p = n->a; p; p = p->next)
            known |= e->key.kind == KIND_TEXT && ib_same(e->key.text, p->name);
        if (!known)
            ib_dict_set(m, keywords, e->key, e->value);
    }
    if (!m->status && more.list->n && !macro->uses_more)
        ib_wrong(m, "%.*s takes %zu arguments at most, not %zu", (int)n->name.n, n->name.s, at - more.list->n, at);
    if (!m->status && used < args.named.dict->n && !macro->uses_keywords)
        ib_wrong(m, "%.*s has no argument named '%.*s'", (int)n->name.n, n->name.s,
                 (int)keywords.dict->entry[0].key.text.n, keywords.dict->entry[0].key.text.s);
    if (macro->uses_more)
        ib_set_variable(m, scope, (ib_piece){"varargs", 7}, more);
    if (macro->uses_keywords)
        ib_set_variable(m, scope, (ib_piece){"kwargs", 6}, keywords);
    const ib_value text = m->status ? ib_undefined((ib_piece){0}) : ib_run_to_text(m, n->body);
    m->scope = before;
    return text;
}

ib_value ib_call(ib_machine *m, ib_value callee, ib_arguments args)
{
    if (m->status)
        return ib_undefined((ib_piece){0});
    if (callee.kind == KIND_MACRO)
        return call_macro(m, callee.macro, args);
    if (callee.kind == KIND_FUNCTION)
        return ib_apply_function(m, callee.bound->function, callee.bound->self, args);
    if (callee.kind == KIND_UNDEFINED)
        return ib_not_defined(m, callee);
    if (callee.kind == KIND_LOOP)
        return ib_unsupported(m, "loop(...): recursive loops are not supported: a macro can call itself");
    return ib_wrong(m, "a %s cannot be called", ib_type_name(callee));
}
