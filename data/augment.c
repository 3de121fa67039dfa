/* augment.c - see augment.h */
#include "data/augment.h"

#include <math.h>

static float pixel(const float *in, int h, int w, int y, int x)
{
    return y >= 0 && y < h && x >= 0 && x < w ? in[y * w + x] : 0.0f;
}

void ib_augment(const ib_loader_opts *o, ib_rng rng, uint64_t i, const float *in, int c, int h, int w, float *out)
{
    const float angle = o->rotate * (2 * ib_rng_uniform(rng, 8 * i) - 1) * 0.01745329252f;
    float dx = o->shift * (2 * ib_rng_uniform(rng, 8 * i + 1) - 1),
          dy = o->shift * (2 * ib_rng_uniform(rng, 8 * i + 2) - 1);
    const int mirror = o->flip && ib_rng_u32(rng, 8 * i + 3) & 1;
    if (o->rotate == 0) {
        dx = rintf(dx);
        dy = rintf(dy);
    }
    const float co = cosf(angle), si = sinf(angle), cy = 0.5f * (float)(h - 1), cx = 0.5f * (float)(w - 1);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, out++) {
            const float u = (float)(mirror ? w - 1 - x : x) - cx - dx, v = (float)y - cy - dy;
            const float sx = co * u + si * v + cx, sy = -si * u + co * v + cy;
            const int x0 = (int)floorf(sx), y0 = (int)floorf(sy);
            const float fx = sx - (float)x0, fy = sy - (float)y0;
            for (int k = 0; k < c; k++) {
                const float *p = in + k * h * w;
                out[k * h * w] = (1 - fy) * ((1 - fx) * pixel(p, h, w, y0, x0) + fx * pixel(p, h, w, y0, x0 + 1)) +
                                 fy * ((1 - fx) * pixel(p, h, w, y0 + 1, x0) + fx * pixel(p, h, w, y0 + 1, x0 + 1));
            }
        }
}
