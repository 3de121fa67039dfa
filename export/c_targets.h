/* c_targets.h - inside the library: what the outputs of exported C mean where they are numbers of a table. */
#ifndef IB_EXPORT_C_TARGETS_H
#define IB_EXPORT_C_TARGETS_H

#include "program/program.h"
#include "files/strbuf.h"

/* Names, means and deviations as initializers; nothing where outputs score classes. */
void ib_targets_declare(const ib_program *p, ib_strbuf *t, const char *upper);

#endif
