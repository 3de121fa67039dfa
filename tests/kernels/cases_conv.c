/* cases_conv.c - fp32 convolutions, whose products are BLAS's at some levels: inputs and weights lie in [-1, 1). */
#include "tests/kernels/kernel_windows.h"

enum { N_CHANCE = 100 };

void case_conv2d(void)
{
    for (int t = 0; t < 2 * (N_WINDOWS + N_CHANCE); t++) {
        const ib_window of_chance = window_of_chance(t / 2),
                        *s = t / 2 < N_WINDOWS ? &kernel_windows[t / 2] : &of_chance;
        a_window(s, t % 2 ? "no bias" : "bias");
        const float *x = reals(window_in(s)), *w = reals(s->oc * window_row(s)), *bias = t % 2 ? NULL : reals(s->oc);
        float *y = result("y", REALS, window_out(s), 1e-4);
        EACH_RUN(conv2d)
            dev->k.conv2d(dev, s, x, w, bias, y, room(dev->v.conv2d_words(dev, s) * 4));
    }
}

/* From numbers or codes, of all of dy or where a mask says, each alone or all, set or added to. */
void case_conv2d_grads(void)
{
    enum { ALL, DX, SET_DX, DW, DB, N_WANTED };
    for (int t = 0; t < 2 * N_WANTED * (N_WINDOWS + N_CHANCE); t++) {
        static const char *const names[] = {"all gradients", "dx", "dx set", "dw", "db"};
        const int place = t / (2 * N_WANTED);
        const ib_window of_chance = window_of_chance(place),
                        *s = place < N_WINDOWS ? &kernel_windows[place] : &of_chance;
        const int coded = t % 2, wanted = t / 2 % N_WANTED;
        char what[60];
        snprintf(what, sizeof what, "%s of %s", names[wanted], coded ? "codes, masked" : "numbers");
        a_window(s, what);
        static const float x_scale = 0.01f;
        static const int32_t x_zero = -5;
        ib_conv_grads g = {.x = coded ? NULL : reals(window_in(s)),
                           .codes = coded ? codes(window_in(s)) : NULL,
                           .x_scale = &x_scale,
                           .x_zero = &x_zero,
                           .w = reals(s->oc * window_row(s)),
                           .dy = reals(window_out(s)),
                           .mask = coded ? bits(window_out(s)) : NULL,
                           .sets_dx = wanted == SET_DX};
        if (wanted == SET_DX)
            g.dx = result("dx", REALS, window_in(s), 1e-4);
        else if (wanted <= DX)
            g.dx = changed("dx", REALS, window_in(s), 1e-4);
        if (wanted == ALL || wanted == DW)
            g.dw = changed("dw", REALS, s->oc * window_row(s), 1e-3);
        if (wanted == ALL || wanted == DB)
            g.db = changed("db", REALS, s->oc, 1e-3);
        EACH_RUN(conv2d_grads)
            dev->k.conv2d_grads(dev, s, &g, room(dev->v.conv2d_grads_words(dev, s) * 4));
    }
}
