/* 04_qat_int8.c - quantization-aware training to INT8: float epochs, quantized ones, then the C that ships. */
#include <isobit/isobit.h>
#include <stdio.h>
#include <stdlib.h>

/* Says how far it is; another result than 0 would stop it. */
static int tell(void *user, const ib_train_event *e)
{
    (void)user;
    if (e->moment == IB_TRAINED_EPOCH)
        printf("epoch %2lld/%lld  loss %.4f  accuracy %.2f %%  %s\n", (long long)e->epoch, (long long)e->epochs,
               e->loss, 100 * e->score, ib_phase_name(e->phase));
    return 0;
}

int main(int argc, char **argv)
{
    int rc = EXIT_FAILURE;
    const char *dir = argc > 1 ? argv[1] : "out";
    const ib_qat_opts int8 = {.weight_bits = 8, .act_bits = 8};
    ib_device *dev = ib_device_open(NULL);
    ib_graph *g = ib_graph_new(dev);
    ib_dataset *train = ib_digits_new(IB_SPLIT_TRAIN), *test = ib_digits_new(IB_SPLIT_TEST);
    ib_layer *net = ib_model_new("mlp", 1, 8, 8, 10);
    ib_loader *fit = NULL;
    ib_optim *opt = NULL;
    ib_program *program = NULL;
    ib_training t = {.at.seed = 1};
    ib_verify_report report = {0};
    if (!g || !train || !test || ib_layer_init(net, 1))
        goto done;
    const ib_input_info info = ib_dataset_info(train);
    ib_layer_set_input(net, &info); /* the normalization becomes the input's scale and zero point */
    fit = ib_loader_new(train, &info, &(ib_loader_opts){.batch = 32, .shuffle = 1, .seed = 1});
    opt = ib_adamw_new(net, dev, NULL);
    const ib_train_opts o = {.epochs = 10,
                             .schedule = IB_COSINE,
                             .lr = 2e-3f,
                             .qat = &int8,
                             .qat_from = 6, /* six epochs in float, then four in integers */
                             .qat_lr = 5e-4f,
                             .test = test,
                             .progress = tell};
    if (!fit || !opt || ib_train(net, g, opt, fit, &o, &t))
        goto done;
    printf("float:        %.2f %%\nlearned INT8: %.2f %%\n", 100 * t.float_score, 100 * t.score);
    if (ib_verify(net, g, test, NULL, &report)) /* training = evaluation = runtime = compiled C */
        goto done;
    printf("verified:     %lld codes differ over %lld samples\n", (long long)report.mismatches,
           (long long)report.samples);
    if (!(program = ib_program_lower(net, g)) || ib_export_c(program, dev, dir, "digits_int8", NULL))
        goto done;
    printf("written to %s/digits_int8.c, %lld bytes of RAM\n", dir, (long long)ib_program_arena(program));
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
