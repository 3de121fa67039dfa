/* host_api.h - CUDA's runtime on the host, as far as the plugin calls it: the same names, the same promises, and no
 * more than what is promised. C and C++.
 *
 * There is one device, whose memory is the heap, so that AddressSanitizer sees an access beyond a block's end or after
 * its release. A stream is a queue: what is begun runs when somebody waits for it, in the queue's order; what other
 * streams run between is drawn at random. Memory that nobody has written holds NaN. The first failure of a kernel or of
 * a queued copy stays, as on a device, until cudaDeviceReset; cudaGetErrorString then has one line that names the
 * kernel, the block and the thread. See docs/cuda.md. */
#ifndef IB_CUDA_HOST_API_H
#define IB_CUDA_HOST_API_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CUDA's own numbers. */
typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInvalidDevice = 101,
    cudaErrorInvalidResourceHandle = 400,
    cudaErrorIllegalState = 401,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorStreamCaptureIsolation = 905,
    cudaErrorCapturedEvent = 907,
    cudaErrorGraphExecUpdateFailure = 910,
} cudaError_t;

typedef enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
} cudaMemcpyKind;

typedef struct ib_host_stream *cudaStream_t;
typedef struct ib_host_event *cudaEvent_t;
typedef struct ib_host_pool *cudaMemPool_t;
typedef enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 } cudaMemPoolAttr;
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaEventDefault = 0 };

typedef struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock;
    int major, minor, multiProcessorCount, warpSize, maxThreadsPerBlock, memoryPoolsSupported;
} cudaDeviceProp;

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaDeviceReset(void); /* forgets what is queued, what is allocated, and the failure */

/* The last failure of a call, which is forgotten, or what stays. */
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorString(cudaError_t error);

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void *value);
cudaError_t cudaMallocAsync(void **p, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void *p, cudaStream_t stream);
cudaError_t cudaMallocHost(void **p, size_t bytes); /* pinned */
cudaError_t cudaFreeHost(void *p);
/* Pinned memory is read and written when the copy runs. Other memory of the host is read at once; a copy to it is
 * waited for. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *p, int byte, size_t bytes, cudaStream_t stream);

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
/* Runs one thing of what it asks for, so that who asks again gets on. cudaErrorNotReady is a call's error as others
 * are: it is also what cudaGetLastError gives next. */
cudaError_t cudaEventQuery(cudaEvent_t event);

/* ---- graphs (host_graphs.cpp): of one stream, of kernels, copies and fills ----
 *
 * While a stream captures, what is given to it goes into a graph and does not run. What cannot be captured (waiting for
 * the stream, memory of its pool, a copy from or to memory of the host that is not pinned, a wait for what another
 * stream does) is refused and spoils the capture: all that follows is refused, and no graph comes of it. In another
 * mode than Relaxed so do calls that CUDA names unsafe. An executable graph takes another graph's arguments, sizes and
 * functions if that has as many nodes of the same kinds in the same order, copies in the same direction. */
typedef struct ib_host_graph *cudaGraph_t;
typedef struct ib_host_exec *cudaGraphExec_t;
typedef struct ib_host_node *cudaGraphNode_t;
typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed,
} cudaStreamCaptureMode;
typedef enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone,
    cudaStreamCaptureStatusActive,
    cudaStreamCaptureStatusInvalidated,
} cudaStreamCaptureStatus;
typedef enum cudaGraphExecUpdateResult {
    cudaGraphExecUpdateSuccess,
    cudaGraphExecUpdateError,
    cudaGraphExecUpdateErrorTopologyChanged,
    cudaGraphExecUpdateErrorNodeTypeChanged,
    cudaGraphExecUpdateErrorFunctionChanged,
    cudaGraphExecUpdateErrorParametersChanged,
} cudaGraphExecUpdateResult;
typedef struct cudaGraphExecUpdateResultInfo {
    cudaGraphExecUpdateResult result;
    cudaGraphNode_t errorNode, errorFromNode;
} cudaGraphExecUpdateResultInfo;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status);
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *n); /* nodes NULL: how many */
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo *info);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

/* ---- not CUDA's ---- */

/* Whether that is an address of a block of the device's memory (or ISOBIT_CUDA_HOST_MEMORY is "any"). */
int ib_host_has(const void *p);

/* What has happened since the process began, for tests. */
typedef struct ib_host_counts {
    long launches;              /* of kernels, each by itself */
    long graphs, made, updated; /* launched, instantiated, given another's arguments */
    long overlapping;           /* copies from the host that ran while another stream had something to do */
} ib_host_counts;
const ib_host_counts *ib_host_counted(void) __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
