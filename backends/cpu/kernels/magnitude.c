/* magnitude.c - DoRA (arXiv:2402.09353): y = m / ||w|| of each output. */
#include <math.h>

#include "backends/cpu/level.h"

void IB_K(magnitudes)(ib_device *dev, const float *x, int64_t rows, int64_t cols, const float *m, float *c)
{
    for (int64_t i = 0; i < rows; i++) {
        double square = 0;
        IB_K(add_sum_sq)(dev, x + i * cols, cols, &square);
        c[i] = square > 0 ? (float)(m[i] / sqrt(square)) : 0.0f;
    }
}

/* dz = c dy    dm += sum over rows of dy (y - bias) / m, which is dy z / norm; nothing where m is 0 */
void IB_K(magnitudes_grad)(ib_device *dev, int64_t rows, int64_t cols, const ib_magnitude_grads *g)
{
    const float *y = g->y, *dy = g->dy, *m = g->m, *c = g->c, *bias = g->bias;
    float *dm = g->dm, *dz = g->dz;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            if (dm && m[j])
                dm[j] += dy[i * cols + j] * (y[i * cols + j] - (bias ? bias[j] : 0.0f)) / m[j];
            dz[i * cols + j] = c[j] * dy[i * cols + j];
        }
}
