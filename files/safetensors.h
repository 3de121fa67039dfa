/* safetensors.h - safetensors files, alone or the shards of a folder: u64 header length | JSON header | data. */
#ifndef IB_FILES_SAFETENSORS_H
#define IB_FILES_SAFETENSORS_H

#include <json-c/json.h>

#include "files/entry.h"
#include "files/file.h"

typedef struct ib_safetensors {
    ib_mapped *file;
    int n_files;
    ib_entry *entry;
    int64_t n_entries;
    struct json_object *metadata; /* of the first file: strings by key, or NULL */
} ib_safetensors;

/* `path` is a .safetensors file, or a folder with model.safetensors or model.safetensors.index.json and its shards. */
ib_safetensors *ib_safetensors_open(const char *path);
void ib_safetensors_close(ib_safetensors *f);                                   /* NULL is fine */
const ib_entry *ib_safetensors_find(const ib_safetensors *f, const char *name); /* NULL if there is none; no error is
                                                                                   set */

/* One tensor to write. */
typedef struct ib_safetensors_item {
    const char *name, *dtype; /* "F32", "U8" */
    int ndim;
    int64_t shape[4];
    const void *data;
    size_t bytes;
} ib_safetensors_item;
/* Header metadata are pairs key, value, ended by NULL; may be NULL. */
ib_status ib_safetensors_write(const char *path, int n, const ib_safetensors_item *items, const char *const *metadata);

/* A JSON file, whole; NULL with ib_error(). */
struct json_object *ib_json_read(const char *path);
/* The member, or NULL; absent, null and "not an object" are all NULL. */
struct json_object *ib_json_get(struct json_object *o, const char *key);
double ib_json_number(struct json_object *o, const char *key, double otherwise);
const char *ib_json_text(struct json_object *o, const char *key); /* borrowed; NULL if missing */
ib_status ib_json_write(const char *path, struct json_object *o); /* drops o */

#endif
