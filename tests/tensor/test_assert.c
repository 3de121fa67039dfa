/* test_assert.c - contracts between the library's functions (base/assert.h): each violation below is planted in a
 * child process, which dies with the contract's line; and without IB_CHECKED conditions are not even looked at. Broken
 * by: a level's table without its checks, a check that names another contract, an assert that costs a release. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"

#include "autograd/op.h"
#include "backends/kernels.h"
#include "base/assert.h"
#include "tensor/format.h"
#include "tensor/matrix_fields.h"

static void nothing_is_left_in_a_release(void)
{
    int looked = 0;
    IB_ASSERT(++looked, "a condition that counts");
#ifdef IB_CHECKED
    CHECK_INT(looked, 1);
#else
    CHECK_INT(looked, 0);
#endif
}

#ifdef IB_CHECKED
static ib_device *dev;
static ib_graph *g;
static float x[64], y[64], w[64];
static const isobit_scale factor[4] = {{1 << 30, 0}, {1 << 30, 0}, {1 << 30, 0}, {1 << 30, 0}};

static void overlap(void)
{
    dev->k.axpy(dev, x + 1, x, 8, 1.0f);
}
static void one_byte_off(void)
{
    dev->k.sigmoid(dev, (const float *)(const void *)((const char *)x + 1), y, 8);
}
static void one_byte_off_unlisted(void) /* a kernel without a check of its own */
{
    dev->k.sum(dev, (const float *)(const void *)((const char *)x + 1), 8, 1.0f, y);
}
static void room_off(void)
{
    static float room[1 << 20] __attribute__((aligned(64)));
    const ib_matrix m = {.format = ib_storage_find("f32"), .rows = 2, .cols = 2, .data = (const uint8_t *)w};
    dev->k.frozen_mul(dev, &m, 1, x, 0, y, room + 1);
}
static void window_too_large(void)
{
    const ib_window s = {1, 1, 4, 4, 1, 4, 4, 3, 3, 1, 1, 0, 0, 1}; /* 2x2 come out */
    dev->k.conv2d(dev, &s, x, w, NULL, y, NULL);
}
static const int32_t zero_code, least = -128, most = 127, beyond = 128;
static void wide_codes(void)
{
    static const int8_t codes[4] = {1, 2, 8, 3}, in[2];
    static const int32_t bias[2];
    static int8_t out[2];
    const ib_qweights weights = {.codes = codes, .bits = 4};
    const ib_epilogue r = {.scale = factor, .zero = &zero_code, .lo = &least, .hi = &most, .codes = out};
    dev->k.qlinear(dev, 1, 2, 2, &(ib_qproduct){.x = in, .w = &weights, .bias = bias, .r = &r});
}
static void bounds_of_no_code(void)
{
    static const int32_t acc[4];
    static int8_t out[4];
    dev->k.requant(dev, &(ib_planes){1, 4, 1}, acc,
                   &(ib_epilogue){.scale = factor, .zero = &zero_code, .lo = &least, .hi = &beyond, .codes = out});
}
static void narrow_border(void)
{
    static uint8_t in[16], out[16];
    static const int8_t codes[9];
    static const int32_t bias[1];
    const ib_window s = {1, 1, 4, 4, 1, 4, 4, 3, 3, 1, 1, 1, 1, 1};
    const ib_nhwc from = {in, 1, 4, 4, 0}, to = {out, 1, 4, 4, 0};
    const ib_qweights weights = {.codes = codes};
    const ib_epilogue r = {.scale = factor, .zero = &zero_code, .lo = &least, .hi = &most};
    dev->k.nhwc_conv2d(dev, &s, &(ib_nhwc_product){.x = &from, .y = &to, .w = &weights, .bias = bias, .r = &r},
                       (ib_share){0, 1});
}
static void no_class(void)
{
    static const int32_t label[2] = {0, 4};
    dev->k.cross_entropy(dev, &(ib_class_loss){.rows = 2, .cols = 4, .label = label, .divisor = 2}, x, y, w);
}
static void no_keys(void)
{
    static uint16_t half[8];
    const ib_kv_cache cache = {.groups = 1, .dim = 4, .k = half, .v = half};
    dev->k.attention_cached(dev, &cache, &(ib_cached_queries){.heads = 1, .scale = 1, .before = -1, .rows = 1}, x, y);
}
static void no_token(void)
{
    static const int32_t target[2] = {0, 4};
    dev->k.nll_rows(dev, x, target, 2, 4, 1.0f, 0, y);
}
static void beyond_the_matrix(void)
{
    const ib_matrix m = {.format = ib_storage_find("f32"), .rows = 2, .cols = 2, .data = (const uint8_t *)w};
    dev->k.decode(dev, &m, 2, 3, y);
}
static void packed_too_wide(void)
{
    static const int8_t codes[2] = {1, -9};
    uint8_t bytes[1];
    ib_format_find("int4")->pack(codes, 2, bytes);
}
static void marks_crossed(void)
{
    ib_graph_alloc(g, 64);
    const ib_mark first = ib_graph_mark(g);
    ib_graph_alloc(g, 64);
    const ib_mark second = ib_graph_mark(g);
    ib_graph_release(g, first);
    ib_graph_release(g, second);
}
static void place_forgotten(void)
{
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *t = ib_tensor_new(IB_F32, 1, (int64_t[]){4}, 1, "t");
    ib_tensor *loss = ib_mean(g, ib_relu(g, t));
    ib_backward(g, loss); /* once as it should be */
    g->nodes[0].out->node = 1;
    ib_backward(g, loss);
}
static void later_than_its_result(void)
{
    ib_graph_begin(g, IB_TRAIN);
    ib_tensor *t = ib_input(g, 1, (int64_t[]){4}, x);
    t->node = 7;
    ib_relu(g, t);
}

static const struct {
    void (*violate)(void);
    const char *line;
} planted[] = {
    {overlap, "ib_check_axpy: this does not hold: a kernel's memory: x does not overlap y"},
    {one_byte_off, "ib_check_sigmoid: this does not hold: a kernel's memory: x is aligned to its elements"},
    {one_byte_off_unlisted, "sum_checked: this does not hold: pointers are aligned to their elements"},
    {room_off, "ib_check_frozen_mul: this does not hold: a kernel's memory: scratch is aligned to 64 bytes"},
    {window_too_large, "ib_check_conv2d: this does not hold: a window's sizes agree"},
    {wide_codes, "codes are within their bits"},
    {bounds_of_no_code, "ib_check_requant: this does not hold: bounds are codes"},
    {narrow_border, "ib_check_nhwc_conv2d: this does not hold: the border is as wide as the padding"},
    {no_class, "ib_check_cross_entropy: this does not hold: labels are classes"},
    {no_keys, "a row of attention sees a key at least"},
    {no_token, "ib_check_nll_rows: this does not hold: targets are tokens"},
    {beyond_the_matrix, "ib_check_decode: this does not hold: what is decoded lies within the matrix"},
    {packed_too_wide, "ib_pack_int4: this does not hold: codes that are packed fit their bits"},
    {marks_crossed, "ib_arena_release: this does not hold: marks are released in their order"},
    {place_forgotten, "ib_backward_range: this does not hold: a result knows its place on the tape"},
    {later_than_its_result, "apply: this does not hold: an input stands on the tape before its result"},
};

/* What a child says that does it, and whether it dies of it. */
static int dies(void (*violate)(void), char *said, size_t size)
{
    int ends[2], status = 0;
    size_t n = 0;
    ssize_t more;
    REQUIRE(!pipe(ends));
    fflush(NULL);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (!child) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], 2);
        close(ends[0]);
        violate();
        _exit(0);
    }
    close(ends[1]);
    while (n + 1 < size && (more = read(ends[0], said + n, size - 1 - n)) > 0)
        n += (size_t)more;
    said[n] = 0;
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void each_violation_dies_with_its_line(void)
{
    char said[4096];
    const char *name;
    for (int level = 0; (name = ib_device_name_at(level)); level++) {
        if (!(dev = ib_device_open(name)))
            continue;
        g = ib_graph_new(dev);
        REQUIRE(g != NULL);
        for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
            const int dead = dies(planted[i].violate, said, sizeof said);
            CHECK(dead && strstr(said, planted[i].line));
            if (!dead || !strstr(said, planted[i].line))
                printf("\n    %s: '%s' lacks '%s'\n", name, said, planted[i].line);
        }
        ib_graph_free(g);
        ib_device_close(dev);
    }
}
SUITE("assert", T(nothing_is_left_in_a_release), T(each_violation_dies_with_its_line))
#else
SUITE("assert", T(nothing_is_left_in_a_release))
#endif
