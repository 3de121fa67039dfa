/* row_keys.h - inside lm/: the members of a row, a message or a part of its content, by the table row_keys.def. */
#ifndef IB_LM_SAMPLES_ROW_KEYS_H
#define IB_LM_SAMPLES_ROW_KEYS_H

#include <json-c/json.h>

#include <isobit/status.h>

typedef enum ib_row_place { IB_PLACE_ROW, IB_PLACE_MESSAGE, IB_PLACE_PART } ib_row_place;

/* Members that are read, borrowed; NULL: absent, null, or an empty list or object. */
typedef struct ib_row_values {
    struct json_object *messages, *prompt, *completion, *text; /* of a row; text also of a part */
    struct json_object *instruction, *input, *output, *context, *response, *conversations, *system;
    struct json_object *tools, *documents, *chat_template_kwargs;
    struct json_object *role, *content, *weight; /* of a message */
    struct json_object *tool_calls, *tool_call_id, *name, *reasoning_content, *reasoning, *thinking;
    struct json_object *type; /* of a part */
    struct json_object *none; /* never there */
} ib_row_values;

/* Keys that are set aside, joined by commas (NULL: none), and which of them some object had: bit i the i-th. columns:
 * other names of a row's keys, KEY=NAME joined by commas (NULL: none), and which of them some row had. */
typedef struct ib_row_ignore {
    const char *list;
    uint64_t met;
    const char *columns;
    uint64_t mapped;
    uint64_t unused; /* bit i: some object has ib_row_unused_key(i) */
} ib_row_ignore;

/* Whether a member is null, an empty list or an empty object; whether its key is to be set aside, which is noted. */
int ib_row_says_nothing(struct json_object *v);
int ib_row_set_aside(ib_row_ignore *ignore, const char *name);
/* Every member of the object o, or a line that names the first key that is not understood. */
ib_status ib_row_read(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, ib_row_values *out);
/* Its two halves: the members that are read, and the line that names a key that is not understood; and that line for
 * keys that are known and refused alone. */
ib_status ib_row_collect(ib_row_place place, struct json_object *o, ib_row_ignore *ignore, ib_row_values *out);
ib_status ib_row_check(ib_row_place place, struct json_object *o, ib_row_ignore *ignore);
ib_status ib_row_refused(ib_row_place place, struct json_object *o, ib_row_ignore *ignore);
/* Whether `columns` can be: KEY=NAME, ..., each KEY one that is read of rows. */
ib_status ib_row_columns_check(const char *columns);

#endif
