/* host_inner.h - inside backends/cuda/host: what memory, streams and blocks know of each other. */
#ifndef IB_CUDA_HOST_INNER_H
#define IB_CUDA_HOST_INNER_H

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backends/cuda/host/host_language.h"

#pragma GCC visibility push(default) /* for what stands in for libraries, a file each */

/* Calls come from any thread of the program, one at a time: each that touches streams, events, memory, captures or a
 * block's threads holds the lock, and what a stream runs is run by the thread that waits. */
extern std::recursive_mutex ib_host_lock;
#define IB_HOST_CALL() std::lock_guard<std::recursive_mutex> calling(ib_host_lock)

/* One line for cudaGetErrorString. What stays is the first of its kind. */
cudaError_t ib_host_refuse(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));
cudaError_t ib_host_break(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));
cudaError_t ib_host_broken(void); /* cudaSuccess: nothing stays */

extern ib_host_counts ib_host_count;
void ib_host_count_copy(cudaStream_t stream);

/* 0 .. n - 1 at random, or always 0 where ISOBIT_CUDA_HOST_SEED is 0. */
unsigned ib_host_draw(unsigned n);

/* A launch, when its stream comes to it. */
typedef struct ib_host_grid {
    const char *kernel;
    dim3 grid, block;
    size_t shared;
    std::function<void()> body;
} ib_host_grid;
void ib_host_run(const ib_host_grid *g);

/* "kernel 'sum', block 1,0,0, thread 3,0,0" of the fiber that runs, or "". */
const char *ib_host_where(void);

/* What is given to a stream. run(), when its turn comes: false: it waits for an event, and is asked again. */
typedef enum ib_host_kind { IB_HOST_KERNEL, IB_HOST_COPY, IB_HOST_FILL, IB_HOST_OTHER } ib_host_kind;
typedef struct ib_host_work {
    ib_host_kind kind;
    int direction; /* of a copy */
    std::function<bool()> run;
    std::function<void()> look; /* of a kernel: at its arguments once more; or none */
} ib_host_work;

/* A capture under way. */
typedef struct ib_host_capture {
    cudaStreamCaptureMode mode;
    std::thread::id by;
    bool spoilt;
    std::vector<ib_host_work> nodes;
} ib_host_capture;

struct ib_host_stream {
    std::deque<std::function<bool()>> queue;
    std::unique_ptr<ib_host_capture> capture;
};
extern std::vector<cudaStream_t> ib_host_streams;
bool ib_host_is_stream(cudaStream_t s);

/* To the end of a stream's queue, or of the graph that it captures; or refused. */
cudaError_t ib_host_queue(cudaStream_t stream, ib_host_work what);
void ib_host_forget_queues(void);
void ib_host_run_until(cudaStream_t stream, const std::function<bool()> &done);
void ib_host_run_all(void); /* what is queued, of all streams */
bool ib_host_is_idle(cudaStream_t stream);

/* host_graphs.cpp: what `call` may not do while the stream captures (NULL: while any does); what is unsafe while any
 * captures, but for mode Relaxed; both: forbidden to the thread that captures, unsafe for others; a node more.
 * cudaSuccess: go on. */
cudaError_t ib_host_spoils(cudaStream_t stream, const char *call);
cudaError_t ib_host_unsafe(const char *call);
cudaError_t ib_host_spoils_own(const char *call);
cudaError_t ib_host_capture_node(cudaStream_t stream, ib_host_work what);

/* What memory an address belongs to. */
typedef enum ib_host_place { IB_HOST_UNKNOWN, IB_HOST_DEVICE, IB_HOST_PINNED, IB_HOST_RELEASED } ib_host_place;
ib_host_place ib_host_find(const void *p, size_t bytes, size_t *behind);
void ib_host_forget_memory(void);
/* Whether all of it is the device's (or the cases' of kernels, which lie anywhere). */
bool ib_host_is_device(const void *p, size_t bytes);

#pragma GCC visibility pop

#endif
