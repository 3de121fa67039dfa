/* page.h - a command's page for man(1). */
#ifndef IB_CLI_MANUAL_PAGE_H
#define IB_CLI_MANUAL_PAGE_H

#include <argp.h>
#include <stdio.h>

/* Writes the page isobit-COMMAND.1 from the command's parser (troff, macros of man(7)). */
void write_page(FILE *out, const char *command, const char *summary, const struct argp *argp);
/* Plain text for troff: nothing in it is a request, hyphens can be copied. */
void write_plain(FILE *out, const char *text);

#endif
