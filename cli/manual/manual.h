/* manual.h - what a command's option tables say, and what is made of it when isobit is built. */
#ifndef IB_CLI_MANUAL_MANUAL_H
#define IB_CLI_MANUAL_MANUAL_H

#include <argp.h>
#include <stdio.h>

/* Writes the page isobit-COMMAND.1 from the command's parser (troff, macros of man(7)). */
void write_page(FILE *out, const char *command, const char *summary, const struct argp *argp);
/* Plain text for troff: nothing in it is a request, hyphens can be copied. */
void write_plain(FILE *out, const char *text);

/* Writes the case of one command in the completion for bash. */
void write_completion(FILE *out, const char *command, const struct argp *argp);

/* Calls `see` for each option or, where `doc` alone stands, heading of a parser and its children, in the order of
 * the tables. */
void each_option(const struct argp *argp, void (*see)(FILE *out, const struct argp_option *o), FILE *out);

#endif
