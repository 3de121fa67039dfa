/* numbers.h - what tensors hold, copied to the host from whatever device they lie on. The copies are there until the
 * suite ends. Writing puts a number where it lies. */
#ifndef IB_TESTS_NUMBERS_H
#define IB_TESTS_NUMBERS_H

#include "autograd/tensor.h"
#include "tests/check.h"

typedef struct number_copy {
    struct number_copy *next;
    float values[]; /* or codes */
} number_copy;

static number_copy *number_copies;

static inline void free_number_copies(void)
{
    for (number_copy *c = number_copies, *next; c; c = next) {
        next = c->next;
        free(c);
    }
}

static inline void *number_copy_new(const ib_tensor *t)
{
    number_copy *c = t ? malloc(sizeof *c + (size_t)ib_tensor_size(t) * sizeof *c->values) : NULL;
    REQUIRE(c != NULL);
    if (!number_copies)
        atexit(free_number_copies);
    c->next = number_copies;
    number_copies = c;
    return c->values;
}

static inline float *values_of(const ib_tensor *t)
{
    float *copy = number_copy_new(t);
    REQUIRE(!ib_tensor_read(t, copy));
    return copy;
}

static inline float *grads_of(const ib_tensor *t)
{
    float *copy = number_copy_new(t);
    REQUIRE(!ib_tensor_read_grad(t, copy));
    return copy;
}

static inline int8_t *codes_of(const ib_tensor *t)
{
    int8_t *copy = number_copy_new(t);
    REQUIRE(!ib_tensor_read_codes(t, copy));
    return copy;
}

/* The scales of codes, of which there are at most as many. */
static inline float *scales_of(const ib_tensor *t)
{
    float *copy = number_copy_new(t);
    ib_block_read(t->dev, copy, t->q.scale, (size_t)t->q.n_scales * sizeof *copy);
    return copy;
}

static inline void set_value(ib_tensor *t, int64_t i, float value)
{
    REQUIRE(t && t->dtype == IB_F32 && i < t->size);
    ib_block_write(t->dev, ib_f32(t) + i, &value, sizeof value);
}

static inline void set_grad(ib_tensor *t, int64_t i, float value)
{
    REQUIRE(t && t->grad && i < t->size);
    ib_block_write(t->dev, t->grad + i, &value, sizeof value);
}

#endif
