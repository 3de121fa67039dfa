/* import_onnx_table.c - see import_onnx_table.h */
#include "import/import_onnx_table.h"

#include <string.h>

#include "import/import_onnx.h"

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

const ib_onnx_operator ib_onnx_operators[] = {
    /* ---- products, pooling, norms ---- */
    {"Conv", "1 11 22",
     ATTRIBUTES({"auto_pad", STRING, 1, 0, "NOTSET VALID SAME_UPPER SAME_LOWER", 0, NULL},
                {"group", INT, 1, 0, "*", 0, NULL}, {"kernel_shape", INTS, 1, 0, "*", 0, NULL},
                {"pads", INTS, 1, 0, "*", 0, NULL}, {"strides", INTS, 1, 0, "*", 0, NULL},
                {"dilations", INTS, 1, 0, "1", 0, no_holes}, ),
     SLOTS({"X", 1, 0, 0}, {"W", 1, 0, KNOWN}, {"B", 1, 0, MAYBE}), SLOTS({"Y", 1, 0, 0}), IB_PADDING, 0,
     ib_import_conv},
    {"Gemm", "1 6 7 9 11 13",
     ATTRIBUTES({"alpha", FLOAT, 1, 0, "1", 0, "fold the factor into the weight"},
                {"beta", FLOAT, 1, 0, "1", 0, "fold the factor into the bias"},
                {"transA", INT, 1, 0, "0", 0, "samples lie in rows here"}, {"transB", INT, 1, 0, "0 1", 0, NULL},
                {"broadcast", INT, 1, 7, "1", 1, "a bias of the result's whole shape has no counterpart"}, ),
     SLOTS({"A", 1, 0, 0}, {"B", 1, 0, KNOWN}, {"C", 1, 11, KNOWN}, {"C", 11, 0, MAYBE}), SLOTS({"Y", 1, 0, 0}),
     IB_ROWS, 0, ib_import_gemm},
    {"MatMul", "1 9 13", NONE, SLOTS({"A", 1, 0, 0}, {"B", 1, 0, KNOWN}), SLOTS({"Y", 1, 0, 0}), IB_ROWS, 0,
     ib_import_matmul},
    {"BatchNormalization", "1 6 7 9 14 15",
     ATTRIBUTES(IN_PLACE(6){"epsilon", FLOAT, 1, 0, "*", 0, NULL},
                {"momentum", FLOAT, 1, 0, "~", 0, "of training alone"}, {"is_test", INT, 1, 7, "1", 1, no_training},
                {"spatial", INT, 1, 9, "1", 0, "statistics for each pixel have no counterpart"},
                {"training_mode", INT, 14, 0, "0", 0, no_training}, ),
     SLOTS({"X", 1, 0, 0}, {"scale", 1, 0, KNOWN}, {"B", 1, 0, KNOWN}, {"mean", 1, 14, KNOWN}, {"var", 1, 14, KNOWN},
           {"input_mean", 14, 0, KNOWN}, {"input_var", 14, 0, KNOWN}),
     SLOTS({"Y", 1, 0, 0}, {"mean", 1, 14, IB_SLOT_REFUSED}, {"var", 1, 14, IB_SLOT_REFUSED},
           {"saved_mean", 1, 14, IB_SLOT_REFUSED}, {"saved_var", 1, 14, IB_SLOT_REFUSED},
           {"running_mean", 14, 0, IB_SLOT_REFUSED}, {"running_var", 14, 0, IB_SLOT_REFUSED}),
     0, 0, ib_import_batch_norm},
    {"MaxPool", "1 8 10 11 12 22",
     ATTRIBUTES(WINDOWS(10){"storage_order", INT, 8, 0, "~", 0, "of the output Indices, which nothing may read"}, ),
     SLOTS({"X", 1, 0, 0}), SLOTS({"Y", 1, 0, 0}, {"Indices", 8, 0, IB_SLOT_UNUSED}), 0, 0, ib_import_max_pool},
    {"AveragePool", "1 7 10 11 19 22", ATTRIBUTES(WINDOWS(19){"count_include_pad", INT, 7, 0, "*", 0, NULL}, ),
     SLOTS({"X", 1, 0, 0}), SLOTS({"Y", 1, 0, 0}), IB_PADDING, 0, ib_import_avg_pool},
    {"GlobalAveragePool", "1 22", NONE, SLOTS({"X", 1, 0, 0}), SLOTS({"Y", 1, 0, 0}), 0, 0, ib_import_global_pool},
    {"ReduceMean", "1 11 13 18",
     ATTRIBUTES({"axes", INTS, 1, 18, "*", 0, NULL}, {"keepdims", INT, 1, 0, "0 1", 0, NULL},
                {"noop_with_empty_axes", INT, 18, 0, "0", 0, "a mean over nothing has no counterpart"}, ),
     SLOTS({"data", 1, 0, 0}, {"axes", 18, 0, MAYBE}), SLOTS({"reduced", 1, 0, 0}), IB_CHANNELS_LAST, 0,
     ib_import_reduce_mean},

    /* ---- element by element ---- */
    {"Relu", "1 6 13 14", ATTRIBUTES(IN_PLACE(6)), SLOTS({"X", 1, 0, 0}), SLOTS({"Y", 1, 0, 0}), ALL, ALL,
     ib_import_relu},
    {"Clip", "1 6 11 12 13",
     ATTRIBUTES(IN_PLACE(6){"min", FLOAT, 1, 11, "*", 0, NULL}, {"max", FLOAT, 1, 11, "*", 0, NULL}, ),
     SLOTS({"input", 1, 0, 0}, {"min", 11, 0, MAYBE}, {"max", 11, 0, MAYBE}), SLOTS({"output", 1, 0, 0}), ALL, ALL,
     ib_import_clip},
    {"Sigmoid", "1 6 13", ATTRIBUTES(IN_PLACE(6)), SLOTS({"X", 1, 0, 0}), SLOTS({"Y", 1, 0, 0}),
     IB_CHANNELS_LAST | IB_ROWS, IB_CHANNELS_LAST | IB_ROWS, ib_import_sigmoid},
    {"Tanh", "1 6 13", ATTRIBUTES(IN_PLACE(6)), SLOTS({"input", 1, 0, 0}), SLOTS({"output", 1, 0, 0}), ALL, ALL,
     ib_import_tanh},
    {"Softmax", "1 11 13", ATTRIBUTES({"axis", INT, 1, 0, "*", 0, NULL}, ), SLOTS({"input", 1, 0, 0}),
     SLOTS({"output", 1, 0, 0}), IB_ROWS, IB_ROWS, ib_import_softmax},
    {"Add", "1 6 7 13 14", ATTRIBUTES(BROADCAST), TWO, SLOTS({"C", 1, 0, 0}), IB_CHANNELS_LAST, IB_CHANNELS_LAST,
     ib_import_add},
    {"Sub", "1 6 7 13 14", ATTRIBUTES(BROADCAST), TWO, SLOTS({"C", 1, 0, 0}), IB_CHANNELS_LAST, IB_CHANNELS_LAST,
     ib_import_sub},
    {"Mul", "1 6 7 13 14", ATTRIBUTES(BROADCAST), TWO, SLOTS({"C", 1, 0, 0}), IB_CHANNELS_LAST, IB_CHANNELS_LAST,
     ib_import_mul},
    {"Identity", "1 13 14 16 19 21 23 24 25", NONE, SLOTS({"input", 1, 0, 0}), SLOTS({"output", 1, 0, 0}), ALL, ALL,
     ib_import_same},
    {"Dropout", "1 6 7 10 12 13 22",
     ATTRIBUTES(IN_PLACE(6){"is_test", INT, 1, 7, "1", 1, no_training},
                {"ratio", FLOAT, 1, 12, "~", 0, "of training alone"},
                {"seed", INT, 12, 0, "~", 0, "of training alone"}, ),
     SLOTS({"data", 1, 0, 0}, {"ratio", 12, 0, OPTIONAL}, {"training_mode", 12, 0, MAYBE}),
     SLOTS({"output", 1, 0, 0}, {"mask", 1, 0, IB_SLOT_UNUSED}), ALL, ALL, ib_import_dropout},
    {"Cast", "6 9 13 19 21 23 24 25 28",
     ATTRIBUTES({"to", INT, 6, 0, "*", 1, NULL},
                {"saturate", INT, 19, 0, "~", 0, "of float8, to which nothing is cast here"},
                {"round_mode", STRING, 24, 0, "~", 0, "of float8, to which nothing is cast here"}, ),
     SLOTS({"input", 1, 0, 0}), SLOTS({"output", 1, 0, 0}), ALL, ALL, ib_import_cast},

    /* ---- shapes ---- */
    {"Concat", "1 4 11 13", ATTRIBUTES({"axis", INT, 1, 4, "*", 0, NULL}, {"axis", INT, 4, 0, "*", 1, NULL}, ),
     SLOTS({"inputs", 1, 0, IB_SLOT_VARIADIC}), SLOTS({"concat_result", 1, 0, 0}), IB_CHANNELS_LAST, IB_CHANNELS_LAST,
     ib_import_concat},
    {"Flatten", "1 9 11 13 21 23 24 25", ATTRIBUTES({"axis", INT, 1, 0, "*", 0, NULL}, ), SLOTS({"input", 1, 0, 0}),
     SLOTS({"output", 1, 0, 0}), IB_CHANNELS_LAST | IB_ROWS, IB_ROWS, ib_import_flatten},
    {"Reshape", "1 5 13 14 19 21 23 24 25",
     ATTRIBUTES(IN_PLACE(5){"shape", INTS, 1, 5, "*", 1, NULL}, {"allowzero", INT, 14, 0, "*", 0, NULL}, ),
     SLOTS({"data", 1, 0, 0}, {"shape", 5, 0, KNOWN}), SLOTS({"reshaped", 1, 0, 0}), IB_CHANNELS_LAST | IB_ROWS,
     IB_ROWS, ib_import_reshape},
    {"Squeeze", "1 11 13 21 23 24 25", ATTRIBUTES(AXES_BEFORE(13, 0)), SLOTS({"data", 1, 0, 0}, {"axes", 13, 0, MAYBE}),
     SLOTS({"squeezed", 1, 0, 0}), IB_CHANNELS_LAST, 0, ib_import_squeeze},
    {"Transpose", "1 13 21 23 24 25", ATTRIBUTES({"perm", INTS, 1, 0, "*", 0, NULL}, ), SLOTS({"data", 1, 0, 0}),
     SLOTS({"transposed", 1, 0, 0}), ALL, IB_ROWS, ib_import_transpose},
    {"Pad", "1 2 11 13 18 19 21 23 24 25",
     ATTRIBUTES({"mode", STRING, 1, 0, "constant", 0, "only zeroes have a counterpart"},
                {"paddings", INTS, 1, 2, "*", 1, NULL}, {"pads", INTS, 2, 11, "*", 1, NULL},
                {"value", FLOAT, 1, 11, "0", 0, "only zeroes have a counterpart"}, ),
     SLOTS({"data", 1, 0, 0}, {"pads", 11, 0, KNOWN}, {"constant_value", 11, 0, MAYBE}, {"axes", 18, 0, MAYBE}),
     SLOTS({"output", 1, 0, 0}), ALL, IB_ROWS, ib_import_pad},
    {"Constant", "1 9 11 12 13 19 21 23 24 25",
     ATTRIBUTES({"value", TENSOR, 1, 11, "*", 1, NULL}, {"value", TENSOR, 11, 0, "*", 0, NULL},
                {"sparse_value", SPARSE, 11, 0, "-", 0, "write it as a dense tensor"},
                {"value_float", FLOAT, 12, 0, "*", 0, NULL}, {"value_floats", FLOATS, 12, 0, "*", 0, NULL},
                {"value_int", INT, 12, 0, "*", 0, NULL}, {"value_ints", INTS, 12, 0, "*", 0, NULL},
                {"value_string", STRING, 12, 0, "-", 0, "text has no counterpart"},
                {"value_strings", STRINGS, 12, 0, "-", 0, "text has no counterpart"}, ),
     SLOTS({0}), SLOTS({"output", 1, 0, 0}), 0, 0, ib_import_constant},

    /* ---- computations with shapes alone ---- */
    {"Shape", "1 13 15 19 21 23 24 25",
     ATTRIBUTES({"start", INT, 15, 0, "*", 0, NULL}, {"end", INT, 15, 0, "*", 0, NULL}, ), SLOTS({"data", 1, 0, 0}),
     SLOTS({"shape", 1, 0, 0}), ALL, 0, NULL},
    {"ConstantOfShape", "9 20 21 23 24 25",
     ATTRIBUTES({"value", TENSOR, 9, 0, "*", 1, "zeroes of float32 are no computation with shapes"}, ),
     SLOTS({"input", 9, 0, KNOWN}), SLOTS({"output", 9, 0, 0}), 0, 0, NULL},
    {"Gather", "1 11 13", ATTRIBUTES({"axis", INT, 1, 0, "0 -1", 0, "of a list there is one axis"}, ),
     SLOTS({"data", 1, 0, KNOWN}, {"indices", 1, 0, KNOWN}), SLOTS({"output", 1, 0, 0}), 0, 0, NULL},
    {"Slice", "1 10 11 13",
     ATTRIBUTES({"starts", INTS, 1, 10, "*", 1, NULL}, {"ends", INTS, 1, 10, "*", 1, NULL},
                {"axes", INTS, 1, 10, "*", 0, NULL}, ),
     SLOTS({"data", 1, 0, KNOWN}, {"starts", 10, 0, KNOWN}, {"ends", 10, 0, KNOWN}, {"axes", 10, 0, MAYBE},
           {"steps", 10, 0, MAYBE}),
     SLOTS({"output", 1, 0, 0}), 0, 0, NULL},
    {"Unsqueeze", "1 11 13 21 23 24 25", ATTRIBUTES(AXES_BEFORE(13, 1)),
     SLOTS({"data", 1, 0, KNOWN}, {"axes", 13, 0, KNOWN}), SLOTS({"expanded", 1, 0, 0}), 0, 0, NULL},
    {"Div", "1 6 7 13 14", ATTRIBUTES(BROADCAST), SLOTS({"A", 1, 0, KNOWN}, {"B", 1, 0, KNOWN}), SLOTS({"C", 1, 0, 0}),
     0, 0, NULL},
    {"ReduceProd", "1 11 13 18",
     ATTRIBUTES(AXES_BEFORE(18, 0){"keepdims", INT, 1, 0, "0 1", 0, NULL},
                {"noop_with_empty_axes", INT, 18, 0, "0", 0, "a product over nothing has no counterpart"}, ),
     SLOTS({"data", 1, 0, KNOWN}, {"axes", 18, 0, MAYBE}), SLOTS({"reduced", 1, 0, 0}), 0, 0, NULL},
    {0}};

const ib_onnx_operator *ib_onnx_operator_of(const char *name)
{
    for (const ib_onnx_operator *o = ib_onnx_operators; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}
