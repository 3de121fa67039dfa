/* fault.h - what a kernel reports of numbers that it cannot use.
 *
 * Kernels run when nobody waits for them, so they return no status: the first fault of a step is written into a block
 * of the device's memory, and whoever reads a result of the step, its loss, or takes the optimizer's step is told. A
 * kernel that has found one leaves anything as its result, but within its memory. */
#ifndef IB_BACKENDS_FAULT_H
#define IB_BACKENDS_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

#include "arithmetic/real.h"

enum {
    IB_NO_FAULT,
#define FAULT(name, ...) IB_FAULT_##name,
#include "backends/faults.def"
#undef FAULT
};

typedef struct ib_fault {
    int32_t kind;    /* IB_FAULT_name */
    int32_t call;    /* which operator or input of the step; which parameter of an optimizer */
    int64_t index;   /* of an output, a row, ... */
    double value[4]; /* as the row of faults.def says */
    uint64_t step;   /* of the graph, where it is known */
    uint64_t now;    /* the site's */
} ib_fault;

/* Where a kernel reports: an operator of a step, a parameter of an optimizer. */
typedef struct ib_site {
    ib_fault *fault; /* device memory */
    int32_t call;
    uint64_t now; /* which step of which graph, 0: of none: who looks without waiting may see the last step's fault */
} ib_site;

/* A backward pass: of the step with the number that its user gives it, and its own number among all of the process. */
typedef struct ib_pass {
    uint64_t step, now;
} ib_pass;

/* In kernels, by one thread: the first fault stays. */
IB_DEVICE_FN static inline void ib_raise(ib_site at, int kind, int64_t index, double a, double b, double c)
{
    if (!at.fault->kind)
        *at.fault = (ib_fault){.kind = kind, .call = at.call, .index = index, .value = {a, b, c}, .now = at.now};
}

/* Its line and status as ib_error(); of: the name of what it is about, where its text has
 * one: of an input its shape. */
ib_status ib_fault_say(const ib_fault *f, const char *of);

#endif
