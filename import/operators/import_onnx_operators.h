/* import_onnx_operators.h - inside import/: the node at work as its row of onnx_operators.def has it. */
#ifndef IB_IMPORT_OPERATORS_IMPORT_ONNX_OPERATORS_H
#define IB_IMPORT_OPERATORS_IMPORT_ONNX_OPERATORS_H

#include "import/graph/importer.h"
#include "import/operators/import_onnx_table.h"

/* What a node that computes with shapes works on: a list of n, or a table of `columns`. */
typedef struct ib_import_list {
    int64_t a[IB_MAX_INTEGERS];
    int n, rank, columns, type;
} ib_import_list;

/* ---- what waits on values (import_onnx_waiting.c) ---- */
int ib_import_is_padded(const ib_symbol *x);
/* Brings the inputs of the node at work into what its row takes, or refuses. */
ib_status ib_import_resolve(ib_importer *m, const ib_onnx_operator *o);
/* The node at work by its row's function, its inputs resolved; what the row passes on waits on the result. */
ib_status ib_import_take(ib_importer *m, const ib_onnx_operator *o);
/* A row of that name may stay in the order C,H,W though the file has H,W,C: all that read it are told. */
int ib_import_rows_may_wait(const ib_importer *m, const char *name);
/* Dimensions that the value has in the file, IB_BATCH first; their number. */
int ib_import_view(const ib_symbol *x, int64_t *dims);

/* ---- computations with shapes (import_onnx_compute.c) ---- */
int ib_import_computes_integers(const ib_importer *m); /* the node does */
/* The node reshapes a constant. */
int ib_import_reshapes_constant(const ib_importer *m);
ib_status ib_import_reshape_constant(ib_importer *m);
ib_status ib_import_compute(ib_importer *m);

/* ---- operators: a row of onnx_operators.def each ---- */
#define VALUES(name, take, ...) ib_status ib_import_##take(ib_importer *m);
#define SHAPES(name, compute, ...) int ib_compute_##compute(const ib_importer *m, ib_import_list *l);
#define BOTH(name, take, compute, ...) VALUES(name, take, ) SHAPES(name, compute, )
#include "import/operators/onnx_operators.def"
#undef VALUES
#undef SHAPES
#undef BOTH

#endif
