/* importer.h - inside import/: an ONNX graph on its way into a network; what its nodes and names say, and the lines
 * that come of them. */
#ifndef IB_IMPORT_GRAPH_IMPORTER_H
#define IB_IMPORT_GRAPH_IMPORTER_H

#include <stdint.h>

#include <isobit/layer.h>

#include "files/strbuf.h"
#include "onnx.pb-c.h"

enum { IB_MAX_WEIGHTS = 4096, IB_MAX_INTEGERS = 16, IB_MAX_KINDS = 20 };
#define IB_BATCH INT64_MIN /* among computed integers: the size of a batch, which nothing here depends on */

/* What a name stands for: a value of the network, or a constant. */
typedef struct ib_symbol {
    const char *name;
    int value; /* of the network; -1: a constant */
    const IbOnnx__TensorProto *constant;
    int type;                          /* of a constant or of integers (TensorProto.DataType) */
    int64_t integers[IB_MAX_INTEGERS]; /* computed of shapes */
    int n_integers, rank, columns;     /* rank 0: a number, 1: a list, 2: a table of so many columns */
    int64_t shape[4];                  /* of the value, [1,C,H,W] or [1,K] */
    int ndim;
    /* What waits for the operator behind (operators/import_onnx_waiting.c): */
    int64_t pad[4];               /* zeroes: top, left, bottom, right */
    int channels_last;            /* the file's value is N,H,W,C, ours N,C,H,W */
    int64_t flat[3];              /* a row in the order C,H,W, which the file has as H,W,C; 0: no */
    const char *pad_by, *last_by; /* names of the nodes that said so */
} ib_symbol;

/* A parameter to fill when the network stands. */
typedef struct ib_imported_weight {
    char *name;
    float *values;
    int64_t n;
} ib_imported_weight;

typedef struct ib_importer {
    const IbOnnx__GraphProto *g;
    const char *path;
    ib_device *dev; /* that the network is run on once */
    int opset;
    int64_t batch;        /* that the input declares; 0: any */
    int input_last;       /* the input is taken as N,H,W,C */
    const char *input_by; /* what last_by says of such an input */
    int refuted;          /* a node contradicts that reading */
    ib_symbol *symbols;
    int n_symbols, room;
    ib_strbuf text;
    int steps;
    int affine; /* the last line that is a scale and shift by channel, and the result's name; or 0 */
    const char *affine_result;
    ib_imported_weight weights[IB_MAX_WEIGHTS];
    int n_weights;
    IbOnnx__TensorProto
        *reshaped[IB_MAX_WEIGHTS]; /* constants of the graph with other dimensions, owned but for their data */
    int n_reshaped;
    const IbOnnx__NodeProto *node; /* at work */
    size_t at;                     /* its number */
    double elements, products;     /* of all values of one sample, and what convolutions multiply for it */
    unsigned char *joined;         /* of each node: it went into an earlier one */
    struct {
        const char *name;
        int count;
    } kinds[IB_MAX_KINDS]; /* of layers */
    char label[40];
} ib_importer;

/* ---- what a node says (import_onnx_node.c) ---- */
/* Fails with the file, the node and why. */
ib_status ib_import_refuse(const ib_importer *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The node's own name, or that of its first output. */
const char *ib_import_node_name(const IbOnnx__NodeProto *n);
/* The node at work went into an earlier one. */
int ib_import_is_joined(const ib_importer *m);
/* NULL: the node has none of that name. */
const IbOnnx__AttributeProto *ib_import_attribute(const ib_importer *m, const char *name);
int64_t ib_import_integer(const ib_importer *m, const char *name, int64_t otherwise);
float ib_import_real(const ib_importer *m, const char *name, float otherwise);
/* n integers from 0 to 4096 of an attribute; all `otherwise` if it is missing. */
ib_status ib_import_integers(const ib_importer *m, const char *name, int n, int64_t otherwise, int64_t *to);
/* Refuses a message that holds fields of which onnx.proto says nothing. */
ib_status ib_import_check_fields(const ib_importer *m, const ProtobufCMessage *message);
/* The only node that works with the result *name; what just names it anew is passed by, and *name becomes what that
 * node reads. NULL if there are more or none. */
const IbOnnx__NodeProto *ib_import_reader(const ib_importer *m, const char **name);

/* ---- what names stand for (import_onnx_symbols.c) ---- */
/* NULL: unknown. */
const ib_symbol *ib_import_find(const ib_importer *m, const char *name);
/* What the node's first output stands for; NULL: nothing yet. */
ib_symbol *ib_import_result(ib_importer *m);
/* A new symbol; earlier pointers to symbols end here. NULL if memory is out. */
ib_symbol *ib_import_define(ib_importer *m, const char *name);
/* Another name for what x is. */
ib_status ib_import_name(ib_importer *m, const ib_symbol *x, const char *name);
/* Input i; NULL: missing or unknown. */
const ib_symbol *ib_import_input(const ib_importer *m, size_t i);
/* Input i, a value of the network; NULL with ib_error(). */
const ib_symbol *ib_import_value(const ib_importer *m, size_t i);

/* ---- constants (import_onnx_constants.c) ---- */
/* Elements; -1: too many. */
int64_t ib_import_count(const IbOnnx__TensorProto *t);
/* The elements of a constant of float32, yours to ib_free; NULL with ib_error(). */
float *ib_import_reals(const ib_importer *m, const ib_symbol *s, int64_t *n);
/* The constant that input i is, as n reals, yours to ib_free; NULL with ib_error(). */
float *ib_import_parameter(ib_importer *m, size_t i, int64_t n);
/* A constant that is one row of n: [n], [1,n]. */
int ib_import_is_row(const IbOnnx__TensorProto *t, int64_t n);
/* A constant of the given type, dimensions and data of `from` (NULL: none), and another name for what it is; NULL if
 * memory is out. */
IbOnnx__TensorProto *ib_import_new_constant(ib_importer *m, const IbOnnx__TensorProto *from, size_t n_dims,
                                            const int64_t *dims);

/* ---- lists of integers (import_onnx_integers.c) ---- */
/* The elements of a constant of int32 or int64, at most IB_MAX_INTEGERS; their number, or -1. */
int ib_import_integers_stored(const IbOnnx__TensorProto *t, int64_t *to);
/* The integers that s, or input i, is, constant or computed, at most IB_MAX_INTEGERS; their number, or -1. */
int ib_import_integers_in(const ib_symbol *s, int64_t *to);
int ib_import_integers_of(const ib_importer *m, size_t i, int64_t *to);
/* The integers of attribute `name`, or of input i where there is none of that name. */
int ib_import_list_of(const ib_importer *m, const char *name, size_t i, int64_t *to);

/* ---- the network's lines (import_onnx_lines.c) ---- */
/* One line of the network (layers/wired.h); its result is the node's, of shape [ndim]. */
ib_symbol *ib_import_line(ib_importer *m, const char *op, const char *inputs, int ndim, const int64_t *shape,
                          const char *attributes);
/* Values of the last line's parameter; takes them, also on failure. */
ib_status ib_import_keep(ib_importer *m, const char *parameter, float *values, int64_t n);
/* The number of a value as text in buf [16]. */
char *ib_import_of(char *buf, const ib_symbol *s);

#endif
