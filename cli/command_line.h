/* command_line.h - what model cards say of how a folder was made. */
#ifndef IB_CLI_COMMAND_LINE_H
#define IB_CLI_COMMAND_LINE_H

#include "cli/cli.h"

/* Gives the model the command line, for a shell, paths without their folders. 0, or 1 after telling. */
int tell_command(ib_lm *m, int argc, char **argv);
/* A line on stderr where the README.md of a folder that was just written is another's and so was kept. */
void warn_of_card(const char *folder);

#endif
