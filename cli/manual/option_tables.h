/* option_tables.h - what the option tables of a command say, one after the other. */
#ifndef IB_CLI_MANUAL_OPTION_TABLES_H
#define IB_CLI_MANUAL_OPTION_TABLES_H

#include <argp.h>
#include <stdio.h>

/* Calls `see` for each option or, where `doc` alone stands, heading of a parser and its children, in the order of
 * the tables. */
void each_option(const struct argp *argp, void (*see)(FILE *out, const struct argp_option *o), FILE *out);

#endif
