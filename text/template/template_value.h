/* template_value.h - inside data/template*: values that behave as Python's do, and the machine that holds them. Nothing
 * is freed before the machine ends. The first failure stays: what follows it does nothing and gives undefined. */
#ifndef IB_TEXT_TEMPLATE_TEMPLATE_VALUE_H
#define IB_TEXT_TEMPLATE_TEMPLATE_VALUE_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

typedef enum ib_kind {
    KIND_ABSENT, /* an argument that was not given; never a variable's */
    KIND_UNDEFINED,
    KIND_NONE,
    KIND_BOOL,
    KIND_INT,
    KIND_FLOAT,
    KIND_TEXT,
    KIND_LIST,
    KIND_DICT,
    KIND_NAMESPACE,
    KIND_LOOP,
    KIND_MACRO,
    KIND_FUNCTION,
    N_KINDS
} ib_kind;

/* What a KIND_LIST is in Python. An iterator is true even when it is empty, has no length, and is read once. */
typedef enum ib_flavor { A_LIST, A_TUPLE, A_RANGE, A_VIEW, AN_ITERATOR } ib_flavor;

typedef struct ib_piece {
    const char *s; /* UTF-8 */
    size_t n;
} ib_piece;

typedef struct ib_value {
    ib_kind kind;
    int markup; /* of KIND_TEXT: marked by safe or escape; what is added to it is escaped */
    union {
        int64_t i; /* also of KIND_BOOL */
        double f;
        ib_piece text; /* also the name of what is undefined, for errors */
        struct ib_list *list;
        struct ib_dict *dict; /* also of KIND_NAMESPACE */
        struct ib_loop *loop;
        struct ib_macro *macro;
        struct ib_bound *bound;
    };
} ib_value;

typedef struct ib_list {
    ib_value *item;
    size_t n, room;
    ib_flavor flavor;
    size_t used; /* of an iterator: how many were read */
} ib_list;

typedef struct ib_entry {
    ib_value key, value;
} ib_entry;
typedef struct ib_dict {
    ib_entry *entry;
    size_t n, room;
} ib_dict;

/* A function of template_functions.def, and what it is a method of. */
typedef struct ib_bound {
    const struct ib_function *function;
    ib_value self;
} ib_bound;

typedef struct ib_variable {
    ib_piece name;
    ib_value value;
    struct ib_variable *next;
} ib_variable;
typedef struct ib_scope {
    struct ib_scope *outer;
    ib_variable *first;
} ib_scope;

/* Text under construction. */
typedef struct ib_build {
    struct ib_machine *m;
    char *s;
    size_t n, room;
} ib_build;

typedef struct ib_machine {
    const char *name;
    int line; /* of what is under way */
    ib_status status;
    struct ib_chunk *chunks;
    size_t bytes; /* taken so far */
    int64_t steps;
    int depth;
    ib_scope *scope;
    ib_build *out;
    ib_value piped; /* what a block's filter begins with */
    int nested_out; /* out is not the whole text, but a macro's or a block's */
    enum { ONWARD, BREAKING, CONTINUING } leaving;
    int spans, same_day, strict; /* of the options */
    struct ib_ids *span;
} ib_machine;

enum { IB_MOST_DEPTH = 400, IB_MOST_RANGE = 100000 };

/* ---- template_machine.c ---- */
/* Sets the machine's failure, with its name and line, if it has none yet; undefined. */
ib_value ib_wrong(ib_machine *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what may be right, but is not done here. */
ib_value ib_unsupported(ib_machine *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *ib_take(ib_machine *m, size_t bytes); /* zeroed; NULL: failed */
int ib_step(ib_machine *m, size_t work);    /* 0: failed, now or before */
void ib_machine_end(ib_machine *m);

void ib_put(ib_build *b, const char *s, size_t n);
void ib_put_text(ib_build *b, const char *s);
ib_value ib_built(const ib_build *b);

ib_value ib_undefined(ib_piece name);
ib_value ib_none(void);
ib_value ib_bool(int truth);
ib_value ib_int(int64_t i);
ib_value ib_float(double f);
ib_value ib_text_of(const char *s, size_t n); /* borrowed */
ib_value ib_word(const char *s);              /* the same, to its 0 */
ib_value ib_list_new(ib_machine *m, ib_flavor flavor);
void ib_append(ib_machine *m, ib_value list, ib_value item);
ib_value ib_pair_of(ib_machine *m, ib_value a, ib_value b); /* a tuple of two */
ib_value ib_dict_new(ib_machine *m);
void ib_dict_set(ib_machine *m, ib_value dict, ib_value key, ib_value value);
const ib_value *ib_dict_find(ib_machine *m, ib_value dict, ib_value key); /* NULL: none, or the key cannot be one */
int ib_is_text(ib_value v, const char *word);
int ib_same(ib_piece a, ib_piece b);

/* ---- template_compare.c ---- */
const char *ib_type_name(ib_value v); /* Python's */
int ib_truth(ib_value v);
int ib_equal(ib_machine *m, ib_value a, ib_value b);
int ib_order(ib_machine *m, ib_value a, ib_value b); /* <0, 0, >0; values without an order fail */
int ib_contains(ib_machine *m, ib_value whole, ib_value part);
/* What a loop over v goes through, as a list; what cannot be looped over fails. An iterator is then used. */
const ib_list *ib_items_of(ib_machine *m, ib_value v);
int64_t ib_length(ib_machine *m, ib_value v);
int ib_whole(ib_value v); /* an int or a bool */

/* ---- template_print.c ---- */
void ib_print(ib_build *b, ib_value v); /* str() */
void ib_repr(ib_build *b, ib_value v);
ib_value ib_str(ib_machine *m, ib_value v);
void ib_put_float(ib_build *b, double f);
void ib_put_int(ib_build *b, int64_t i);

/* ---- template_json.c ---- */
ib_value ib_value_of_json(ib_machine *m, struct json_object *o);
typedef struct ib_json_style {
    int ascii, sort, indented;
    ib_piece indent, comma, colon;
} ib_json_style;
void ib_put_json(ib_build *b, const ib_json_style *style, ib_value v, int level);

/* ---- template_text.c: characters, not bytes ---- */
int64_t ib_characters(ib_piece t);
/* The character at s[n]: its bytes; never 0 where n is not. */
size_t ib_character(const char *s, size_t n, uint32_t *u);
size_t ib_last_character(ib_piece t, uint32_t *u); /* the one that ends t: its bytes */
void ib_put_character(ib_build *b, uint32_t u);
int ib_is_space(uint32_t u);                                                       /* str.isspace */
size_t ib_space_at(const char *s, size_t n);                                       /* bytes of a space at s; 0: none */
ib_piece ib_strip(ib_piece t, const ib_piece *characters, int left, int right);    /* characters NULL: white space */
typedef enum ib_casing { UPPER, LOWER, CAPITAL, TITLE, SWAPPED, WORDS } ib_casing; /* WORDS: the filter title */
ib_value ib_recase(ib_machine *m, ib_piece t, ib_casing casing);
const char *ib_find(ib_piece whole, ib_piece part);                                             /* NULL: not there */
const char *ib_find_last(ib_machine *m, ib_piece whole, ib_piece part);                         /* NULL: not there */
ib_value ib_replace_text(ib_machine *m, ib_piece t, ib_piece old, ib_piece with, int64_t most); /* most < 0: all */
ib_value ib_split_lines(ib_machine *m, ib_piece t);

/* ---- template_operators.c ---- */
ib_value ib_attribute(ib_machine *m, ib_value v, ib_piece name); /* v.name */
ib_value ib_item(ib_machine *m, ib_value v, ib_value key);       /* v[key] */
ib_value ib_slice(ib_machine *m, ib_value v, ib_value from, ib_value to, ib_value step);
ib_value ib_arithmetic(ib_machine *m, int operator, ib_value a, ib_value b);
ib_value ib_negative(ib_machine *m, ib_value v, int negate);

ib_value ib_range_new(ib_machine *m, int64_t start, int64_t stop, int64_t step);

/* ---- template_format.c ---- */
void ib_put_escaped(ib_build *b, ib_piece t);                            /* for HTML */
ib_value ib_percent(ib_machine *m, ib_piece format, ib_value arguments); /* format % arguments */

#endif
