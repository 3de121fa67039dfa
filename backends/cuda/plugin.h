/* plugin.h - what the library and its CUDA plugin (libisobit_cuda.so, libisobit_cuda_host.so) know of each other.
 *
 * The plugin is opened where a device of this kind is asked for (open.c) and never closed. It shows one function,
 * ib_cuda_plugin_of(), and calls the library only through what it is given. Both are built from the same tables, or the
 * library refuses it. */
#ifndef IB_BACKENDS_CUDA_PLUGIN_H
#define IB_BACKENDS_CUDA_PLUGIN_H

#include <stdarg.h>

#include "backends/kernels.h"
#include "tensor/matrix_fields.h"

/* What the plugin may call: base/alloc.h, base/error.h, base/number.h, base/trace.h. */
typedef struct ib_cuda_library {
    void *(*alloc)(size_t bytes);
    void (*free)(void *p);
    ib_status (*fail)(ib_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
    void (*note)(const char *line); /* base/trace.h */
    int (*format)(char *to, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
} ib_cuda_library;

/* The rows that it is built from, and the bytes of what they are given. */
static const char ib_cuda_rows[] = ""
#define KERNEL(result, name, args) #result " " #name #args ";"
#include "backends/kernels.def"
#undef KERNEL
#define VERB(result, name, args) #result " " #name #args ";"
#include "backends/verbs.def"
#undef VERB
    ;
#define IB_CUDA_SIZES                                                                                                  \
    {                                                                                                                  \
        sizeof(struct ib_device), sizeof(ib_window), sizeof(ib_planes), sizeof(ib_bcast), sizeof(ib_norm),             \
            sizeof(ib_norm_grads), sizeof(ib_class_loss), sizeof(ib_affine), sizeof(ib_coded),                         \
            sizeof(ib_qweights), sizeof(ib_weight_codes), sizeof(ib_conv_grads), sizeof(ib_epilogue),                  \
            sizeof(ib_qproduct), sizeof(ib_attention), sizeof(ib_adamw_step), sizeof(ib_sgd_step),                     \
            sizeof(ib_matrix), sizeof(ib_fault), sizeof(ib_progress), sizeof(ib_update), sizeof(ib_states8),           \
            sizeof(ib_tally), sizeof(ib_quantizer_state), sizeof(ib_following), sizeof(ib_result_codes),               \
            sizeof(ib_product_constants), sizeof(ib_weight_scaling), sizeof(ib_fold)                                   \
    }
enum { IB_CUDA_N_SIZES = 29 };

/* Steps so far: launched as one graph, those of whose kernels some went into a graph and the rest plainly, those all of
 * whose kernels went plainly; and executable graphs that were made for them. */
typedef struct ib_cuda_counts {
    int64_t whole, cut, plain, made;
} ib_cuda_counts;

/* What a device begins with. */
typedef struct ib_cuda_device {
    ib_device base;
    ib_cuda_counts counts;
    void (*close)(ib_device *dev);
} ib_cuda_device;

typedef struct ib_cuda_plugin {
    const char *rows;
    size_t sizes[IB_CUDA_N_SIZES];
    /* asked: as its user has named it. NULL with the library's error. */
    ib_device *(*open)(const ib_cuda_library *library, int device, const char *asked);
} ib_cuda_plugin;

/* The one function that the plugin shows, by the name of this macro. */
#define IB_CUDA_PLUGIN_OF "ib_cuda_plugin_of"
typedef const ib_cuda_plugin *ib_cuda_plugin_function(void);

#endif
