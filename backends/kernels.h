/* kernels.h - the table of loops over memory that a device provides.
 *
 * Everything above this folder works on shapes and pointers to tensors; only kernels read and write the numbers.
 * One line in kernels.def is the table field, the declaration of each level's function and the entry of the kernel
 * test (tests/kernels: case_<name>). Rules: sizes are checked by the caller; pointers are aligned to their elements,
 * scratch and packed constants to 64 bytes; an output never overlaps an input; gradients are added to what is there; a
 * sum's order is fixed by the shape, never by the number of threads. Every level gives what ref gives in every bit,
 * but for the kernels of fp32 whose line states how far they may be from it, with factors in [-1, 1]. */
#ifndef IB_BACKENDS_KERNELS_H
#define IB_BACKENDS_KERNELS_H

#include <isobit/device.h>
#include <isobit/matrix.h>
#include <isobit/tensor.h>

#include "backends/operands.h"

typedef struct ib_kernels {
#define KERNEL(result, name, args) result(*name) args;
#include "backends/kernels.def"
#undef KERNEL
} ib_kernels;

struct ib_device {
    char name[32];
    ib_kernels k;
    _Atomic int64_t refused; /* 1 + the last step whose backward pass was refused since the optimizer's last; 0: none */
};

/* Weight gradients are sums over at most this many parts of the batch, whatever the number of threads. */
enum { IB_PARTS = 8 };

/* fp32 words of scratch that the convolution kernels need for w with the present number of threads. */
int64_t ib_conv2d_scratch(const ib_window *w);
int64_t ib_conv2d_grads_scratch(const ib_window *w);
int64_t ib_qconv2d_scratch(const ib_window *w);
int64_t ib_qlinear_scratch(int64_t rows, int64_t k, int64_t out);
/* fp32 words that a thread needs for products with w, and that all need together for n rows. */
int64_t ib_frozen_room(const ib_matrix *w);
enum { IB_FROZEN_ROWS = 2048 }; /* rows of W that a gradient takes at a time; even */
int64_t ib_frozen_scratch(const ib_matrix *w, int64_t n);
/* fp32 words that attention needs for so many rows, forward and backward. */
int64_t ib_attention_scratch(const ib_attention *a, int64_t rows);
int ib_thread(void); /* number of the calling thread in its team */

#endif
