/* part_folder.h - where a command keeps what it has finished of FILE until FILE is written: the folder FILE.part. */
#ifndef IB_CLI_LANGUAGE_PART_FOLDER_H
#define IB_CLI_LANGUAGE_PART_FOLDER_H

/* The folder, made unless it is there, the caller's to ib_free; NULL after telling what is wrong: without `resume` one
 * that holds something, with `resume` one that is not there. */
char *part_open(const char *file, int resume);
/* Takes it away with its files (.gguf, and what writing them left behind). */
void part_remove(const char *folder);
/* How many files are finished in it. */
int part_count(const char *folder);

#endif
