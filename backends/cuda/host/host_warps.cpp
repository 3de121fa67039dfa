/* host_warps.cpp - what 32 threads of a block do together. */
#include "backends/cuda/host/host_blocks.h"

static int number_of(const ib_host_thread *t)
{
    return (int)(t - ib_host_now.threads.data());
}

/* The thread of that lane in the warp of thread t, or NULL: the block has none. */
static ib_host_thread *lane_of(int t, int lane)
{
    const size_t at = (size_t)t / 32 * 32 + (size_t)lane;
    return at < ib_host_now.threads.size() ? &ib_host_now.threads[at] : NULL;
}

static bool is_gone(const ib_host_thread *t)
{
    return !t || t->state == IB_HOST_ENDED;
}

/* All lanes of t's mask that there are have come to the same operation: each gets its result. A lane that is not in it
 * gives bits that are no number. */
static bool complete(ib_host_thread *t)
{
    const int of = number_of(t);
    uint64_t ballot = 0;
    for (int lane = 0; lane < 32; lane++) {
        const ib_host_thread *other = lane_of(of, lane);
        if (!(t->mask >> lane & 1) || is_gone(other))
            continue;
        if (other->state != IB_HOST_AT_WARP || other->mask != t->mask || other->kind != t->kind)
            return false;
        ballot |= (uint64_t)(other->value != 0) << lane;
    }
    const unsigned mask = t->mask;
    for (int lane = 0; lane < 32; lane++) {
        ib_host_thread *each = lane_of(of, lane);
        if (!(mask >> lane & 1) || is_gone(each))
            continue;
        const ib_host_thread *from = lane_of(of, each->source);
        each->result = each->kind == IB_HOST_BALLOT                   ? ballot
                       : !(mask >> each->source & 1) || is_gone(from) ? ~(uint64_t)0
                                                                      : from->value;
    }
    for (int lane = 0; lane < 32; lane++) {
        ib_host_thread *each = lane_of(of, lane);
        if (mask >> lane & 1 && !is_gone(each))
            ib_host_goes_on(each);
    }
    return true;
}

void ib_host_lane_has_ended(int thread)
{
    for (int lane = 0; lane < 32; lane++) {
        ib_host_thread *each = lane_of(thread, lane);
        if (each && each->state == IB_HOST_AT_WARP)
            complete(each);
    }
}

int ib_host_lane(void)
{
    return number_of(ib_host_this()) % 32;
}

uint64_t ib_host_warp(int kind, unsigned mask, uint64_t value, int source)
{
    ib_host_thread *t = ib_host_this();
    if (!(mask >> ib_host_lane() & 1))
        ib_host_give_up("takes part in an operation of its warp whose mask lacks it");
    t->kind = kind;
    t->mask = mask;
    t->value = value;
    t->source = source;
    t->state = IB_HOST_AT_WARP;
    complete(t); /* then it goes on when it is drawn, like the others */
    ib_host_wait(t->state);
    return t->result;
}
