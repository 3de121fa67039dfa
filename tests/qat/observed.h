/* observed.h - values as observers see them. */
#ifndef IB_TESTS_QAT_OBSERVED_H
#define IB_TESTS_QAT_OBSERVED_H

#include "tests/check.h"
#include "autograd/quantizer.h"
#include "qat/observer.h"

enum { N = 20000, BATCHES = 4, EACH = N / BATCHES };

static ib_device *dev;

static inline float uniform(int64_t i)
{
    return ib_rng_uniform((ib_rng){7, 3}, (uint64_t)i);
}

/* x[n] as a batch in the device's memory. */
static inline ib_status see(ib_observer *o, const float *x, int64_t n, const char *layer)
{
    const size_t bytes = (size_t)n * sizeof *x;
    float *batch = dev->v.allocate(dev, bytes);
    REQUIRE(batch != NULL);
    dev->v.upload(dev, batch, x, bytes);
    const ib_status status = ib_observer_see_batch(o, dev, batch, n, layer);
    dev->v.release(dev, batch);
    return status;
}

/* ---- kinds of data: value i of N; a batch is EACH values in a row ---- */

static inline float mask_of_rare_ones(int64_t i)
{
    return i % 1000 == 999 ? 1 : 0;
}
static inline float one_one(int64_t i)
{
    return i == 7 ? 1 : 0;
}
static inline float one_hot(int64_t i)
{
    return i % 10 == i / 10 % 10 ? 1 : 0;
}
static inline float rare_negative(int64_t i)
{
    return i % 1000 == 5 ? -0.25f : 0;
}
static inline float two_values(int64_t i)
{
    return i % 7 ? 0.3f : 1.7f;
}
static inline float near_and_far(int64_t i)
{
    return i % 50 == 0 ? 1 : i % 3 ? 0.5f : 0.504f;
}
static inline float three_values(int64_t i)
{
    return (float)(i % 3 - 1);
}
static inline float five_values(int64_t i)
{
    return (float[]){-3, -0.5f, 0, 0.25f, 2}[(i * i + i / 3) % 5];
}
static inline float mostly_small(int64_t i)
{
    return i % 100 ? 0.01f : 1;
}
static inline float mostly_large(int64_t i)
{
    return i % 100 ? 1 : 0.01f;
}
static inline float spike_at_the_top(int64_t i)
{
    return fminf(6, 12 * uniform(i) * uniform(i));
}
static inline float constant(int64_t i)
{
    return i >= 0 ? 3.5f : 0;
}
static inline float negative_constant(int64_t i)
{
    return i >= 0 ? -1e-3f : 0;
}
static inline float all_zero(int64_t i)
{
    return i >= 0 ? 0 : 1;
}
static inline float tiny_mask(int64_t i)
{
    return i % 100 ? 0 : 1e-12f;
}
static inline float huge_mask(int64_t i)
{
    return i % 100 ? 0 : 1e15f;
}
static inline float tiny_then_large(int64_t i)
{
    return i % 4 == 0 ? i < EACH ? 1e-9f : 8 : 0;
}
static inline float zero_then_ones(int64_t i)
{
    return i < EACH ? 0 : (float)(i % 2);
}
static inline float zero_then_tiny(int64_t i)
{
    return i < EACH ? 0 : i % 2 ? 1e-9f : 3e-10f;
}
static inline float one_tiny_then_more(int64_t i)
{
    return i < EACH || i % 2 ? 1e-9f : 5e-9f;
}
static inline float constant_then_both_sides(int64_t i)
{
    return i < EACH ? 2 : i % 2 ? -40 : 30;
}
static inline float growing(int64_t i)
{
    return (float)(i / EACH + 1) * (i % 2 ? 1.0f : -1.0f);
}
static inline float edges_of_bins(int64_t i)
{
    return (float)(i % 17) / 16;
}

static const struct {
    const char *name;
    float (*value)(int64_t i);
} kinds[] = {
#define KIND(name)                                                                                                     \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
    KIND(mask_of_rare_ones),
    KIND(one_one),
    KIND(one_hot),
    KIND(rare_negative),
    KIND(two_values),
    KIND(near_and_far),
    KIND(three_values),
    KIND(five_values),
    KIND(mostly_small),
    KIND(mostly_large),
    KIND(spike_at_the_top),
    KIND(constant),
    KIND(negative_constant),
    KIND(all_zero),
    KIND(tiny_mask),
    KIND(huge_mask),
    KIND(tiny_then_large),
    KIND(zero_then_ones),
    KIND(zero_then_tiny),
    KIND(one_tiny_then_more),
    KIND(constant_then_both_sides),
    KIND(growing),
    KIND(edges_of_bins)};
enum { KINDS = sizeof kinds / sizeof *kinds };

#endif
