/* row_kinds.h - inside lm/: what kind of row it is, by the table row_kinds.def, and its turns as messages. */
#ifndef IB_LM_SAMPLES_ROW_KINDS_H
#define IB_LM_SAMPLES_ROW_KINDS_H

#include "lm/samples/row_keys.h"

/* Reads the row o into *out by its keys and returns its kind, a row of the table; -1 with a line that names the keys
 * that it has, if it is of none, or the key that is not of its kind or not understood. */
int ib_row_kind(struct json_object *o, ib_row_ignore *keys, ib_row_values *out);
/* The row's turns as a list of messages, the caller's to json_object_put; NULL with *status IB_OK: it has none,
 * but texts as they stand. */
struct json_object *ib_row_messages(int kind, const ib_row_values *v, ib_status *status);

#endif
