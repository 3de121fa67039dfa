/* template_nodes.h - inside data/template*: what the parser leaves and the machine runs. */
#ifndef IB_TEXT_TEMPLATE_SYNTAX_TEMPLATE_NODES_H
#define IB_TEXT_TEMPLATE_SYNTAX_TEMPLATE_NODES_H

#include "text/template/template.h"
#include "text/template/template_value.h"

/* Operators are their characters, with the second one above the first. */
#define IB_TWO(a, b) ((a) | (b) << 8)

typedef enum ib_token_type {
    TOKEN_TEXT,
    TOKEN_PRINT,
    TOKEN_PRINT_END,
    TOKEN_BLOCK,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_SIGN,
    TOKEN_END
} ib_token_type;

typedef struct ib_lexeme {
    ib_token_type type;
    int line, sign; /* sign: of TOKEN_SIGN */
    ib_value value; /* text or number */
} ib_lexeme;

/* The text's tokens, TOKEN_END last; NULL: failed. */
ib_lexeme *ib_template_lex(ib_machine *m, const char *text, size_t n);

typedef enum ib_operation {
    /* expressions: value; name; items; a and its name, key, or from, to, step; a and arguments */
    CONSTANT,
    NAME,
    LIST,
    TUPLE,
    DICT,
    ATTRIBUTE,
    ITEM,
    SLICE,
    CALL,
    FILTER,
    TEST,
    /* a (and b) */
    NOT,
    SIGNED,
    AND,
    OR,
    CHOICE,
    CONCAT,
    ARITHMETIC,
    COMPARE,
    /* among arguments: name=a, *a, **a */
    KEYWORD,
    SPREAD,
    SPREAD_DICT,
    /* statements */
    TEXT,
    PRINT,
    FOR,
    IF,
    SET,
    SET_BLOCK,
    MEMBER,
    MACRO,
    CALL_BLOCK,
    FILTER_BLOCK,
    WITH,
    GENERATION,
    BREAK,
    CONTINUE
} ib_operation;

typedef struct ib_node {
    ib_operation op;
    int line, sign; /* sign: of ARITHMETIC, SIGNED and the parts of COMPARE; IB_TWO('n', 'i') is not in */
    ib_piece name;
    ib_value value;
    struct ib_node *a, *b, *c, *body, *otherwise, *next;
    const struct ib_names *fresh; /* of what opens a scope */
} ib_node;

/* Names that a scope sets before it reads them: there they are undefined at first, whatever the variables hold. */
typedef struct ib_names {
    ib_piece name;
    struct ib_names *next;
} ib_names;

struct ib_template {
    ib_machine m; /* holds the nodes */
    ib_node *body;
    const ib_names *fresh;
    ib_piece *mentioned;
    size_t n_mentioned;
    int generates;
};

/* ---- the parser: template_parser.c has statements, template_expression.c and _primary.c ---- */
typedef struct ib_parser {
    ib_machine *m;
    const ib_lexeme *t; /* the next one */
    int loops;          /* around, in this macro */
    int generates;      /* there was a {% generation %} */
} ib_parser;

ib_node *ib_node_new(ib_parser *p, ib_operation op);
ib_node *ib_node_two(ib_parser *p, ib_operation op, int sign, ib_node *a, ib_node *b);
ib_node *ib_parse_expression(ib_parser *p);
ib_node *ib_parse_primary(ib_parser *p);
ib_node *ib_parse_unary(ib_parser *p, int filters); /* filters: also those and tests behind it */
enum { WITHOUT_CHOICE = 1, EMPTY_TOO = 2 };
ib_node *ib_parse_tuple(ib_parser *p, int how,
                        const char *end);            /* a, b, ... or one expression; end: a name behind it */
ib_node *ib_parse_target(ib_parser *p, int members); /* what is assigned to */
ib_node *ib_parse_filters(ib_parser *p, ib_node *value, int first); /* first: without its | */
int ib_is_sign(const ib_parser *p, int sign);
int ib_is_name(const ib_parser *p, const char *name);
int ib_take_sign(ib_parser *p, int sign); /* whether it stood there */
int ib_take_name(ib_parser *p, const char *name);
ib_node *ib_need_sign(ib_parser *p, int sign, const char *what, ib_node *n); /* n where it stood there */
ib_node *ib_expected(ib_parser *p, const char *what);                        /* fails; NULL */
int ib_deeper(ib_machine *m); /* 0: failed; --m->depth afterwards in any case */

/* Fills in `fresh` of all nodes; that of the whole (template_scopes.c). */
const ib_names *ib_fresh_names(ib_machine *m, ib_node *body);

/* ---- the machine ---- */
ib_value ib_eval(ib_machine *m, const ib_node *n);
ib_value ib_eval_printed(ib_machine *m, const ib_node *n); /* to become text */
int ib_eval_truth(ib_machine *m, const ib_node *n);        /* as a condition */
void ib_exec(ib_machine *m, const ib_node *list);
ib_value ib_not_defined(ib_machine *m, ib_value v); /* fails with its name */
void ib_assign(ib_machine *m, const ib_node *target, ib_value value);
void ib_set_variable(ib_machine *m, ib_scope *scope, ib_piece name, ib_value value);
const ib_value *ib_get_variable(const ib_machine *m, ib_piece name);
ib_scope *ib_open_scope(ib_machine *m, ib_scope *outer, const ib_names *fresh);
ib_value ib_run_to_text(ib_machine *m, const ib_node *body); /* what it prints */

typedef struct ib_loop {
    const ib_list *items; /* what is left of it is filtered as it is asked for */
    ib_list *iterator;    /* that the items are read from */
    size_t at;
    const ib_node *node;
    ib_scope *scope; /* around it */
    int filters, have_next;
    ib_value before, now, behind, changed;
    int64_t index; /* from 0 */
    int depth;
} ib_loop;
ib_value ib_loop_member(ib_machine *m, ib_loop *l, ib_piece name);
void ib_run_loop(ib_machine *m, const ib_node *n);

typedef struct ib_macro {
    const ib_node *node; /* name, parameters in a, body */
    ib_scope *scope;
    int uses_caller, uses_keywords, uses_more; /* caller, kwargs, varargs */
} ib_macro;

/* Arguments of a call: positions, then names. */
typedef struct ib_arguments {
    ib_value positional, named; /* a list; a dictionary */
} ib_arguments;
ib_arguments ib_eval_arguments(ib_machine *m, const ib_node *list);
ib_value ib_call(ib_machine *m, ib_value callee, ib_arguments args);
ib_value ib_macro_of(ib_machine *m, const ib_node *n);

/* ---- functions: template_functions.def ---- */
typedef enum ib_function_kind { A_FILTER, A_TEST, A_GLOBAL, OF_TEXT, OF_DICT, OF_LIST, OF_LOOP } ib_function_kind;
/* self: what is filtered, tested, or has the method. a: by the order of the parameters, KIND_ABSENT if not given;
 * all: every argument, for functions whose row has "*". */
typedef ib_value (*ib_template_code)(ib_machine *m, ib_value self, const ib_value *a, ib_arguments all);
typedef struct ib_function {
    ib_function_kind kind;
    const char *name;
    const char *parameters; /* names; those in front of a bar must be given */
    ib_template_code code;
} ib_function;
enum { IB_MOST_PARAMETERS = 6 };
const ib_function *ib_function_find(ib_function_kind kind, ib_piece name);
ib_value ib_function_value(ib_machine *m, const ib_function *f, ib_value self);
ib_value ib_apply_function(ib_machine *m, const ib_function *f, ib_value self, ib_arguments args);
ib_arguments ib_no_arguments(ib_machine *m);

#endif
