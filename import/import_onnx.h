/* import_onnx.h - inside import/: a model and the network that comes of it, each as a whole. */
#ifndef IB_IMPORT_IMPORT_ONNX_H
#define IB_IMPORT_IMPORT_ONNX_H

#include "import/graph/importer.h"

/* ---- what lies outside of the file (import_onnx_external.c) ---- */
ib_status ib_import_external(const char *path, IbOnnx__GraphProto *g);

/* ---- model and graph (import_onnx_model.c) ---- */
/* For protobuf-c's blocks: the library's own memory. */
ProtobufCAllocator ib_import_memory(void);
/* The operator set, functions, fields and tensors of other kinds, names that stand twice. */
ib_status ib_import_check_model(ib_importer *m, const IbOnnx__ModelProto *model);

/* ---- the network that came of it against what the file says (import_onnx_run.c) ---- */
ib_status ib_import_compare(const ib_importer *m, ib_layer *net);

#endif
