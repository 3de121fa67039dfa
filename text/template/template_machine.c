/* template_machine.c - memory, failures and the making of values. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/template/template_value.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/number.h"

enum { MOST_BYTES = 256 << 20, MOST_STEPS = 20000000, CHUNK = 1 << 14 };

struct ib_chunk {
    struct ib_chunk *before;
    size_t used, room;
    _Alignas(16) char bytes[];
};

static ib_value refuse(ib_machine *m, ib_status status, const char *format, va_list args)
{
    char text[400];
    if (!m->status) {
        ib_vsnprintf(text, sizeof text, format, args);
        m->status = ib_fail(status, "%.200s: line %d: %s", m->name, m->line, text);
    }
    return ib_undefined((ib_piece){0});
}

ib_value ib_wrong(ib_machine *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const ib_value v = refuse(m, IB_EFORMAT, format, args);
    va_end(args);
    return v;
}

ib_value ib_unsupported(ib_machine *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const ib_value v = refuse(m, IB_EUNSUPPORTED, format, args);
    va_end(args);
    return v;
}

void *ib_take(ib_machine *m, size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (m->status)
        return NULL;
    if (bytes > MOST_BYTES || m->bytes + bytes > MOST_BYTES) {
        ib_wrong(m, "it needs more than %d MiB of memory", MOST_BYTES >> 20);
        return NULL;
    }
    struct ib_chunk *c = m->chunks;
    if (!c || c->used + bytes > c->room) {
        const size_t room = bytes > CHUNK ? bytes : CHUNK;
        if (!(c = ib_alloc(sizeof *c + room))) {
            m->status = IB_ENOMEM;
            return NULL;
        }
        c->room = room;
        c->before = m->chunks;
        m->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += bytes;
    m->bytes += bytes;
    return p;
}

int ib_step(ib_machine *m, size_t work)
{
    m->steps += 1 + (int64_t)(work < MOST_STEPS ? work : MOST_STEPS);
    if (!m->status && m->steps > MOST_STEPS)
        ib_wrong(m, "it takes more than %d steps", MOST_STEPS);
    return !m->status;
}

void ib_machine_end(ib_machine *m)
{
    for (struct ib_chunk *c = m->chunks, *before; c; c = before) {
        before = c->before;
        ib_free(c);
    }
    m->chunks = NULL;
}

void ib_put(ib_build *b, const char *s, size_t n)
{
    if (!n || !ib_step(b->m, n / 64))
        return;
    if (b->n + n > b->room) {
        const size_t room = 2 * (b->n + n) + 32;
        char *grown = ib_take(b->m, room);
        if (!grown)
            return;
        if (b->n)
            memcpy(grown, b->s, b->n);
        b->s = grown;
        b->room = room;
    }
    memcpy(b->s + b->n, s, n);
    b->n += n;
}

void ib_put_text(ib_build *b, const char *s)
{
    ib_put(b, s, strlen(s));
}

ib_value ib_built(const ib_build *b)
{
    return ib_text_of(b->s ? b->s : "", b->n);
}

ib_value ib_undefined(ib_piece name)
{
    return (ib_value){.kind = KIND_UNDEFINED, .text = name};
}
ib_value ib_none(void)
{
    return (ib_value){.kind = KIND_NONE};
}
ib_value ib_bool(int truth)
{
    return (ib_value){.kind = KIND_BOOL, .i = truth != 0};
}
ib_value ib_int(int64_t i)
{
    return (ib_value){.kind = KIND_INT, .i = i};
}
ib_value ib_float(double f)
{
    return (ib_value){.kind = KIND_FLOAT, .f = f};
}
ib_value ib_text_of(const char *s, size_t n)
{
    return (ib_value){.kind = KIND_TEXT, .text = {s, n}};
}
ib_value ib_word(const char *s)
{
    return ib_text_of(s, strlen(s));
}

ib_value ib_list_new(ib_machine *m, ib_flavor flavor)
{
    ib_list *l = ib_take(m, sizeof *l);
    if (!l)
        return ib_undefined((ib_piece){0});
    l->flavor = flavor;
    return (ib_value){.kind = KIND_LIST, .list = l};
}

void ib_append(ib_machine *m, ib_value list, ib_value item)
{
    ib_list *l = list.list;
    if (list.kind != KIND_LIST || !ib_step(m, 0))
        return;
    if (l->n == l->room) {
        const size_t room = 2 * l->room + 4;
        ib_value *grown = ib_take(m, room * sizeof *grown);
        if (!grown)
            return;
        if (l->n)
            memcpy(grown, l->item, l->n * sizeof *grown);
        l->item = grown;
        l->room = room;
    }
    l->item[l->n++] = item;
}

ib_value ib_pair_of(ib_machine *m, ib_value a, ib_value b)
{
    const ib_value pair = ib_list_new(m, A_TUPLE);
    ib_append(m, pair, a);
    ib_append(m, pair, b);
    return pair;
}

ib_value ib_dict_new(ib_machine *m)
{
    ib_dict *d = ib_take(m, sizeof *d);
    return d ? (ib_value){.kind = KIND_DICT, .dict = d} : ib_undefined((ib_piece){0});
}

/* Python's dictionaries and lists cannot be keys. */
static int can_be_key(ib_value v)
{
    int good = v.kind != KIND_DICT && (v.kind != KIND_LIST || v.list->flavor == A_TUPLE);
    for (size_t i = 0; v.kind == KIND_LIST && good && i < v.list->n; i++)
        good = can_be_key(v.list->item[i]);
    return good;
}

const ib_value *ib_dict_find(ib_machine *m, ib_value dict, ib_value key)
{
    const ib_dict *d = dict.dict;
    if (!can_be_key(key) || !ib_step(m, d->n / 16))
        return NULL;
    for (size_t i = 0; i < d->n; i++)
        if (ib_equal(m, d->entry[i].key, key))
            return &d->entry[i].value;
    return NULL;
}

void ib_dict_set(ib_machine *m, ib_value dict, ib_value key, ib_value value)
{
    ib_dict *d = dict.dict;
    if (m->status)
        return;
    if (!can_be_key(key)) {
        ib_wrong(m, "a %s cannot be the key of a dictionary", ib_type_name(key));
        return;
    }
    ib_value *old = (ib_value *)ib_dict_find(m, dict, key);
    if (old) {
        *old = value;
        return;
    }
    if (d->n == d->room) {
        const size_t room = 2 * d->room + 4;
        ib_entry *grown = ib_take(m, room * sizeof *grown);
        if (!grown)
            return;
        if (d->n)
            memcpy(grown, d->entry, d->n * sizeof *grown);
        d->entry = grown;
        d->room = room;
    }
    d->entry[d->n++] = (ib_entry){key, value};
}

int ib_same(ib_piece a, ib_piece b)
{
    return a.n == b.n && (!a.n || !memcmp(a.s, b.s, a.n));
}

int ib_is_text(ib_value v, const char *word)
{
    return v.kind == KIND_TEXT && ib_same(v.text, (ib_piece){word, strlen(word)});
}
