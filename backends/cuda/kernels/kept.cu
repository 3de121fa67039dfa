/* kept.cu - values that are kept for a second run, in fp32. */
#include "backends/cuda/kernels/family.cuh"

int64_t ib_cuda_kept_bytes(ib_device *dev, int64_t n)
{
    (void)dev;
    return 4 * n;
}

static void copy(ib_device *dev, void *to, const void *from, int64_t n)
{
    if (cudaMemcpyAsync(to, from, (size_t)n * sizeof(float), cudaMemcpyDeviceToDevice, ib_cuda_stream(dev)))
        ib_cuda_launched(dev, "keep");
}

void ib_cuda_keep(ib_device *dev, float *y, int64_t n, void *kept)
{
    if (kept)
        copy(dev, kept, y, n);
}

void ib_cuda_recall(ib_device *dev, const void *kept, int64_t n, float *y)
{
    copy(dev, y, kept, n);
}
