/* import_onnx.h - inside export/: an ONNX graph on its way into a network. */
#ifndef IB_EXPORT_IMPORT_ONNX_H
#define IB_EXPORT_IMPORT_ONNX_H

#include <stdint.h>

#include <isobit/status.h>

#include "export/text.h"
#include "onnx.pb-c.h"

enum { IB_MAX_WEIGHTS = 4096 };

/* What a name stands for: a value of the network, or a constant. */
typedef struct ib_symbol {
    const char *name;
    int value;                 /* of the network; -1: a constant */
    const Onnx__TensorProto *constant;
    int64_t shape[4];          /* of the value, [1,C,H,W] or [1,K] */
    int ndim;
    int64_t pad[4];            /* zeroes waiting for the operator behind: top, left, bottom, right */
    int channels_last;         /* a transpose to N,H,W,C is waiting */
    int64_t flat[3];           /* a row that was C,H,W and is to be taken as H,W,C; 0: no */
} ib_symbol;

/* A parameter to fill when the network stands. */
typedef struct ib_imported_weight {
    char *name;
    float *values;
    int64_t n;
} ib_imported_weight;

typedef struct ib_importer {
    const Onnx__GraphProto *g;
    const char *path;
    ib_symbol *symbols;
    int n_symbols, room;
    ib_text text;
    int steps;
    ib_imported_weight weights[IB_MAX_WEIGHTS];
    int n_weights;
    const Onnx__NodeProto *node; /* at work */
    char label[100];
} ib_importer;

/* Fails with the file, the node and why. */
ib_status ib_import_refuse(const ib_importer *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
const ib_symbol *ib_import_find(const ib_importer *m, const char *name); /* NULL: unknown */
/* A new symbol; earlier pointers to symbols end here. NULL if memory is out. */
ib_symbol *ib_import_define(ib_importer *m, const char *name);
/* One line of the network (layers/wired.h); its result is the node's, of shape [ndim]. */
ib_symbol *ib_import_line(ib_importer *m, const char *op, const char *inputs, int ndim, const int64_t *shape, const char *attributes);
/* Takes the node at work by its operator (import_onnx_ops.c, import_onnx_shapes.c). */
ib_status ib_import_node(ib_importer *m);

#endif
