/* cases_integer.c - codes x codes: accumulators, and codes and masks straight from the product, from packed constants
 * or not, equal in every bit. */
#include "tests/kernels/kernel_factors.h"
#include "tests/kernels/kernel_windows.h"

/* A product of a shape, by a kernel of its name. */
typedef struct product {
    const char *name, *pack_name;
    size_t run, pack; /* the entries of both */
    const ib_window *s;
    ib_qweights w;
    const int8_t *x;
    const int32_t *bias;
    int zero;
} product;

static int is_linear(const product *p)
{
    return p->run == offsetof(ib_kernels, qlinear);
}

static void multiply(ib_device *dev, const product *p, const void *packed, const ib_epilogue *r, int32_t *acc)
{
    const ib_window *s = p->s;
    const int64_t words = is_linear(p) ? dev->v.qlinear_words(dev, s->n, s->ic, s->oc) : dev->v.qconv2d_words(dev, s);
    const ib_qproduct q = {p->x, &p->zero, &p->w, p->bias, packed, r, acc, room(words * 4)};
    if (is_linear(p))
        dev->k.qlinear(dev, s->n, s->ic, s->oc, &q);
    else
        dev->k.qconv2d(dev, s, &q);
}

static int64_t pack(ib_device *dev, const product *p, void *to)
{
    return is_linear(p) ? dev->k.qlinear_pack(dev, p->s->ic, p->s->oc, p->zero, &p->w, p->bias, to)
                        : dev->k.qconv2d_pack(dev, p->s, p->zero, &p->w, p->bias, to);
}

/* Packed constants in a block of their own, or NULL where the level has none. */
static void *packed(ib_device *dev, const product *p)
{
    const int64_t bytes = pack(dev, p, NULL);
    void *to = bytes ? room(bytes) : NULL;
    CHECK(!to || pack(dev, p, to) == bytes);
    return to;
}

#define EACH_PRODUCT(p, first, second) for (ib_device * dev; (dev = next_run(p, first, second)) != NULL;)

/* acc = sum w factor (x - zero) + bias, for linear layers, by definition */
static void check_sums(const product *p, const int32_t *acc)
{
    const int64_t k = p->s->ic, out = p->s->oc;
    for (int64_t i = 0; i < p->s->n * out; i++) {
        int32_t sum = p->bias[i % out];
        for (int64_t j = 0; j < k; j++)
            sum += p->w.codes[i % out * k + j] * (p->x[i / out * k + j] - p->zero);
        if (acc[i] != sum) {
            CHECK_INT(acc[i], sum);
            return;
        }
    }
}

/* Begins the shape's text behind a_window's, makes inputs: groups of weights of `group` (0: none), codes of `bits`. */
static product a_product(int linear, const ib_window *s, int group, int bits, const char *what)
{
    a_window(s, what);
    const int64_t row = window_row(s);
    product p = {"qconv2d",
                 "qconv2d_pack",
                 offsetof(ib_kernels, qconv2d),
                 offsetof(ib_kernels, qconv2d_pack),
                 s,
                 {0},
                 codes(window_in(s)),
                 integers(s->oc, 8),
                 -13};
    if (linear) {
        p.name = "qlinear";
        p.pack_name = "qlinear_pack";
        p.run = offsetof(ib_kernels, qlinear);
        p.pack = offsetof(ib_kernels, qlinear_pack);
        p.zero = 21;
    }
    const int n_groups = group ? (int)((row + group - 1) / group) : 0;
    uint8_t *factor = n_groups ? given("factors of groups", BYTES, s->oc * n_groups) : NULL;
    for (int64_t i = 0; i < s->oc * n_groups; i++)
        factor[i] = (uint8_t)(1 + factor[i] % 15);
    p.w = (ib_qweights){weights(s->oc * row, bits), factor, group, n_groups, bits};
    return p;
}

static void accumulators(product p)
{
    int32_t *acc = result("acc", INTS, window_out(p.s), EXACT);
    EACH_PRODUCT(p.name, p.run, p.run)
    multiply(dev, &p, NULL, NULL, acc);
    if (is_linear(&p) && !p.w.group_size && window_out(p.s) * p.s->ic < 300000)
        check_sums(&p, made_by_ref(acc));
}

/* Codes with a mask and large factors, or from packed constants and large factors in every other shape: those of the
 * requantized accumulators. */
static void requantized(product p, int profile, int masked)
{
    const int64_t n = window_out(p.s);
    static const int32_t zero = 3, lo = -100, hi = 90;
    const int large = masked || (p.s->n + p.w.bits / 2) % 2 == 0;
    const ib_epilogue r = {factors(p.s->oc, profile, large),
                           profile,
                           &zero,
                           &lo,
                           &hi,
                           result("codes", CODES, n, EXACT),
                           masked ? result("mask", BYTES, (n + 7) / 8, EXACT) : NULL,
                           NULL};
    EACH_PRODUCT(p.name, p.run, p.pack)
    multiply(dev, &p, masked ? NULL : packed(dev, &p), &r, room(n * 4));
    int32_t *acc = room(n * 4);
    ib_epilogue own = r;
    own.codes = room(n);
    own.mask = room((n + 7) / 8);
    const ib_planes planes = {p.s->n, p.s->oc, p.s->oh * p.s->ow};
    multiply(plain_device(), &p, NULL, NULL, acc);
    plain_device()->k.requant(plain_device(), &planes, acc, &own);
    CHECK(!memcmp(own.codes, made_by_ref(r.codes), (size_t)n));
    CHECK(!masked || !memcmp(own.mask, made_by_ref(r.mask), (size_t)(n + 7) / 8));
}

/* Accumulators from packed constants. */
static void from_packed(product p)
{
    int32_t *acc = result("acc", INTS, window_out(p.s), EXACT);
    EACH_PRODUCT(p.pack_name, p.pack, p.run)
    multiply(dev, &p, packed(dev, &p), NULL, acc);
}

enum { N_FORMS = 1 + 2 * N_ROUNDINGS, N_CHANCE = 400 };

static void multiplied(int linear, const ib_window *s, int group, int bits, int form)
{
    static const char *const names[] = {"accumulators",      "packed, profile 0", "masked, profile 0",
                                        "packed, profile 1", "masked, profile 1", "packed, profile 2",
                                        "masked, profile 2"};
    char what[60];
    snprintf(what, sizeof what, "%s, group %d, %d bits", names[form], group, bits);
    const product p = a_product(linear, s, group, bits, what);
    if (form)
        requantized(p, (form - 1) / 2, (form - 1) % 2);
    else
        accumulators(p);
}

/* Sums as far from zero as they come: all inputs the largest or the least code, and all weights, or in turns. */
static void extreme(int linear, const ib_window *s, int bits)
{
    for (int which = 0; which < 8; which++) {
        char what[60];
        snprintf(what, sizeof what, "extreme %d, %d bits", which, bits);
        const product p = a_product(linear, s, 0, bits, what);
        const int least = -(1 << (bits - 1)), most = -least - 1, row = (int)window_row(s);
        memset((int8_t *)(uintptr_t)p.x, which & 1 ? 127 : -128, (size_t)window_in(s));
        for (int64_t i = 0; i < s->oc * row; i++)
            ((int8_t *)(uintptr_t)p.w.codes)[i] = (int8_t)(which >> 1 == 0   ? most
                                                           : which >> 1 == 1 ? least
                                                           : which >> 1 == 2 ? -most
                                                                             : (i / row % 2 ? least : most));
        accumulators(p);
    }
}

void case_qconv2d(void)
{
    for (int t = 0; t < 2 * N_WINDOWS; t++)
        extreme(0, &kernel_windows[t / 2], 8 >> t % 2);
    for (int t = 0; t < 2 * N_WINDOWS; t++)
        for (int form = 0; form < N_FORMS; form++)
            multiplied(0, &kernel_windows[t / 2], t % 2 * 4, 8, form);
    for (int t = 0; t < N_CHANCE; t++) {
        const ib_window s = window_of_chance(t);
        multiplied(0, &s, t % 3 ? 0 : 1 + t % 5, 8 >> t / 2 % 3, t % 6 ? 0 : 1 + t / 6 % 6);
    }
}

void case_qconv2d_pack(void)
{
    for (int t = 0; t < 2 * N_WINDOWS; t++)
        from_packed(a_product(0, &kernel_windows[t / 2], t % 2 * 4, 8, "packed"));
}

/* Rows, inputs and outputs; the larger ones have narrow weights packed as such. */
static const int64_t layers[][3] = {{1, 1, 1},     {1, 784, 10},    {3, 17, 5},      {5, 33, 47},     {64, 100, 64},
                                    {7, 256, 129}, {3, 1027, 1045}, {1, 1500, 1001}, {2, 1031, 1040}, {70, 1025, 1030}};
enum { N_LAYERS = sizeof layers / sizeof *layers };

void case_qlinear(void)
{
    for (int t = 0; t < 3 * N_LAYERS; t++)
        for (int form = 0; form < N_FORMS; form++) {
            const int64_t *l = layers[t / 3];
            const ib_window s = ib_window_of_rows(l[0], l[1], l[2]);
            const int64_t work = l[0] * l[1] * l[2];
            if (is_emulated() && work >= 1000000)
                continue;
            if (work < 1000000 || form < 3 - (work > 10000000)) /* of the larger ones one profile, or packed alone */
                multiplied(1, &s, 0, 8 >> t % 3, form);
            if (t % 3 == 0 && l[1] < 1000)
                multiplied(1, &s, 4, 8, form);
            if (form == 0 && work < 1000000)
                extreme(1, &s, 8 >> t % 3);
        }
}

void case_qlinear_pack(void)
{
    for (int t = 0; t < 3 * N_LAYERS; t++) {
        const int64_t *l = layers[t / 3];
        if (is_emulated() && l[0] * l[1] * l[2] >= 1000000)
            continue;
        const ib_window s = ib_window_of_rows(l[0] > 20 ? 20 : l[0], l[1], l[2]);
        from_packed(a_product(1, &s, 0, 8 >> t % 3, "packed"));
    }
}
