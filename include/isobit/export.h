/* export.h - from a trained network to what ships: the integer program and its printers. */
#ifndef ISOBIT_EXPORT_H
#define ISOBIT_EXPORT_H

#include <isobit/api.h>
#include <isobit/optim.h>
#include <isobit/qat.h>

IB_BEGIN_API

/* ---- integer programs ---- */
typedef struct ib_program ib_program;

/* Writes down the integer operators that an evaluation of the network runs, with their constants. The network must be
 * in IB_FROZEN and is in IB_EXPORTED afterwards. An operator in fp32 between integer ones is an error that names it;
 * a softmax at the very end is left to the caller. */
ib_program *ib_program_lower(ib_layer *net, ib_graph *g); /* keeps nothing of the network and the graph */
/* The same without moving on to IB_EXPORTED: for looking, and for programs of several rounding profiles. */
ib_program *ib_program_of(ib_layer *net, ib_graph *g);
/* Opens what ib_export_hdf5 wrote (`isobit export --to hdf5`): the same program, without the network. What the file
 * says is checked, so that no input makes it overflow or leave its memory. NULL with ib_error() naming the file and
 * the layer; IB_EUNSUPPORTED: a checkpoint. */
ib_program *ib_program_open(const char *path);
void ib_program_free(ib_program *p); /* NULL is fine */

const ib_input_info *ib_program_input_info(const ib_program *p); /* of images before normalization (layer.h) */
const ib_schema *ib_program_schema(const ib_program *p);         /* the network's (schema.h), or NULL; borrowed */
int64_t ib_program_input_size(const ib_program *p);              /* codes of one sample */
int64_t ib_program_output_size(const ib_program *p);
int ib_program_output_shape(const ib_program *p, int64_t shape[4]); /* of one sample as a batch, [1,...]; returns the
                                                                       dimensions */
int ib_program_leaves_softmax(const ib_program *p); /* 1: the network ends with one, which its dequantized outputs
                                                        lack */
const char *ib_program_note(const ib_program *p);   /* the same in words; "" if nothing is left out */

/* Codes of normalized inputs x[n,input_size] by the program's first scale; what lies beyond the codes becomes the last
 * one. IB_ENUMERIC, naming the value, where one is not finite, which no code says: there are no codes then. */
ib_status ib_program_quantize(const ib_program *p, ib_device *dev, int64_t n, const float *x, int8_t *codes);
/* The program as a picture in Graphviz's language, a box for each value with the instruction that makes it. */
ib_status ib_program_dot(const ib_program *p, const char *path);
/* out[n,output_size] = program(in[n,input_size]), on the device's integer kernels, or the best CPU's where the device
 * is none: programs compute in the host's memory. A runner for one call. */
ib_status ib_program_run(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out);
/* A program made ready for one device: constants packed for its kernels, memory planned for up to `batch` samples, so
 * that a run allocates nothing. The program must outlive it. A runner serves one thread at a time; several may share
 * a program. */
typedef struct ib_runner ib_runner;
ib_runner *ib_runner_new(const ib_program *p, ib_device *dev, int64_t batch);
ib_status ib_runner_run(ib_runner *r, int64_t n, const int8_t *in, int8_t *out); /* 0 <= n <= batch */
void ib_runner_free(ib_runner *r);                                               /* NULL is fine */

/* real = scale * (code - zero) of the outputs */
float ib_program_output_scale(const ib_program *p);
int ib_program_output_zero(const ib_program *p);

/* One line of the report for each instruction. */
typedef struct ib_program_layer {
    const char *name, *op;
    int weight_bits;
    int64_t flash;     /* bytes of constants */
    int64_t ram;       /* bytes of the arena alive while it runs */
    int64_t macs;      /* multiply-accumulates for one sample */
    int64_t acc_bound; /* no accumulator can exceed this; proven from the weights */
    int64_t outputs;
} ib_program_layer;
int ib_program_layer_count(const ib_program *p);
ib_program_layer ib_program_layer_at(const ib_program *p, int i);
int64_t ib_program_arena(const ib_program *p); /* bytes of RAM, without input and output */

/* Samples that an exported program tests itself with: codes, and what ib_program_run makes of them. */
typedef struct ib_vectors {
    int64_t n;
    const int8_t *samples;  /* [n,input_size] */
    const int8_t *expected; /* [n,output_size] */
} ib_vectors;
/* Writes <dir>/<name>.h and <dir>/<name>.c: C99, integers only, <stdint.h> only, no allocation; with the vectors as a
 * self-test (NULL: without). The program is not run: the device quantizes inputs alone. `name` must be a C identifier.
 */
ib_status ib_export_c(const ib_program *p, ib_device *dev, const char *dir, const char *name,
                      const ib_vectors *vectors);
/* Writes the program as an HDF5 file: a group an instruction, weights as plain bytes. ib_program_open reads it. */
ib_status ib_export_hdf5(const ib_program *p, const char *path);

/* ONNX (operator set 21), for profiles fp32_rne and xnnpack: what ONNX Runtime then computes is the same integers.
 * Input: normalized fp32 [batch,C,H,W]; output: fp32, the dequantized codes. IB_EUNSUPPORTED names a layer that has
 * no exact form. */
typedef struct ib_onnx_opts {
    int qdq;          /* DequantizeLinear and QuantizeLinear around float operators; else QLinearConv and the like */
    int int4_as_int8; /* write 4-bit weights as int8 */
} ib_onnx_opts;
ib_status ib_export_onnx(const ib_program *p, const char *path, const char *name, const ib_onnx_opts *opts);

/* A TFLite flatbuffer, int8 in and out, N,H,W,C. Profile tflite_double is that of TFLite's own and CMSIS-NN's kernels,
 * xnnpack that of XNNPACK (and fp32_rne, where nothing is added). IB_EUNSUPPORTED names a layer that has no exact
 * form. */
typedef struct ib_tflite_opts {
    int int4_as_int8; /* write 4-bit weights as int8; else only tflite_double has them as 4 bits: XNNPACK has no
                         kernels for them */
} ib_tflite_opts;
ib_status ib_export_tflite(const ib_program *p, const char *path, const char *name, const ib_tflite_opts *opts);

/* ---- verification: training = evaluation = integer runtime = compiled C, code for code ---- */
typedef struct ib_verify_layer {
    const char *name, *op;
    int64_t codes;                    /* compared, per engine */
    int64_t train, runtime, compiled; /* codes that differ from evaluation's */
} ib_verify_layer;

typedef struct ib_verify_opts {
    const char *cc;    /* compiler of the exported C; NULL means the environment's CC or cc */
    const char *flags; /* NULL means "-O3" */
    int skip_compiled;
    int batch; /* 0 means 100 */
    void (*progress)(void *context, int64_t done, int64_t total);
    void *context;
} ib_verify_opts;

typedef struct ib_verify_report {
    ib_verify_layer *layers;
    int n_layers;
    int64_t samples, mismatches; /* of all engines and layers */
    double accuracy;             /* of the integer runtime; -1 where the data have no labels that fit the outputs */
} ib_verify_report;

/* Runs every engine over the data. The network is in IB_LEARN or IB_FROZEN; it is left in IB_FROZEN. */
ib_status ib_verify(ib_layer *net, ib_graph *g, const ib_dataset *data, const ib_verify_opts *opts,
                    ib_verify_report *report);
void ib_verify_report_free(ib_verify_report *r);

/* A float ONNX network with its weights, initialized and with its input's shape: what PyTorch and Keras export of
 * convolutional and dense networks. Each value has the shape that the file says; the network is run once on the device,
 * unless it takes more than 2^26 values or 2^32 products a sample, and each value comes out in that shape; where
 * samples lie beside the file (test_data_set_N/input_0.pb and output_0.pb, as in the ONNX model zoo) its outputs are
 * theirs within 1e-3 of the largest. NULL with ib_error() naming the node, attribute or value that is not understood,
 * or that differs. */
ib_layer *ib_import_onnx(const char *path, ib_device *dev);
/* What ib_import_onnx understands, as JSON: "newest", the newest operator set, and "operators", each with the versions
 * that it was held against, its attributes with the values that are honoured ("any", "of no effect", "none" or a list),
 * inputs and outputs. A node that says anything else is refused. Yours to ib_free(); NULL with ib_error(). */
char *ib_import_operators(void);

IB_END_API
#endif
