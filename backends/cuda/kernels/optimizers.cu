/* optimizers.cu - steps of SGD and AdamW, by formulas/optimizers.h. */
#include "backends/cuda/kernels/block.cuh"
#include "backends/formulas/optimizers.h"

/* Known to all threads; the kernel's first passes it on. */
static __device__ int is_refused(const ib_update *u)
{
    if (!u->refused->kind)
        return 0;
    if (!blockIdx.x && !threadIdx.x)
        ib_pass_on(u);
    return 1;
}

/* Whoever finds it says the same. */
static __device__ void report(const ib_update *u, int bad)
{
    if (bad)
        ib_say_not_finite(u);
}

static __global__ void advance_kernel(ib_progress *p, int64_t n, double beta1, double beta2, const ib_fault *refused)
{
    EACH(i, n)
    {
        if (!refused->kind && !p[i].rests)
            ib_advance(&p[i], beta1, beta2);
    }
}

void ib_cuda_advance(ib_device *dev, ib_progress *p, int64_t n, double beta1, double beta2, const ib_fault *refused)
{
    BEGIN(dev, advance_kernel, n, p, n, beta1, beta2, refused);
}

static __global__ void sgd_kernel(ib_sgd_step s, ib_update u, float *w, const float *g, float *m, int64_t n)
{
    int bad = 0;
    if (is_refused(&u))
        return;
    EACH(i, n)
    {
        bad |= ib_sgd(&s, g[i], &m[i], &w[i]);
    }
    report(&u, bad);
}

void ib_cuda_sgd(ib_device *dev, const ib_sgd_step *s, const ib_update *u, float *w, const float *g, float *m,
                 int64_t n)
{
    BEGIN(dev, sgd_kernel, n, *s, *u, w, g, m, n);
}

static __global__ void adamw_kernel(ib_adamw_step s, ib_update u, float *w, const float *g, float *m, float *v,
                                    int64_t n)
{
    int bad = 0;
    if (is_refused(&u))
        return;
    const ib_progress p = *u.progress;
    EACH(i, n)
    {
        bad |= ib_adamw(&s, &p, g[i], &m[i], &v[i], &w[i]);
    }
    report(&u, bad);
}

void ib_cuda_adamw(ib_device *dev, const ib_adamw_step *s, const ib_update *u, float *w, const float *g, float *m,
                   float *v, int64_t n)
{
    BEGIN(dev, adamw_kernel, n, *s, *u, w, g, m, v, n);
}

/* The largest of all threads' values, none of which is negative; a NaN counts as 0. */
static __device__ float largest(float mine)
{
    __shared__ int top; /* bits of fp32, which are ordered as the numbers are */
    __syncthreads();
    if (!threadIdx.x)
        top = 0;
    __syncthreads();
    if (mine > 0)
        atomicMax(&top, (int)ib_bits_of(mine));
    __syncthreads();
    return ib_float_of((uint32_t)top);
}

/* A block of threads has a block of states, a thread an element: decoded, moved, and encoded by their new largest. */
static __global__ void adamw8_kernel(ib_adamw_step s, ib_update u, ib_states8 q, float *w, const float *g, int64_t n)
{
    int bad = 0;
    if (is_refused(&u))
        return;
    const ib_progress p = *u.progress;
    for (int64_t b = blockIdx.x; b * IB_ADAMW8_BLOCK < n; b += gridDim.x) {
        const int64_t i = b * IB_ADAMW8_BLOCK + threadIdx.x;
        float m = 0, v = 0;
        if (i < n) {
            m = ib_state_of(q.m_map, q.m[i], q.m_top[b]);
            v = ib_state_of(q.v_map, q.v[i], q.v_top[b]);
            bad |= ib_adamw8(&s, &p, g[i], &m, &v, &w[i]);
        }
        const float top_m = largest(fabsf(m)), top_v = largest(v);
        if (i < n) {
            q.m[i] = ib_code_of_state(q.m_map, m, top_m);
            q.v[i] = ib_code_of_state(q.v_map, v, top_v);
        }
        if (!threadIdx.x) {
            q.m_top[b] = top_m;
            q.v_top[b] = top_v;
        }
    }
    report(&u, bad);
}
static_assert((int)IB_ADAMW8_BLOCK == (int)IB_CUDA_BLOCK, "a thread has an element");

void ib_cuda_adamw8(ib_device *dev, const ib_adamw_step *s, const ib_update *u, const ib_states8 *state, float *w,
                    const float *g, int64_t n)
{
    BEGIN_BLOCKS(dev, adamw8_kernel, (n + IB_ADAMW8_BLOCK - 1) / IB_ADAMW8_BLOCK, *s, *u, *state, w, g, n);
}
