/* cases_nhwc.c - images of codes with channels last, in parts: equal in every bit, borders and slack included. */
#include "tests/kernels/kernel_factors.h"
#include "tests/kernels/kernel_images.h"

/* {samples, channels, rows, columns, border} */
static const int images[][5] = {{1, 1, 1, 1, 0},    {2, 3, 8, 8, 1},   {1, 70, 9, 7, 2},  {3, 16, 7, 7, 0},
                                {2, 8, 9, 29, 5},   {1, 4, 6, 6, 1},   {1, 32, 5, 8, 0},  {1, 130, 5, 5, 3},
                                {1, 16, 33, 40, 1}, {2, 64, 3, 17, 1}, {1, 65, 4, 16, 0}, {19, 5, 1, 1, 0}};
enum { N_IMAGES = sizeof images / sizeof *images };

/* Begins the shape of an image. */
static void an_image(const int *s)
{
    a_shape("n %d, %dx%dx%d, border %d", s[0], s[1], s[2], s[3], s[4]);
}

void case_nhwc_from(void)
{
    for (int t = 0; t < N_IMAGES; t++) {
        const int *s = images[t];
        an_image(s);
        const int8_t *x = codes((int64_t)s[0] * s[1] * s[2] * s[3]);
        const ib_nhwc y = made_image(s[0], s[1], s[2], s[3], s[4]);
        EACH_RUN(nhwc_from)
            IN_PARTS(share)
        dev->k.nhwc_from(dev, x, s[0], &y, share);
    }
}

void case_nhwc_to(void)
{
    for (int t = 0; t < N_IMAGES; t++) {
        const int *s = images[t];
        an_image(s);
        const ib_nhwc x = image(s[0], s[1], s[2], s[3], s[4], -13);
        int8_t *y = result("y", CODES, (int64_t)s[0] * s[1] * s[2] * s[3], EXACT);
        EACH_RUN(nhwc_to)
            IN_PARTS(share)
        dev->k.nhwc_to(dev, &x, s[0], y, share);
    }
}

/* Images of other borders than the result's, in all profiles; the same codes as qadd's. */
void case_nhwc_add(void)
{
    for (int t = 0; t < N_IMAGES * (IB_XNNPACK + 1); t++) {
        const int *s = images[t % N_IMAGES], profile = t / N_IMAGES;
        const struct isobit_add add = an_addition(profile, t % 2);
        an_image(s);
        const ib_nhwc a = image(s[0], s[1], s[2], s[3], 1, -3), b = image(s[0], s[1], s[2], s[3], 0, 9),
                      y = made_image(s[0], s[1], s[2], s[3], s[4]);
        EACH_RUN(nhwc_add)
            IN_PARTS(share)
        dev->k.nhwc_add(dev, &add, s[0], &a, &b, ib_rounding(profile), &y, share);
        const ib_nhwc made = {(uint8_t *)(uintptr_t)made_by_ref(y.data), y.c, y.h, y.w, y.border};
        for (int64_t i = 0; i < s[0] * y.h * y.w * y.c; i++) {
            const int64_t c = i % y.c, w = i / y.c % y.w, h = i / y.c / y.w % y.h, n = i / y.c / y.w / y.h;
            const int u = ib_nhwc_at(&a, n, h, w)[c] - 128, v = ib_nhwc_at(&b, n, h, w)[c] - 128;
            int8_t sum;
            plain_device()->k.qadd(plain_device(), &add, 1, &(int8_t){(int8_t)u}, &(int8_t){(int8_t)v},
                                   ib_rounding(profile), &sum, NULL);
            if (ib_nhwc_at(&made, n, h, w)[c] != sum + 128) {
                CHECK(!"qadd's sum");
                break;
            }
        }
    }
}

static const ib_window pools[] = {
    {2, 3, 8, 8, 3, 4, 4, 2, 2, 2, 2, 0, 0, 1},   {1, 70, 9, 7, 70, 5, 4, 3, 3, 2, 2, 1, 1, 1},
    {3, 16, 7, 7, 16, 1, 1, 7, 7, 7, 7, 0, 0, 1}, {2, 8, 9, 29, 8, 4, 14, 2, 2, 2, 2, 0, 0, 1},
    {1, 4, 6, 6, 4, 3, 3, 2, 2, 2, 2, 0, 0, 1},   {1, 32, 5, 8, 32, 2, 4, 2, 2, 2, 2, 0, 0, 1}};
enum { N_POOLS = sizeof pools / sizeof *pools };

/* The codes of an image one channel behind the other. */
static int8_t *planes_of(const ib_nhwc *x, int64_t n)
{
    int8_t *y = malloc((size_t)(n * x->c * x->h * x->w));
    plain_device()->k.nhwc_to(plain_device(), x, n, y, (ib_share){0, 1});
    return y;
}

/* The same codes as qmaxpool's. */
void case_nhwc_maxpool(void)
{
    for (int t = 0; t < 2 * N_POOLS; t++) {
        const ib_window *s = &pools[t / 2];
        a_window(s, t % 2 ? "maxima, border" : "maxima");
        const ib_nhwc x = image(s->n, s->ic, s->ih, s->iw, 1 + t % 2, -128),
                      y = made_image(s->n, s->ic, s->oh, s->ow, t % 2);
        EACH_RUN(nhwc_maxpool)
            IN_PARTS(share)
        dev->k.nhwc_maxpool(dev, s, &x, &y, share);
        const ib_nhwc made = {(uint8_t *)(uintptr_t)made_by_ref(y.data), y.c, y.h, y.w, y.border};
        int8_t *in = planes_of(&x, s->n), *out = planes_of(&made, s->n), *want = malloc((size_t)window_out(s));
        plain_device()->k.qmaxpool(plain_device(), s, in, want, NULL);
        CHECK(!memcmp(out, want, (size_t)window_out(s)));
        free(in), free(out), free(want);
    }
}

/* The same codes as qavgpool's sums requantized. */
void case_nhwc_avgpool(void)
{
    for (int t = 0; t < N_POOLS * N_ROUNDINGS; t++) {
        const ib_window *s = &pools[t % N_POOLS];
        const int profile = t / N_POOLS;
        char what[40];
        snprintf(what, sizeof what, "means, profile %d", profile);
        a_window(s, what);
        isobit_scale *inverse = given("the factor", INTS, 2);
        *inverse = ib_requant_scale(1.0f / (float)(s->kh * s->kw), 1.0f, 1.0f, profile);
        static const int32_t in_zero = -3, zero = 4, lo = -100, hi = 99;
        ib_epilogue r = {inverse, profile, &zero, &lo, &hi, NULL, NULL, NULL};
        const ib_nhwc x = image(s->n, s->ic, s->ih, s->iw, 1, in_zero),
                      y = made_image(s->n, s->ic, s->oh, s->ow, t % 2);
        EACH_RUN(nhwc_avgpool)
            IN_PARTS(share)
        dev->k.nhwc_avgpool(dev, s, &x, in_zero, &r, &y, share);
        const ib_nhwc made = {(uint8_t *)(uintptr_t)made_by_ref(y.data), y.c, y.h, y.w, y.border};
        int8_t *in = planes_of(&x, s->n), *out = planes_of(&made, s->n);
        int32_t *acc = room(window_out(s) * 4);
        r.codes = room(window_out(s));
        plain_device()->k.qavgpool(plain_device(), s, in, &in_zero, acc);
        plain_device()->k.requant(plain_device(), &(ib_planes){1, 1, window_out(s)}, acc, &r);
        CHECK(!memcmp(out, r.codes, (size_t)window_out(s)));
        free(in), free(out);
    }
}
