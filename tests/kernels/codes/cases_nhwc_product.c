/* cases_nhwc_product.c - products of codes on images with channels last, in parts: the codes of qconv2d, borders and
 * slack untouched. */
#include "tests/kernels/kernel_factors.h"
#include "tests/kernels/kernel_images.h"

static const ib_window more[] = {{3, 7, 4, 3, 21, 1, 1, 4, 3, 1, 1, 0, 0, 1} /* a linear layer */,
                                 {2, 70, 9, 8, 70, 5, 4, 3, 3, 2, 2, 1, 1, 70},
                                 {1, 8, 30, 32, 16, 30, 32, 3, 3, 1, 1, 1, 1, 1},
                                 {2, 130, 5, 5, 100, 5, 5, 1, 1, 1, 1, 0, 0, 1},
                                 {1, 48, 33, 20, 80, 33, 20, 3, 3, 1, 1, 1, 1, 1},
                                 {1, 16, 66, 40, 16, 66, 40, 3, 3, 1, 1, 1, 1, 16}};
enum { N_ALL = N_WINDOWS + sizeof more / sizeof *more, BORDER = 5, ZERO = -13 };
static const int32_t in_zero = ZERO, zero = 3, lo = -100, hi = 90;

static const ib_window *window(int t)
{
    return t < N_WINDOWS ? &kernel_windows[t] : &more[t - N_WINDOWS];
}

/* qconv2d of the same codes, in planes. */
static void check_codes(const ib_window *s, const ib_nhwc_product *p, const uint8_t *data)
{
    const ib_nhwc made = {(uint8_t *)(uintptr_t)data, p->y->c, p->y->h, p->y->w, p->y->border};
    int8_t *in = room(window_in(s)), *out = room(window_out(s));
    ib_epilogue r = *p->r;
    r.codes = room(window_out(s));
    plain_device()->k.nhwc_to(plain_device(), p->x, s->n, in, (ib_share){0, 1});
    plain_device()->k.nhwc_to(plain_device(), &made, s->n, out, (ib_share){0, 1});
    plain_device()->k.qconv2d(plain_device(), s,
                              &(ib_qproduct){in, p->in_zero, p->w, p->bias, NULL, &r, room(window_out(s) * 4),
                                             room(plain_device()->v.qconv2d_words(plain_device(), s) * 4)});
    CHECK(!memcmp(out, r.codes, (size_t)window_out(s)));
}

void case_nhwc_conv2d(void)
{
    for (int t = 0; t < N_ALL * N_ROUNDINGS * 2; t++) {
        const ib_window *s = window(t % N_ALL);
        const int profile = t / N_ALL % N_ROUNDINGS, large = t / N_ALL / N_ROUNDINGS;
        if (window_out(s) * window_row(s) > 500000 && profile != (large ? ISOBIT_TFLITE_SINGLE : ISOBIT_FP32_RNE))
            continue;
        char what[60];
        const int bits = 8 >> (t / N_ALL + large) % 3;
        snprintf(what, sizeof what, "profile %d, %s factors, %d bits", profile, large ? "large" : "small", bits);
        a_window(s, what);
        const int64_t n = s->oc * window_row(s);
        const ib_qweights w = {bits == 8 ? codes(n) : weights(n, bits), NULL, 0, 0, bits};
        const ib_epilogue r = {factors(s->oc, profile, large), profile, &zero, &lo, &hi, NULL, NULL, NULL};
        const ib_nhwc x = image(s->n, s->ic, s->ih, s->iw, BORDER, ZERO),
                      y = made_image(s->n, s->oc, s->oh, s->ow, t % 2);
        ib_nhwc_product p = {&x, &y, &in_zero, &w, integers(s->oc, 8), NULL, &r};
        EACH_RUN_WITH(nhwc_conv2d, nhwc_pack) {
            const int64_t bytes = dev->k.nhwc_pack(dev, s, ZERO, &w, p.bias, NULL);
            void *packed = bytes ? room(bytes) : NULL;
            CHECK(!packed || dev->k.nhwc_pack(dev, s, ZERO, &w, p.bias, packed) == bytes);
            p.packed = packed;
            IN_PARTS(share)
            dev->k.nhwc_conv2d(dev, s, &p, share);
        }
        p.packed = NULL;
        check_codes(s, &p, made_by_ref(y.data));
    }
}

/* The packed constants stay within their bytes, and are the same each time. */
void case_nhwc_pack(void)
{
    for (int t = 0; t < N_ALL; t++) {
        const ib_window *s = window(t);
        a_window(s, "packed");
        const ib_qweights w = {codes(s->oc * window_row(s)), NULL, 0, 0, 8};
        const int32_t *bias = integers(s->oc, 8);
        int32_t *same = result("whether it is the same", INTS, 1, EXACT);
        EACH_RUN(nhwc_pack) {
            const int64_t bytes = dev->k.nhwc_pack(dev, s, ZERO, &w, bias, NULL);
            CHECK(bytes >= 0);
            void *one = room(bytes), *two = room(bytes);
            *same =
                !bytes || (dev->k.nhwc_pack(dev, s, ZERO, &w, bias, one) == bytes &&
                           dev->k.nhwc_pack(dev, s, ZERO, &w, bias, two) == bytes && !memcmp(one, two, (size_t)bytes));
            CHECK(*same);
        }
    }
}
