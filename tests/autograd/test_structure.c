/* test_structure.c - a layer that does not compute the same in each call, whatever its data, is refused by name when
 * quantization begins. Broken by: a plan made of one call that stands for
 * another network. */
#include "tests/digits.h"
#include "tests/numbers.h"

static int calls;

/* Each differs between calls in one way. */
static ib_tensor *operators(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return calls++ % 2 ? ib_relu(graph, x) : ib_tanh(graph, x);
}

static ib_tensor *options(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return ib_ste_clamp(graph, x, -1, (float)(1 + calls++ % 2));
}

static ib_tensor *wires(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    ib_tensor *a = ib_relu(graph, x), *b = ib_tanh(graph, x);
    (void)self;
    return calls++ % 2 ? ib_concat(graph, (ib_tensor *[]){a, b}, 2, 1) : ib_concat(graph, (ib_tensor *[]){b, a}, 2, 1);
}

static ib_tensor *length(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return calls++ % 2 ? ib_relu(graph, ib_relu(graph, x)) : ib_relu(graph, x);
}

static ib_tensor *result(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    ib_tensor *a = ib_relu(graph, x), *b = ib_tanh(graph, x);
    (void)self;
    return calls++ % 2 ? a : b; /* what the layer behind it takes */
}

static float largest(const ib_tensor *x)
{
    const float *values = values_of(x);
    float most = 0;
    for (int64_t i = 0; i < ib_tensor_size(x); i++)
        most = fmaxf(most, fabsf(values[i]));
    return most;
}

static ib_tensor *of_data(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return largest(x) > 0 ? ib_relu(graph, x) : ib_tanh(graph, x);
}

/* Numbers drawn at random do not reach so far. */
static ib_tensor *of_these_data(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return largest(x) > 2 ? ib_relu(graph, x) : ib_tanh(graph, x);
}

static ib_tensor *of_samples(ib_layer *self, ib_graph *graph, ib_tensor *x)
{
    (void)self;
    return ib_reshape(graph, ib_relu(graph, x), 2, ib_tensor_shape(x)); /* the batch of this call: it has to be 0 */
}

static ib_layer *network(ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *), int out)
{
    static ib_layer_class cls;
    cls = (ib_layer_class){"own", forward};
    calls = 0;
    return ready(ib_sequential(ib_flatten_layer(), ib_named("mine", ib_layer_new(&cls, 0)), ib_linear_layer(out, 10)));
}

static void refused(ib_tensor *(*forward)(ib_layer *, ib_graph *, ib_tensor *), int out, const char *text)
{
    ib_layer *net = network(forward, out);
    const int params = ib_param_count(net);
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "layer 'mine'");
    CHECK(strstr(ib_error(), text) != NULL);
    if (!strstr(ib_error(), text))
        printf("\n    '%s' lacks '%s' ", ib_error(), text);
    CHECK_INT(ib_qat_phase(net), IB_FLOAT);
    CHECK_INT(ib_param_count(net), params);
    calls = 0;
    CHECK_ERROR(ib_qat_check(net, g, NULL), text);
    ib_layer_free(net);
}

static void other_calls_compute_the_same(void)
{
    begin_with(IB_SPLIT_TEST, &(ib_loader_opts){.batch = 16});
    refused(operators, 64, "applies tanh in one call and relu in another");
    refused(options, 64, "ste_clamp: has other options");
    refused(wires, 128, "gives on its tanh in one call, and layer 'mine' its relu in another");
    refused(length, 64, "linear"); /* which stands where the second ReLU does */
    refused(result, 64, "gives on its tanh in one call, and layer 'mine' its relu in another");
    refused(of_data, 64, "applies tanh in one call and relu in another");
    refused(of_samples, 64, "reshape");
    end();
}

static void the_first_batch_of_calibration_counts(void)
{
    const ib_loader_opts wide = {.batch = 16};
    begin_with(IB_SPLIT_TEST, &wide);
    ib_layer *net = network(of_these_data, 64);
    ib_input_info info = *ib_layer_input(net);
    info.mean = 0;
    info.std = 0.1f; /* pixels of up to 10 */
    ib_layer_set_input(net, &info);
    ib_loader *stretched = ib_loader_new(data, &info, &wide);
    REQUIRE(!ib_qat_prepare(net, g, &(ib_qat_opts){.observer = "minmax"}));
    CHECK_ERROR(ib_qat_calibrate(net, g, stretched, 1), "layer 'mine': applies tanh in one call and relu in another");
    ib_loader_free(stretched);
    ib_layer_free(net);
    end();
}

static void a_network_without_parameters_is_told_so(void)
{
    begin_with(IB_SPLIT_TEST, &(ib_loader_opts){.batch = 16});
    ib_layer *net = ready(ib_sequential(ib_flatten_layer(), ib_relu_layer()));
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "no parameters to quantize");
    ib_layer_free(net);
    net = ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10));
    const ib_input_info info = ib_dataset_info(data);
    ib_layer_set_input(net, &info);
    CHECK_ERROR(ib_qat_prepare(net, g, NULL), "ib_layer_init()");
    ib_layer_free(net);
    end();
}

SUITE("structure", T(a_network_without_parameters_is_told_so), T(other_calls_compute_the_same),
      T(the_first_batch_of_calibration_counts))
