/* strided.c - elements copied or added at the places of another order, and rows added where a list of numbers says. */
#include <string.h>

#include "backends/cpu/level.h"

/* `body` for each row of the innermost level, whose elements begin at x[f] and y[t]. */
#define FOR_RUNS(s, body)                                                                                              \
    do {                                                                                                               \
        const int64_t outer = (s)->shape[0], rows = (s)->shape[1], run = (s)->shape[2];                                \
        const int64_t f0 = (s)->from[0], f1 = (s)->from[1], f2 = (s)->from[2];                                         \
        const int64_t t0 = (s)->to[0], t1 = (s)->to[1], t2 = (s)->to[2];                                               \
        (void)f2, (void)t2; /* a run of neighbours needs neither */                                                    \
        _Pragma("omp parallel for schedule(static) if (outer * rows * run > IB_SERIAL)") for (int64_t i = 0;           \
                                                                                              i < outer * rows; i++)   \
        {                                                                                                              \
            const int64_t f = i / rows * f0 + i % rows * f1, t = i / rows * t0 + i % rows * t1;                        \
            body                                                                                                       \
        }                                                                                                              \
    } while (0)

void IB_K(copy_strided)(ib_device *dev, const ib_strides *s, const void *x, int bytes, void *y)
{
    const char *from = x;
    char *to = y;
    if (s->from[2] == 1 && s->to[2] == 1)
        FOR_RUNS(s, { memcpy(to + t * bytes, from + f * bytes, (size_t)(run * bytes)); });
    else if (bytes == 4)
        FOR_RUNS(s, {
            for (int64_t k = 0; k < run; k++)
                memcpy(to + (t + k * t2) * 4, from + (f + k * f2) * 4, 4);
        });
    else
        FOR_RUNS(s, {
            for (int64_t k = 0; k < run; k++)
                to[t + k * t2] = from[f + k * f2];
        });
}

void IB_K(add_strided)(ib_device *dev, const ib_strides *s, const float *x, float *y)
{
    if (s->from[2] == 1 && s->to[2] == 1)
        FOR_RUNS(s, {
            for (int64_t k = 0; k < run; k++)
                y[t + k] += x[f + k];
        });
    else
        FOR_RUNS(s, {
            for (int64_t k = 0; k < run; k++)
                y[t + k * t2] += x[f + k * f2];
        });
}

/* In the order of the rows of x, since a row of y may come more than once. */
void IB_K(add_to_rows)(ib_device *dev, const int32_t *row, int64_t n, int64_t cols, const float *x, float a, float *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < cols; j++)
            y[row[i] * cols + j] += a * x[i * cols + j];
}
