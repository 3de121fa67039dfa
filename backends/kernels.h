/* kernels.h - what a device provides: verbs for its memory, and the table of loops over it.
 *
 * Everything above this folder works on shapes and pointers to tensors; only kernels read and write the numbers.
 * One line in kernels.def is the table field, the declaration of each level's function and the entry of the kernel
 * test (tests/kernels: case_<name>). Rules: the device is the first argument; sizes are checked by the caller;
 * pointers to numbers are the device's own memory, aligned to their elements, scratch and packed constants to 64
 * bytes; an output never overlaps an input; gradients are added to what is there; a sum's order is fixed by the shape,
 * never by the number of threads. Every level gives what ref gives in every bit, but for the kernels of fp32 whose
 * line states how far they may be from it, with factors in [-1, 1]. What is begun first is done first. */
#ifndef IB_BACKENDS_KERNELS_H
#define IB_BACKENDS_KERNELS_H

#include <isobit/device.h>
#include <isobit/matrix.h>
#include <isobit/tensor.h>

#include "backends/operands.h"
#include "backends/quantization.h"

typedef struct ib_kernels {
#define KERNEL(result, name, args) result(*name) args;
#include "backends/kernels.def"
#undef KERNEL
} ib_kernels;

typedef struct ib_verbs {
#define VERB(result, name, args) result(*name) args;
#include "backends/verbs.def"
#undef VERB
} ib_verbs;

/* The first member of what a kind of device keeps of each. */
struct ib_device {
    char name[32];
    int is_host;                       /* its memory is the host's own, and what is begun is done at once */
    ib_device *host;                   /* whose kernels compute in the host's memory: itself, or the best CPU */
    const struct ib_device_kind *kind; /* a row of devices.def */
    ib_verbs v;
    ib_kernels k;
    char products[480]; /* what computes its products, in words; "": the processor */
    char failure[256];  /* the first thing that a kernel or verb could not do, whatever the numbers; "": none */
};

/* NULL, and an error that begins with `asked`: it names the devices that open here, and of the others why they do not,
 * each of which it has tried. For a name that is none. */
ib_device *ib_device_unknown(const char *asked);

#endif
