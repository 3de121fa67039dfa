/* test_trace.c - what a trace and the pictures of a tape say. Broken by: an operator without its line, a sum that does
 * not see a bit, a name that ends a string of Graphviz's, numbers of another layer. */
#include "autograd/op.h"
#include "tests/numbers.h"

#include <unistd.h>
#include <zlib.h>

static char trace[64];
static ib_device *dev;
static ib_graph *g;

/* The file of the trace from byte `from` on, zero-terminated. */
static char *lines(long from)
{
    static char text[1 << 16];
    FILE *f = fopen(trace, "rb");
    REQUIRE(f && !fseek(f, from, SEEK_SET));
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static long length_now(void)
{
    FILE *f = fopen(trace, "rb");
    REQUIRE(f && !fseek(f, 0, SEEK_END));
    const long n = ftell(f);
    fclose(f);
    return n;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* loss(relu(x W')) of a step; the result of linear is copied. */
static void step(ib_tensor *w, float y[6])
{
    static const float x[] = {1, 2, 3, 4, -5, 6};
    static const int32_t label[] = {0, 2};
    REQUIRE(!ib_graph_begin(g, IB_TRAIN));
    ib_tensor *linear = ib_linear(g, ib_input(g, 2, (int64_t[]){2, 3}, x), w, NULL);
    ib_tensor *loss = ib_cross_entropy(g, ib_relu(g, linear), label, 0);
    REQUIRE(loss != NULL && !ib_backward(g, loss));
    REQUIRE(!ib_tensor_read(linear, y));
}

static void a_line_for_each_operator(void)
{
    snprintf(trace, sizeof trace, "/tmp/isobit-test-trace-%ld", (long)getpid());
    setenv("ISOBIT_TRACE", trace, 1); /* read by the first operator */
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    ib_tensor *w = ib_tensor_new(IB_F32, 2, (int64_t[]){3, 3}, 1, "w");
    REQUIRE(g && w);
    for (int i = 0; i < 9; i++)
        set_value(w, i, 0.25f * (float)(i - 3));
    float y[6], again[6];
    step(w, y);
    char *text = lines(0), sum[16];
    CHECK_INT(count(text, "forward "), 3);
    CHECK_INT(count(text, "backward "), 3);
    CHECK_INT(count(text, "\n"), 6);
    CHECK(strstr(text, "linear") && strstr(text, "[2,3] [3,3] - -> [2,3]  24 bytes"));
    snprintf(sum, sizeof sum, "  %08lx\n", crc32(0, (const unsigned char *)y, sizeof y));
    CHECK(strstr(text, sum) != NULL);
    long from = length_now();
    step(w, again); /* the same bits, the same sums */
    CHECK(!memcmp(y, again, sizeof y) && strstr(lines(from), sum));
    set_value(w, 4, nextafterf(values_of(w)[4], 9));
    from = length_now();
    step(w, again);
    CHECK(memcmp(y, again, sizeof y) && !strstr(lines(from), sum));
    ib_tensor_free(w);
}

static void tapes_are_text_and_pictures(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s.dot", trace);
    ib_tensor *w = ib_tensor_new(IB_F32, 2, (int64_t[]){3, 3}, 1, "a \"b\" \\c\nd");
    float y[6];
    step(w, y);
    FILE *f = fopen(path, "w+b");
    REQUIRE(f && !ib_graph_print(g, f));
    fclose(f);
    size_t n = 0;
    char *text = (char *)ib_file_read(path, &n), text0[4096];
    snprintf(text0, sizeof text0, "%.*s", (int)n, text);
    ib_free(text);
    CHECK_INT(count(text0, "\n"), 5); /* one stands in the name */
    CHECK(strstr(text0, "%0") && strstr(text0, "cross_entropy") && strstr(text0, "(%1)") &&
          strstr(text0, "3 operators"));
    /* who keeps what: relu its result, cross_entropy also options and the rows' probabilities */
    CHECK(strstr(text0, "(%0)  keeps result 64: 64 bytes\n") &&
          strstr(text0, "(%1)  keeps result 64, options 64, saved[0] 64") != NULL);
    size_t kept = 0, each;
    for (const char *at = text0; (at = strstr(at, ": ")); at += 2)
        kept += sscanf(at, ": %zu bytes", &each) == 1 ? each : 0;
    CHECK(kept > 0 && sscanf(strstr(text0, "they keep"), "they keep %zu", &each) == 1 && each == kept);
    REQUIRE(!ib_graph_dot(g, path));
    text = (char *)ib_file_read(path, &n);
    snprintf(text0, sizeof text0, "%.*s", (int)n, text);
    ib_free(text);
    CHECK_INT(count(text0, " -> "), 4);
    CHECK(strstr(text0, "label=\"a \\\"b\\\" \\\\c\\nd\\n[3,3]\"") != NULL);
    CHECK_ERROR(ib_graph_dot(g, "/nowhere/there.dot"), "/nowhere/there.dot");
    unlink(path);
    unlink(trace);
    ib_tensor_free(w);
    ib_graph_free(g);
    ib_device_close(dev);
}

/* What a layer's results stand for: of reals themselves, of codes multiples of the scale. */
static void a_layers_numbers(void)
{
    dev = ib_device_open(NULL);
    g = ib_graph_new(dev);
    ib_dataset *data = ib_digits_new(IB_SPLIT_TEST);
    const ib_input_info info = ib_dataset_info(data);
    ib_loader *loader = ib_loader_new(data, &info, &(ib_loader_opts){.batch = 32});
    ib_layer *net = ib_sequential(ib_flatten_layer(), ib_named("a", ib_linear_layer(64, 9)), ib_relu_layer(),
                                  ib_named("b", ib_linear_layer(9, 10)));
    ib_batch b;
    REQUIRE(g && loader && net && !ib_layer_init(net, 1));
    ib_layer_set_input(net, &info);
    REQUIRE(!ib_loader_start(loader, 0, 0) && ib_loader_next(loader, &b) && !ib_graph_begin(g, IB_TRACE));
    ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x));
    int64_t n = 0;
    float *x = ib_trace_output(g, "b", &n);
    REQUIRE(y && x && n == 32 * 10);
    CHECK(!memcmp(x, values_of(y), (size_t)n * sizeof *x));
    ib_free(x);
    REQUIRE(!ib_qat_prepare(net, g, NULL) && !ib_qat_calibrate(net, g, loader, 2) &&
            !ib_qat_set_phase(net, g, IB_FROZEN));
    REQUIRE(!ib_graph_begin(g, IB_TRACE) && ib_layer_forward(g, net, ib_input(g, 4, b.shape, b.x)));
    x = ib_trace_output(g, "a", &n);
    REQUIRE(x && n == 32 * 9);
    const ib_tensor *t = NULL;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].scope && !strcmp(g->nodes[i].scope, "a"))
            t = g->nodes[i].out;
    REQUIRE(t && t->dtype == IB_CODES);
    const int8_t *codes = codes_of(t);
    for (int i = 0; i < ib_qat_layer_count(net); i++)
        if (!strcmp(ib_qat_layer_at(net, i).name, "a")) {
            CHECK(ib_tensor_scale(t) == ib_qat_layer_at(net, i).scale && ib_tensor_scale(t) > 0);
            CHECK_INT(ib_tensor_zero_point(t), ib_qat_layer_at(net, i).zero_point);
        }
    int others = 0;
    for (int64_t i = 0; i < n; i++) {
        CHECK(x[i] == ib_tensor_scale(t) * (float)(codes[i] - ib_tensor_zero_point(t)));
        others += x[i] > 0;
    }
    CHECK(others > 32);
    ib_free(x);
    ib_layer_free(net);
    ib_loader_free(loader);
    ib_dataset_free(data);
    ib_graph_free(g);
    ib_device_close(dev);
}

SUITE("trace", T(a_line_for_each_operator), T(tapes_are_text_and_pictures), T(a_layers_numbers))
