/* import_onnx_table.h - what the importer understands of each ONNX operator, attribute by attribute and input by input,
 * in every version of the operator set: the rows of onnx_operators.def. Whatever a node says beyond that is refused by
 * one check before the operator's function sees it. The test of the table against the schemas of the onnx package is
 * tests/import/onnx_schemas.py. */
#ifndef IB_IMPORT_OPERATORS_IMPORT_ONNX_TABLE_H
#define IB_IMPORT_OPERATORS_IMPORT_ONNX_TABLE_H

#include <isobit/status.h>

#include "files/strbuf.h"
#include "onnx.pb-c.h"

enum { IB_ONNX_NEWEST = 28 }; /* the newest operator set whose schemas the table was held against */

/* Of the operator sets from `from` on, and before `until` (0: to this day). */
typedef struct ib_onnx_attribute {
    const char *name;
    IbOnnx__AttributeProto__Type type;
    int from, until;
    /* "*" read by the operator's function, which refuses what it cannot honour; "~" read by nobody, as it changes no
     * result that is used; "-" refused where present; else the values that are honoured, with blanks between (of lists:
     * of each element). */
    const char *values;
    int required;     /* refused where missing: the schema requires it, or its default cannot be honoured */
    const char *note; /* what to do about a refused one, why a passed one changes nothing; or NULL */
} ib_onnx_attribute;

enum {
    IB_SLOT_OPTIONAL = 1,
    IB_SLOT_KNOWN = 2, /* a constant, or computed of shapes: known at import */
    IB_SLOT_VARIADIC = 4,
    IB_SLOT_UNUSED = 8,  /* an output that may be named but not read */
    IB_SLOT_REFUSED = 16 /* may not be named at all */
};

typedef struct ib_onnx_slot {
    const char *name;
    int from, until, is;
} ib_onnx_slot;

/* What may wait on a value (ib_symbol). */
enum { IB_PADDING = 1, IB_CHANNELS_LAST = 2, IB_ROWS = 4 };

struct ib_importer;
struct ib_import_list;
typedef struct ib_onnx_operator {
    const char *name, *versions; /* first operator sets of the schemas that the row speaks of, with blanks between */
    const ib_onnx_attribute *attributes;
    const ib_onnx_slot *inputs, *outputs;
    int takes,
        passes; /* what may wait on its inputs; what of it waits on its result, then. All else is resolved before */
    ib_status (*take)(struct ib_importer *m); /* NULL: computes shapes and nothing else */
    /* what is in l, and further lists, to the result in l; 0: not possible. NULL: computes no shapes */
    int (*compute)(const struct ib_importer *m, struct ib_import_list *l);
} ib_onnx_operator;

extern const ib_onnx_operator ib_onnx_operators[]; /* ends with a row without name */
/* NULL: none of that name. */
const ib_onnx_operator *ib_onnx_operator_of(const char *name);
/* The node at work against its row. */
ib_status ib_import_check(const struct ib_importer *m, const ib_onnx_operator *o);

#endif
