/* kernel_case.h - what the case of a kernel is made of.
 *
 *   void case_axpy(void)
 *   {
 *       EACH_N(n)
 *       {
 *           const float *x = reals(n);
 *           float *y = changed("y", REALS, n, EXACT);
 *           EACH_RUN(axpy)
 *               dev->k.axpy(dev, y, x, n, 0.37f);
 *       }
 *   }
 *
 * Each line of backends/kernels.def wants such a function. The body of EACH_RUN is done with the device `dev` of every
 * level that the machine has, at 1, 2 and 3 threads; a level whose entry is that of a level before is passed over.
 * After each run the harness looks that
 *   - what ref makes with one thread is what every level makes with one thread, in every bit or within the bound;
 *   - what a level makes with one thread it makes with two and three, in every bit;
 *   - no byte before or behind a result was written, and none of an input.
 * Results begin as noise, another one each run; inputs end where their block ends, so that a sanitizer sees a read
 * beyond. All begin at any multiple of their element's size, as the contract allows. */
#ifndef IB_TESTS_KERNELS_KERNEL_CASE_H
#define IB_TESTS_KERNELS_KERNEL_CASE_H

#include "backends/kernels.h"
#include "tests/check.h"

typedef enum element {
    REALS,
    DOUBLES,
    HALVES,
    INTS,
    CODES,
    BYTES,
    BITS /* counted as bits, those beyond n are free */
} element;
#define EXACT 0.0

/* A new shape: forgets the buffers of the one before. The text goes into the report. */
void a_shape(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Inputs of n elements. A case may change what they hold before its runs. */
float *reals(int64_t n);                                /* uniform in [-1, 1) */
int8_t *codes(int64_t n);                               /* all of a byte */
int8_t *weights(int64_t n, int bits);                   /* -qmax .. qmax of so many bits */
int32_t *integers(int64_t n, int shift);                /* all of 32 bits, shifted to the right */
int32_t *indices(int64_t n, int32_t most);              /* 0 .. most - 1 */
uint8_t *bits(int64_t n);                               /* n of them */
void *given(const char *name, element kind, int64_t n); /* noise */

/* What a run makes, and what it changes (each run begins with the same): n elements within `bound` of ref's. */
void *result(const char *name, element kind, int64_t n, double bound);
void *changed(const char *name, element kind, int64_t n, double bound);
/* Another bound of it for the levels that round factors to bfloat16. */
void bound_in_bf16(const void *at, double bound);

/* Scratch for one run, its bytes all 0xFF at first: aligned to 64 bytes, watched, freed at the run's end. */
void *room(int64_t bytes);

/* After the runs: what ref made of a result. */
const void *made_by_ref(const void *at);

/* 1, sizes about those of vectors and blocks, and one for several threads; 0 behind the last. */
int64_t kernel_size(int i);
#define EACH_SIZE(n) for (int64_t i_ = 0, n; (n = kernel_size((int)i_)) != 0; i_++)
/* As EACH_SIZE, each a shape that its number alone tells. */
int64_t shape_of_n(int i);
#define EACH_N(n) for (int64_t i_ = 0, n; (n = shape_of_n((int)i_)) != 0; i_++)

/* The next run's device; NULL behind the last. `helper`: another entry that the body calls. */
ib_device *next_run(const char *kernel, size_t entry, size_t helper);
#define EACH_RUN_WITH(kernel, helper)                                                                                  \
    for (ib_device * dev;                                                                                              \
         (dev = next_run(#kernel, offsetof(ib_kernels, kernel), offsetof(ib_kernels, helper))) != NULL;)
#define EACH_RUN(kernel) EACH_RUN_WITH(kernel, kernel)

/* Whether the device that ISOBIT_TEST_DEVICE names is one for tests (cuda:host), which takes far longer. */
int is_emulated(void);

/* The run's number, from 0. */
int run_number(void);

/* Whether a case has run its kernel at ref and looked at what it made. */
int kernel_was_run(const char *kernel);

/* Plain C alone, with one thread, for inputs that are another kernel's results. */
ib_device *plain_device(void);

#endif
