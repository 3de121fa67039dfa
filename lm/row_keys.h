/* row_keys.h - inside lm/: the members of a row, a message or a part of its content, by the table row_keys.def. */
#ifndef IB_LM_ROW_KEYS_H
#define IB_LM_ROW_KEYS_H

#include <json-c/json.h>

#include <isobit/status.h>

typedef enum ib_row_place { IB_PLACE_ROW, IB_PLACE_MESSAGE, IB_PLACE_PART } ib_row_place;

/* Members that are read, borrowed; NULL: absent, null, or an empty list or object. */
typedef struct ib_row_values {
    struct json_object *messages, *prompt, *completion, *text; /* of a row; text also of a part */
    struct json_object *role, *content, *weight;               /* of a message */
    struct json_object *type;                                  /* of a part */
} ib_row_values;

/* Every member of the object o, or a line that names the first key that is not understood. ignore: keys that are set
 * aside, joined by commas; NULL: none. */
ib_status ib_row_read(ib_row_place place, struct json_object *o, const char *ignore, ib_row_values *out);

#endif
