/* c_columns.h - what exported C knows of a table's columns and of classes; nothing where the program has no schema. */
#ifndef IB_EXPORT_C_COLUMNS_H
#define IB_EXPORT_C_COLUMNS_H

#include "program/program.h"
#include "files/strbuf.h"

/* Declarations for the header; `upper` is the prefix of its macros. */
void ib_columns_declare(const ib_program *p, ib_strbuf *t, const char *upper);
/* Names, <name>_quantize_columns and, for the self-test, "static int32_t <name>_test_columns(void)". */
ib_status ib_columns_print(const ib_program *p, ib_device *dev, ib_strbuf *t, const char *upper);
int ib_has_columns(const ib_program *p);

#endif
