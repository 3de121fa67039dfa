/* template.h - inside the library: the part of Jinja that chat templates use, set up as transformers does: trim_blocks,
 * lstrip_blocks, break and continue, {% generation %}, tojson as JSON, raise_exception, strftime_now, values that
 * nobody can change but namespaces. Values behave as Python's do. What is not understood, is refused by its name and
 * line; so is what takes too long, nests too deeply or needs too much memory. */
#ifndef IB_TEXT_TEMPLATE_TEMPLATE_H
#define IB_TEXT_TEMPLATE_TEMPLATE_H

#include <json-c/json.h>
#include <stddef.h>

#include <isobit/text.h>

typedef struct ib_template ib_template;

/* text [n] is UTF-8 and is copied; name, a file's name for instance, stands at the head of all errors. NULL with
 * ib_error(): "NAME: line 3: ...". */
ib_template *ib_template_new(const char *name, const char *text, size_t n);
void ib_template_free(ib_template *t); /* NULL is fine */

/* Whether the name stands somewhere in t as a variable, an attribute or a text: else t cannot make use of it. */
int ib_template_mentions(const ib_template *t, const char *name);
/* Whether it has a {% generation %}. */
int ib_template_generates(const ib_template *t);

typedef struct ib_template_result {
    char *text; /* the caller's to ib_free(); text[n] is 0 */
    size_t n;
    ib_ids spans; /* from, to, from, ...: what stood within {% generation %}; ib_free_ids() */
} ib_template_result;

typedef struct ib_template_opts {
    int spans;    /* spans are wanted: a {% generation %} whose place is not known is an error */
    int same_day; /* strftime_now is not defined, so that the text does not depend on the day */
    int strict;   /* what is not defined may be asked for (if, and, or, not, is defined, is none, |default) and is an
                     error elsewhere, where Jinja takes it for empty; so is a null that becomes text */
} ib_template_opts;

/* The members of the object `variables` are t's variables; opts may be NULL. The same t may run many times. */
ib_status ib_template_run(const ib_template *t, struct json_object *variables, const ib_template_opts *opts,
                          ib_template_result *out);

#endif
