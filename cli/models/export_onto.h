/* export_onto.h - what `isobit export` may take the place of: what isobit wrote. */
#ifndef IB_CLI_EXPORT_ONTO_H
#define IB_CLI_EXPORT_ONTO_H

#include <isobit/export.h>

/* 1 after telling that a file of another's has this name; else 0: there is none, it is empty, or isobit wrote it. */
int refuse_foreign(const char *option, const char *path);

/* The same for <folder>/<name>.h and <name>.c, and for those of a network of other inputs or outputs than p's;
 * *anew: both are there, and this network's or an earlier training's of it. */
int refuse_other_c(const char *option, const char *folder, const char *name, const ib_program *p, int *anew);

#endif
