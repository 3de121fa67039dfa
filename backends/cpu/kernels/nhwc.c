/* nhwc.c - codes x codes on images with channels last, by the functions of runtime/isobit_rt.h. */
#include <string.h>

#include "arithmetic/runtime.h"
#include "backends/cpu/level.h"
#include "backends/formulas/windows.h"

static uint8_t raised(int code)
{
    return (uint8_t)(code + 128);
}
static int code_of(uint8_t byte)
{
    return byte - 128;
}

void IB_K(nhwc_from)(ib_device *dev, const int8_t *x, int64_t n, const ib_nhwc *y, ib_share share)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, y->h); h < ib_share_end(share, y->h); h++)
            for (int64_t c = 0; c < y->c; c++) {
                const int8_t *row = x + ((i * y->c + c) * y->h + h) * y->w;
                uint8_t *to = ib_nhwc_at(y, i, h, 0) + c;
                for (int64_t w = 0; w < y->w; w++)
                    to[w * y->c] = raised(row[w]);
            }
}

void IB_K(nhwc_to)(ib_device *dev, const ib_nhwc *x, int64_t n, int8_t *y, ib_share share)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, x->h); h < ib_share_end(share, x->h); h++)
            for (int64_t c = 0; c < x->c; c++) {
                const uint8_t *from = ib_nhwc_at(x, i, h, 0) + c;
                int8_t *row = y + ((i * x->c + c) * x->h + h) * x->w;
                for (int64_t w = 0; w < x->w; w++)
                    row[w] = (int8_t)code_of(from[w * x->c]);
            }
}

int64_t IB_K(nhwc_pack)(ib_device *dev, const ib_window *s, int in_zero, const ib_qweights *w, const int32_t *bias,
                        void *packed)
{
    (void)s, (void)in_zero, (void)w, (void)bias, (void)packed;
    return 0;
}

/* y[oy,ox,o] = bias[o] + sum over c, ky, kx of w[o,c,ky,kx] (x[oy sh - ph + ky, ox sw - pw + kx, c] - zero),
 * requantized; no groups of weights */
void IB_K(nhwc_conv2d)(ib_device *dev, const ib_window *s, const ib_nhwc_product *p, ib_share share)
{
    const int64_t icg = s->ic / s->groups, ocg = s->oc / s->groups;
    const ib_nhwc *x = p->x, *y = p->y;
    const ib_epilogue *r = p->r;
    const int8_t *w = p->w->codes;
    const int32_t *bias = p->bias;
    const int in_zero = ib_zero_of(p->in_zero);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++)
                for (int64_t o = 0; o < s->oc; o++) {
                    int32_t acc = bias[o];
                    for (int ky = 0; ky < s->kh; ky++)
                        for (int kx = 0; kx < s->kw; kx++) {
                            const uint8_t *pixel =
                                ib_nhwc_at(x, i, oy * s->sh - s->ph + ky, ox * s->sw - s->pw + kx) + o / ocg * icg;
                            for (int64_t c = 0; c < icg; c++)
                                acc += w[((o * icg + c) * s->kh + ky) * s->kw + kx] * (code_of(pixel[c]) - in_zero);
                        }
                    ib_nhwc_at(y, i, oy, ox)[o] =
                        raised(isobit_clamp(isobit_requant(acc, r->scale[o], r->profile), *r->zero, *r->lo, *r->hi));
                }
}

void IB_K(nhwc_add)(ib_device *dev, const struct isobit_add *p, int64_t n, const ib_nhwc *a, const ib_nhwc *b,
                    int profile, const ib_nhwc *y, ib_share share)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = ib_share_first(share, y->h); h < ib_share_end(share, y->h); h++)
            for (int64_t w = 0; w < y->w; w++) {
                const uint8_t *u = ib_nhwc_at(a, i, h, w), *v = ib_nhwc_at(b, i, h, w);
                for (int64_t c = 0; c < y->c; c++)
                    ib_nhwc_at(y, i, h, w)[c] = raised(isobit_clamp(
                        isobit_add_codes(p, code_of(u[c]), code_of(v[c]), profile), p->out_zero, p->lo, p->hi));
            }
}

void IB_K(nhwc_maxpool)(ib_device *dev, const ib_window *s, const ib_nhwc *x, const ib_nhwc *y, ib_share share)
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const ib_inside k = ib_inside_of(s, oy, ox);
                uint8_t *out = ib_nhwc_at(y, i, oy, ox);
                memset(out, 0, (size_t)s->ic);
                IB_EACH_INSIDE(k)
                    for (int64_t c = 0; c < s->ic; c++)
                        out[c] = ib_nhwc_at(x, i, iy, ix)[c] > out[c] ? ib_nhwc_at(x, i, iy, ix)[c] : out[c];
            }
}

void IB_K(nhwc_avgpool)(ib_device *dev, const ib_window *s, const ib_nhwc *x, int in_zero, const ib_epilogue *r,
                        const ib_nhwc *y, ib_share share)
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t oy = ib_share_first(share, s->oh); oy < ib_share_end(share, s->oh); oy++)
            for (int64_t ox = 0; ox < s->ow; ox++) {
                const ib_inside k = ib_inside_of(s, oy, ox);
                for (int64_t c = 0; c < s->ic; c++) {
                    int32_t sum = 0;
                    IB_EACH_INSIDE(k)
                        sum += code_of(ib_nhwc_at(x, i, iy, ix)[c]) - in_zero;
                    ib_nhwc_at(y, i, oy, ox)[c] =
                        raised(isobit_clamp(isobit_requant(sum, *r->scale, r->profile), *r->zero, *r->lo, *r->hi));
                }
            }
}
