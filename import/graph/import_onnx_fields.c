/* import_onnx_fields.c - fields of a newer format than onnx.proto is of. */
#include <string.h>

#include "base/error.h"
#include "import/graph/importer.h"

/* Fields that onnx.proto does not know, in a message and all within it but for nodes, which are looked at when their
 * turn comes. */
static unsigned unknown_field(const ProtobufCMessage *message, const char **where)
{
    const ProtobufCMessageDescriptor *d = message->descriptor;
    *where = d->short_name;
    if (message->n_unknown_fields)
        return message->unknown_fields[0].tag;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const char *at = (const char *)message + f->offset;
        if (f->type != PROTOBUF_C_TYPE_MESSAGE || !strcmp(f->name, "node") || !strcmp(f->name, "functions"))
            continue;
        const int list = f->label == PROTOBUF_C_LABEL_REPEATED;
        const size_t n = list ? *(const size_t *)((const char *)message + f->quantifier_offset)
                              : *(ProtobufCMessage *const *)at != NULL;
        ProtobufCMessage *const *part = list ? *(ProtobufCMessage *const *const *)at : (ProtobufCMessage *const *)at;
        for (size_t k = 0; k < n; k++) {
            const unsigned tag = unknown_field(part[k], where);
            if (tag)
                return tag;
        }
    }
    return 0;
}

ib_status ib_import_check_fields(const ib_importer *m, const ProtobufCMessage *message)
{
    const char *where;
    const unsigned tag = unknown_field(message, &where);
    if (!tag)
        return IB_OK;
    return m->node ? ib_import_refuse(m, "field %u of its %s is not understood", tag, where)
                   : ib_fail(IB_EUNSUPPORTED, "%s: field %u of its %s is not understood", m->path, tag, where);
}
