/* convert.h - isobit convert, of which isobit merge is the case with an adapter. */
#ifndef IB_CLI_LANGUAGE_CONVERT_H
#define IB_CLI_LANGUAGE_CONVERT_H

/* Runs either command by its words; merging: an adapter is needed. */
int convert(int argc, char **argv, int merging, const char *doc);

/* Of both commands' help. */
#define CARDS                                                                                                          \
    "A folder is complete for the Hugging Face Hub, with a model card of what is known (README.md; one that isobit "   \
    "did not "                                                                                                         \
    "write is kept): its base, license, formats and this command, without the folders of this machine.\n"

#endif
