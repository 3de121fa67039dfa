/* cases_norm.c - normalization of channels and of rows: sums in double or in lanes, equal in every bit. */
#include "tests/kernels/kernel_tables.h"

static const ib_planes planes[] = {{1, 1, 1},  {3, 5, 7},    {2, 3, 8},    {1, 4, 784}, {5, 13, 1},
                                   {9, 3, 17}, {33, 16, 16}, {20, 3, 225}, {8, 64, 49}};
enum { N_PLANES = sizeof planes / sizeof *planes };

/* Begins the shape of channels; returns the number of elements. */
static int64_t a_plane(const ib_planes *s, const char *what)
{
    a_shape("%lldx%lldx%lld, %s", (long long)s->n, (long long)s->c, (long long)s->hw, what);
    return s->n * s->c * s->hw;
}

static float *positive(int64_t n)
{
    float *x = reals(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = 1.5f + x[i];
    return x;
}

void case_channel_sum(void)
{
    for (int t = 0; t < N_PLANES; t++) {
        const ib_planes *s = &planes[t];
        const float *x = reals(a_plane(s, "sums"));
        float *y = changed("y", REALS, s->c, EXACT);
        EACH_RUN(channel_sum)
            dev->k.channel_sum(dev, s, x, y);
    }
}

void case_bn_stats(void)
{
    for (int t = 0; t < N_PLANES; t++) {
        const ib_planes *s = &planes[t];
        const float *x = reals(a_plane(s, "mean and variance"));
        float *mean = result("mean", REALS, s->c, EXACT), *var = result("var", REALS, s->c, EXACT);
        EACH_RUN(bn_stats)
            dev->k.bn_stats(dev, s, x, mean, var);
    }
}

void case_bn_track(void)
{
    EACH_SIZE(c) {
        a_shape("c %lld", (long long)c);
        const float *mean = reals(c), *var = positive(c);
        float *running_mean = changed("running_mean", REALS, c, EXACT),
              *running_var = changed("running_var", REALS, c, EXACT);
        EACH_RUN(bn_track)
            dev->k.bn_track(dev, c, 37, 0.1f, mean, var, running_mean, running_var);
    }
}

/* Apart and in place. */
void case_bn_rstd(void)
{
    EACH_SIZE(c) {
        a_shape("c %lld", (long long)c);
        const float *var = positive(c);
        float *rstd = result("rstd", REALS, c, EXACT);
        EACH_RUN(bn_rstd) {
            float *own = memcpy(room(4 * c), var, (size_t)c * 4);
            dev->k.bn_rstd(dev, c, var, 1e-5f, rstd);
            dev->k.bn_rstd(dev, c, own, 1e-5f, own);
            dev->v.synchronize(dev);
            CHECK(!memcmp(own, rstd, (size_t)c * 4));
        }
    }
}

/* With ReLU a NaN stays. */
void case_bn_apply(void)
{
    for (int t = 0; t < 2 * N_PLANES; t++) {
        const ib_planes *s = &planes[t / 2];
        const int relu = t % 2;
        const int64_t n = a_plane(s, relu ? "with ReLU" : "alone");
        float *x = reals(n);
        const ib_norm p = {.x = x,
                           .gamma = reals(s->c),
                           .beta = reals(s->c),
                           .relu = relu,
                           .mean = reals(s->c),
                           .rstd = positive(s->c),
                           .y = result("y", REALS, n, EXACT)};
        x[n / 2] = NAN;
        EACH_RUN(bn_apply) {
            dev->k.bn_apply(dev, s, &p);
            dev->v.synchronize(dev);
            CHECK(p.y[n / 2] != p.y[n / 2]);
        }
    }
}

/* Of a batch or of given statistics, behind a ReLU or not, dx set or added to, each gradient alone not wanted. */
void case_bn_grad(void)
{
    enum { RELU = 1, BATCH = 2, SETS_DX = 4, N_FORMS = 8 };
    for (int t = 0; t < N_FORMS * N_PLANES; t++) {
        const ib_planes *s = &planes[t / N_FORMS];
        const int form = t % N_FORMS;
        char what[60];
        snprintf(what, sizeof what, "relu %d, batch %d, dx %s", form & RELU, form & BATCH ? 1 : 0,
                 form & SETS_DX ? "set" : "added to");
        const int64_t n = a_plane(s, what);
        const int left_out = t % 5; /* 1: dx, 2: dgamma, 3: dbeta */
        const ib_norm_grads g = {.x = reals(n),
                                 .dy = changed("dy", REALS, n, EXACT),
                                 .mean = reals(s->c),
                                 .rstd = positive(s->c),
                                 .gamma = reals(s->c),
                                 .dx = left_out == 1    ? NULL
                                       : form & SETS_DX ? result("dx", REALS, n, EXACT)
                                                        : changed("dx", REALS, n, EXACT),
                                 .dgamma = left_out == 2 ? NULL : changed("dgamma", REALS, s->c, EXACT),
                                 .dbeta = left_out == 3 ? NULL : changed("dbeta", REALS, s->c, EXACT),
                                 .relu = form & RELU ? reals(n) : NULL,
                                 .batch = form & BATCH ? 1 : 0,
                                 .sets_dx = form & SETS_DX ? 1 : 0};
        EACH_RUN(bn_grad)
            dev->k.bn_grad(dev, s, &g);
    }
}

/* Begins the shape of rows and makes what a norm of them is given. */
static ib_norm rows_of(int t, int has_mean)
{
    const int64_t rows = kernel_tables[t][0], cols = kernel_tables[t][1];
    a_table(rows, cols);
    return (ib_norm){.x = reals(rows * cols),
                     .gamma = reals(cols),
                     .beta = has_mean ? reals(cols) : NULL,
                     .eps = 1e-5f,
                     .mean = has_mean ? result("mean", REALS, rows, EXACT) : NULL,
                     .rstd = result("rstd", REALS, rows, EXACT),
                     .y = result("y", REALS, rows * cols, EXACT)};
}

void case_layer_norm(void)
{
    for (int t = 0; t < N_TABLES; t++) {
        const ib_norm p = rows_of(t, 1);
        EACH_RUN(layer_norm)
            dev->k.layer_norm(dev, kernel_tables[t][0], kernel_tables[t][1], &p);
    }
}

void case_rms_norm(void)
{
    for (int t = 0; t < N_TABLES; t++) {
        const ib_norm p = rows_of(t, 0);
        EACH_RUN(rms_norm)
            dev->k.rms_norm(dev, kernel_tables[t][0], kernel_tables[t][1], &p);
    }
}

/* The gradients of rows, of which `left_out` is not wanted: 1 dx, 2 dgamma, 3 dbeta. */
static ib_norm_grads grads_of(int t, int has_mean, int left_out)
{
    const int64_t rows = kernel_tables[t][0], cols = kernel_tables[t][1];
    a_shape("%lldx%lld, without %d", (long long)rows, (long long)cols, left_out);
    return (ib_norm_grads){.x = reals(rows * cols),
                           .dy = reals(rows * cols),
                           .mean = has_mean ? reals(rows) : NULL,
                           .rstd = positive(rows),
                           .gamma = reals(cols),
                           .dx = left_out == 1 ? NULL : changed("dx", REALS, rows * cols, EXACT),
                           .dgamma = left_out == 2 ? NULL : changed("dgamma", REALS, cols, EXACT),
                           .dbeta = has_mean && left_out != 3 ? changed("dbeta", REALS, cols, EXACT) : NULL};
}

void case_layer_norm_grad(void)
{
    for (int t = 0; t < 4 * N_TABLES; t++) {
        const ib_norm_grads g = grads_of(t / 4, 1, t % 4);
        EACH_RUN(layer_norm_grad)
            dev->k.layer_norm_grad(dev, kernel_tables[t / 4][0], kernel_tables[t / 4][1], &g);
    }
}

void case_rms_norm_grad(void)
{
    for (int t = 0; t < 3 * N_TABLES; t++) {
        const ib_norm_grads g = grads_of(t / 3, 0, t % 3);
        EACH_RUN(rms_norm_grad)
            dev->k.rms_norm_grad(dev, kernel_tables[t / 3][0], kernel_tables[t / 3][1], &g);
    }
}
