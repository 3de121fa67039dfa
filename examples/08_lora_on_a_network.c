/* 08_lora_on_a_network.c - ib_lora_linear in a network of one's own: a frozen 4-bit layer in the middle learns
 * through its adapter. */
#include <isobit/isobit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A layer of 64 inputs and 48 outputs: frozen int4 weights, a LoRA adapter of rank 4. */
typedef struct adapted {
    ib_matrix *frozen;
    ib_lora_opts lora;
} adapted;

static ib_tensor *adapted_forward(ib_layer *self, ib_graph *g, ib_tensor *x)
{
    const adapted *a = ib_layer_context(self);
    return ib_lora_linear(g, x, a->frozen, NULL, &a->lora);
}

static ib_layer *adapted_layer(void)
{
    static const ib_layer_class class = {"adapted", adapted_forward};
    ib_layer *l = ib_layer_new(&class, sizeof(adapted));
    adapted *a = l ? ib_layer_context(l) : NULL;
    float w[48 * 64];
    for (int i = 0; i < 48 * 64; i++)
        w[i] = 0.18f * ib_rng_normal((ib_rng){7, 1}, (uint64_t)i);
    if (!a || !(a->frozen = ib_matrix_encode(ib_storage_find("int4"), 48, 64, w, NULL)))
        return NULL;
    a->lora.scale = 2;
    a->lora.a = ib_layer_param(l, "lora_A", 2, (int64_t[]){4, 64}, IB_INIT_UNIFORM_FAN_IN, 64, 1);
    a->lora.b = ib_layer_param(l, "lora_B", 2, (int64_t[]){48, 4}, IB_INIT_ZEROS, 4, 1);
    return l;
}

int main(void)
{
    int rc = EXIT_FAILURE;
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *middle = adapted_layer();
    ib_layer *net = ib_sequential(ib_flatten_layer(), middle, ib_relu_layer(), ib_linear_layer(48, 10));
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    ib_training t = {.at.seed = 1};
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info);
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1});
    opt = ib_adamw_new(net, dev, &(ib_adamw_opts){.lr = 2e-3f, .bits8 = 1});
    if (!fit || !opt || ib_train(net, g, opt, fit, &(ib_train_opts){.epochs = 8, .test = test}, &t))
        goto done;
    printf("a frozen int4 layer with a LoRA adapter of rank 4: %.2f %%\n", 100 * t.score);
    rc = t.score > 0.9 ? EXIT_SUCCESS : EXIT_FAILURE;
done:
    if (rc)
        fprintf(stderr, "failed: %s\n", ib_error());
    ib_training_release(&t);
    ib_optim_free(opt);
    ib_loader_free(fit);
    if (middle)
        ib_matrix_free(((adapted *)ib_layer_context(middle))->frozen);
    ib_layer_free(net);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_graph_free(g);
    ib_device_close(dev);
    return rc;
}
