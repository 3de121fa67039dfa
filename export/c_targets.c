/* c_targets.c - see c_targets.h */
#include "export/c_targets.h"

/* A name as a literal of C99: what is not plain in octal, whose three digits end by themselves; ? too, for trigraphs.
 */
static void add_literal(ib_strbuf *t, const char *name)
{
    ib_strbuf_add(t, "\"");
    for (; *name; name++) {
        const unsigned char c = (unsigned char)*name;
        if (c < 32 || c > 126 || c == '"' || c == '\\' || c == '?')
            ib_strbuf_add(t, "\\%03o", c);
        else
            ib_strbuf_add(t, "%c", c);
    }
    ib_strbuf_add(t, "\"");
}

void ib_targets_declare(const ib_program *p, ib_strbuf *t, const char *upper)
{
    const ib_schema_opts *o = p->schema ? ib_schema_of(p->schema) : NULL;
    if (!o || o->task != IB_REGRESSION || !o->n_targets)
        return;
    ib_strbuf_add(t,
                  "/* Output k is the number NAMES[k] of the table, in its units scale * (code - zero) * STDS[k] + "
                  "MEANS[k] with the outputs' scale\n"
                  " * and zero: static const float means[] = %s_TARGET_MEANS; */\n#define %s_TARGET_NAMES {",
                  upper, upper);
    for (int k = 0; k < o->n_targets; k++) {
        ib_strbuf_add(t, "%s", k ? ", " : "");
        add_literal(t, o->targets[k].name);
    }
    ib_strbuf_add(t, "}\n#define %s_TARGET_MEANS {", upper);
    for (int k = 0; k < o->n_targets; k++)
        ib_strbuf_add(t, "%s%.9ef", k ? ", " : "", o->targets[k].mean);
    ib_strbuf_add(t, "}\n#define %s_TARGET_STDS {", upper);
    for (int k = 0; k < o->n_targets; k++)
        ib_strbuf_add(t, "%s%.9ef", k ? ", " : "", o->targets[k].std);
    ib_strbuf_add(t, "}\n\n");
}
