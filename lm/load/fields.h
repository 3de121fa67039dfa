/* fields.h - inside lm/: what the fields of a file may say. One table for each kind of file: config_fields.def
 * (config.json), gguf_fields.def (metadata of GGUF files) and adapter_fields.def (adapter_config.json). A field is
 * read, or has the only values that can be honoured, or cannot change a number, with the reason; a field that no row
 * names is refused. */
#ifndef IB_LM_LOAD_FIELDS_H
#define IB_LM_LOAD_FIELDS_H

#include "lm/lm.h"

typedef enum ib_field_kind {
    IB_FIELD_INT,     /* an int at `at`; null leaves it */
    IB_FIELD_INT0,    /* an int; null is 0 */
    IB_FIELD_REAL,    /* a double; null leaves it */
    IB_FIELD_REAL0,   /* a double; null is 0 */
    IB_FIELD_FLAG,    /* an int, 0 or 1; null leaves it */
    IB_FIELD_TEXT,    /* const char *, borrowed (JSON alone) */
    IB_FIELD_NODE,    /* the value itself, borrowed: struct json_object * or const ib_gguf_kv *; its reader checks it */
    IB_FIELD_ONLY,    /* one of `only`, values as JSON joined by | */
    IB_FIELD_FREE,    /* any value */
    IB_FIELD_REFUSED, /* no value */
} ib_field_kind;

typedef struct ib_field {
    const char *key; /* a last * stands for any ending, {arch} for the architecture's name */
    unsigned archs;  /* architectures that have it: bits by place in archs.def */
    ib_field_kind kind;
    size_t at;
    const char *only, *why;
} ib_field;

typedef struct ib_field_table {
    const char *name; /* the kind of file */
    const ib_field *field;
    int n;
} ib_field_table;
extern const ib_field_table ib_config_fields, ib_gguf_fields, ib_adapter_fields, ib_gguf_adapter_fields;

/* What the macros of the tables mean, for IB_FIELD_STRUCT, the type that is read into. */
#define IB_L 1u   /* llama */
#define IB_M 2u   /* mistral */
#define IB_Q2 4u  /* qwen2 */
#define IB_Q3 8u  /* qwen3 */
#define IB_G 16u  /* gemma3 */
#define IB_G2 32u /* gemma2 */
#define IB_O2 64u /* olmo2 */
#define IB_ALL 127u
#define READ(key, archs, kind, member, why) {key, archs, IB_FIELD_##kind, offsetof(IB_FIELD_STRUCT, member), NULL, why},
#define ONLY(key, archs, values, why) {key, archs, IB_FIELD_ONLY, 0, values, why},
#define FREE(key, why) {key, IB_ALL, IB_FIELD_FREE, 0, NULL, why},
#define REFUSED(key, why) {key, IB_ALL, IB_FIELD_REFUSED, 0, NULL, why},

/* Every member of the object against the rows whose key is prefix + member's name; what is read goes into `into`.
 * archs: the model's bit. file: for errors. */
ib_status ib_fields_json(const ib_field_table *t, unsigned archs, const char *file, const char *prefix,
                         struct json_object *o, void *into);
/* Every key of a GGUF file of architecture `arch` ("": no key is an architecture's); a key that stands twice is
 * refused. */
ib_status ib_fields_gguf(const ib_field_table *t, unsigned archs, const char *arch, const ib_gguf *f, void *into);
const char *ib_field_kind_name(ib_field_kind kind);

#endif
