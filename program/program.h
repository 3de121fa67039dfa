/* program.h - an integer program: instructions over values, each value the codes of one sample times the batch. */
#ifndef IB_PROGRAM_PROGRAM_H
#define IB_PROGRAM_PROGRAM_H

#include <isobit/export.h>

#include "arithmetic/runtime.h"
#include "backends/kernels.h"
#include "base/alloc.h"
#include "base/error.h"
#include "qat/plan.h"

typedef struct ib_instr ib_instr;
typedef struct ib_instr_class ib_instr_class; /* program/instr.h */

struct ib_instr {
    const ib_instr_class *cls;
    char *name;
    int in[IB_MAX_INPUTS], n_in, out;
    union {
        isobit_conv2d conv;
        isobit_add add;
        isobit_mul mul;
        isobit_pool pool;
        int32_t runs[IB_MAX_INPUTS]; /* concat: elements of each input in one outer step; runs of one sample */
    } p;
    int outer, axis; /* concat */
    /* constants, owned */
    int8_t *codes;   /* conv2d: weights [out_c][k], one a byte */
    uint8_t *packed; /* the same as they ship */
    uint8_t *factor;
    int32_t *bias;
    isobit_scale *scale;
    float *weight_scale; /* conv2d, linear: [out_c], for formats that state real scales */
    int8_t *table;       /* lookup [256]; concat [n_in][256]; constant: the codes */
    int node;            /* of the tape that it was lowered from */
    int turned; /* linear, while it is lowered: its columns stand in the order H,W,C of the image that it reads */
    int64_t macs, acc_bound, flash;
};

typedef struct ib_value {
    int64_t size; /* codes of one sample */
    int ndim;
    int64_t shape[IB_MAX_DIMS]; /* [1, ...] */
    float scale;
    int zero, bits;
    int first, last; /* instructions that write it and read it last; first -1: the input */
    int root;        /* the value whose memory it has: its own number, or that of what a reshape shows in another
                         shape */
    int64_t offset;  /* in the arena; -1: the caller's buffer */
} ib_value;

struct ib_program {
    int profile, rounding; /* an ib_profile, and that of its products (ib_rounding), which kernels take */
    ib_value *values;
    int n_values;
    ib_instr *instrs;
    int n_instrs;
    int result;
    int64_t arena, scratch; /* bytes of values; int16 of the largest patch */
    ib_input_info input;
    int leaves_softmax; /* at the end of the network, to the caller */
    ib_schema *schema;  /* or NULL */
};

#define INSTR(name) extern const ib_instr_class ib_instr_##name;
#include "program/instructions.def"
#undef INSTR

/* Memory: a value that a reshape shows anew has the place of the one that it shows; the others get offsets in one
 * arena, by liveness. */
ib_status ib_plan_memory(ib_program *p);
/* The codes of a value that is a constant of the program, for one sample; NULL if it is none. */
static inline const int8_t *ib_constant_of(const ib_program *p, int v)
{
    const ib_instr *made = v ? &p->instrs[p->values[v].first] : NULL;
    return made && made->cls == &ib_instr_constant ? made->table : NULL;
}
static inline int ib_joins_constant(const ib_program *p, const ib_instr *concat)
{
    int joins = 0;
    for (int j = 0; j < concat->n_in; j++)
        joins |= ib_constant_of(p, concat->in[j]) != NULL;
    return joins;
}
/* Whether v lies in the caller's buffer for results. */
static inline int ib_is_output(const ib_program *p, int v)
{
    return p->values[v].root == p->values[p->result].root;
}
/* Runs and shows every instruction's result: see(context, instruction, codes[batch, size]). */
ib_status ib_program_run_traced(ib_program *p, ib_device *dev, int64_t n, const int8_t *in, int8_t *out,
                                void (*see)(void *, int, const int8_t *), void *context);
/* The same with a runner that keeps every value; see may be NULL. */
ib_runner *ib_runner_new_traced(const ib_program *p, ib_device *dev, int64_t batch);
ib_status ib_runner_run_traced(ib_runner *r, int64_t n, const int8_t *in, int8_t *out,
                               void (*see)(void *, int, const int8_t *), void *context);
/* The same with a line for each instruction (base/trace.h). */
ib_status ib_trace_runner(ib_runner *r, const ib_program *p, int64_t n, const int8_t *in, int8_t *out);
/* t gets the shape of v for n samples, without that dimension for n 0; no data. */
static inline void ib_value_shape(const ib_value *v, int64_t n, ib_tensor *t)
{
    const int skip = n == 0;
    *t = (ib_tensor){.ndim = v->ndim - skip, .node = -1};
    for (int d = skip; d < v->ndim; d++)
        t->shape[d - skip] = d ? v->shape[d] : n;
}
/* Shape of a value as an image (data NULL, border 0); 0 if it is none. */
static inline int ib_value_image(const ib_value *v, ib_nhwc *image)
{
    const int flat = v->ndim == 2;
    if (!flat && v->ndim != 4)
        return 0;
    *image = (ib_nhwc){NULL, v->shape[1], flat ? 1 : v->shape[2], flat ? 1 : v->shape[3], 0};
    return 1;
}
/* The codes that stand for instruction results on a tape like the one that p was lowered from: calls see(context, k,
 * node). */
void ib_tape_codes(const ib_program *p, const ib_graph *g, void (*see)(void *, int, const ib_node *), void *context);

#endif
