/* import_onnx_table.c - see import_onnx_table.h */
#include "import/operators/import_onnx_table.h"

#include <string.h>

#include "import/operators/import_onnx_operators.h"

#define FLOAT IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOAT
#define INT IB_ONNX__ATTRIBUTE_PROTO__TYPE__INT
#define STRING IB_ONNX__ATTRIBUTE_PROTO__TYPE__STRING
#define TENSOR IB_ONNX__ATTRIBUTE_PROTO__TYPE__TENSOR
#define FLOATS IB_ONNX__ATTRIBUTE_PROTO__TYPE__FLOATS
#define INTS IB_ONNX__ATTRIBUTE_PROTO__TYPE__INTS
#define STRINGS IB_ONNX__ATTRIBUTE_PROTO__TYPE__STRINGS
#define SPARSE IB_ONNX__ATTRIBUTE_PROTO__TYPE__SPARSE_TENSOR

#define ATTRIBUTES(...)                                                                                                \
    (const ib_onnx_attribute[])                                                                                        \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define SLOTS(...)                                                                                                     \
    (const ib_onnx_slot[])                                                                                             \
    {                                                                                                                  \
        __VA_ARGS__,                                                                                                   \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
#define NONE ATTRIBUTES()
#define IN_PLACE(until) {"consumed_inputs", INTS, 1, until, "~", 0, "a hint about memory"},

#define OPTIONAL IB_SLOT_OPTIONAL
#define KNOWN IB_SLOT_KNOWN
#define MAYBE (IB_SLOT_KNOWN | IB_SLOT_OPTIONAL)
#define ALL (IB_PADDING | IB_CHANNELS_LAST | IB_ROWS)

static const char no_holes[] = "windows with holes have no counterpart";
static const char no_training[] = "export the model in evaluation mode";

#define WINDOWS(dilations_since)                                                                                       \
    {"auto_pad", STRING, 1, 0, "NOTSET VALID SAME_UPPER SAME_LOWER", 0, NULL},                                         \
        {"kernel_shape", INTS, 1, 0, "*", 1, NULL}, {"pads", INTS, 1, 0, "*", 0, NULL},                                \
        {"strides", INTS, 1, 0, "*", 0, NULL}, {"dilations", INTS, dilations_since, 0, "1", 0, no_holes},              \
        {"ceil_mode", INT, 10, 0, "*", 0, NULL},

/* Before version 7, two inputs of other than equal shapes needed these. */
#define BROADCAST                                                                                                      \
    IN_PLACE(6){"broadcast", INT, 1, 7, "0 1", 0, NULL},                                                               \
        {"axis", INT, 1, 7, "-", 0, "convert the model to operator set 13 (onnx.version_converter)"},
#define TWO SLOTS({"A", 1, 0, 0}, {"B", 1, 0, 0})
#define AXES_BEFORE(until, required) {"axes", INTS, 1, until, "*", required, NULL},

#define VALUES(name, take, ...) {#name, __VA_ARGS__, ib_import_##take, NULL},
#define SHAPES(name, compute, ...) {#name, __VA_ARGS__, NULL, ib_compute_##compute},
#define BOTH(name, take, compute, ...) {#name, __VA_ARGS__, ib_import_##take, ib_compute_##compute},
const ib_onnx_operator ib_onnx_operators[] = {
#include "import/operators/onnx_operators.def"
    {0}};
#undef VALUES
#undef SHAPES
#undef BOTH

const ib_onnx_operator *ib_onnx_operator_of(const char *name)
{
    for (const ib_onnx_operator *o = ib_onnx_operators; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}
