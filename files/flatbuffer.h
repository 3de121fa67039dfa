/* flatbuffer.h - writes FlatBuffers (flatbuffers.dev, "internals"), from the leaves to the root.
 *
 * The buffer grows downwards: a reference is the distance of a thing from the end. Things are written before those that
 * refer to them. Running out of memory is remembered and told at the end. */
#ifndef IB_FILES_FLATBUFFER_H
#define IB_FILES_FLATBUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

typedef uint32_t ib_flat_ref; /* 0: none */

typedef struct ib_flat {
    uint8_t *buf; /* [room], the last n bytes are used */
    size_t room, n;
    int failed;
} ib_flat;

/* A field of a table: a scalar of 1, 2, 4 or 8 bytes (0: leave it out), or a reference. */
typedef struct ib_flat_field {
    int slot, bytes;
    int64_t value;
    ib_flat_ref ref;
} ib_flat_field;
#define IB_FLAT_SCALAR(slot, bytes, value) ((ib_flat_field){slot, bytes, value, 0})
#define IB_FLAT_REF(slot, ref) ((ib_flat_field){slot, 4, 0, ref}) /* ref 0: left out */

ib_flat_ref ib_flat_vector(ib_flat *f, const void *data, size_t count, size_t bytes, size_t align);
ib_flat_ref ib_flat_refs(ib_flat *f, const ib_flat_ref *refs, size_t count); /* a vector of tables or strings */
ib_flat_ref ib_flat_text(ib_flat *f, const char *text);
ib_flat_ref ib_flat_table(ib_flat *f, const ib_flat_field *fields, int n);
/* Ends with the root and a file identifier of four letters; the bytes are f->buf + f->room - f->n, aligned to 16. */
ib_status ib_flat_finish(ib_flat *f, ib_flat_ref root, const char *identifier);
void ib_flat_free(ib_flat *f);

#endif
