/* instr.h - what an instruction is: how it is lowered, run, printed as C, written to a program's file and read from it.
 * Each is a row of instructions.def, and its class stands in the file of its family, instr_*.c. */
#ifndef IB_PROGRAM_INSTR_H
#define IB_PROGRAM_INSTR_H

#include "files/h5.h"
#include "program/program.h"

typedef struct ib_strbuf ib_strbuf;

/* What an instruction runs with. */
typedef struct ib_run {
    ib_device *dev;
    int64_t batch;
    int8_t *const *value; /* [n_values] codes of the batch */
    const ib_nhwc *image; /* [n_values] the same with channels last, where the runner holds them so */
    ib_share share;       /* of the image to make */
    const void *packed;   /* its own constants, or NULL */
    int32_t *acc;         /* work space: the largest value's accumulators, and what kernels need */
    float *scratch;
} ib_run;

enum { IB_ANY_INPUTS = 0, IB_NO_INPUTS = -1 };

struct ib_instr_class {
    const char *name; /* in reports and in files */
    const ib_op *op;  /* the operator of the tape that it comes from */
    int inputs;       /* values that it reads; IB_ANY_INPUTS: all of the operator's, IB_NO_INPUTS: it is made of none */
    const char *sections; /* of runtime/isobit_rt.h that the printed C needs, blank-separated */
    ib_status (*lower)(ib_program *p, ib_instr *i, const ib_node *n, ib_device *dev);
    ib_status (*run)(const ib_program *p, const ib_instr *i, const ib_run *r);
    /* bytes of constants packed ahead, or NULL */
    int64_t (*pack)(const ib_program *p, const ib_instr *i, ib_device *dev, void *to);
    /* the same on images with channels last, or NULL; if there are constants and no bytes, the device has no such
     * product */
    ib_status (*run_nhwc)(const ib_program *p, const ib_instr *i, const ib_run *r);
    int64_t (*pack_nhwc)(const ib_program *p, const ib_instr *i, ib_device *dev, void *to);
    /* C: its constants, and its call; `at` is its number */
    void (*print_data)(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t);
    void (*print_call)(const ib_program *p, const ib_instr *i, int at, ib_strbuf *t);
    /* the rest of its group in a program's file, when class, inputs and result stand: 0, or 1 with ib_error() */
    int (*write)(hid_t g, const ib_instr *i);
    ib_status (*read)(ib_program *p, ib_instr *i, hid_t g); /* checked, and followed by what follows from it */
};

const ib_instr_class *ib_instr_class_of(const ib_op *op);     /* NULL: none */
const ib_instr_class *ib_instr_class_named(const char *name); /* NULL: none */

/* The host's copy of a device's numbers, to be freed; NULL with ib_error(). */
void *ib_numbers_copy(ib_device *dev, const void *numbers, size_t bytes);

/* The window of a product over n samples; `image` is its input's geometry, of which a linear layer's window takes
 * all. */
ib_window ib_product_window(const ib_instr *i, const ib_nhwc *image, int64_t n);

#endif
