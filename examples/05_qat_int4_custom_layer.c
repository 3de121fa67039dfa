/* 05_qat_int4_custom_layer.c - INT4 weights with wider first and last layers, and a layer of one's own: nothing has to
 * be marked for quantization, prepare() finds the operators that the layer applies. */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

/* y = x * sigmoid(W x): a gate for each value, computed from all channels of its pixel. */
typedef struct gate {
    ib_tensor *weight;
} gate;

static ib_tensor *gate_forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    const gate *c = ib_layer_context(self);
    return ib_mul(g, x, ib_sigmoid(g, ib_conv2d(g, x, c->weight, NULL, NULL)));
}

static ib_layer *gate_layer(int channels)
{
    static const ib_layer_class gate_class = {"gate", gate_forward};
    ib_layer *l = ib_layer_new(&gate_class, sizeof(gate));
    if (!l)
        return NULL;
    gate *c = ib_layer_context(l);
    c->weight =
        ib_layer_param(l, "weight", 4, (int64_t[]){channels, channels, 1, 1}, IB_INIT_KAIMING_NORMAL, channels, 1);
    if (c->weight)
        return l;
    ib_layer_free(l);
    return NULL;
}

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    const char *dir = argc > 1 ? argv[1] : "out";
    const ib_qat_opts int4 = {.weight_bits = 4, .act_bits = 8, .rules = "conv1=w8a8 fc=w8a8"};
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net = ib_sequential(
        ib_named("conv1",
                 ib_conv2d_layer(&(ib_conv2d_config){.in = 1, .out = 16, .kernel_h = 3, .pad_h = 1, .pad_w = 1})),
        ib_relu_layer(), ib_named("gate", gate_layer(16)), ib_max_pool_layer(2, 2),
        ib_named("conv2",
                 ib_conv2d_layer(&(ib_conv2d_config){.in = 16, .out = 16, .kernel_h = 3, .pad_h = 1, .pad_w = 1})),
        ib_relu_layer(), ib_flatten_layer(), ib_named("fc", ib_linear_layer(256, 10)));
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    ib_program *program = NULL;
    ib_training t = {.at.seed = 1};
    ib_verify_report report = {0};
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info);
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1});
    opt = ib_adamw_new(net, dev, NULL);
    const ib_train_opts o = {
        .epochs = 8, .schedule = IB_COSINE, .lr = 2e-3f, .qat = &int4, .qat_from = 4, .test = test};
    if (!fit || !opt || ib_train(net, g, opt, fit, &o, &t))
        goto done;
    for (int i = 0; i < ib_qat_layer_count(net); i++) {
        const ib_qat_layer l = ib_qat_layer_at(net, i);
        printf("%-12s %-9s weights %d bit, codes %d bit\n", l.name, l.form, l.weight_bits, l.act_bits);
    }
    printf("accuracy %.2f %%\n", 100 * t.score);
    if (ib_verify(net, g, test, NULL, &report) || !(program = ib_program_lower(net, g)) ||
        ib_export_c(program, dev, dir, "digits_int4", NULL))
        goto done;
    printf("%lld codes differ; written to %s/digits_int4.c\n", (long long)report.mismatches, dir);
    rc = report.mismatches ? EXIT_FAILURE : EXIT_SUCCESS;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    ib_verify_report_free(&report);
    ib_program_free(program);
    ib_training_release(&t);
    ib_optim_free(opt);
    ib_loader_free(fit);
    ib_layer_free(net);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
