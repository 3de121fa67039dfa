/* template_run.c - statements, and a template as a whole. */
#include <string.h>

#include "text/template/syntax/template_nodes.h"
#include "base/alloc.h"
#include "base/argument.h"

void ib_set_variable(ib_machine *m, ib_scope *scope, ib_piece name, ib_value value)
{
    ib_variable *v = scope ? scope->first : NULL;
    while (v && !ib_same(v->name, name))
        v = v->next;
    if (!v && scope && (v = ib_take(m, sizeof *v))) {
        v->name = name;
        v->next = scope->first;
        scope->first = v;
    }
    if (v)
        v->value = value;
}

const ib_value *ib_get_variable(const ib_machine *m, ib_piece name)
{
    for (const ib_scope *s = m->scope; s; s = s->outer)
        for (const ib_variable *v = s->first; v; v = v->next)
            if (ib_same(v->name, name))
                return &v->value;
    return NULL;
}

ib_scope *ib_open_scope(ib_machine *m, ib_scope *outer, const ib_names *fresh)
{
    ib_scope *s = ib_take(m, sizeof *s);
    if (!s)
        return outer;
    s->outer = outer;
    for (; fresh; fresh = fresh->next)
        ib_set_variable(m, s, fresh->name, ib_undefined(fresh->name));
    return s;
}

static void unpack(ib_machine *m, const ib_node *target, ib_value value)
{
    const ib_list *items = value.kind == KIND_UNDEFINED ? (ib_not_defined(m, value), NULL) : ib_items_of(m, value);
    size_t n = 0;
    for (const ib_node *t = target->a; t; t = t->next)
        n++;
    if (items && items->n != n)
        ib_wrong(m, "%zu values for %zu names", items->n, n);
    size_t i = 0;
    for (const ib_node *t = target->a; t && !m->status; t = t->next)
        ib_assign(m, t, items->item[i++]);
}

void ib_assign(ib_machine *m, const ib_node *target, ib_value value)
{
    if (target->op == TUPLE) {
        unpack(m, target, value);
    } else if (target->op == MEMBER) {
        const ib_value *of = ib_get_variable(m, target->name);
        if (!of || of->kind != KIND_NAMESPACE)
            ib_wrong(m, "'%.*s' is no namespace: its members cannot be set",
                     (int)(target->name.n < 60 ? target->name.n : 60), target->name.s);
        else if (*target->value.text.s == '_')
            ib_wrong(m, "members of a namespace do not begin with _");
        else
            ib_dict_set(m, *of, target->value, value);
    } else {
        ib_set_variable(m, m->scope, target->name, value);
    }
}

ib_value ib_run_to_text(ib_machine *m, const ib_node *body)
{
    ib_build b = {.m = m}, *out = m->out;
    m->out = &b;
    m->nested_out++;
    ib_exec(m, body);
    m->nested_out--;
    m->out = out;
    return ib_built(&b);
}

static ib_value block_text(ib_machine *m, const ib_node *n)
{
    ib_scope *outer = m->scope;
    m->scope = ib_open_scope(m, outer, n->fresh);
    const ib_value v = ib_run_to_text(m, n->body);
    m->scope = outer;
    m->piped = v;
    return n->b && !m->status ? ib_eval(m, n->b) : v;
}

static void run_call(ib_machine *m, const ib_node *n)
{
    const ib_value callee = ib_eval(m, n->b->a), caller = ib_macro_of(m, n);
    ib_arguments args = ib_eval_arguments(m, n->b->b);
    if (!m->status)
        ib_dict_set(m, args.named, ib_word("caller"), caller);
    ib_print(m->out, ib_call(m, callee, args));
}

static void run_with(ib_machine *m, const ib_node *n)
{
    ib_scope *outer = m->scope, *inner = ib_open_scope(m, outer, n->fresh);
    const ib_node *value = n->b;
    const ib_value values = ib_list_new(m, A_LIST);
    for (; value && !m->status; value = value->next)
        ib_append(m, values, ib_eval(m, value));
    m->scope = inner;
    size_t i = 0;
    for (const ib_node *t = n->a; t && !m->status; t = t->next)
        ib_assign(m, t, values.list->item[i++]);
    ib_exec(m, n->body);
    m->scope = outer;
}

static void run_generation(ib_machine *m, const ib_node *n)
{
    ib_scope *outer = m->scope;
    const size_t from = m->out->n;
    if (m->nested_out && m->spans)
        ib_unsupported(m, "{%% generation %%} in a macro or a block, whose place in the text is not known");
    m->scope = ib_open_scope(m, outer, n->fresh);
    ib_exec(m, n->body);
    m->scope = outer;
    if (m->spans && !m->status &&
        (from > INT32_MAX || m->out->n > INT32_MAX || ib_ids_append(m->span, (int32_t)from) ||
         ib_ids_append(m->span, (int32_t)m->out->n)))
        m->status = IB_ENOMEM;
}

static void run_if(ib_machine *m, const ib_node *n)
{
    const ib_node *first = n;
    while (n && !ib_eval_truth(m, n->a))
        n = n->c;
    ib_exec(m, n ? n->body : first->otherwise);
}

static void run_one(ib_machine *m, const ib_node *n)
{
    switch (n->op) {
    case TEXT: ib_put(m->out, n->name.s, n->name.n); break;
    case PRINT:
        for (const ib_node *one = n->a; one && !m->status; one = one->next)
            ib_print(m->out, ib_eval_printed(m, one));
        break;
    case FOR: ib_run_loop(m, n); break;
    case IF: run_if(m, n); break;
    case SET: ib_assign(m, n->a, ib_eval(m, n->b)); break;
    case SET_BLOCK: ib_assign(m, n->a, block_text(m, n)); break;
    case MACRO: ib_set_variable(m, m->scope, n->name, ib_macro_of(m, n)); break;
    case CALL_BLOCK: run_call(m, n); break;
    case FILTER_BLOCK: ib_print(m->out, block_text(m, n)); break;
    case WITH: run_with(m, n); break;
    case GENERATION: run_generation(m, n); break;
    case BREAK: m->leaving = BREAKING; break;
    case CONTINUE: m->leaving = CONTINUING; break;
    default: ib_wrong(m, "a statement is expected");
    }
}

void ib_exec(ib_machine *m, const ib_node *list)
{
    if (ib_deeper(m))
        for (const ib_node *n = list; n && m->leaving == ONWARD && ib_step(m, 0); n = n->next) {
            m->line = n->line;
            run_one(m, n);
        }
    m->depth--;
}

ib_status ib_template_run(const ib_template *t, struct json_object *variables, const ib_template_opts *opts,
                          ib_template_result *out)
{
    ib_build text = {0};
    ib_ids spans = {0};
    ib_machine m = {.name = t->m.name,
                    .line = 1,
                    .out = &text,
                    .span = &spans,
                    .spans = opts && opts->spans,
                    .same_day = opts && opts->same_day,
                    .strict = opts && opts->strict};
    *out = (ib_template_result){0};
    text.m = &m;
    ib_scope *given = ib_open_scope(&m, NULL, NULL);
    if (!json_object_is_type(variables, json_type_object))
        ib_wrong(&m, "its variables are not an object");
    else {
        json_object_object_foreach(variables, name, value)
        {
            ib_set_variable(&m, given, (ib_piece){name, strlen(name)}, ib_value_of_json(&m, value));
        }
    }
    m.scope = ib_open_scope(&m, given, t->fresh);
    ib_exec(&m, t->body);
    out->text = m.status ? NULL : ib_alloc(text.n + 1);
    if (!m.status && !out->text)
        m.status = IB_ENOMEM;
    if (!m.status) {
        if (text.n)
            memcpy(out->text, text.s, text.n);
        out->n = text.n;
        out->spans = spans;
    } else {
        ib_free_ids(&spans);
    }
    ib_machine_end(&m);
    return m.status;
}
