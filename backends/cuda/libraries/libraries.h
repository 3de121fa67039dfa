/* libraries.h - inside the CUDA plugin: NVIDIA's libraries that serve a device, and what they are asked for.
 *
 * Each may be missing: what then asks for it is told no, and begins a kernel of the plugin's own. The answer depends on
 * shapes and alignment alone, and so does the algorithm, which is chosen once a shape: same seed, same bits on one
 * model of device with the same libraries. */
#ifndef IB_CUDA_LIBRARIES_H
#define IB_CUDA_LIBRARIES_H

#include "backends/cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ib_window;

/* c[m][n] = op(a)[m][k] op(b)[k][n] + beta c, row by row, beta 0 or 1 */
typedef struct ib_cuda_product {
    int ta, tb;
    int64_t m, n, k;
    const float *a, *b;
    float beta;
    float *c;
} ib_cuda_product;

/* acc[rows][out] = sum over k of x[rows][k] w[out][k] */
typedef struct ib_cuda_codes {
    int64_t rows, k, out;
    const int8_t *x, *w;
    int32_t *acc;
} ib_cuda_codes;

/* Whether it is begun. */
int ib_cuda_library_product(ib_device *dev, const ib_cuda_product *p);
int ib_cuda_library_codes(ib_device *dev, const ib_cuda_codes *p);
/* Whether codes of that shape may be. */
int ib_cuda_library_takes_codes(ib_device *dev, int64_t rows, int64_t k, int64_t out);

/* Whether it is begun: y = w (*) x; dx = or += w' (*) dy; dw += dy (*) x */
int ib_cuda_library_conv2d(ib_device *dev, const struct ib_window *s, const float *x, const float *w, float *y);
int ib_cuda_library_grad_x(ib_device *dev, const struct ib_window *s, const float *w, const float *dy, float *dx,
                           int sets);
int ib_cuda_library_grad_w(ib_device *dev, const struct ib_window *s, const float *x, const float *dy, float *dw);

#ifdef __cplusplus
}
#endif

#endif
