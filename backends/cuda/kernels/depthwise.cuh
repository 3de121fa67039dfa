/* depthwise.cuh - fp32 convolution in which channel c of the output sees channel c of the input alone: taps inside the
 * image in their order. Part of conv.cu. */
#ifndef IB_CUDA_DEPTHWISE_CUH
#define IB_CUDA_DEPTHWISE_CUH

#include "backends/cuda/kernels/family.cuh"

enum { IB_CUDA_PARTS = 8 }; /* of the batch, in weight gradients: IB_PARTS of backends/cpu/levels.h */

void depthwise_forward(ib_device *dev, const ib_window *s, const float *x, const float *w, const float *bias, float *y);
void depthwise_grad_x(ib_device *dev, const ib_window *s, const float *dy, const float *w, float *dx, int sets);
/* part[parts][channels][taps] */
void depthwise_grad_w(ib_device *dev, const ib_window *s, const float *x, const float *dy, int64_t parts, float *part);

#endif
