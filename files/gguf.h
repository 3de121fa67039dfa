/* gguf.h - GGUF version 3: read from a mapped file, written piece by piece.
 *
 * "GGUF" | u32 3 | u64 tensors | u64 key-values | key-values | tensor infos | padding | data. Little-endian; strings
 * are u64 length and bytes. ggml's docs/gguf.md is the specification. Dimensions are stored fastest first there. */
#ifndef IB_FILES_GGUF_H
#define IB_FILES_GGUF_H

#include "files/entry.h"
#include "files/file.h"

typedef enum ib_gguf_type {
    IB_GGUF_U8,
    IB_GGUF_I8,
    IB_GGUF_U16,
    IB_GGUF_I16,
    IB_GGUF_U32,
    IB_GGUF_I32,
    IB_GGUF_F32,
    IB_GGUF_BOOL,
    IB_GGUF_STRING,
    IB_GGUF_ARRAY,
    IB_GGUF_U64,
    IB_GGUF_I64,
    IB_GGUF_F64
} ib_gguf_type;

typedef struct ib_gguf_kv {
    char *key;
    ib_gguf_type type, of; /* of: an array's elements */
    int64_t n;             /* an array's length, else 1 */
    const uint8_t *value;  /* the first element, in the file */
    size_t bytes;          /* of all elements */
} ib_gguf_kv;

typedef struct ib_gguf {
    ib_mapped file;
    char *path;
    ib_gguf_kv *kv;
    int64_t n_kv;
    ib_entry *entry;
    int64_t n_entries;
    struct ib_gguf **part; /* the further files of one in parts, whose entries are above */
    int n_parts;
} ib_gguf;

/* Everything is checked against the file's size before it is believed; NULL with ib_error(). The first of several parts
 * brings the others: NAME-00001-of-0000N.gguf. */
ib_gguf *ib_gguf_open(const char *path);
ib_gguf *ib_gguf_open_part(const char *path); /* this file alone */
void ib_gguf_close(ib_gguf *f);               /* NULL is fine */

const ib_gguf_kv *ib_gguf_find(const ib_gguf *f, const char *key);  /* NULL if there is none; no error is set */
const ib_entry *ib_gguf_tensor(const ib_gguf *f, const char *name); /* NULL if there is none; no error is set */
/* A number of any type, or `otherwise` if the key is missing or not a number. */
double ib_gguf_number(const ib_gguf *f, const char *key, double otherwise);
double ib_gguf_element(const ib_gguf_kv *kv, int64_t i);
/* A copy, or NULL if the key is missing or not a string (no error is set), or memory is out. */
char *ib_gguf_string(const ib_gguf *f, const char *key);
/* Walks the strings of an array: *at is 0 at first; NULL behind the last. The bytes are not terminated. */
const char *ib_gguf_next_string(const ib_gguf_kv *kv, size_t *at, size_t *length);

/* ---- writing: all key-values, then all tensor infos, then the data in the same order ---- */
typedef struct ib_gguf_writer {
    uint8_t *head;
    size_t size, room;
    int64_t n_kv, n_tensors;
    uint64_t offset; /* of the next tensor */
    int failed;
} ib_gguf_writer;

void ib_gguf_put_kv(ib_gguf_writer *w, const ib_gguf_kv *kv);
void ib_gguf_put_string(ib_gguf_writer *w, const char *key, const char *value);
void ib_gguf_put_u32(ib_gguf_writer *w, const char *key, uint32_t value);
void ib_gguf_put_f32(ib_gguf_writer *w, const char *key, float value);
void ib_gguf_put_bool(ib_gguf_writer *w, const char *key, int value);
void ib_gguf_put_f32s(ib_gguf_writer *w, const char *key, int64_t n, const float *value);
void ib_gguf_put_i32s(ib_gguf_writer *w, const char *key, int64_t n, const int32_t *value);
/* n strings, string i of length[i] bytes at text[i] */
void ib_gguf_put_strings(ib_gguf_writer *w, const char *key, int64_t n, const char *const *text, const int *length);
/* shape: slowest first */
void ib_gguf_put_tensor(ib_gguf_writer *w, const char *name, int ndim, const int64_t *shape, const ib_storage *f);
/* Starts the file with what was put; then each tensor's bytes by ib_gguf_data; then ib_file_writer_finish. */
ib_file_writer *ib_gguf_start(ib_gguf_writer *w, const char *path);
void ib_gguf_data(ib_file_writer *w, const void *bytes, size_t size);
void ib_gguf_writer_release(ib_gguf_writer *w);

#endif
