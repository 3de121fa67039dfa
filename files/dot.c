/* dot.c - see dot.h */
#include "files/dot.h"

#include "base/alloc.h"
#include "base/error.h"
#include "files/file.h"

/* A quoted string: quotes and backslashes get a backslash, line ends become \n, other control characters blanks. */
static void add_quoted(ib_strbuf *s, const char *text)
{
    ib_strbuf_add(s, "\"");
    for (const char *c = text ? text : ""; *c; c++)
        if (*c == '"' || *c == '\\')
            ib_strbuf_add(s, "\\%c", *c);
        else if (*c == '\n')
            ib_strbuf_add(s, "\\n");
        else
            ib_strbuf_bytes(s, (unsigned char)*c < ' ' ? " " : c, 1);
    ib_strbuf_add(s, "\"");
}

void ib_dot_begin(ib_strbuf *s, const char *name)
{
    ib_strbuf_add(s, "digraph ");
    add_quoted(s, name);
    ib_strbuf_add(s, " {\n  node [shape=box style=filled fontname=\"Helvetica\" fontsize=10]\n"
                     "  edge [fontname=\"Helvetica\" fontsize=8]\n");
}

void ib_dot_node(ib_strbuf *s, const char *kind_name, int at, const char *label, ib_dot_kind kind)
{
    static const char *const fill[] = {[IB_DOT_REAL] = "#F0F0F0",
                                       [IB_DOT_CODES] = "#CFE8FF",
                                       [IB_DOT_PARAMETER] = "#FFF3C4",
                                       [IB_DOT_INPUT] = "#D8F0D0"};
    ib_strbuf_add(s, "  %s%d [fillcolor=\"%s\" label=", kind_name, at, fill[kind]);
    add_quoted(s, label);
    ib_strbuf_add(s, "]\n");
}

void ib_dot_edge(ib_strbuf *s, const char *from_name, int from, const char *to_name, int to, const char *label)
{
    ib_strbuf_add(s, "  %s%d -> %s%d [label=", from_name, from, to_name, to);
    add_quoted(s, label);
    ib_strbuf_add(s, "]\n");
}

ib_status ib_dot_finish(ib_strbuf *s, const char *path)
{
    ib_strbuf_add(s, "}\n");
    const ib_status status =
        s->failed ? ib_fail(IB_ENOMEM, "%s: out of memory", path) : ib_file_replace(path, s->s, s->n);
    ib_free(s->s);
    return status;
}
