/* folder.h - folders written whole or not at all. */
#ifndef IB_FILES_FOLDER_H
#define IB_FILES_FOLDER_H

#include <isobit/status.h>

/* Files are written into a temporary folder, which finish turns into `path`: by one rename, or, where there is a folder
 * already, by moving file after file into it. `last` (a name) goes first and comes last: nothing opens a folder without
 * it, so that none is opened of which a part is old. The files that are replaced lie in .old<process> inside until all
 * is done, and go back to their places if something fails; a process that is killed leaves them there. */
typedef struct ib_folder_writer ib_folder_writer;
ib_folder_writer *ib_folder_writer_open(const char *path, const char *last);
const char *ib_folder_writer_at(const ib_folder_writer *w); /* the temporary folder; borrowed */
/* IB_EINVAL names what the folder holds that matches one of `foreign` (shell patterns; NULL ends them), if it is
 * neither among the files written so far nor in `own`: it would be read as a part of what is written. */
ib_status ib_folder_writer_check(const ib_folder_writer *w, const char *const *foreign, const char *const *own);
ib_status ib_folder_writer_finish(ib_folder_writer *w); /* frees w */
void ib_folder_writer_drop(ib_folder_writer *w);        /* gives up: nothing is left behind; NULL is fine */

#endif
