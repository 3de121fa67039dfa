/* trace.h - one line for each operator that runs, where the environment asks for it:
 *
 *     ISOBIT_TRACE=1       to standard error
 *     ISOBIT_TRACE=FILE    to a file, which is begun anew
 *
 * A line has columns with blanks between: what runs ("forward", "backward", "program"), the operator, the layer ("-"
 * where no layer applied it), the shapes of inputs and result, the bytes of the result, milliseconds, and the CRC-32
 * (zlib's) of the result's bytes, of gradients behind a backward function. Equal bits have equal sums, so that the
 * traces of two levels or two versions differ (without their times) from the first operator on that computes otherwise.
 * The variable is read once, by the first operator. Nothing that is computed depends on it. */
#ifndef IB_BASE_TRACE_H
#define IB_BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

typedef struct ib_trace_line {
    const char *what, *op, *layer; /* layer NULL or "": none */
    const char *shapes;            /* "[32,64] [10,64] -> [32,10]" */
    uint64_t bytes;
    double began; /* what ib_trace_begin gave */
    uint32_t sum;
} ib_trace_line;

/* Now, in seconds, which is not 0; 0: nobody asks for a trace. */
double ib_trace_begin(void);
void ib_trace_end(const ib_trace_line *l);
/* A line of somebody else's, where these go; to standard error where nobody asks for a trace. */
void ib_trace_note(const char *line);
/* The sum goes on from `sum`, 0 at first. */
uint32_t ib_trace_sum(uint32_t sum, const void *bytes, size_t n);

#endif
