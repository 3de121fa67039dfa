/* test_kernels.c - every level of the device against the plain C, on odd shapes, with guard bytes behind each result,
 * with one thread and several. Integer kernels agree in every bit. Broken by: a tail, a saturation, a wrong mask. */
#include "tests/check.h"

#include "backends/kernels.h"
#include "tensor/requant.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "runtime/isobit_rt.h"
#pragma GCC diagnostic pop

enum { GUARD = 64 };

static void *fill_random(void *p, size_t bytes, uint64_t stream)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)p)[i] = (uint8_t)ib_rng_u32((ib_rng){77, stream}, i);
    return p;
}

static void *noise(size_t bytes, uint64_t stream)
{
    return fill_random(malloc(bytes), bytes, stream);
}

static float *reals(int64_t n, uint64_t stream)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * ib_rng_uniform((ib_rng){78, stream}, (uint64_t)i) - 1;
    return x;
}

static void *guarded(size_t bytes)
{
    return memset(malloc(bytes + GUARD), 0x5A, bytes + GUARD);
}

static void check_guard(const void *p, size_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        if (((const uint8_t *)p)[bytes + (size_t)i] != 0x5A) {
            CHECK(0);
            return;
        }
}

/* Runs `body` with `k`, the kernels of each level that the machine has, and 1 and 3 threads. */
#define EACH_LEVEL(...)                                                                                                \
    for (int l_ = 1; ib_device_name_at(l_); l_++)                                                                      \
        for (int threads = 1; threads <= 3; threads += 2) {                                                            \
            ib_device *dev = ib_device_open(ib_device_name_at(l_));                                                    \
            if (!dev)                                                                                                  \
                continue;                                                                                              \
            ib_threads_set(threads);                                                                                   \
            const ib_kernels *k = &dev->k;                                                                             \
            __VA_ARGS__ ib_device_close(dev);                                                                          \
        }                                                                                                              \
    ib_threads_set(0)

static const ib_window windows[] = {
    {1, 1, 5, 5, 1, 5, 5, 1, 1, 1, 1, 0, 0, 1},      {3, 3, 7, 9, 5, 7, 9, 3, 3, 1, 1, 1, 1, 1},
    {2, 4, 8, 8, 6, 4, 3, 3, 5, 2, 3, 1, 2, 2},      {2, 5, 9, 7, 5, 5, 4, 3, 3, 2, 2, 1, 1, 5},
    {1, 17, 1, 1, 33, 1, 1, 1, 1, 1, 1, 0, 0, 1},    {4, 2, 28, 28, 8, 28, 28, 5, 5, 1, 1, 2, 2, 1},
    {1, 1, 28, 28, 7, 15, 15, 10, 4, 2, 2, 5, 2, 1}, {2, 3, 4, 4, 3, 4, 4, 3, 3, 1, 1, 1, 1, 3},
    {2, 16, 8, 8, 32, 4, 4, 3, 3, 2, 2, 1, 1, 1},    {3, 64, 8, 8, 64, 8, 8, 3, 3, 1, 1, 1, 1, 1},
    {1, 16, 9, 9, 20, 5, 5, 1, 1, 2, 2, 0, 0, 1},    {2, 3, 12, 11, 16, 6, 6, 3, 3, 2, 2, 1, 1, 1},
    {2, 64, 6, 5, 64, 6, 5, 3, 3, 1, 1, 1, 1, 64},   {1, 6, 10, 10, 8, 4, 4, 2, 2, 3, 3, 1, 1, 2},
    {19, 2, 5, 4, 3, 5, 4, 3, 3, 1, 1, 1, 1, 1} /* a batch that does not divide into IB_PARTS */};

/* Factors that are small, or (every seventh) not, for `profile`. */
static isobit_scale *factors(int64_t n, int profile, int large)
{
    isobit_scale *s = malloc((size_t)n * sizeof *s);
    for (int64_t i = 0; i < n; i++)
        s[i] = ib_requant_scale(1.0f, 1.0f, large && i % 7 == 3 ? 0.3f : 300.0f + 11.0f * (float)(i % 29), profile);
    return s;
}

/* Codes straight from the product, with and without mask, from packed constants or not, are those of the requantized
 * accumulators. */
#define CHECK_EPILOGUE(c, hw, run, pack)                                                                               \
    for (int profile = 0; profile < 3; profile++)                                                                      \
        for (int masked = 0; masked < 2; masked++) {                                                                   \
            const int64_t bytes = (count + 7) / 8;                                                                     \
            isobit_scale *scale = factors(c, profile, masked);                                                         \
            int8_t *codes = malloc((size_t)count), *out = guarded((size_t)count);                                      \
            uint8_t *mask = malloc((size_t)bytes), *own_mask = guarded((size_t)bytes);                                 \
            ref->k.requant(&(ib_planes){count / ((c) * (hw)), c, hw}, want,                                            \
                           &(ib_epilogue){scale, profile, 3, -100, 90, codes, mask, NULL});                            \
            const ib_epilogue e = {scale, profile, 3, -100, 90, out, masked ? own_mask : NULL, NULL};                  \
            void *to = NULL;                                                                                           \
            const int64_t size = pack;                                                                                 \
            void *packed = to = size && !masked ? guarded((size_t)size) : NULL;                                        \
            if (packed)                                                                                                \
                CHECK(pack == size);                                                                                   \
            run;                                                                                                       \
            CHECK(!memcmp(codes, out, (size_t)count));                                                                 \
            CHECK(!masked || !memcmp(mask, own_mask, (size_t)bytes));                                                  \
            check_guard(out, (size_t)count);                                                                           \
            check_guard(own_mask, (size_t)bytes);                                                                      \
            if (packed)                                                                                                \
                check_guard(packed, (size_t)size);                                                                     \
            free(scale), free(codes), free(out), free(mask), free(own_mask), free(packed);                             \
        }

static void integer_convolutions_agree(void)
{
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < sizeof windows / sizeof *windows; t++)
        for (int group = 0; group <= 4; group += 4) {
            const ib_window *s = &windows[t];
            const int64_t row = s->ic / s->groups * s->kh * s->kw, out = s->n * s->oc * s->oh * s->ow;
            const int n_groups = group ? (int)((row + group - 1) / group) : 0;
            int8_t *x = noise((size_t)(s->n * s->ic * s->ih * s->iw), 1), *w = noise((size_t)(s->oc * row), 2);
            uint8_t *factor = noise((size_t)(s->oc * n_groups + 1), 3);
            int32_t *bias = noise((size_t)s->oc * 4, 4);
            for (int64_t i = 0; i < s->oc * row; i++)
                w[i] = (int8_t)(w[i] == -128 ? -127 : w[i]);
            for (int64_t i = 0; i < s->oc * n_groups; i++)
                factor[i] = (uint8_t)(1 + factor[i] % 15);
            for (int64_t i = 0; i < s->oc; i++)
                bias[i] >>= 8;
            const ib_qweights weights = {w, factor, group, n_groups, 8};
            int32_t *want = malloc((size_t)out * 4);
            float *scratch = malloc((size_t)ib_qconv2d_scratch(s) * 4 * 8);
            ib_threads_set(1);
            ib_qproduct p = {.x = x, .in_zero = -13, .w = &weights, .bias = bias, .acc = want, .scratch = scratch};
            ref->k.qconv2d(s, &p);
            EACH_LEVEL({
                int32_t *got = guarded((size_t)out * 4);
                float *own = malloc((size_t)ib_qconv2d_scratch(s) * 4);
                p = (ib_qproduct){.x = x, .in_zero = -13, .w = &weights, .bias = bias, .acc = got, .scratch = own};
                k->qconv2d(s, &p);
                CHECK(!memcmp(want, got, (size_t)out * 4));
                check_guard(got, (size_t)out * 4);
                const int64_t count = out;
                CHECK_EPILOGUE(s->oc, s->oh * s->ow, (p.packed = packed, p.r = &e, k->qconv2d(s, &p)),
                               k->qconv2d_pack(s, -13, &weights, bias, to))
                free(got);
                free(own);
            });
            free(x), free(w), free(factor), free(bias), free(want), free(scratch);
        }
    ib_device_close(ref);
}

/* An image with channels last of n samples, its border the zero point; everything else is noise. */
static ib_nhwc image(int64_t n, int64_t c, int64_t h, int64_t w, int border, int zero)
{
    ib_nhwc x = {NULL, c, h, w, border};
    const size_t bytes = (size_t)(n * ib_nhwc_bytes(&x) + IB_NHWC_SLACK);
    x.data = noise(bytes, 21);
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = -border; y < h + border; y++)
            for (int64_t j = -border; j < w + border; j++)
                if (y < 0 || y >= h || j < 0 || j >= w)
                    memset(ib_nhwc_at(&x, i, y, j), zero + 128, (size_t)x.c);
    return x;
}

/* Whether borders and what follows are as image() made them. */
static int is_framed(const ib_nhwc *x, int64_t n, int zero)
{
    const ib_nhwc fresh = image(n, x->c, x->h, x->w, x->border, zero);
    int same = !memcmp(x->data + n * ib_nhwc_bytes(x), fresh.data + n * ib_nhwc_bytes(x), IB_NHWC_SLACK);
    for (int64_t i = 0; i < n; i++)
        for (int64_t y = -x->border; y < x->h + x->border; y++)
            for (int64_t j = -x->border; j < x->w + x->border; j++)
                if (y < 0 || y >= x->h || j < 0 || j >= x->w)
                    same = same && !memcmp(ib_nhwc_at(x, i, y, j), ib_nhwc_at(&fresh, i, y, j), (size_t)x->c);
    free(fresh.data);
    return same;
}

/* One to three parts, one after the other. */
#define IN_PARTS(call)                                                                                                 \
    for (ib_share share = {0, 1 + (int)(t + l_) % 3}; share.part < share.parts; share.part++)                          \
    call

static void channels_last_agree(void)
{
    static const ib_window more[] = {{3, 7, 4, 3, 21, 1, 1, 4, 3, 1, 1, 0, 0, 1} /* a linear layer */,
                                     {2, 70, 9, 8, 70, 5, 4, 3, 3, 2, 2, 1, 1, 70},
                                     {1, 8, 30, 32, 16, 30, 32, 3, 3, 1, 1, 1, 1, 1},
                                     {2, 130, 5, 5, 100, 5, 5, 1, 1, 1, 1, 0, 0, 1},
                                     {1, 48, 33, 20, 80, 33, 20, 3, 3, 1, 1, 1, 1, 1},
                                     {1, 16, 66, 40, 16, 66, 40, 3, 3, 1, 1, 1, 1, 16}};
    enum { KNOWN = sizeof windows / sizeof *windows, MORE = sizeof more / sizeof *more };
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < KNOWN + MORE; t++)
        for (int profile = 0; profile < 3; profile++)
            for (int large = 0; large < 2; large++) {
                const ib_window *s = t < KNOWN ? &windows[t] : &more[t - KNOWN];
                const int64_t row = s->ic / s->groups * s->kh * s->kw, out = s->n * s->oc * s->oh * s->ow;
                const int border = 5;
                int8_t *codes = noise((size_t)(s->n * s->ic * s->ih * s->iw), 1), *w = noise((size_t)(s->oc * row), 2),
                       *want = malloc((size_t)out);
                int32_t *bias = noise((size_t)s->oc * 4, 4), *acc = malloc((size_t)out * 4);
                for (int64_t i = 0; i < s->oc; i++)
                    bias[i] >>= 8;
                isobit_scale *scale = factors(s->oc, profile, large);
                const ib_qweights weights = {w, NULL, 0, 0, 8};
                float *scratch = malloc((size_t)ib_qconv2d_scratch(s) * 4 * 8);
                ib_threads_set(1);
                ref->k.qconv2d(s, &(ib_qproduct){.x = codes,
                                                 .in_zero = -13,
                                                 .w = &weights,
                                                 .bias = bias,
                                                 .r = &(ib_epilogue){scale, profile, 3, -100, 90, want, NULL, NULL},
                                                 .acc = acc,
                                                 .scratch = scratch});
                EACH_LEVEL({
                    const ib_nhwc x = image(s->n, s->ic, s->ih, s->iw, border, -13);
                    const ib_nhwc y = image(s->n, s->oc, s->oh, s->ow, l_ % 2, 77);
                    const ib_epilogue e = {scale, profile, 3, -100, 90, NULL, NULL, NULL};
                    const int64_t size = k->nhwc_pack(s, -13, &weights, bias, NULL);
                    void *packed = size ? guarded((size_t)size) : NULL;
                    int8_t *got = guarded((size_t)out);
                    IN_PARTS(k->nhwc_from(codes, s->n, &x, share));
                    CHECK(!size || k->nhwc_pack(s, -13, &weights, bias, packed) == size);
                    const ib_nhwc_product p = {
                        .x = &x, .y = &y, .in_zero = -13, .w = &weights, .bias = bias, .packed = packed, .r = &e};
                    IN_PARTS(k->nhwc_conv2d(s, &p, share));
                    IN_PARTS(k->nhwc_to(&y, s->n, got, share));
                    CHECK(!memcmp(got, want, (size_t)out));
                    CHECK(is_framed(&x, s->n, -13) && is_framed(&y, s->n, 77));
                    check_guard(got, (size_t)out);
                    if (size)
                        check_guard(packed, (size_t)size);
                    free(x.data), free(y.data), free(packed), free(got);
                });
                free(codes), free(w), free(want), free(bias), free(acc), free(scale), free(scratch);
            }
    ib_device_close(ref);
}

static void channels_last_sums_and_pools_agree(void)
{
    static const ib_window pools[] = {
        {2, 3, 8, 8, 3, 4, 4, 2, 2, 2, 2, 0, 0, 1},   {1, 70, 9, 7, 70, 5, 4, 3, 3, 2, 2, 1, 1, 1},
        {3, 16, 7, 7, 16, 1, 1, 7, 7, 7, 7, 0, 0, 1}, {2, 8, 9, 29, 8, 4, 14, 2, 2, 2, 2, 0, 0, 1},
        {1, 4, 6, 6, 4, 3, 3, 2, 2, 2, 2, 0, 0, 1},   {1, 32, 5, 8, 32, 2, 4, 2, 2, 2, 2, 0, 0, 1}};
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < sizeof pools / sizeof *pools; t++)
        for (int named = IB_TFLITE_DOUBLE; named <= IB_XNNPACK; named++) {
            const int profile = ib_rounding(named);
            const ib_window *s = &pools[t];
            const int64_t in = s->n * s->ic * s->ih * s->iw, out = s->n * s->ic * s->oh * s->ow;
            int8_t *a = noise((size_t)in, 31), *b = noise((size_t)in, 32), *sum = malloc((size_t)in),
                   *top = malloc((size_t)out), *mean = malloc((size_t)out), *got = malloc((size_t)in);
            int32_t *acc = malloc((size_t)out * 4);
            struct isobit_add add = {0, -3, 9, 4, -120, 101, {0, 0}, {0, 0}, {0, 0}};
            /* every other time with ties */
            ib_requant_add(0.5f, t % 2 ? 0.25f : 0.318f, 1.0f, named, &add.a, &add.b, &add.out);
            ref->k.qadd(&add, in, a, b, profile, sum, NULL);
            ref->k.qmaxpool(s, a, top, NULL);
            ref->k.qavgpool(s, a, -3, acc);
            const isobit_scale inverse = ib_requant_scale(1.0f / (float)(s->kh * s->kw), 1.0f, 1.0f, profile);
            ref->k.requant(&(ib_planes){1, 1, out}, acc,
                           &(ib_epilogue){&inverse, profile, 4, -100, 99, mean, NULL, NULL});
            EACH_LEVEL({
                k->qadd(&add, in, a, b, profile, got, NULL);
                CHECK(!memcmp(got, sum, (size_t)in));
                const ib_nhwc x = image(s->n, s->ic, s->ih, s->iw, 1, -3);
                const ib_nhwc z = image(s->n, s->ic, s->ih, s->iw, 0, -3);
                const ib_nhwc u = image(s->n, s->ic, s->ih, s->iw, 2, 5);
                const ib_nhwc y = image(s->n, s->ic, s->oh, s->ow, 1, 5);
                const ib_epilogue e = {&inverse, profile, 4, -100, 99, NULL, NULL, NULL};
                IN_PARTS(k->nhwc_from(a, s->n, &x, share));
                IN_PARTS(k->nhwc_from(b, s->n, &z, share));
                IN_PARTS(k->nhwc_add(&add, s->n, &x, &z, profile, &u, share));
                IN_PARTS(k->nhwc_to(&u, s->n, got, share));
                CHECK(!memcmp(got, sum, (size_t)in));
                IN_PARTS(k->nhwc_maxpool(s, &x, &y, share));
                IN_PARTS(k->nhwc_to(&y, s->n, got, share));
                CHECK(!memcmp(got, top, (size_t)out));
                IN_PARTS(k->nhwc_avgpool(s, &x, -3, &e, &y, share));
                IN_PARTS(k->nhwc_to(&y, s->n, got, share));
                CHECK(!memcmp(got, mean, (size_t)out));
                CHECK(is_framed(&x, s->n, -3) && is_framed(&z, s->n, -3) && is_framed(&u, s->n, 5) &&
                      is_framed(&y, s->n, 5));
                free(x.data), free(z.data), free(u.data), free(y.data);
            });
            free(a), free(b), free(sum), free(top), free(mean), free(got), free(acc);
        }
    ib_device_close(ref);
}

static void integer_linear_layers_agree(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},       {1, 784, 10},    {3, 17, 5},      {5, 33, 47},
                                        {64, 100, 64},   {7, 256, 129},   {3, 1027, 1045}, {1, 1500, 1001},
                                        {2, 1031, 1040}, {70, 1025, 1030}};
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < 3 * (sizeof shapes / sizeof *shapes); t++) {
        const int bits = 8 >> t % 3; /* the larger ones have narrow weights packed as such */
        const int64_t m = shapes[t / 3][0], kk = shapes[t / 3][1], n = shapes[t / 3][2];
        int8_t *x = noise((size_t)(m * kk), 5), *w = noise((size_t)(n * kk), 6);
        int32_t *bias = noise((size_t)n * 4, 7), *want = malloc((size_t)(m * n) * 4);
        for (int64_t i = 0; i < n; i++)
            bias[i] >>= 6;
        for (int64_t i = 0; i < n * kk && bits < 8; i++)
            w[i] = (int8_t)(w[i] % (1 << (bits - 1)));
        const ib_qweights weights = {w, NULL, 0, 0, bits};
        float *scratch = malloc((size_t)ib_qlinear_scratch(m, kk, n) * 4 * 8);
        ib_threads_set(1);
        ib_qproduct p = {.x = x, .in_zero = 21, .w = &weights, .bias = bias, .acc = want, .scratch = scratch};
        ref->k.qlinear(m, kk, n, &p);
        EACH_LEVEL({
            int32_t *got = guarded((size_t)(m * n) * 4);
            float *own = malloc((size_t)ib_qlinear_scratch(m, kk, n) * 4);
            p = (ib_qproduct){.x = x, .in_zero = 21, .w = &weights, .bias = bias, .acc = got, .scratch = own};
            k->qlinear(m, kk, n, &p);
            CHECK(!memcmp(want, got, (size_t)(m * n) * 4));
            check_guard(got, (size_t)(m * n) * 4);
            const int64_t count = m * n;
            CHECK_EPILOGUE(n, 1, (p.packed = packed, p.r = &e, k->qlinear(m, kk, n, &p)),
                           k->qlinear_pack(kk, n, 21, &weights, bias, to))
            free(got);
            free(own);
        });
        free(x), free(w), free(bias), free(want), free(scratch);
    }
    ib_device_close(ref);
}

static void pools_agree(void)
{
    static const ib_window pools[] = {
        {2, 3, 8, 8, 3, 4, 4, 2, 2, 2, 2, 0, 0, 1}, {3, 2, 28, 28, 2, 14, 14, 2, 2, 2, 2, 0, 0, 1},
        {1, 5, 9, 7, 5, 4, 3, 2, 2, 2, 2, 0, 0, 1}, {2, 1, 5, 67, 1, 2, 33, 2, 2, 2, 2, 0, 0, 1},
        {1, 2, 9, 9, 2, 5, 5, 3, 3, 2, 2, 1, 1, 1}, {1, 2, 8, 70, 2, 6, 68, 3, 3, 1, 1, 0, 0, 1},
        {2, 2, 6, 6, 2, 2, 2, 3, 3, 3, 3, 0, 0, 1}};
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < sizeof pools / sizeof *pools; t++) {
        const ib_window *s = &pools[t];
        const int64_t in = s->n * s->ic * s->ih * s->iw, out = s->n * s->ic * s->oh * s->ow;
        int8_t *q = noise((size_t)in, 11), *want_q = malloc((size_t)out);
        float *x = reals(in, 12), *want = malloc((size_t)out * 4);
        int32_t *at = malloc((size_t)out * 4), *at_q = malloc((size_t)out * 4);
        for (int64_t i = 0; i < in; i++) { /* many equals: the first of them wins */
            q[i] = (int8_t)(q[i] % 4);
            x[i] = rintf(3 * x[i]);
        }
        ref->k.maxpool(s, x, want, at);
        ref->k.qmaxpool(s, q, want_q, at_q);
        EACH_LEVEL(for (int places = 0; places < 2; places++) {
            float *y = guarded((size_t)out * 4);
            int8_t *c = guarded((size_t)out);
            int32_t *a = places ? guarded((size_t)out * 4) : NULL;
            k->maxpool(s, x, y, a);
            CHECK(!memcmp(y, want, (size_t)out * 4) && (!a || !memcmp(a, at, (size_t)out * 4)));
            k->qmaxpool(s, q, c, a);
            CHECK(!memcmp(c, want_q, (size_t)out) && (!a || !memcmp(a, at_q, (size_t)out * 4)));
            check_guard(y, (size_t)out * 4);
            check_guard(c, (size_t)out);
            if (a)
                check_guard(a, (size_t)out * 4);
            free(y), free(c), free(a);
        });
        free(q), free(x), free(want_q), free(want), free(at), free(at_q);
    }
    ib_device_close(ref);
}

static void requantizations_agree(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},    {3, 5, 7},   {2, 3, 8},  {1, 4, 784},  {5, 13, 1},
                                        {33, 16, 16}, {3, 7, 225}, {9, 3, 17}, {20, 64, 225}};
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < sizeof shapes / sizeof *shapes; t++)
        for (int profile = 0; profile < 3; profile++)
            for (int large = 0; large < 2; large++) {
                const int64_t n = shapes[t][0], c = shapes[t][1], hw = shapes[t][2], size = n * c * hw;
                int32_t *acc = noise((size_t)size * 4, 8 + t);
                isobit_scale *scale = malloc((size_t)c * sizeof *scale);
                for (int64_t i = 0; i < size; i++)
                    acc[i] = i % 13 ? acc[i] >> i % 24 : (int32_t)(i % 3);
                for (int64_t j = 0; j < c; j++)
                    scale[j] = ib_requant_scale(
                        ldexpf(0.5f + 0.49f * ib_rng_uniform((ib_rng){4, t}, (uint64_t)j), large ? 3 : -(int)(j % 25)),
                        1, 1, profile);
                int32_t *top = malloc((size_t)c * sizeof *top);
                for (int64_t j = 0; j < c; j++) /* accumulators at 0 and at the top, and next to them, do occur */
                    top[j] = j % 3 ? acc[(j * 31 + 5) % size] : INT32_MAX;
                int8_t *want = malloc((size_t)size);
                uint8_t *mask = calloc((size_t)size / 8 + 1, 1), *passing = calloc((size_t)size / 8 + 1, 1);
                const ib_planes planes = {n, c, hw};
                ref->k.requant(&planes, acc, &(ib_epilogue){scale, profile, -3, -120, 100, want, mask, NULL});
                for (int64_t i = 0; i < size; i++)
                    if (mask[i / 8] >> i % 8 & 1 && acc[i] > 0 && acc[i] < top[i / hw % c])
                        passing[i / 8] |= (uint8_t)(1 << i % 8);
                EACH_LEVEL({
                    int8_t *got = guarded((size_t)size);
                    uint8_t *bits = guarded((size_t)(size + 7) / 8);
                    k->requant(&planes, acc, &(ib_epilogue){scale, profile, -3, -120, 100, got, bits, top});
                    CHECK(!memcmp(want, got, (size_t)size));
                    CHECK(!memcmp(passing, bits, (size_t)(size + 7) / 8));
                    k->requant(&planes, acc, &(ib_epilogue){scale, profile, -3, -120, 100, got, bits, NULL});
                    CHECK(!memcmp(want, got, (size_t)size));
                    CHECK(!memcmp(mask, bits, (size_t)(size + 7) / 8));
                    check_guard(got, (size_t)size);
                    check_guard(bits, (size_t)(size + 7) / 8);
                    k->requant(&planes, acc, &(ib_epilogue){scale, profile, -3, -120, 100, got, NULL, NULL});
                    CHECK(!memcmp(want, got, (size_t)size));
                    free(got);
                    free(bits);
                });
                free(acc), free(scale), free(want), free(mask), free(passing), free(top);
            }
    ib_device_close(ref);
}

/* Equal scales make sums of exactly 0, and 3 + 3 one of exactly 6. */
static void sums_pass_between_their_bounds(void)
{
    static const int64_t sizes[] = {1, 7, 16, 37, 20003};
    for (int t = 0; t < 5; t++)
        for (int product = 0; product < 2; product++) {
            const int64_t n = sizes[t];
            int8_t *a = noise((size_t)n, 21), *b = noise((size_t)n, 22);
            uint8_t *mask = noise((size_t)(n + 7) / 8, 23), *want = calloc((size_t)(n + 7) / 8, 1);
            const float s = 0.0625f, top = t % 2 ? 6 : INFINITY;
            int bounds = 0;
            for (int64_t i = 0; i < n; i++) {
                const float x = s * (float)(a[i] - 4), y = s * (float)(b[i] + 4), v = product ? x * y : x + y;
                bounds += v == 0 || v == 6;
                if (mask[i / 8] >> i % 8 & 1 && v > 0 && v < top)
                    want[i / 8] |= (uint8_t)(1 << i % 8);
            }
            CHECK(n < 20000 || bounds > 20);
            EACH_LEVEL({
                uint8_t *bits = guarded((size_t)(n + 7) / 8);
                memcpy(bits, mask, (size_t)(n + 7) / 8);
                k->real_passes(&(ib_coded){a, s, 4}, &(ib_coded){b, s, -4}, n, product, top, bits);
                for (int64_t i = 0; i < n; i++) /* bits beyond n do not count */
                    CHECK(((bits[i / 8] ^ want[i / 8]) >> i % 8 & 1) == 0);
                check_guard(bits, (size_t)(n + 7) / 8);
                free(bits);
            });
            free(a), free(b), free(mask), free(want);
        }
}

/* gcc 12 at -O3 with VNNI enabled for ordinary code drops the sign cast of this sum (a reason to build the library for
 * x86-64-v3 at most): the reference level must give the sum by definition. */
static void signed_bytes_stay_signed(void)
{
    ib_device *ref = ib_device_open("cpu:ref");
    enum { K = 512 };
    int8_t x[K], w[K];
    int32_t bias = 0, acc = 0, want = 0;
    for (int i = 0; i < K; i++) {
        x[i] = (int8_t)(i * 7);
        w[i] = (int8_t)(-100 + i % 60);
        want += (int32_t)x[i] * w[i];
    }
    float scratch[K + 64];
    const ib_qweights weights = {w, NULL, 0, 0, 8};
    ib_threads_set(1);
    ref->k.qlinear(1, K, 1, &(ib_qproduct){.x = x, .w = &weights, .bias = &bias, .acc = &acc, .scratch = scratch});
    CHECK_INT(acc, want);
    ib_threads_set(0);
    ib_device_close(ref);
}

static double distance(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst;
}

/* Forward, and the gradients from numbers or codes, of all of dy or where a mask says. */
static void float_convolutions_agree_and_ignore_threads(void)
{
    enum { FORWARD, DX, DW, DB, ALL };
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < sizeof windows / sizeof *windows; t++)
        for (int coded = 0; coded < 2; coded++) {
            const ib_window *s = &windows[t];
            const int64_t nx = s->n * s->ic * s->ih * s->iw, nw = s->oc * (s->ic / s->groups) * s->kh * s->kw,
                          ny = s->n * s->oc * s->oh * s->ow;
            const int64_t size[ALL] = {ny, nx, nw, s->oc};
            float *x = reals(nx, 1), *w = reals(nw, 2), *bias = reals(s->oc, 3), *dy = reals(ny, 4), *want[ALL];
            int8_t *codes = noise((size_t)nx, 5);
            uint8_t *mask = noise((size_t)(ny + 7) / 8, 6);
            ib_threads_set(4);
            float *scratch = malloc((size_t)(ib_conv2d_grads_scratch(s) + GUARD) * 4);
            const int64_t room = ib_conv2d_grads_scratch(s) * 4;
            memset((char *)scratch + room, 0x5A, GUARD);
            ib_threads_set(1);
            for (int i = 0; i < ALL; i++)
                want[i] = calloc((size_t)size[i], 4);
            ib_conv_grads g = {.x = coded ? NULL : x,
                               .codes = codes,
                               .x_scale = 0.01f,
                               .x_zero = -5,
                               .w = w,
                               .dy = dy,
                               .mask = coded ? mask : NULL,
                               .dx = want[DX],
                               .dw = want[DW],
                               .db = want[DB]};
            ref->k.conv2d(s, x, w, bias, want[FORWARD], scratch);
            ref->k.conv2d_grads(s, &g, scratch);
            float *first[ALL] = {NULL};
            EACH_LEVEL({
                float *got[ALL];
                for (int i = 0; i < ALL; i++)
                    memset(got[i] = guarded((size_t)size[i] * 4), 0, (size_t)size[i] * 4);
                k->conv2d(s, x, w, bias, got[FORWARD], scratch);
                g.dx = got[DX];
                g.dw = got[DW];
                g.db = got[DB];
                k->conv2d_grads(s, &g, scratch);
                for (int i = 0; i < ALL; i++) {
                    CHECK(distance(want[i], got[i], size[i]) < (i < DW ? 1e-4 : 1e-3));
                    check_guard(got[i], (size_t)size[i] * 4);
                    if (threads == 1) {
                        first[i] = got[i];
                        continue;
                    }
                    CHECK(!memcmp(first[i], got[i], (size_t)size[i] * 4)); /* same bits */
                    free(first[i]);
                    free(got[i]);
                }
                check_guard(scratch, (size_t)room);
                float *only = calloc((size_t)size[DX], 4); /* one alone is the same */
                g.dx = only;
                g.dw = g.db = NULL;
                k->conv2d_grads(s, &g, scratch);
                CHECK(distance(want[DX], only, size[DX]) < 1e-4);
                free(only);
            });
            for (int i = 0; i < ALL; i++)
                free(want[i]);
            free(x), free(w), free(bias), free(dy), free(codes), free(mask), free(scratch);
        }
    ib_device_close(ref);
}

static void products_agree_and_ignore_threads(void)
{
    static const int64_t shapes[][3] = {{1, 10, 784}, {64, 256, 784}, {784, 256, 64}, {5, 3, 2}, {129, 130, 131}};
    ib_device *ref = ib_device_open("cpu:ref");
    for (size_t t = 0; t < 5; t++)
        for (int form = 0; form < 4; form++) {
            const int64_t m = shapes[t][0], n = shapes[t][1], kk = shapes[t][2];
            float *a = reals(m * kk, 5), *b = reals(kk * n, 6), *want = reals(m * n, 7), *one = NULL;
            ref->k.gemm(form & 1, form >> 1, m, n, kk, a, b, 1.0f, want);
            EACH_LEVEL({
                float *c = reals(m * n, 7);
                k->gemm(form & 1, form >> 1, m, n, kk, a, b, 1.0f, c);
                CHECK(distance(want, c, m * n) < 1e-4 * sqrt((double)kk));
                if (threads == 1)
                    one = c;
                else {
                    CHECK(!memcmp(one, c, (size_t)(m * n) * 4));
                    free(one);
                    free(c);
                }
            });
            free(a), free(b), free(want);
        }
    ib_device_close(ref);
}

static void sums_ignore_threads(void)
{
    const int64_t n = 1234567;
    float *x = reals(n, 9);
    double first = 0;
    EACH_LEVEL({
        const double sum = k->sum(x, n);
        if (threads == 1)
            first = sum;
        CHECK(sum == first);
    });
    free(x);
}

static void codes_of_nan_and_infinity_are_codes(void)
{
    const float x[] = {NAN, INFINITY, -INFINITY, 0.5f, 1e30f, -1e30f};
    int8_t q[6];
    uint8_t mask;
    EACH_LEVEL({
        k->quantize(x, 6, &(ib_affine){.scale = 0.5f, .zero = 3, .qmin = -8, .qmax = 7}, q, &mask);
        CHECK_INT(q[0], 3);
        CHECK_INT(q[1], 7);
        CHECK_INT(q[2], -8);
        CHECK_INT(q[3], 4);
        CHECK_INT(mask, 1 << 3);
    });
}

SUITE("kernels", T(integer_convolutions_agree), T(channels_last_agree), T(channels_last_sums_and_pools_agree),
      T(integer_linear_layers_agree), T(pools_agree), T(requantizations_agree), T(sums_pass_between_their_bounds),
      T(signed_bytes_stay_signed), T(float_convolutions_agree_and_ignore_threads), T(products_agree_and_ignore_threads),
      T(sums_ignore_threads), T(codes_of_nan_and_infinity_are_codes))
