/* host_blocks.h - inside backends/cuda/host: the threads of the block that runs. */
#ifndef IB_CUDA_HOST_BLOCKS_H
#define IB_CUDA_HOST_BLOCKS_H

#include <vector>

#include "backends/cuda/host/host_inner.h"

enum { IB_HOST_READY, IB_HOST_AT_BARRIER, IB_HOST_AT_WARP, IB_HOST_ENDED };

typedef struct ib_host_thread {
    int state, fiber;
    const char *file; /* of the barrier */
    int line;
    int kind, source; /* of the warp's operation */
    unsigned mask;
    uint64_t value, result;
} ib_host_thread;

typedef struct ib_host_block {
    std::vector<ib_host_thread> threads;
    size_t ended;
} ib_host_block;
extern ib_host_block ib_host_now;

ib_host_thread *ib_host_this(void);
void ib_host_wait(int state);
void ib_host_give_up(const char *what) __attribute__((noreturn));

/* A thread that waited may go on. */
void ib_host_goes_on(ib_host_thread *t);

/* host_warps.cpp: what waits for that thread may go on. */
void ib_host_lane_has_ended(int thread);

#endif
