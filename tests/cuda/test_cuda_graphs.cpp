/* test_cuda_graphs.cpp - graphs of CUDA on the host (backends/cuda/host/host_graphs.cpp): what is captured runs when
 * the graph is launched, with the arguments of that time, and what CUDA forbids is refused. Broken by: a capture that
 * runs things or keeps pointers to arguments, an update of another graph that passes, a forbidden call that spoils
 * nothing. */
#include <CUnit/Basic.h>
#include <thread>

#include "backends/cuda/launch.cuh"

#define CHECK(condition) CU_ASSERT(condition)
#define GOOD(call) CU_ASSERT_FATAL((call) == cudaSuccess)

static cudaStream_t stream, other;
enum { N = 4 };
static int *d, *pinned; /* [N] */

static __global__ void set_kernel(int *p, int value)
{
    *p = value;
}

static __global__ void add_kernel(int *p, int value)
{
    *p += value;
}

static void begin(void)
{
    GOOD(cudaDeviceReset());
    GOOD(cudaMallocAsync((void **)&d, N * sizeof *d, stream));
    GOOD(cudaMallocHost((void **)&pinned, N * sizeof *pinned));
    GOOD(cudaMemsetAsync(d, 0, N * sizeof *d, stream));
}

static int value_of(int i)
{
    int value = -1;
    GOOD(cudaMemcpyAsync(&value, d + i, sizeof value, cudaMemcpyDeviceToHost, stream));
    return value;
}

/* d[0] = value, d[1] = d[0], d[0] += 1, and d[2] = pinned[0] */
static cudaGraph_t captured(int value)
{
    cudaGraph_t graph = NULL;
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, value);
    GOOD(cudaMemcpyAsync(d + 1, d, sizeof *d, cudaMemcpyDeviceToDevice, stream));
    IB_LAUNCH(add_kernel, 1, 1, 0, stream, d, 1);
    GOOD(cudaMemcpyAsync(d + 2, pinned, sizeof *d, cudaMemcpyHostToDevice, stream));
    GOOD(cudaStreamEndCapture(stream, &graph));
    CU_ASSERT_FATAL(graph != NULL);
    return graph;
}

static void graphs_run_what_was_captured(void)
{
    begin();
    const ib_host_counts before = *ib_host_counted();
    cudaGraphExec_t exec = NULL;
    cudaGraph_t graph = captured(5);
    size_t nodes = 0;
    CHECK(value_of(0) == 0);
    GOOD(cudaGraphGetNodes(graph, NULL, &nodes));
    CHECK(nodes == 4);
    GOOD(cudaGraphInstantiate(&exec, graph, 0));
    GOOD(cudaGraphDestroy(graph));
    CHECK(value_of(0) == 0);
    pinned[0] = 7;
    GOOD(cudaGraphLaunch(exec, stream));
    pinned[0] = 8; /* too early */
    CHECK(value_of(0) == 6 && value_of(1) == 5 && value_of(2) == 8);
    cudaGraphExecUpdateResultInfo info;
    GOOD(cudaGraphLaunch(exec, stream)); /* with the 5, though it runs later than the update */
    graph = captured(20);
    GOOD(cudaGraphExecUpdate(exec, graph, &info));
    CHECK(info.result == cudaGraphExecUpdateSuccess && value_of(1) == 5);
    GOOD(cudaGraphLaunch(exec, stream));
    GOOD(cudaGraphDestroy(graph));
    GOOD(cudaGraphExecDestroy(exec));
    CHECK(value_of(0) == 21 && value_of(1) == 20);
    const ib_host_counts after = *ib_host_counted();
    CHECK(after.graphs - before.graphs == 3 && after.made - before.made == 1 && after.updated - before.updated == 1);
    CHECK(after.launches == before.launches);
}

/* Of a kernel and a copy that way, and a fill if wanted. */
static cudaGraph_t another(int with_fill, cudaMemcpyKind direction, int fill_first)
{
    cudaGraph_t graph = NULL;
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    if (fill_first)
        GOOD(cudaMemsetAsync(d, 0, 4, stream));
    IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, 1);
    GOOD(cudaMemcpyAsync(d + 1, direction == cudaMemcpyHostToDevice ? pinned : d, 4, direction, stream));
    if (with_fill)
        GOOD(cudaMemsetAsync(d, 0, 4, stream));
    GOOD(cudaStreamEndCapture(stream, &graph));
    return graph;
}

static void graphs_take_their_like(void)
{
    begin();
    cudaGraphExec_t exec = NULL;
    cudaGraphExecUpdateResultInfo info;
    cudaGraph_t graphs[] = {another(1, cudaMemcpyDeviceToDevice, 0), another(0, cudaMemcpyDeviceToDevice, 0),
                            another(0, cudaMemcpyDeviceToDevice, 1), another(1, cudaMemcpyHostToDevice, 0)};
    const cudaGraphExecUpdateResult wanted[] = {cudaGraphExecUpdateSuccess, cudaGraphExecUpdateErrorTopologyChanged,
                                                cudaGraphExecUpdateErrorNodeTypeChanged,
                                                cudaGraphExecUpdateErrorParametersChanged};
    GOOD(cudaGraphInstantiate(&exec, graphs[0], 0));
    for (int i = 0; i < 4; i++) {
        const cudaError_t error = cudaGraphExecUpdate(exec, graphs[i], &info);
        CHECK(error == (i ? cudaErrorGraphExecUpdateFailure : cudaSuccess) && info.result == wanted[i]);
        CHECK(cudaGetLastError() == error);
        GOOD(cudaGraphDestroy(graphs[i]));
    }
    GOOD(cudaGraphLaunch(exec, stream));
    CHECK(value_of(0) == 0 && value_of(1) == 1);
    /* memory that was released since */
    GOOD(cudaFreeAsync(d, stream));
    cudaGraphLaunch(exec, stream);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorIllegalAddress);
    CHECK(strstr(cudaGetErrorString(cudaErrorIllegalAddress), "memory that was released") != NULL);
    GOOD(cudaGraphExecDestroy(exec));
    begin();
}

/* The call is refused, and the capture gives nothing. */
#define SPOILS(call, refusal)                                                                                          \
    do {                                                                                                               \
        cudaGraph_t graph_ = NULL;                                                                                     \
        cudaStreamCaptureStatus status_ = cudaStreamCaptureStatusNone;                                                 \
        GOOD(cudaStreamBeginCapture(stream, mode));                                                                    \
        IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, 3);                                                                  \
        CHECK((call) == (refusal) && cudaGetLastError() == (refusal));                                                 \
        GOOD(cudaStreamIsCapturing(stream, &status_));                                                                 \
        CHECK(status_ == cudaStreamCaptureStatusInvalidated);                                                          \
        IB_LAUNCH(set_kernel, 1, 1, 0, stream, d, 3);                                                                  \
        CHECK(cudaGetLastError() == cudaErrorStreamCaptureInvalidated);                                                \
        CHECK(cudaStreamEndCapture(stream, &graph_) == cudaErrorStreamCaptureInvalidated && !graph_);                  \
        cudaGetLastError();                                                                                            \
        CHECK(value_of(0) == 0);                                                                                       \
    } while (0)

static void captures_are_spoilt(void)
{
    begin();
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    cudaEvent_t event, captured_event;
    cudaGraph_t graph = captured(5);
    cudaGraphExec_t exec;
    int here = 0;
    void *p = NULL;
    GOOD(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    GOOD(cudaEventCreateWithFlags(&captured_event, cudaEventDisableTiming));
    GOOD(cudaEventRecord(event, other));
    GOOD(cudaGraphInstantiate(&exec, graph, 0));
    SPOILS(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaDeviceSynchronize(), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaMallocAsync(&p, 4, stream), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaFreeAsync(d, stream), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaFreeHost(pinned), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaMemcpyAsync(d, &here, 4, cudaMemcpyHostToDevice, stream), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaMemcpyAsync(&here, d, 4, cudaMemcpyDeviceToHost, stream), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaStreamWaitEvent(stream, event, 0), cudaErrorStreamCaptureIsolation);
    SPOILS(cudaGraphLaunch(exec, stream), cudaErrorStreamCaptureUnsupported);
    SPOILS((cudaEventRecord(captured_event, stream), cudaStreamWaitEvent(other, captured_event, 0)),
           cudaErrorStreamCaptureUnsupported);
    mode = cudaStreamCaptureModeThreadLocal;
    SPOILS(cudaMallocHost(&p, 4), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaEventQuery(event), cudaErrorStreamCaptureUnsupported);
    SPOILS(cudaEventSynchronize(event), cudaErrorStreamCaptureUnsupported);
    GOOD(cudaGraphExecDestroy(exec));
    GOOD(cudaGraphDestroy(graph));
    GOOD(cudaEventDestroy(event));
    GOOD(cudaEventDestroy(captured_event));
}

/* What is allowed while a stream captures, and goes on at once. */
static void others_go_on(void)
{
    begin();
    cudaEvent_t event;
    cudaGraph_t graph = NULL;
    void *p = NULL;
    GOOD(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    pinned[0] = 3;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorIllegalState);
    GOOD(cudaStreamSynchronize(stream));
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaErrorIllegalState);
    GOOD(cudaMemcpyAsync(d + 3, pinned, 4, cudaMemcpyHostToDevice, other));
    GOOD(cudaEventRecord(event, other));
    GOOD(cudaEventSynchronize(event));
    GOOD(cudaEventQuery(event));
    GOOD(cudaMallocHost(&p, 4));
    GOOD(cudaMallocAsync(&p, 4, other));
    GOOD(cudaEventRecord(event, stream));
    CHECK(cudaEventQuery(event) == cudaErrorCapturedEvent && cudaEventSynchronize(event) == cudaErrorCapturedEvent);
    GOOD(cudaStreamWaitEvent(stream, event, 0));
    GOOD(cudaStreamEndCapture(stream, &graph));
    size_t nodes = 7;
    GOOD(cudaGraphGetNodes(graph, NULL, &nodes));
    CHECK(nodes == 0 && value_of(3) == 3);
    GOOD(cudaGraphDestroy(graph));
    GOOD(cudaEventDestroy(event));
}

static void other_threads_go_on(void)
{
    begin();
    cudaEvent_t event;
    cudaGraph_t graph = NULL;
    cudaError_t of_this = cudaSuccess, of_that = cudaErrorInvalidValue, is_free = of_that, is_gone = of_that;
    void *p = NULL;
    GOOD(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    GOOD(cudaMallocHost(&p, 4));
    GOOD(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) == cudaErrorIllegalState); /* kept until asked */
    std::thread([&] {
        of_that = cudaGetLastError();
        is_free = cudaFreeHost(p); /* which its own capture alone forbids */
        is_gone = cudaEventDestroy(event);
        cudaSetDevice(1);
    }).join();
    of_this = cudaGetLastError();
    CHECK(of_that == cudaSuccess && of_this == cudaErrorIllegalState);
    CHECK(is_free == cudaSuccess && is_gone == cudaSuccess);
    GOOD(cudaStreamEndCapture(stream, &graph));
    GOOD(cudaGraphDestroy(graph));
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS || cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) ||
        cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking))
        return 1;
    CU_pSuite suite = CU_add_suite("graphs of CUDA on the host", NULL, NULL);
    CU_add_test(suite, "graphs_run_what_was_captured", graphs_run_what_was_captured);
    CU_add_test(suite, "graphs_take_their_like", graphs_take_their_like);
    CU_add_test(suite, "captures_are_spoilt", captures_are_spoilt);
    CU_add_test(suite, "others_go_on", others_go_on);
    CU_add_test(suite, "other_threads_go_on", other_threads_go_on);
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    cudaDeviceReset();
    return failures ? 1 : 0;
}
