/* dot.h - pictures of networks in Graphviz's language (graphviz.org/doc/info/lang.html): boxes, and arrows between
 * them. Running out of memory is told at the end. */
#ifndef IB_FILES_DOT_H
#define IB_FILES_DOT_H

#include <isobit/status.h>

#include "files/strbuf.h"

typedef enum ib_dot_kind { IB_DOT_REAL, IB_DOT_CODES, IB_DOT_PARAMETER, IB_DOT_INPUT } ib_dot_kind;

void ib_dot_begin(ib_strbuf *s, const char *name);
/* Box number `at` of those called `kind_name`; label: any text, with line ends. */
void ib_dot_node(ib_strbuf *s, const char *kind_name, int at, const char *label, ib_dot_kind kind);
void ib_dot_edge(ib_strbuf *s, const char *from_name, int from, const char *to_name, int to, const char *label);
/* Writes the file, whole or not at all; frees s. */
ib_status ib_dot_finish(ib_strbuf *s, const char *path);

#endif
