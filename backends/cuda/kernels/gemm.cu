/* gemm.cu - fp32 matrix products: a library's, or a tile of both factors at a time in shared memory. */
#include "backends/cuda/kernels/family.cuh"
#include "backends/cuda/libraries/libraries.h"

enum { TILE = 16 };

/* c_ij = sum_l a_il b_lj + beta c_ij, the sum in the order of l */
static __global__ void gemm_kernel(ib_cuda_product p)
{
    __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];
    const int x = (int)threadIdx.x, y = (int)threadIdx.y;
    const int64_t i0 = (int64_t)blockIdx.x * TILE, j0 = (int64_t)blockIdx.y * TILE;
    for (int64_t j1 = j0; j1 < p.n; j1 += (int64_t)gridDim.y * TILE) {
        const int64_t i = i0 + y, j = j1 + x;
        float sum = 0;
        for (int64_t l0 = 0; l0 < p.k; l0 += TILE) {
            /* neighbours of x lie beside each other, whichever way a factor is stored */
            const int64_t ai = i0 + (p.ta ? x : y), al = l0 + (p.ta ? y : x);
            const int64_t bj = j1 + (p.tb ? y : x), bl = l0 + (p.tb ? x : y);
            a[p.ta ? x : y][p.ta ? y : x] = ai < p.m && al < p.k ? p.a[p.ta ? al * p.m + ai : ai * p.k + al] : 0.0f;
            b[p.tb ? x : y][p.tb ? y : x] = bj < p.n && bl < p.k ? p.b[p.tb ? bj * p.k + bl : bl * p.n + bj] : 0.0f;
            __syncthreads();
            for (int l = 0; l < TILE && l0 + l < p.k; l++)
                sum += a[y][l] * b[l][x];
            __syncthreads();
        }
        if (i < p.m && j < p.n)
            p.c[i * p.n + j] = (p.beta == 0.0f ? 0.0f : p.beta * p.c[i * p.n + j]) + sum;
    }
}

void ib_cuda_gemm(ib_device *dev, int ta, int tb, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                  float beta, float *c)
{
    const ib_cuda_product p = {ta, tb, m, n, k, a, b, beta, c};
    const int64_t columns = ib_cuda_min((n + TILE - 1) / TILE, 65535);
    if (m <= 0 || n <= 0 || ib_cuda_library_product(dev, &p))
        return;
    IB_LAUNCH(gemm_kernel, dim3((unsigned)((m + TILE - 1) / TILE), (unsigned)columns), dim3(TILE, TILE), 0,
              ib_cuda_stream(dev), p);
    ib_cuda_launched(dev, "gemm_kernel");
}
