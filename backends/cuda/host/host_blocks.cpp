/* host_blocks.cpp - the blocks of a launch, one at a time, and their threads as fibers.
 *
 * A fiber takes a thread that has not begun, runs it, and takes the next, so that a kernel that never waits costs no
 * switch. Where a thread waits, its fiber stands still and another goes on. When none can go on and some wait, the
 * block is broken: its barriers diverge. */
#include <deque>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <utility>
#include <vector>

#include "backends/cuda/host/host_blocks.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define LEAVE(keep, stack, bytes) __sanitizer_start_switch_fiber(keep, stack, bytes)
#define ARRIVE(keep, stack, bytes) __sanitizer_finish_switch_fiber(keep, stack, bytes)
#define FORGET(stack, bytes) __asan_unpoison_memory_region(stack, bytes)
#define WHEN_IT_DIES(function) __sanitizer_set_death_callback(function)
#define UNCHECKED __attribute__((no_sanitize_address))
#else
#define LEAVE(keep, stack, bytes) ((void)(keep), (void)(stack), (void)(bytes))
#define ARRIVE(keep, stack, bytes) LEAVE(keep, stack, bytes)
#define FORGET(stack, bytes) ((void)(stack), (void)(bytes))
#define WHEN_IT_DIES(function) ((void)(function))
#define UNCHECKED
#endif

enum { STACK = 256 << 10 };

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
ib_host_block ib_host_now;

/* Leaves this stack, whose top goes to *own, for another, as a call that returns there: x86-64 System V, the registers
 * that a function keeps. (swapcontext would do; its two system calls take most of the time of a barrier.) */
extern "C" void ib_host_switch(void **own, void *other);
__asm__(".text\n"
        ".type ib_host_switch, @function\n"
        "ib_host_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size ib_host_switch, .-ib_host_switch\n");

typedef struct fiber {
    void *stack, *top, *keep;
    int thread; /* -1: none */
} fiber;

static std::deque<fiber> fibers; /* the first `used` are of this block */
static int used, running;
static void *scheduler;
static void *scheduler_keep;
static const void *scheduler_stack;
static size_t scheduler_bytes;
static std::vector<int> order; /* of the threads; those from `begun` on have not begun */
static size_t begun;
static std::vector<int> ready; /* fibers whose threads wait no longer */
static const ib_host_grid *launch;
static void *dynamic_shared;

extern char __start_ib_cuda_shared[] __attribute__((weak)), __stop_ib_cuda_shared[] __attribute__((weak));

/* ---- words ---- */

static void name_thread(char *to, size_t bytes, int t)
{
    const unsigned x = blockDim.x, y = blockDim.y, i = (unsigned)t;
    snprintf(to, bytes, "thread %u,%u,%u", i % x, i / x % y, i / x / y);
}

const char *ib_host_where(void)
{
    static char text[300], thread[60];
    if (!launch || running < 0)
        return "";
    name_thread(thread, sizeof thread, fibers[(size_t)running].thread);
    snprintf(text, sizeof text, "kernel '%s', block %u,%u,%u, %s", launch->kernel, blockIdx.x, blockIdx.y, blockIdx.z,
             thread);
    return text;
}

static void say_where(void)
{
    if (*ib_host_where())
        fprintf(stderr, "%s\n", ib_host_where());
}

static void break_block(int t, const char *format, ...)
{
    char thread[60], what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    name_thread(thread, sizeof thread, t);
    ib_host_break(cudaErrorLaunchFailure, "kernel '%s', block %u,%u,%u, %s %s", launch->kernel, blockIdx.x, blockIdx.y,
                  blockIdx.z, thread, what);
}

/* ---- fibers ---- */

static void become(int t)
{
    fibers[(size_t)running].thread = t;
    ib_host_now.threads[(size_t)t].fiber = running;
    const unsigned x = blockDim.x, y = blockDim.y, i = (unsigned)t;
    threadIdx = {i % x, i / x % y, i / x / y};
}

static void to_scheduler(void)
{
    fiber *f = &fibers[(size_t)running];
    LEAVE(&f->keep, scheduler_stack, scheduler_bytes);
    ib_host_switch(&f->top, scheduler);
    ARRIVE(f->keep, &scheduler_stack, &scheduler_bytes);
}

static void fiber_body(void)
{
    ARRIVE(NULL, &scheduler_stack, &scheduler_bytes);
    for (;;) {
        while (begun < order.size() && !ib_host_broken()) {
            const int t = order[begun++];
            become(t);
            launch->body();
            ib_host_now.threads[(size_t)t].state = IB_HOST_ENDED;
            ib_host_now.ended++;
            ib_host_lane_has_ended(t);
        }
        fibers[(size_t)running].thread = -1;
        to_scheduler();
    }
}

static void run_fiber(int i)
{
    fiber *f = &fibers[(size_t)(running = i)];
    if (f->thread >= 0)
        become(f->thread);
    LEAVE(&scheduler_keep, f->stack, STACK);
    ib_host_switch(&scheduler, f->top);
    ARRIVE(scheduler_keep, NULL, NULL);
    running = -1;
}

static int new_fiber(void)
{
    if (used == (int)fibers.size()) {
        fibers.emplace_back();
        fibers.back().stack =
            mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    fiber *f = &fibers[(size_t)used];
    FORGET(f->stack, STACK);
    void **top = (void **)((char *)f->stack + STACK) - 8; /* six registers, where to go, and nowhere to return to */
    for (int i = 0; i < 8; i++)
        top[i] = NULL;
    top[6] = (void *)fiber_body;
    f->top = top;
    f->thread = -1;
    return used++;
}

void ib_host_goes_on(ib_host_thread *t)
{
    t->state = IB_HOST_READY;
    ready.push_back(t->fiber);
}

/* The thread that runs waits, until it goes on; it may have been told so already. */
void ib_host_wait(int state)
{
    ib_host_thread *t = ib_host_this();
    t->state = state;
    to_scheduler();
}

ib_host_thread *ib_host_this(void)
{
    return &ib_host_now.threads[(size_t)fibers[(size_t)running].thread];
}

/* The block is given up: nothing of it runs again. */
void ib_host_give_up(const char *what)
{
    break_block(fibers[(size_t)running].thread, "%s", what);
    for (;;)
        to_scheduler();
}

/* ---- barriers ---- */

void ib_host_barrier(const char *file, int line)
{
    ib_host_thread *t = ib_host_this();
    t->file = file;
    t->line = line;
    ib_host_wait(IB_HOST_AT_BARRIER);
}

static void describe(char *to, size_t bytes, const ib_host_thread *t)
{
    if (t->state == IB_HOST_AT_BARRIER)
        snprintf(to, bytes, "waits at __syncthreads of %s:%d", t->file, t->line);
    else if (t->state == IB_HOST_AT_WARP)
        snprintf(to, bytes, "waits for lanes %08x of its warp", t->mask);
    else
        snprintf(to, bytes, "has ended");
}

/* Nothing can go on: all are at one barrier, which opens, or the block is broken. */
static void open_barrier(void)
{
    std::vector<ib_host_thread> &threads = ib_host_now.threads;
    size_t waits = 0, other = threads.size();
    while (waits < threads.size() && threads[waits].state == IB_HOST_ENDED)
        waits++;
    const ib_host_thread *first = &threads[waits];
    for (size_t i = 0; i < threads.size(); i++) {
        const ib_host_thread *t = &threads[i];
        if (t->state != first->state ||
            (t->state == IB_HOST_AT_BARRIER && (t->line != first->line || strcmp(t->file, first->file))))
            other = i;
    }
    if (other < threads.size() || first->state != IB_HOST_AT_BARRIER) {
        char one[160], two[160], name[60];
        describe(one, sizeof one, first);
        describe(two, sizeof two, &threads[other < threads.size() ? other : waits]);
        name_thread(name, sizeof name, (int)(other < threads.size() ? other : waits));
        break_block((int)waits, "%s, but %s %s", one, name, two);
        return;
    }
    for (ib_host_thread &t : threads)
        ib_host_goes_on(&t);
}

/* ---- blocks ---- */

UNCHECKED static void poison_shared(void)
{
    volatile char *p = __start_ib_cuda_shared; /* with what the sanitizer keeps between variables */
    for (ptrdiff_t i = 0, n = __start_ib_cuda_shared ? __stop_ib_cuda_shared - __start_ib_cuda_shared : 0; i < n; i++)
        p[i] = (char)0xFF;
}

void *ib_host_dynamic_shared(void)
{
    return dynamic_shared;
}

static void shuffle(std::vector<int> &v)
{
    for (size_t i = v.size(); i > 1; i--)
        std::swap(v[i - 1], v[i - 1 - ib_host_draw((unsigned)i)]);
}

/* One that waits no longer, at random. */
static int take_ready(void)
{
    std::swap(ready[ib_host_draw((unsigned)ready.size())], ready.back());
    const int fiber = ready.back();
    ready.pop_back();
    return fiber;
}

static void run_block(void)
{
    const size_t n = order.size();
    ib_host_now.threads.assign(n, ib_host_thread{});
    ib_host_now.ended = 0;
    begun = 0;
    used = 0;
    ready.clear();
    shuffle(order);
    poison_shared();
    memset(dynamic_shared, 0xFF, launch->shared);
    while (ib_host_now.ended < n && !ib_host_broken()) {
        if (!ready.empty() && (begun == n || ib_host_draw(2)))
            run_fiber(take_ready());
        else if (begun < n)
            run_fiber(new_fiber());
        else
            open_barrier();
    }
}

void ib_host_run(const ib_host_grid *g)
{
    static bool told = false;
    if (!told)
        WHEN_IT_DIES(say_where);
    told = true;
    launch = g;
    gridDim = g->grid;
    blockDim = g->block;
    order.resize((size_t)g->block.x * g->block.y * g->block.z);
    for (size_t i = 0; i < order.size(); i++)
        order[i] = (int)i;
    dynamic_shared = malloc(g->shared); /* of that size, so that a sanitizer sees its end */
    const size_t blocks = (size_t)g->grid.x * g->grid.y * g->grid.z;
    std::vector<int> turn(blocks);
    for (size_t i = 0; i < blocks; i++)
        turn[i] = (int)i;
    shuffle(turn);
    for (size_t i = 0; i < blocks && !ib_host_broken(); i++) {
        const unsigned b = (unsigned)turn[i];
        blockIdx = {b % g->grid.x, b / g->grid.x % g->grid.y, b / g->grid.x / g->grid.y};
        run_block();
    }
    free(dynamic_shared);
    launch = NULL;
}

void ib_host_begin(const char *kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                   std::function<void()> body, std::function<void()> look)
{
    IB_HOST_CALL();
    look();
    const size_t threads = (size_t)block.x * block.y * block.z;
    if (!threads || threads > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > INT32_MAX ||
        grid.y > 65535 || grid.z > 65535) {
        ib_host_refuse(cudaErrorInvalidConfiguration, "kernel '%s': a grid of %u,%u,%u blocks of %u,%u,%u threads",
                       kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z);
    } else if (shared > 48 << 10)
        ib_host_refuse(cudaErrorInvalidValue, "kernel '%s': %zu bytes of shared memory, 49152 are there", kernel,
                       shared);
    else {
        const ib_host_grid g = {kernel, grid, block, shared, body};
        ib_host_count.launches += ib_host_is_stream(stream) && !stream->capture;
        ib_host_queue(stream, {IB_HOST_KERNEL, 0,
                               [g] {
                                   ib_host_run(&g);
                                   return true;
                               },
                               look});
    }
}
