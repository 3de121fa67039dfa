/* template_functions.h - inside data/template*: the functions of template_functions.def. */
#ifndef IB_TEXT_TEMPLATE_FUNCTIONS_TEMPLATE_FUNCTIONS_H
#define IB_TEXT_TEMPLATE_FUNCTIONS_TEMPLATE_FUNCTIONS_H

#include "text/template/syntax/template_nodes.h"

#define ROW(kind, name, parameters, code)                                                                              \
    ib_value code(ib_machine *m, ib_value self, const ib_value *a, ib_arguments all);
#include "text/template/functions/template_functions.def"
#undef ROW

/* The head of such a function; what it has no use for is no fault. */
#define FUNCTION(name)                                                                                                 \
    ib_value name(__attribute__((unused)) ib_machine *m, __attribute__((unused)) ib_value self,                        \
                  __attribute__((unused)) const ib_value *a, __attribute__((unused)) ib_arguments all)

static inline int ib_given(ib_value v)
{
    return v.kind != KIND_ABSENT;
}
/* A whole number, or `otherwise` where none is given; others fail. */
int64_t ib_number_argument(ib_machine *m, ib_value v, int64_t otherwise, const char *what);
/* A text; others fail. */
ib_piece ib_text_argument(ib_machine *m, ib_value v, const char *what);
/* The part of an item that `attribute` names: "a.b", "0", a whole number; absent or none: the item. */
ib_value ib_part(ib_machine *m, ib_value item, ib_value attribute, ib_value otherwise);

#endif
