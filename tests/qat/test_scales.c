/* test_scales.c - values, weights and biases from 1e-40 to 1e30, nothing but zeros, and constants, through every kind
 * of layer: the training forward, the runner at its level, the plain C and the compiled C give the same codes, near
 * what fp32 gives, or one line names the layer and the numbers. Broken by: a scale, factor or bias that is clipped,
 * replaced or rounded to 0. */
#include "tests/check.h"

#include "arithmetic/requant.h"
#include "program/program.h"
#include "tests/numbers.h"

enum { SAMPLES = 6, SIDE = 6, CHANNELS = 3, VALUES = 2 * SIDE * SIDE };
typedef enum kind {
    DENSE,
    CONV,
    DEPTHWISE,
    NORM,
    ADD,
    ADD_CONSTANT,
    MUL,
    MUL_CONSTANT,
    MAX_POOL,
    AVG_POOL,
    CONCAT,
    RELU,
    SIGMOID,
    TANH,
    HIDDEN,
    N_KINDS
} kind;

typedef struct layer_data {
    kind kind;
    ib_tensor *w, *b, *depthwise;
} layer_data;

static ib_device *dev, *plain;
static ib_graph *g;

/* images [N,2,6,6] through a product of 3 channels, and what the kind does with its result y */
static ib_tensor *forward(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    const layer_data *d = ib_layer_context(self);
    if (d->kind == DENSE)
        return ib_linear(graph, ib_flatten(graph, x), d->w, d->b);
    const ib_conv_opts once = {1, 1, 0, 0, 1}, alone = {1, 1, 1, 1, CHANNELS};
    const ib_pool_opts window = {2, 2, 2, 2, 0, 0};
    ib_tensor *y = ib_conv2d(graph, x, d->w, d->b, &once), *half = ib_input(graph, 1, (int64_t[]){1}, &(float){0.5f}),
              *mask = NULL;
    if (y && (d->kind == ADD_CONSTANT || d->kind == MUL_CONSTANT)) {
        float v[SIDE * SIDE], factor = values_of(d->depthwise)[0];
        for (int i = 0; i < SIDE * SIDE; i++)
            v[i] = (float)(i % 5) * factor;
        mask = ib_input(graph, 4, (int64_t[]){1, 1, SIDE, SIDE}, v);
    }
    switch (d->kind) {
    case DEPTHWISE: return ib_conv2d(graph, y, d->depthwise, d->b, &alone);
    case ADD: return ib_add(graph, y, ib_conv2d(graph, y, d->depthwise, NULL, &alone));
    case ADD_CONSTANT: return ib_add(graph, y, mask);
    case MUL: return ib_mul(graph, y, y);
    case MUL_CONSTANT: return ib_mul(graph, ib_mul(graph, y, half), mask);
    case MAX_POOL: return ib_max_pool(graph, y, &window);
    case AVG_POOL: return ib_avg_pool(graph, y, &window);
    case CONCAT: return ib_concat(graph, (ib_tensor *[]){y, x}, 2, 1);
    case RELU:
    case HIDDEN: return ib_relu(graph, y);
    case SIGMOID: return ib_sigmoid(graph, y);
    case TANH: return ib_tanh(graph, y);
    default: return y;
    }
}

/* Weights of about `weight`; HIDDEN: those of the first channel are 2^20 larger, and its bias leaves nothing of it. */
static ib_layer *network(kind k, float value, float weight, float bias)
{
    static const ib_layer_class cls = {"kinds", forward};
    ib_layer *l = ib_layer_new(&cls, sizeof(layer_data)), *here = ib_named("here", l);
    layer_data *d = ib_layer_context(l);
    const int dense = k == DENSE;
    d->kind = k;
    d->w = ib_layer_param(l, "w", dense ? 2 : 4, (int64_t[]){CHANNELS, dense ? VALUES : 2, 1, 1}, IB_INIT_ZEROS, 1, 1);
    d->b = ib_layer_param(l, "b", 1, (int64_t[]){CHANNELS}, IB_INIT_ZEROS, 1, 1);
    d->depthwise = ib_layer_param(l, "d", 4, (int64_t[]){CHANNELS, 1, 3, 3}, IB_INIT_ZEROS, 9, 9);
    ib_layer *net =
        k == NORM ? ib_sequential(here, ib_named("norm", ib_batch_norm_layer(CHANNELS))) : ib_sequential(here);
    REQUIRE(net && !ib_layer_init(net, 1));
    ib_layer_set_input(net, &(ib_input_info){.c = 2, .h = SIDE, .w = SIDE, .classes = 2, .std = 1});
    ib_tensor *const filled[] = {d->w, d->depthwise};
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < ib_tensor_size(filled[p]); i++)
            set_value(filled[p], i,
                      weight * (0.5f + ib_rng_uniform((ib_rng){9, (uint64_t)p}, (uint64_t)i)) *
                          (i % 3 == 1 ? -0.5f : 1));
    for (int c = 0; c < CHANNELS; c++)
        set_value(d->b, c, bias * (1 + 0.25f * (float)c));
    if (k == HIDDEN) {
        set_value(d->w, 0, 0x1p20f * values_of(d->w)[0]);
        set_value(d->b, 0, -0x1p22f * weight * value);
    }
    return net;
}

typedef struct counts {
    int right, refused, compiled;
} counts;

/* A refusal is one line with the layer's name, and a number. */
static void refusal(kind k, counts *n)
{
    const char *named = strstr(ib_error(), "layer 'here"), *input = strstr(ib_error(), "layer 'input");
    const char *norm = strstr(ib_error(), "layer 'norm");
    const int parameter = !strncmp(ib_error(), "'here.", 6);
    if (!named && !input && !norm && !parameter)
        printf("\n    kind %d: '%s' names no layer ", k, ib_error());
    CHECK(named || input || norm || parameter);
    n->refused++;
}

static float *outputs(ib_layer *net, const ib_batch *b, ib_mode mode, int in_float, int64_t *size)
{
    ib_graph_begin(g, mode);
    ib_tensor *x = ib_input(g, 4, b->shape, b->x),
              *y = in_float ? ib_layer_forward_float(g, net, x) : ib_layer_forward(g, net, x);
    if (!y || ib_graph_synchronize(g))
        return NULL;
    *size = ib_tensor_size(y);
    float *copy = malloc((size_t)*size * sizeof *copy);
    REQUIRE(!ib_tensor_read(y, copy));
    return copy;
}

static void check(kind k, float value, int constant, float weight, float bias, const ib_qat_opts *o, int compile,
                  counts *n)
{
    float x[SAMPLES * VALUES];
    int32_t labels[SAMPLES] = {0};
    for (int i = 0; i < SAMPLES * VALUES; i++)
        x[i] = value * (constant ? 1 : 2 * ib_rng_uniform((ib_rng){9, 7}, (uint64_t)i) - 1);
    ib_dataset *data = ib_dataset_new(SAMPLES, 2, SIDE, SIDE, 2, 0, x, labels);
    ib_loader *loader = ib_loader_new(data, &(ib_input_info){.std = 1}, &(ib_loader_opts){.batch = SAMPLES});
    ib_layer *net = network(k, value, weight, bias);
    ib_batch b;
    int64_t size = 0;
    ib_loader_start(loader, 0, 0);
    REQUIRE(loader && ib_loader_next(loader, &b));
    float *want = outputs(net, &b, IB_EVAL, 1, &size), *trained = NULL, *got = NULL;
    ib_program *p = NULL;
    REQUIRE(want != NULL);
    if (ib_qat_prepare(net, g, o) || ib_qat_calibrate(net, g, loader, 1) || ib_qat_set_phase(net, g, IB_LEARN) ||
        !(trained = outputs(net, &b, IB_TRAIN, 0, &size)) || ib_qat_set_phase(net, g, IB_FROZEN) ||
        !(p = ib_program_of(net, g))) {
        refusal(k, n);
    } else {
        ib_verify_report r;
        REQUIRE(!ib_verify(net, g, data, &(ib_verify_opts){.batch = 4, .skip_compiled = !compile, .flags = "-O1"}, &r));
        if (r.mismatches)
            printf("\n    kind %d, values %g, weights %g, bias %g: %lld codes differ ", k, value, weight, bias,
                   (long long)r.mismatches);
        CHECK_INT(r.mismatches, 0);
        n->compiled += compile;
        ib_verify_report_free(&r);
        REQUIRE((got = outputs(net, &b, IB_EVAL, 0, &size)) != NULL);
        int8_t in[SAMPLES * VALUES], codes[SAMPLES * 4 * VALUES];
        ib_program_quantize(p, plain, SAMPLES, b.x, in);
        CHECK(!ib_program_run(p, plain, SAMPLES, in, codes));
        const float step = ib_program_output_scale(p);
        double top = 0, off = 0, off_plain = 0;
        for (int64_t i = 0; i < size; i++) {
            top = fmax(top, fabs(want[i]));
            off = fmax(off, fabs((double)got[i] - want[i]));
            off_plain += got[i] != step * (float)(codes[i] - ib_program_output_zero(p));
        }
        CHECK(off_plain == 0);         /* training's codes are the runner's by ib_verify, and those of the plain C */
        if (k == SIGMOID || k == TANH) /* their steps are the same for all values, as in TFLite; and steep beside those
                                          of large values */
            top += value * weight > 1 ? 10 : 0.1;
        CHECK_INT(ib_qat_layer_at(net, 0).only_zeros, value == 0);
        const double bound = value == 0            ? 0.5
                             : o->weight_bits == 4 ? 0.4
                                                   : 0.1; /* of zeros is warned: their step is no measure for a bias */
        if (!(off <= bound * top))
            printf("\n    kind %d, values %g (constant %d), weights %g, bias %g, profile %d: off by %g of %g ", k,
                   value, constant, weight, bias, (int)o->profile, off, top);
        CHECK(off <= bound * top);
        n->right++;
    }
    free(want), free(trained), free(got);
    ib_program_free(p);
    ib_layer_free(net);
    ib_loader_free(loader);
    ib_dataset_free(data);
}

static void right_or_refused(void)
{
    static const float values[] = {0, 1e-40f, 1e-30f, 1e-20f, 1e-8f, 1, 1e8f, 1e20f, 1e30f},
                       weights[] = {0, 1e-40f, 1e-30f, 1e-12f, 1, 1e12f, 1e30f};
    static const float biases[] = {0, 1e-30f, 1e-3f, 1e10f};
    counts n = {0};
    int at = 0;
    dev = ib_device_open(NULL);
    plain = ib_device_open("cpu:ref");
    g = ib_graph_new(dev);
    for (kind k = DENSE; k < N_KINDS; k++)
        for (int v = 0; v < 9; v++)
            for (int w = 0; w < 7; w++)
                for (int b = 0; b < 4; b++, at++)
                    check(k, values[v], at % 4 == 3, weights[w], biases[b],
                          &(ib_qat_opts){.weight_bits = at % 5 == 4 ? 4 : 8,
                                         .profile = (ib_profile)(at % 7 % 4),
                                         .observer = at % 3 ? "minmax" : "mse",
                                         .granularity = (ib_granularity)(at % 11 == 10 ? IB_PER_GROUP : IB_PER_CHANNEL),
                                         .group_size = at % 11 == 10 ? 4 : 0,
                                         .weight_observer = "absmax"},
                          values[v] == 1 && weights[w] == 1 && b == at / 4 % 4, &n);
    printf("%d right, %d refused, %d compiled ", n.right, n.refused, n.compiled);
    CHECK(n.right > n.refused / 2 && n.compiled > 0);
    ib_graph_free(g);
    ib_device_close(plain);
    ib_device_close(dev);
}

SUITE("scales", T(right_or_refused))
