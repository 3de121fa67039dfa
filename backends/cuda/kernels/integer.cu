/* integer.cu - products of codes: acc = sum w (x - in_zero) + bias, exact in any order. */
#include "backends/cuda/kernels/family.cuh"
#include "backends/cuda/libraries/libraries.h"

/* ---- tiles: four products an instruction ---- */

/* A block of 16 x 16 threads has OUTPUTS x COLUMNS accumulators, a column being a pixel of a sample, and takes DEPTH
 * words of four codes at a time. Outside the image x is in_zero, behind the end w is 0, and
 * sum w (x - in_zero) = sum w x - in_zero sum w. */
enum { SIDE = 16, OUTPUTS = 32, COLUMNS = 64, DEPTH = 8, OF_OUTPUTS = OUTPUTS / SIDE, OF_COLUMNS = COLUMNS / SIDE };

typedef struct product {
    const int8_t *x, *w;
    const int32_t *in_zero, *bias;
    int32_t *acc;
} product;

/* Where a column's patches begin. */
typedef struct column {
    const int8_t *x; /* of the sample, the group's channels; NULL behind the last column */
    int64_t y0, x0;
} column;

static __device__ column column_of(const ib_window *s, const product *p, int64_t j, int64_t g)
{
    const int64_t pixels = s->oh * s->ow, l = j % pixels;
    column c;
    c.x = j < s->n * pixels ? p->x + (j / pixels * s->ic + g * (s->ic / s->groups)) * s->ih * s->iw : NULL;
    c.y0 = l / s->ow * s->sh - s->ph;
    c.x0 = l % s->ow * s->sw - s->pw;
    return c;
}

/* Codes k .. k + 3 of a column, the first in the lowest byte. */
static __device__ int patch_word(const ib_window *s, const column *c, int64_t k, int zero)
{
    const int64_t end = s->ic / s->groups * s->kh * s->kw;
    unsigned word = 0;
    for (int b = 0; b < 4; b++) {
        const int64_t at = k + b, iy = c->y0 + at / s->kw % s->kh, ix = c->x0 + at % s->kw;
        const int inside = c->x && at < end && iy >= 0 && iy < s->ih && ix >= 0 && ix < s->iw;
        const int v = inside ? c->x[(at / s->kw / s->kh * s->ih + iy) * s->iw + ix] : zero;
        word |= (unsigned)(v & 255) << 8 * b;
    }
    return (int)word;
}

static __device__ int weight_word(const int8_t *row, int64_t k, int64_t end)
{
    unsigned word = 0;
    for (int b = 0; row && b < 4 && k + b < end; b++)
        word |= (unsigned)(row[k + b] & 255) << 8 * b;
    return (int)word;
}

static __global__ void product_tile_kernel(ib_window s, product p)
{
    __shared__ int w[OUTPUTS][DEPTH + 1], x[COLUMNS][DEPTH + 1];
    const int64_t ocg = s.oc / s.groups, k = s.ic / s.groups * s.kh * s.kw, pixels = s.oh * s.ow;
    const int64_t high = (ocg + OUTPUTS - 1) / OUTPUTS, wide = (s.n * pixels + COLUMNS - 1) / COLUMNS;
    const int64_t first = blockIdx.x % high * OUTPUTS, j0 = blockIdx.x / high % wide * COLUMNS;
    const int64_t g = blockIdx.x / high / wide, o0 = g * ocg + first;
    const int t = (int)threadIdx.x, tx = t % SIDE, ty = t / SIDE, zero = ib_zero_of(p.in_zero);
    const column mine = column_of(&s, &p, j0 + t % COLUMNS, g);
    const int8_t *row = first + t / DEPTH < ocg ? p.w + (o0 + t / DEPTH) * k : NULL;
    int sum[OF_OUTPUTS][OF_COLUMNS] = {{0}}, of_weights[OF_OUTPUTS] = {0};
    for (int64_t k0 = 0; k0 < k; k0 += 4 * DEPTH) {
        w[t / DEPTH][t % DEPTH] = weight_word(row, k0 + 4 * (t % DEPTH), k);
        for (int l = t / COLUMNS; l < DEPTH; l += SIDE * SIDE / COLUMNS)
            x[t % COLUMNS][l] = patch_word(&s, &mine, k0 + 4 * l, zero);
        __syncthreads();
        for (int l = 0; l < DEPTH; l++)
            for (int o = 0; o < OF_OUTPUTS; o++) {
                const int four = w[ty + SIDE * o][l];
                of_weights[o] = __dp4a(four, 0x01010101, of_weights[o]);
                for (int j = 0; j < OF_COLUMNS; j++)
                    sum[o][j] = __dp4a(four, x[tx + SIDE * j][l], sum[o][j]);
            }
        __syncthreads();
    }
    for (int o = 0; o < OF_OUTPUTS; o++)
        for (int j = 0; j < OF_COLUMNS; j++) {
            const int64_t output = first + ty + SIDE * o, at = j0 + tx + SIDE * j;
            if (output < ocg && at < s.n * pixels)
                p.acc[(at / pixels * s.oc + g * ocg + output) * pixels + at % pixels] =
                    (int32_t)((unsigned)p.bias[g * ocg + output] + (unsigned)sum[o][j] -
                              (unsigned)zero * (unsigned)of_weights[o]);
        }
}

/* ---- one by one: few outputs a group, and groups of weights with their factors ---- */

static __global__ void product_kernel(ib_window s, int64_t n, product p, ib_qweights w)
{
    const int64_t icg = s.ic / s.groups, k = icg * s.kh * s.kw, pixels = s.oh * s.ow;
    const int zero = ib_zero_of(p.in_zero);
    EACH(t, n)
    {
        const int64_t o = t / pixels % s.oc;
        const column c = column_of(&s, &p, t / pixels / s.oc * pixels + t % pixels, o / (s.oc / s.groups));
        const int8_t *row = p.w + o * k, *plane = c.x;
        int64_t at = 0;
        int32_t sum = p.bias[o];
        for (int64_t i = 0; i < icg; i++, plane += s.ih * s.iw)
            for (int64_t iy = c.y0; iy < c.y0 + s.kh; iy++)
                for (int64_t ix = c.x0; ix < c.x0 + s.kw; ix++, at++) {
                    if (iy < 0 || iy >= s.ih || ix < 0 || ix >= s.iw)
                        continue;
                    const int factor = w.group_size ? w.group_factor[o * w.n_groups + at / w.group_size] : 1;
                    sum += factor * row[at] * (plane[iy * s.iw + ix] - zero);
                }
        p.acc[t] = sum;
    }
}

void ib_cuda_qconv2d(ib_device *dev, const ib_window *s, const ib_qproduct *q)
{
    enum { FEW = 8 }; /* outputs of a group, of which a tile would waste most */
    const product p = {q->x, q->w->codes, q->in_zero, q->bias, q->acc};
    const int64_t ocg = s->oc / s->groups, columns = s->n * s->oh * s->ow;
    const int64_t tiles = (ocg + OUTPUTS - 1) / OUTPUTS * ((columns + COLUMNS - 1) / COLUMNS) * s->groups;
    if (q->w->group_size || ocg < FEW)
        BEGIN(dev, product_kernel, columns * s->oc, *s, columns * s->oc, p, *q->w);
    else if (tiles > 0) {
        IB_LAUNCH(product_tile_kernel, (unsigned)tiles, SIDE * SIDE, 0, ib_cuda_stream(dev), *s, p);
        ib_cuda_launched(dev, "product_tile_kernel");
    }
    if (q->r) {
        const ib_planes planes = {s->n, s->oc, s->oh * s->ow};
        ib_cuda_requant(dev, &planes, q->acc, q->r);
    }
}

/* ---- rows of codes by a library: acc = sum w x, and then start[o] = bias - in_zero sum w is added ---- */

static __global__ void starts_kernel(product p, int64_t k, int64_t out, int32_t *start)
{
    __shared__ int part[SIDE * SIDE];
    const int t = (int)threadIdx.x;
    for (int64_t o = blockIdx.x; o < out; o += gridDim.x) {
        int sum = 0;
        for (int64_t l = t; l < k; l += SIDE * SIDE)
            sum += p.w[o * k + l];
        part[t] = sum;
        __syncthreads();
        for (int half = SIDE * SIDE / 2; half; half /= 2) {
            if (t < half)
                part[t] += part[t + half];
            __syncthreads();
        }
        if (!t)
            start[o] = (int32_t)((unsigned)p.bias[o] - (unsigned)ib_zero_of(p.in_zero) * (unsigned)part[0]);
        __syncthreads();
    }
}

static __global__ void add_starts_kernel(int64_t n, int64_t out, const int32_t *start, int32_t *acc)
{
    EACH(i, n)
    {
        acc[i] = (int32_t)((unsigned)acc[i] + (unsigned)start[i % out]);
    }
}

static int by_library(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *q)
{
    const ib_cuda_codes codes = {rows, k, out, q->x, q->w->codes, q->acc};
    const product p = {q->x, q->w->codes, q->in_zero, q->bias, q->acc};
    int32_t *start = (int32_t *)(void *)q->scratch;
    if (!start || q->w->group_size || !ib_cuda_library_codes(dev, &codes))
        return 0;
    IB_LAUNCH(starts_kernel, (unsigned)ib_cuda_min(out, 65536), SIDE * SIDE, 0, ib_cuda_stream(dev), p, k, out, start);
    ib_cuda_launched(dev, "starts_kernel");
    BEGIN(dev, add_starts_kernel, rows * out, rows * out, out, start, q->acc);
    return 1;
}

void ib_cuda_qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *q)
{
    const ib_window s = ib_window_of_rows(rows, k, out);
    if (!by_library(dev, rows, k, out, q))
        ib_cuda_qconv2d(dev, &s, q);
    else if (q->r) {
        const ib_planes planes = {rows, out, 1};
        ib_cuda_requant(dev, &planes, q->acc, q->r);
    }
}

/* Nothing is packed ahead. */
int64_t ib_cuda_qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                             const int32_t *bias, void *packed)
{
    (void)dev, (void)k, (void)out, (void)in_zero, (void)w, (void)bias, (void)packed;
    return 0;
}

int64_t ib_cuda_qconv2d_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                             void *packed)
{
    (void)dev, (void)s, (void)in_zero, (void)w, (void)bias, (void)packed;
    return 0;
}
