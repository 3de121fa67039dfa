/* completion.h - a command's words for bash. */
#ifndef IB_CLI_MANUAL_COMPLETION_H
#define IB_CLI_MANUAL_COMPLETION_H

#include <argp.h>
#include <stdio.h>

/* Writes the case of one command in the completion for bash. */
void write_completion(FILE *out, const char *command, const struct argp *argp);

#endif
