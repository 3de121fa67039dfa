/* check_integer.c - of kernels from codes to codes, in planes and with channels last. */
#include "backends/checks/checks.h"

#ifdef IB_CHECKED
#include "arithmetic/runtime.h"

#define FACTORS(s, n, profile) IB_ASSERT(ib_factors_are_normal(s, n, profile), "factors are normal")

static void check_product(const ib_window *s, const ib_qproduct *p, int64_t words, ib_check_place at)
{
    const int64_t out = ib_window_out(s), taps = ib_window_taps(s);
    const ib_epilogue none = {0}, *r = p->r ? p->r : &none;
    WINDOW(s);
    WEIGHTS(p->w, s->oc, taps);
    ZERO(ib_zero_of(p->in_zero));
    IB_ASSERT(!p->r || ib_epilogue_agrees(r, s->oc), "bounds are codes, and factors normal");
    IB_ASSERT(p->acc || p->r, "a product has a result");
    const ib_span spans[] = {OUT(p->acc, out),        OUT(r->codes, out),        OUT_BITS(r->mask, out),
                             ROOM(p->scratch, words), IN(p->x, ib_window_in(s)), IN(p->w->codes, s->oc * taps),
                             IN(p->bias, s->oc),      IN(r->scale, s->oc),       IN(r->top, s->oc),
                             PACKED(p->packed)};
    ib_check_spans(spans, sizeof spans / sizeof *spans, at);
}

void ib_check_qlinear(ib_device *dev, int64_t rows, int64_t k, int64_t out, const ib_qproduct *p)
{
    const ib_window s = ib_window_of_rows(rows, k, out);
    check_product(&s, p, dev->v.qlinear_words(dev, rows, k, out), (ib_check_place){__FILE__, __LINE__, __func__});
}

void ib_check_qconv2d(ib_device *dev, const ib_window *s, const ib_qproduct *p)
{
    check_product(s, p, dev->v.qconv2d_words(dev, s), (ib_check_place){__FILE__, __LINE__, __func__});
}

void ib_check_qlinear_pack(ib_device *dev, int64_t k, int64_t out, int in_zero, const ib_qweights *w,
                           const int32_t *bias, void *packed)
{
    WEIGHTS(w, out, k);
    ZERO(in_zero);
    SPANS(PACKED(packed), IN(w->codes, out * k), IN(bias, out));
}

void ib_check_qconv2d_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                           void *packed)
{
    WINDOW(s);
    WEIGHTS(w, s->oc, ib_window_taps(s));
    ZERO(in_zero);
    SPANS(PACKED(packed), IN(w->codes, s->oc * ib_window_taps(s)), IN(bias, s->oc));
}

void ib_check_acc_range(ib_device *dev, const ib_planes *s, const int32_t *acc, const float *scale, float *lo,
                        float *hi)
{
    SPANS(OUT(lo, 1), OUT(hi, 1), IN(acc, ib_planes_size(s)), IN(scale, s->c));
}

void ib_check_requant(ib_device *dev, const ib_planes *s, const int32_t *acc, const ib_epilogue *r)
{
    EPILOGUE(r, s->c);
    SPANS(OUT(r->codes, ib_planes_size(s)), OUT_BITS(r->mask, ib_planes_size(s)), IN(acc, ib_planes_size(s)),
          IN(r->scale, s->c), IN(r->top, s->c));
}

static void check_add(const isobit_add *p, int profile)
{
    IB_ASSERT(ib_is_code(p->a_zero) && ib_is_code(p->b_zero) && ib_is_code(p->out_zero), "zero points are codes");
    IB_ASSERT(ib_is_code(p->lo) && ib_is_code(p->hi) && p->lo <= p->hi, "bounds are codes in order");
    IB_ASSERT(profile >= ISOBIT_TFLITE_DOUBLE && profile <= ISOBIT_FP32_RNE, "a profile is one of three");
}

void ib_check_qadd(ib_device *dev, const struct isobit_add *p, int64_t n, const int8_t *a, const int8_t *b, int profile,
                   int8_t *q, uint8_t *mask)
{
    check_add(p, profile);
    SPANS(OUT(q, n), OUT_BITS(mask, n), IN(a, n), IN(b, n));
}

void ib_check_qmul(ib_device *dev, const struct isobit_mul *p, int64_t n, const int8_t *a, const int8_t *b, int profile,
                   int8_t *q, uint8_t *mask)
{
    IB_ASSERT(ib_is_code(p->a_zero) && ib_is_code(p->b_zero) && ib_is_code(p->out_zero), "zero points are codes");
    IB_ASSERT(ib_is_code(p->lo) && ib_is_code(p->hi) && p->lo <= p->hi, "bounds are codes in order");
    FACTORS(&p->scale, 1, profile);
    SPANS(OUT(q, n), OUT_BITS(mask, n), IN(a, n), IN(b, n));
}

void ib_check_qmaxpool(ib_device *dev, const ib_window *s, const int8_t *x, int8_t *y, int32_t *argmax)
{
    POOL(s);
    SPANS(OUT(y, ib_window_out(s)), OUT(argmax, ib_window_out(s)), IN(x, ib_window_in(s)));
}

void ib_check_qavgpool(ib_device *dev, const ib_window *s, const int8_t *x, const int32_t *in_zero, int32_t *acc)
{
    POOL(s);
    ZERO(ib_zero_of(in_zero));
    SPANS(OUT(acc, ib_window_out(s)), IN(x, ib_window_in(s)));
}

/* ---- channels last ---- */

#define SHARE(s) IB_ASSERT((s).parts >= 1 && (s).part >= 0 && (s).part < (s).parts, "a share is one of its parts")
#define SAME_IMAGES(a, b) IB_ASSERT((a)->c == (b)->c && (a)->h == (b)->h && (a)->w == (b)->w, "images are of one size")

/* The window lies within the images, and what it reads beside them within the border. */
static int images_fit(const ib_window *s, const ib_nhwc *x, const ib_nhwc *y)
{
    return x->c == s->ic && x->h == s->ih && x->w == s->iw && y->c == s->oc && y->h == s->oh && y->w == s->ow &&
           y->border >= 0;
}
static int border_holds(const ib_window *s, const ib_nhwc *x)
{
    return x->border >= s->ph && x->border >= s->pw && (s->oh - 1) * s->sh - s->ph + s->kh <= x->h + x->border &&
           (s->ow - 1) * s->sw - s->pw + s->kw <= x->w + x->border;
}
#define IMAGES(s, x, y) IB_ASSERT(images_fit(s, x, y), "images are of the window's sizes")
#define BORDER(s, x) IB_ASSERT(border_holds(s, x), "the border is as wide as the padding")

void ib_check_nhwc_from(ib_device *dev, const int8_t *x, int64_t n, const ib_nhwc *y, ib_share share)
{
    SHARE(share);
    SPANS(OUT(y->data, n * ib_nhwc_bytes(y)), IN(x, n * y->c * y->h * y->w));
}

void ib_check_nhwc_to(ib_device *dev, const ib_nhwc *x, int64_t n, int8_t *y, ib_share share)
{
    SHARE(share);
    SPANS(OUT(y, n * x->c * x->h * x->w), IN(x->data, n * ib_nhwc_bytes(x)));
}

void ib_check_nhwc_pack(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                        void *packed)
{
    WINDOW(s);
    WEIGHTS(w, s->oc, ib_window_taps(s));
    ZERO(in_zero);
    SPANS(PACKED(packed), IN(w->codes, s->oc * ib_window_taps(s)), IN(bias, s->oc));
}

void ib_check_nhwc_conv2d(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    SHARE(share);
    WINDOW(s);
    IMAGES(s, p->x, p->y);
    BORDER(s, p->x);
    WEIGHTS(p->w, s->oc, ib_window_taps(s));
    EPILOGUE(p->r, s->oc);
    ZERO(ib_zero_of(p->in_zero));
    SPANS(OUT(p->y->data, s->n * ib_nhwc_bytes(p->y)), IN(p->x->data, s->n * ib_nhwc_bytes(p->x)),
          IN(p->w->codes, s->oc * ib_window_taps(s)), IN(p->bias, s->oc), IN(p->r->scale, s->oc), PACKED(p->packed));
}

void ib_check_nhwc_add(ib_device *dev, const struct isobit_add *p, int64_t n, const ib_nhwc *a, const ib_nhwc *b,
                       int profile, const ib_nhwc *y, ib_share share)
{
    SHARE(share);
    check_add(p, profile);
    SAME_IMAGES(a, y);
    SAME_IMAGES(b, y);
    SPANS(OUT(y->data, n * ib_nhwc_bytes(y)), IN(a->data, n * ib_nhwc_bytes(a)), IN(b->data, n * ib_nhwc_bytes(b)));
}

void ib_check_nhwc_maxpool(ib_device *dev, const ib_window *s, const ib_nhwc *x, const ib_nhwc *y, ib_share share)
{
    SHARE(share);
    POOL(s);
    IMAGES(s, x, y);
    SPANS(OUT(y->data, s->n * ib_nhwc_bytes(y)), IN(x->data, s->n * ib_nhwc_bytes(x)));
}

void ib_check_nhwc_avgpool(ib_device *dev, const ib_window *s, const ib_nhwc *x, int in_zero, const ib_epilogue *r,
                           const ib_nhwc *y, ib_share share)
{
    SHARE(share);
    POOL(s);
    IMAGES(s, x, y);
    EPILOGUE(r, 1);
    ZERO(in_zero);
    SPANS(OUT(y->data, s->n * ib_nhwc_bytes(y)), IN(x->data, s->n * ib_nhwc_bytes(x)), IN(r->scale, 1));
}
#endif
