/* picture_fit.c - a picture as planes of a size: the smallest copy of it that covers the size, cropped in its middle.
 *
 * It is resized so that one side is exactly the size asked for and the other, rounded down, is not smaller, then
 * cropped; for a square that is torchvision's Resize(S) and CenterCrop(S) (transforms/functional.py: the longer side is
 * int(S long / short), and the crop begins at round(d / 2), halves to even). Resampling is Pillow's BILINEAR, in its
 * numbers (Pillow, src/libImaging/Resample.c): with scale = in / out and f = max(scale, 1), output i takes the inputs j
 * within f of its centre (i + 1/2) scale, each with the weight
 *
 *     max(0, 1 - |j + 1/2 - centre| / f) / (the sum of them)
 *
 * in integers of 22 bits behind the point; first along rows, then along columns, each time rounded to 8 bits. All of it
 * is done in integers and correctly rounded double precision in a fixed order, so the bits are the same everywhere.
 *
 * Grey from colour is L = (19595 R + 38470 G + 7471 B + 2^15) / 2^16, rounded down: the weights 0.299, 0.587, 0.114 of
 * ITU-R BT.601-7, 2.5.1, in 16 bits as in Pillow's convert("L"). Colour from grey is three times the same. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "data/pictures/picture.h"

enum { POINT = 22 };

/* What outputs from, ..., from + n - 1 of a side take. */
typedef struct taps {
    int n, width;
    int *first, *count; /* [n] inputs */
    int32_t *weight;    /* [n, width] */
} taps;

static void free_taps(taps *t)
{
    ib_free(t->first);
    ib_free(t->count);
    ib_free(t->weight);
}

static ib_status make_taps(taps *t, int in, int64_t out, int64_t from, int n)
{
    const double scale = (double)in / (double)out, reach = scale > 1 ? scale : 1;
    *t = (taps){.n = n, .width = 2 * (int)ceil(reach) + 1};
    double *w = ib_alloc_raw((size_t)t->width * sizeof *w);
    t->first = ib_alloc_raw((size_t)n * sizeof *t->first);
    t->count = ib_alloc_raw((size_t)n * sizeof *t->count);
    t->weight = ib_alloc_raw((size_t)n * (size_t)t->width * sizeof *t->weight);
    if (!w || !t->first || !t->count || !t->weight) {
        ib_free(w);
        free_taps(t);
        return IB_ENOMEM;
    }
    for (int i = 0; i < n; i++) {
        const double centre = ((double)(from + i) + 0.5) * scale;
        const double low = centre - reach + 0.5, high = centre + reach + 0.5;
        const int first = low > 0 ? (int)low : 0, end = high < in ? (int)high : in;
        double sum = 0;
        for (int j = first; j < end; j++) {
            const double x = fabs((double)j - centre + 0.5) * (1 / reach);
            sum += w[j - first] = x < 1 ? 1 - x : 0;
        }
        int32_t *weight = t->weight + (size_t)i * (size_t)t->width;
        for (int j = first; j < end; j++)
            weight[j - first] = (int32_t)(0.5 + w[j - first] / sum * (1 << POINT));
        t->first[i] = first;
        t->count[i] = end - first;
    }
    ib_free(w);
    return IB_OK;
}

/* The sum of count values, `step` bytes apart, by their weights. */
static uint8_t weigh(const uint8_t *in, size_t step, int count, const int32_t *weight)
{
    int32_t sum = 1 << (POINT - 1);
    for (int j = 0; j < count; j++)
        sum += weight[j] * in[(size_t)j * step];
    sum >>= POINT;
    return (uint8_t)(sum < 255 ? sum : 255);
}

static void to_grey(ib_picture *p)
{
    const size_t n = (size_t)p->w * (size_t)p->h;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *rgb = p->pixels + 3 * i;
        p->pixels[i] = (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16);
    }
    p->c = 1;
}

/* The first of `size` in the middle of `all`. */
static int64_t middle(int64_t all, int64_t size)
{
    const int64_t d = all - size, half = d / 2;
    return d % 2 ? half + half % 2 : half;
}

ib_status ib_picture_fit(ib_picture *p, int c, int h, int w, uint8_t *out)
{
    const int tall = (int64_t)w * p->h >= (int64_t)h * p->w; /* the width is the side that becomes w */
    const int64_t all_w = tall ? w : (int64_t)p->w * h / p->h, all_h = tall ? (int64_t)p->h * w / p->w : h;
    taps across, down;
    if (p->c == 3 && c == 1)
        to_grey(p);
    if (make_taps(&across, p->w, all_w, middle(all_w, w), w))
        return IB_ENOMEM;
    if (make_taps(&down, p->h, all_h, middle(all_h, h), h)) {
        free_taps(&across);
        return IB_ENOMEM;
    }
    const size_t width = (size_t)w * (size_t)p->c, channels = (size_t)p->c;
    const int top = down.first[0], rows = down.first[h - 1] + down.count[h - 1] - top;
    uint8_t *between = ib_alloc_raw((size_t)rows * width); /* [rows,w,c]: of the picture's rows those that are needed */
    for (int y = 0; between && y < rows; y++) {
        const uint8_t *row = p->pixels + (size_t)(top + y) * (size_t)p->w * channels;
        for (int x = 0; x < w; x++)
            for (size_t k = 0; k < channels; k++)
                between[(size_t)y * width + (size_t)x * channels + k] =
                    weigh(row + (size_t)across.first[x] * channels + k, channels, across.count[x],
                          across.weight + (size_t)x * (size_t)across.width);
    }
    for (int y = 0; between && y < h; y++)
        for (size_t k = 0; k < (size_t)c; k++)
            for (int x = 0; x < w; x++)
                out[(k * (size_t)h + (size_t)y) * (size_t)w + (size_t)x] =
                    weigh(between + (size_t)(down.first[y] - top) * width + (size_t)x * channels + k % channels, width,
                          down.count[y], down.weight + (size_t)y * (size_t)down.width);
    const ib_status status = between ? IB_OK : IB_ENOMEM;
    ib_free(between);
    free_taps(&across);
    free_taps(&down);
    return status;
}
