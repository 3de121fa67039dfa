/* test_layers.c - networks: shapes at many input sizes, names, initial values, failures. */
#include "tests/numbers.h"

static void models_take_any_size(void)
{
    static const int sizes[][3] = {{1, 8, 8}, {1, 28, 28}, {3, 32, 32}, {1, 49, 10}, {2, 5, 9}, {1, 1, 1}};
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    for (int i = 0; ib_model_name_at(i); i++)
        for (int k = 0; k < 6; k++) {
            const int c = sizes[k][0], h = sizes[k][1], w = sizes[k][2];
            ib_layer *net = ib_model_new(ib_model_name_at(i), c, h, w, 7);
            float *x = calloc((size_t)(3 * c * h * w), sizeof *x);
            REQUIRE(net && !ib_layer_init(net, 5));
            ib_graph_begin(g, IB_TRAIN);
            ib_tensor *y = ib_layer_forward(g, net, ib_input(g, 4, (int64_t[]){3, c, h, w}, x));
            if (!y)
                printf("\n    %s at %dx%dx%d: %s\n", ib_model_name_at(i), c, h, w, ib_error());
            CHECK(y && ib_tensor_shape(y)[0] == 3 && ib_tensor_shape(y)[1] == 7);
            free(x);
            ib_layer_free(net);
        }
    ib_graph_free(g);
    ib_device_close(dev);
}

/* MLPerf Tiny's reference models report 78,666 and 24,908 values with running statistics and a bias in each convolution
 * (which batch norm makes superfluous, so ours have none: 240 and 576 values fewer). */
static void mlperf_sizes_are_mlperfs(void)
{
    static const struct {
        const char *name;
        int c, h, w, classes, values;
    } want[] = {
        {"resnet8", 3, 32, 32, 10, 78666 - 240}, {"dscnn", 1, 49, 10, 12, 24908 - 576}, {"mlp", 1, 28, 28, 10, 235146}};
    for (int i = 0; i < 3; i++) {
        ib_layer *net = ib_model_new(want[i].name, want[i].c, want[i].h, want[i].w, want[i].classes);
        int64_t n = 0;
        REQUIRE(net && !ib_layer_init(net, 1));
        for (int k = 0; k < ib_param_count(net); k++)
            n += ib_tensor_size(ib_param_at(net, k));
        CHECK_INT(n, want[i].values);
        ib_layer_free(net);
    }
}

static double deviation(const char *name, ib_init init)
{
    ib_layer *l = ib_linear_layer(400, 200);
    REQUIRE(l && !ib_layer_set_init(l, init) && !ib_layer_init(l, 3));
    ib_tensor *t = ib_param_find(l, name);
    const float *w = values_of(t);
    double square = 0;
    for (int64_t i = 0; i < ib_tensor_size(t); i++)
        square += (double)w[i] * w[i];
    const double sigma = sqrt(square / (double)ib_tensor_size(t));
    ib_layer_free(l);
    return sigma;
}

static void initial_values_have_their_variance(void)
{
    CHECK_NEAR(deviation("weight", IB_INIT_KAIMING_NORMAL), sqrt(2.0 / 400), 0.001);
    CHECK_NEAR(deviation("weight", IB_INIT_KAIMING_UNIFORM), sqrt(2.0 / 400), 0.001);
    CHECK_NEAR(deviation("weight", IB_INIT_XAVIER_NORMAL), sqrt(2.0 / 600), 0.001);
    CHECK_NEAR(deviation("weight", IB_INIT_XAVIER_UNIFORM), sqrt(2.0 / 600), 0.001);
    CHECK_NEAR(deviation("weight", IB_INIT_UNIFORM_FAN_IN), sqrt(1.0 / 1200), 0.001);
    CHECK_NEAR(deviation("bias", IB_INIT_KAIMING_NORMAL), 0, 0);
}

static void names_are_paths_and_unique(void)
{
    ib_layer *net = ib_model_new("resnet8", 1, 8, 8, 10);
    REQUIRE(net && !ib_layer_init(net, 1));
    CHECK(ib_param_find(net, "block2.add.body.a.conv.weight") != NULL);
    CHECK_ERROR(!ib_param_find(net, "nobody") ? 1 : 0, "nobody");
    for (int i = 0; i < ib_param_count(net); i++)
        for (int j = 0; j < i; j++)
            CHECK(strcmp(ib_tensor_name(ib_param_at(net, i)), ib_tensor_name(ib_param_at(net, j))));
    ib_layer_free(net);
    net = ib_sequential(ib_named("a", ib_linear_layer(2, 2)), ib_named("a", ib_linear_layer(2, 2)));
    CHECK_ERROR(ib_layer_init(net, 1), "'a.weight'");
    ib_layer_free(net);
}

static void equal_seeds_equal_values(void)
{
    for (int other = 0; other < 2; other++) {
        ib_layer *a = ib_model_new("mlp", 1, 8, 8, 10), *b = ib_model_new("mlp", 1, 8, 8, 10);
        REQUIRE(a && b && !ib_layer_init(a, 7) && !ib_layer_init(b, other ? 8 : 7));
        const size_t bytes = (size_t)ib_tensor_size(ib_param_at(a, 0)) * 4;
        CHECK((memcmp(values_of(ib_param_at(a, 0)), values_of(ib_param_at(b, 0)), bytes) == 0) == !other);
        ib_layer_free(a);
        ib_layer_free(b);
    }
}

static void wrong_layers_are_told(void)
{
    CHECK_ERROR(!ib_linear_layer(0, 3) ? 1 : 0, "ib_linear_layer: in is 0");
    CHECK_ERROR(!ib_conv2d_layer(&(ib_conv2d_config){.in = 3, .out = 4, .kernel_h = 3, .groups = 2}) ? 1 : 0,
                "groups is 2");
    CHECK_ERROR(!ib_model_new("vgg", 1, 8, 8, 10) ? 1 : 0, "vgg");
    CHECK_ERROR(!ib_model_new("mlp", 1, 8, -8, 10) ? 1 : 0, "-8");
    CHECK_ERROR(!ib_model_new("lenet:8", 1, 8, 8, 10) ? 1 : 0, "mlp alone");
    static const char *const bad[] = {"mlp:",
                                      "mlp:0",
                                      "mlp:8,",
                                      "mlp:8,,8",
                                      "mlp:-8",
                                      "mlp:65537",
                                      "mlp:65536,65536",
                                      "mlp: 8",
                                      "mlp:99999999999999999999",
                                      "mlp:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(!ib_model_new(bad[i], 1, 8, 8, 10) ? 1 : 0, "hidden layers '");
    ib_layer *net = ib_model_new("mlp:5,4,3", 1, 8, 8, 10);
    REQUIRE(net && ib_layer_init(net, 1) == IB_OK && ib_param_find(net, "fc4.weight"));
    CHECK(ib_tensor_size(ib_param_find(net, "fc1.weight")) == 64 * 5 &&
          ib_tensor_size(ib_param_find(net, "fc4.weight")) == 3 * 10);
    ib_layer_free(net);
    CHECK_ERROR(!ib_dropout_layer(1.5f) ? 1 : 0, "1.5");
    CHECK(ib_sequential(ib_linear_layer(4, 4), ib_linear_layer(0, 3), ib_relu_layer()) == NULL); /* the rest is freed */
    CHECK(ib_residual_projected_layer(ib_linear_layer(4, 4), NULL) == NULL);
    CHECK(ib_layer_init(NULL, 1) != IB_OK);
    ib_layer_free(NULL);
}

SUITE("layers", T(models_take_any_size), T(mlperf_sizes_are_mlperfs), T(initial_values_have_their_variance),
      T(names_are_paths_and_unique), T(equal_seeds_equal_values), T(wrong_layers_are_told))
