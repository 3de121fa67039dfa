/* test_cuda_host.cpp - CUDA on the host (backends/cuda/host) does what CUDA promises, and reports what breaks a
 * promise. Broken by: a barrier that opens early, a lane that gets another's value, a stream that runs at once, an
 * order that is always the same, shared memory that keeps what it held, a check that is left out. */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/cuda/launch.cuh"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#define CHECK(condition) CU_ASSERT(condition)
#define GOOD(call) CU_ASSERT_FATAL((call) == cudaSuccess)

static cudaStream_t stream;

static void *on_device(size_t bytes)
{
    void *p = NULL;
    GOOD(cudaMallocAsync(&p, bytes, stream));
    return p;
}

static void begin(void)
{
    GOOD(cudaDeviceReset());
}

/* A failure that stays, whose line has all of these words. */
static void broken(const char *const words[])
{
    const cudaError_t error = cudaStreamSynchronize(stream);
    CHECK(error != cudaSuccess && cudaGetLastError() == error && cudaGetLastError() == error);
    for (int i = 0; words[i]; i++)
        if (!strstr(cudaGetErrorString(error), words[i])) {
            printf("\n    '%s' lacks '%s'\n", cudaGetErrorString(error), words[i]);
            CHECK(!"the line names it");
        }
    CHECK(!strchr(cudaGetErrorString(error), '\n'));
    void *p = NULL;
    CHECK(cudaMallocAsync(&p, 4, stream) == error);
    begin();
    GOOD(cudaMallocAsync(&p, 4, stream));
}
#define BROKEN(...)                                                                                                    \
    do {                                                                                                               \
        const char *const words[] = {__VA_ARGS__, NULL};                                                               \
        broken(words);                                                                                                 \
    } while (0)

/* ---- sums: barriers, shuffles, shared memory ---- */

enum { N = 1000, BLOCK = 96 };

static __global__ void sum_kernel(const float *x, int n, float *y)
{
    __shared__ float part[3];
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x), lane = (int)threadIdx.x % 32;
    float v = i < n ? x[i] : 0.0f;
    for (int by = 16; by; by /= 2)
        v += __shfl_down_sync(0xFFFFFFFF, v, by);
    if (!lane)
        part[threadIdx.x / 32] = v;
    __syncthreads();
    if (!threadIdx.x)
        atomicAdd(y, part[0] + part[1] + part[2]);
}

/* The same with a tree in dynamic shared memory, of any block. */
static __global__ void tree_kernel(const float *x, int n, float *y)
{
    IB_SHARED(float, part);
    const int t = (int)threadIdx.x, i = (int)(blockIdx.x * blockDim.x) + t;
    part[t] = i < n ? x[i] : 0.0f;
    for (int half = 64; half; half /= 2) {
        __syncthreads();
        if (t < half)
            part[t] += part[t + half];
    }
    if (!t)
        atomicAdd(y, part[0]);
}

static void sums_are_right(void)
{
    begin();
    float x[N], want = 0, *d = (float *)on_device(sizeof x), *y = (float *)on_device(2 * sizeof *y);
    for (int i = 0; i < N; i++)
        want += x[i] = (float)(i % 17); /* integers: exact in any order */
    GOOD(cudaMemcpyAsync(d, x, sizeof x, cudaMemcpyHostToDevice, stream));
    GOOD(cudaMemsetAsync(y, 0, 2 * sizeof *y, stream));
    for (int times = 0; times < 5; times++) {
        IB_LAUNCH(sum_kernel, (N + BLOCK - 1) / BLOCK, BLOCK, 0, stream, d, (int)N, y);
        IB_LAUNCH(tree_kernel, (N + 127) / 128, 128, 128 * sizeof(float), stream, d, (int)N, y + 1);
        GOOD(cudaGetLastError());
    }
    float got[2];
    GOOD(cudaMemcpyAsync(got, y, sizeof got, cudaMemcpyDeviceToHost, stream));
    CHECK(got[0] == 5 * want && got[1] == 5 * want);
}

/* ---- what lanes exchange ---- */

enum { ROWS = 9 };

static __global__ void lanes_kernel(int *y)
{
    const int t = (int)threadIdx.x, lane = t % 32;
    const unsigned odd = 0xAAAAAAAA, mine = lane & 1 ? odd : ~odd;
    y[0 * 64 + t] = __shfl_sync(0xFFFFFFFF, 100 + lane, lane + 3);
    y[1 * 64 + t] = __shfl_up_sync(0xFFFFFFFF, lane, 2, 8);
    y[2 * 64 + t] = __shfl_down_sync(0xFFFFFFFF, lane, 5, 16);
    y[3 * 64 + t] = __shfl_xor_sync(0xFFFFFFFF, lane, 9);
    y[4 * 64 + t] = (int)__ballot_sync(0xFFFFFFFF, lane % 3 == 0);
    y[5 * 64 + t] = __any_sync(mine, lane == 6) + 2 * __all_sync(mine, lane & 1);
    if (lane & 1)
        y[6 * 64 + t] = __shfl_xor_sync(odd, lane, 2);
    else
        y[6 * 64 + t] = __shfl_sync(~odd, lane, 4);
    __syncwarp();
    y[7 * 64 + t] = (int)__shfl_sync(0xFFFFFFFF, (double)lane + 0.5, 31 - lane);
    y[8 * 64 + t] = __shfl_sync(mine, lane, lane ^ 1); /* a lane that is not in the mask: no number */
}

static void lanes_exchange(void)
{
    begin();
    int got[ROWS * 64], *y = (int *)on_device(sizeof got);
    IB_LAUNCH(lanes_kernel, 1, 64, 0, stream, y);
    GOOD(cudaMemcpyAsync(got, y, sizeof got, cudaMemcpyDeviceToHost, stream));
    unsigned thirds = 0;
    for (int lane = 0; lane < 32; lane++)
        thirds |= (unsigned)(lane % 3 == 0) << lane;
    for (int t = 0; t < 64; t++) {
        const int lane = t % 32;
        CHECK(got[t] == 100 + (lane + 3) % 32);
        CHECK(got[64 + t] == (lane % 8 < 2 ? lane : lane - 2));
        CHECK(got[2 * 64 + t] == (lane % 16 + 5 > 15 ? lane : lane + 5));
        CHECK(got[3 * 64 + t] == (lane ^ 9));
        CHECK((unsigned)got[4 * 64 + t] == thirds);
        CHECK(got[5 * 64 + t] == (lane & 1 ? 2 : 1));
        CHECK(got[6 * 64 + t] == (lane & 1 ? lane ^ 2 : 4));
        CHECK(got[7 * 64 + t] == 31 - lane);
        CHECK(got[8 * 64 + t] == -1);
    }
}

/* ---- atomics, dp4a, half types ---- */

static __global__ void atomics_kernel(int *i, float *f, double *d)
{
    const int t = (int)threadIdx.x;
    atomicAdd(&i[0], t);
    atomicMax(&i[1], t);
    atomicMin(&i[2], t);
    atomicOr(&i[3], 1 << t % 8);
    for (int was = i[4], now = 0; (now = atomicCAS(&i[4], was, was + 2)) != was; was = now)
        continue;
    atomicAdd(f, 0.5f);
    atomicAdd(d, 0.25);
}

static __global__ void one_at_a_time_kernel(int *i)
{
    atomicCAS(i, 0, 7);
    atomicExch(i + 1, 3);
}

static void atomics_add_up(void)
{
    begin();
    int *i = (int *)on_device(7 * sizeof *i), got[7];
    float *f = (float *)on_device(sizeof *f), sum;
    double *d = (double *)on_device(sizeof *d), sum2;
    GOOD(cudaMemsetAsync(i, 0, 7 * sizeof *i, stream));
    GOOD(cudaMemsetAsync(f, 0, sizeof *f, stream));
    GOOD(cudaMemsetAsync(d, 0, sizeof *d, stream));
    IB_LAUNCH(one_at_a_time_kernel, 3, 5, 0, stream, i + 5);
    GOOD(cudaMemcpyAsync(got + 5, i + 5, 2 * sizeof *i, cudaMemcpyDeviceToHost, stream));
    CHECK(got[5] == 7 && got[6] == 3);
    IB_LAUNCH(atomics_kernel, 1, 64, 0, stream, i, f, d);
    GOOD(cudaMemcpyAsync(got, i, 5 * sizeof *i, cudaMemcpyDeviceToHost, stream));
    GOOD(cudaMemcpyAsync(&sum, f, sizeof sum, cudaMemcpyDeviceToHost, stream));
    GOOD(cudaMemcpyAsync(&sum2, d, sizeof sum2, cudaMemcpyDeviceToHost, stream));
    CHECK(got[0] == 63 * 32 && got[1] == 63 && got[2] == 0 && got[3] == 255 && got[4] == 128);
    CHECK(sum == 32.0f && sum2 == 16.0);
}

static void small_types_round(void)
{
    CHECK(__dp4a(0x01FF7F80, 0x02037F80, 5) == 5 + 2 - 3 + 127 * 127 + 128 * 128);
    CHECK(__dp4a((int)0x80808080, (int)0x80808080, INT32_MAX) == INT32_MIN + 4 * 16384 - 1); /* wraps */
    /* float, its half and its bfloat16 (IEEE 754, and the upper half of fp32): ties, the largest, what is beyond */
    static const struct {
        float x;
        unsigned half, bf16;
    } cases[] = {{1, 0x3C00, 0x3F80},
                 {-2.5f, 0xC100, 0xC020},
                 {65504, 0x7BFF, 0x4780},
                 {65520, 0x7C00, 0x4780},
                 {0x1.002p0f, 0x3C00, 0x3F80},
                 {0x1.006p0f, 0x3C02, 0x3F80},
                 {0x1p-24f, 0x0001, 0x3380},
                 {0x1p-25f, 0x0000, 0x3300},
                 {0x1.8p-24f, 0x0002, 0x33C0},
                 {0x1.ff8p-15f, 0x03FF, 0x3880},
                 {0x1.ffcp-15f, 0x0400, 0x3880},
                 {0, 0, 0},
                 {INFINITY, 0x7C00, 0x7F80},
                 {-0.0f, 0x8000, 0x8000},
                 {0x1.01p0f, 0x3C04, 0x3F80},
                 {0x1.03p0f, 0x3C0C, 0x3F82},
                 {0x1.fffffep127f, 0x7C00, 0x7F80}};
    for (const auto &c : cases) {
        CHECK(__float2half_rn(c.x).bits == c.half);
        CHECK(__float2bfloat16_rn(c.x).bits == c.bf16);
    }
    CHECK(isnan(__half2float(__float2half_rn(NAN))) && isnan(__bfloat162float(__float2bfloat16_rn(NAN))));
    for (unsigned u = 0; u < 0x10000; u++) { /* back and forth */
        const float h = __half2float(__half{(uint16_t)u}), b = __bfloat162float(__nv_bfloat16{(uint16_t)u});
        CHECK(isnan(h) || __float2half_rn(h).bits == u);
        CHECK(isnan(b) || __float2bfloat16_rn(b).bits == u);
    }
}

/* ---- memory that holds nothing ---- */

static __global__ void shared_kernel(float *y)
{
    __shared__ float kept;
    IB_SHARED(float, given);
    y[2 * blockIdx.x] = kept;
    y[2 * blockIdx.x + 1] = given[0];
    kept = given[0] = 1;
}

static void memory_holds_nan(void)
{
    begin();
    float *y = (float *)on_device(8 * sizeof *y), got[8];
    GOOD(cudaMemcpyAsync(got, y, sizeof got, cudaMemcpyDeviceToHost, stream));
    for (const float v : got)
        CHECK(isnan(v));
    GOOD(cudaMemsetAsync(y, 0, 8 * sizeof *y, stream));
    IB_LAUNCH(shared_kernel, 4, 1, sizeof(float), stream, y);
    GOOD(cudaMemcpyAsync(got, y, sizeof got, cudaMemcpyDeviceToHost, stream));
    for (const float v : got)
        CHECK(isnan(v));
}

/* ---- orders ---- */

static __global__ void order_kernel(int *count, int *blocks, int *threads)
{
    const int at = atomicAdd(count, 1);
    blocks[at] = (int)blockIdx.x;
    threads[at] = (int)threadIdx.x;
    __syncthreads();
}

static void orders(int *blocks, int *threads)
{
    int *d = (int *)on_device(401 * sizeof *d);
    GOOD(cudaMemsetAsync(d, 0, 4, stream));
    IB_LAUNCH(order_kernel, 5, 40, 0, stream, d, d + 1, d + 201);
    GOOD(cudaMemcpyAsync(blocks, d + 1, 200 * sizeof *d, cudaMemcpyDeviceToHost, stream));
    GOOD(cudaMemcpyAsync(threads, d + 201, 200 * sizeof *d, cudaMemcpyDeviceToHost, stream));
}

static void orders_are_drawn(void)
{
    begin();
    const char *seed = getenv("ISOBIT_CUDA_HOST_SEED");
    char *kept = seed ? strdup(seed) : NULL;
    setenv("ISOBIT_CUDA_HOST_SEED", "1", 1);
    int blocks[3][200], threads[3][200];
    orders(blocks[0], threads[0]);
    orders(blocks[1], threads[1]);
    CHECK(memcmp(threads[0], threads[1], sizeof threads[0]) != 0);
    int others = memcmp(blocks[0], blocks[1], sizeof blocks[0]) != 0;
    for (int i = 0; i < 20; i++) {
        orders(blocks[1], threads[1]);
        others += memcmp(blocks[0], blocks[1], sizeof blocks[0]) != 0;
    }
    CHECK(others > 10);
    setenv("ISOBIT_CUDA_HOST_SEED", "0", 1);
    orders(blocks[2], threads[2]);
    for (int i = 0; i < 200; i++)
        CHECK(blocks[2][i] == i / 40 && threads[2][i] == i % 40);
    if (kept)
        setenv("ISOBIT_CUDA_HOST_SEED", kept, 1);
    else
        unsetenv("ISOBIT_CUDA_HOST_SEED");
    free(kept);
}

/* ---- streams ---- */

static __global__ void set_kernel(int *p, int value)
{
    *p = value;
}

static void streams_run_late(void)
{
    begin();
    int *pinned = NULL, *d = (int *)on_device(2 * sizeof *d), plain = 5, got = 0;
    GOOD(cudaMallocHost((void **)&pinned, 2 * sizeof *pinned));
    pinned[0] = 1;
    pinned[1] = 77;
    GOOD(cudaMemcpyAsync(d, pinned, sizeof *d, cudaMemcpyHostToDevice, stream));
    pinned[0] = 2; /* too early: the copy has not run */
    GOOD(cudaMemcpyAsync(d + 1, &plain, sizeof *d, cudaMemcpyHostToDevice, stream));
    plain = 6; /* memory that is not pinned is read at once */
    GOOD(cudaMemcpyAsync(pinned + 1, d, sizeof *d, cudaMemcpyDeviceToHost, stream));
    CHECK(pinned[1] == 77);
    GOOD(cudaMemcpyAsync(&got, d + 1, sizeof got, cudaMemcpyDeviceToHost, stream));
    CHECK(pinned[1] == 2 && got == 5);
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, 9);
    GOOD(cudaMemcpyAsync(pinned, d, sizeof *d, cudaMemcpyDeviceToHost, stream));
    CHECK(pinned[0] == 2);
    GOOD(cudaStreamSynchronize(stream));
    CHECK(pinned[0] == 9);
    GOOD(cudaFreeHost(pinned));
}

static void events_order_streams(void)
{
    begin();
    cudaStream_t other;
    cudaEvent_t set;
    int *pinned = NULL, *d = (int *)on_device(sizeof *d);
    GOOD(cudaMallocHost((void **)&pinned, 100 * sizeof *pinned));
    GOOD(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    GOOD(cudaEventCreateWithFlags(&set, cudaEventDisableTiming));
    int early = 0;
    for (int i = 0; i < 100; i++) {
        const int waits = i % 2;
        IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, i);
        GOOD(cudaEventRecord(set, stream));
        CHECK(!waits || (cudaEventQuery(set) == cudaErrorNotReady && cudaGetLastError() == cudaErrorNotReady));
        CHECK(cudaGetLastError() == cudaSuccess);
        if (waits)
            GOOD(cudaStreamWaitEvent(other, set, 0));
        GOOD(cudaMemcpyAsync(pinned + i, d, sizeof *d, cudaMemcpyDeviceToHost, other));
        GOOD(cudaStreamSynchronize(other));
        CHECK(!waits || pinned[i] == i);
        early += !waits && pinned[i] != i;
        if (i % 3)
            GOOD(i % 3 == 1 ? cudaStreamSynchronize(stream) : cudaEventSynchronize(set));
        while (cudaEventQuery(set) == cudaErrorNotReady)
            continue;
    }
    CHECK(early > 20); /* who does not wait sees it */
    GOOD(cudaEventDestroy(set));
    GOOD(cudaStreamDestroy(other));
    GOOD(cudaFreeHost(pinned));
}

/* ---- what is broken ---- */

static __global__ void leaves_kernel(int *p)
{
    if (threadIdx.x == 3)
        return;
    __syncthreads();
    *p = 0;
}

static __global__ void elsewhere_kernel(int *p)
{
    if (threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads();
    *p = 0;
}

static __global__ void mask_kernel(int *p)
{
    *p = __shfl_sync(0xFFFF, 1, 0);
}

static __global__ void warp_kernel(int *p)
{
    if (threadIdx.x == 1)
        __syncthreads();
    else
        __syncwarp();
    *p = 0;
}

static void diverging_is_reported(void)
{
    begin();
    IB_LAUNCH(leaves_kernel, 2, 8, 0, stream, (int *)on_device(4));
    BROKEN("'leaves_kernel'", "block ", "thread 0,0,0 waits at __syncthreads", "thread 3,0,0 has ended");
    IB_LAUNCH(elsewhere_kernel, 1, dim3(4, 2), 0, stream, (int *)on_device(4));
    BROKEN("'elsewhere_kernel'", "block 0,0,0", "test_cuda_host.cpp:", "but thread 3,1,0 waits at __syncthreads");
    IB_LAUNCH(mask_kernel, 1, 32, 0, stream, (int *)on_device(4));
    BROKEN("'mask_kernel'", "whose mask lacks it", "thread ");
    IB_LAUNCH(warp_kernel, 1, 32, 0, stream, (int *)on_device(4));
    BROKEN("'warp_kernel'", "waits at __syncthreads", "waits for lanes ffffffff");
}

typedef struct holds {
    long n;
    int *p;
} holds;

static __global__ void holds_kernel(holds h)
{
    *h.p = (int)h.n;
}

static void memory_of_others_is_reported(void)
{
    begin();
    int here = 0, *pinned = NULL, *d = (int *)on_device(8);
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, &here, 1);
    BROKEN("'set_kernel'", "argument 1", "memory of the host");
    IB_LAUNCH(holds_kernel, 1, 1, 0, stream, holds{3, &here});
    BROKEN("'holds_kernel'", "argument 1", "memory of the host");
    GOOD(cudaMallocHost((void **)&pinned, 4));
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, pinned, 1);
    BROKEN("'set_kernel'", "memory of the host");
    d = (int *)on_device(8);
    GOOD(cudaFreeAsync(d, stream));
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, 1);
    BROKEN("'set_kernel'", "memory that was released");
    d = (int *)on_device(8); /* what was begun before may still use it */
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, d + 1, 1);
    GOOD(cudaFreeAsync(d, stream));
    GOOD(cudaStreamSynchronize(stream));
}

static void calls_are_refused(void)
{
    begin();
    int here = 0, *d = (int *)on_device(8);
    IB_LAUNCH(set_kernel, 1, 1025, 0, stream, d, 1);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration && cudaGetLastError() == cudaSuccess);
    CHECK(strstr(cudaGetErrorString(cudaErrorInvalidConfiguration), "'set_kernel'") != NULL);
    IB_LAUNCH(set_kernel, 0, 32, 0, stream, d, 1);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    IB_LAUNCH(set_kernel, 1, 32, 50000, stream, d, 1);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    IB_LAUNCH(set_kernel, 1, 32, 0, (cudaStream_t)NULL, d, 1);
    CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle);
    CHECK(cudaMemcpyAsync(d, &here, 12, cudaMemcpyHostToDevice, stream) == cudaErrorInvalidValue);
    CHECK(cudaMemcpyAsync(&here, &here, 4, cudaMemcpyDeviceToHost, stream) == cudaErrorInvalidValue);
    CHECK(cudaMemcpyAsync(d, d + 1, 4, cudaMemcpyHostToDevice, stream) == cudaErrorInvalidValue);
    CHECK(cudaMemsetAsync(&here, 0, 4, stream) == cudaErrorInvalidValue);
    CHECK(cudaFreeAsync(&here, stream) == cudaErrorInvalidValue);
    GOOD(cudaFreeAsync(d, stream));
    CHECK(cudaFreeAsync(d, stream) == cudaErrorInvalidValue);
    CHECK(cudaMemsetAsync(d, 0, 4, stream) == cudaErrorInvalidValue);
    CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
    GOOD(cudaStreamSynchronize(stream));
}

/* ---- what the sanitizer sees ---- */

static __global__ void beyond_kernel(int *p, int at)
{
    if (blockIdx.x == 1 && threadIdx.x == 2)
        p[at] = 1;
}

static __global__ void beyond_shared_kernel(int *p, int at)
{
    __shared__ int part[4];
    IB_SHARED(int, given);
    part[threadIdx.x] = 1;
    given[threadIdx.x] = 1;
    if (at < 100)
        part[at] = 2;
    else
        given[at - 100] = 2;
    *p = part[0] + given[0];
}

/* Whether a child that runs a kernel dies, and whether it says who it was (AddressSanitizer; UBSan, which sees indices
 * of arrays, says the line alone). */
enum { LIVES, DIES, DIES_NAMED };
static int runs(void (*kernel)(int *, int), int at)
{
    int ends[2];
    char text[20000];
    size_t n = 0;
    CU_ASSERT_FATAL(!pipe(ends));
    fflush(stdout);
    const pid_t child = fork();
    if (!child) {
        dup2(ends[1], 2);
        ib_host_launch("a kernel", 2, 4, 4 * sizeof(int), stream, kernel, (int *)on_device(40), at);
        cudaStreamSynchronize(stream);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; n < sizeof text - 1 && (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    text[n] = 0;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return !status ? LIVES : strstr(text, "kernel 'a kernel', block ") && strstr(text, "thread ") ? DIES_NAMED : DIES;
}

static void accesses_beyond_die(void)
{
    if (!SANITIZED)
        return;
    begin();
    CHECK(runs(beyond_kernel, 9) == LIVES && runs(beyond_shared_kernel, 3) == LIVES);
    CHECK(runs(beyond_kernel, 10) == DIES_NAMED && runs(beyond_kernel, -1) == DIES_NAMED);
    CHECK(runs(beyond_shared_kernel, 103) == LIVES && runs(beyond_shared_kernel, 104) == DIES_NAMED);
    CHECK(runs(beyond_shared_kernel, 4) != LIVES);
}

#define T(function)                                                                                                    \
    {                                                                                                                  \
#function, function                                                                                            \
    }

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {T(sums_are_right),        T(lanes_exchange),
                 T(atomics_add_up),        T(small_types_round),
                 T(memory_holds_nan),      T(orders_are_drawn),
                 T(streams_run_late),      T(events_order_streams),
                 T(diverging_is_reported), T(memory_of_others_is_reported),
                 T(calls_are_refused),     T(accesses_beyond_die)};
    if (CU_initialize_registry() != CUE_SUCCESS || cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking))
        return 1;
    CU_pSuite suite = CU_add_suite("CUDA on the host", NULL, NULL);
    for (const auto &c : cases)
        CU_add_test(suite, c.name, c.run);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
