/* option_tables.c - see option_tables.h */
#include "cli/manual/option_tables.h"

void each_option(const struct argp *argp, void (*see)(FILE *out, const struct argp_option *o), FILE *out)
{
    for (const struct argp_option *o = argp->options; o && (o->name || o->doc); o++)
        if (!(o->flags & OPTION_HIDDEN))
            see(out, o);
    for (const struct argp_child *c = argp->children; c && c->argp; c++) {
        if (c->header)
            see(out, &(struct argp_option){.doc = c->header});
        each_option(c->argp, see, out);
    }
}
