/* train_steps.h - some steps of a model on a device, float or quantized, and all numbers that it comes to. */
#ifndef IB_TESTS_TRAIN_STEPS_H
#define IB_TESTS_TRAIN_STEPS_H

#include <stdio.h>

#include <isobit/isobit.h>

/* What a network's training comes to. */
typedef struct trained {
    int n;               /* numbers in */
    float values[80000]; /* all parameters, statistics and learned scales, then scale and zero point of each layer */
    float losses[3];     /* of the first steps */
} trained;

/* Before the last step, whose loss nobody reads, and (is_over) behind it. */
typedef void about_step(int is_over);

typedef struct trainer {
    ib_device *dev;
    ib_graph *g;
    ib_dataset *d;
    ib_loader *l;
    ib_layer *net;
    ib_optim *opt;
} trainer;

/* All of these return whether it went well; ib_error() says what did not. */

static int one_step(const trainer *r, int i, about_step *about, trained *t)
{
    ib_batch b;
    if (about)
        about(0);
    if (!ib_loader_next(r->l, &b))
        return 0;
    ib_graph_seed(r->g, 5, (uint64_t)i);
    ib_graph_begin(r->g, IB_TRAIN);
    ib_tensor *y = ib_layer_forward(r->g, r->net, ib_input(r->g, 4, b.shape, b.x));
    ib_tensor *loss = y ? ib_cross_entropy(r->g, y, b.y, 0.1f) : NULL;
    if (!loss || ib_backward(r->g, loss) || ib_optim_limit(r->opt, 0.5) || ib_optim_step(r->opt))
        return 0;
    if (about)
        about(1);
    return i >= 3 || !ib_loss_value(r->g, loss, &t->losses[i]);
}

static int read_all(const ib_layer *net, trained *t)
{
    t->n = 0;
    for (int i = 0; i < ib_param_count(net); t->n += (int)ib_tensor_size(ib_param_at(net, i++)))
        if (t->n + ib_tensor_size(ib_param_at(net, i)) > (int64_t)(sizeof t->values / sizeof *t->values) - 1000 ||
            ib_tensor_read(ib_param_at(net, i), t->values + t->n))
            return 0;
    for (int i = 0; i < ib_qat_layer_count(net) && i < 500; i++) {
        t->values[t->n++] = ib_qat_layer_at(net, i).scale;
        t->values[t->n++] = (float)ib_qat_layer_at(net, i).zero_point;
    }
    return 1;
}

static int begin_trainer(trainer *r, const char *device, const char *model, const ib_qat_opts *q)
{
    r->dev = ib_device_open(device);
    r->g = r->dev ? ib_graph_new(r->dev) : NULL;
    r->d = ib_digits_new(IB_SPLIT_TRAIN);
    if (!r->g || !r->d)
        return 0;
    const ib_input_info info = ib_dataset_info(r->d);
    r->l = ib_loader_new(r->d, &info, &(ib_loader_opts){.batch = 6, .shuffle = 1, .seed = 3});
    r->net = ib_model_new(model, info.c, info.h, info.w, info.classes);
    if (!r->l || !r->net || ib_layer_init(r->net, 3))
        return 0;
    ib_layer_set_input(r->net, &info);
    ib_dataset_limit(r->d, 60);
    r->opt = ib_adamw_new(r->net, r->dev, &(ib_adamw_opts){.lr = 0.01f});
    return r->opt && (!q || (!ib_qat_prepare(r->net, r->g, q) && !ib_qat_calibrate(r->net, r->g, r->l, 2) &&
                             !ib_qat_set_phase(r->net, r->g, IB_LEARN) && ib_qat_phase(r->net) == IB_LEARN));
}

/* Four steps of the model, in integers if there are options. `about` may be NULL. */
static inline int train_steps(const char *device, const char *model, const ib_qat_opts *q, about_step *about,
                              trained *t)
{
    trainer r = {0};
    int ok = begin_trainer(&r, device, model, q) && !ib_loader_start(r.l, 0, 0);
    for (int i = 0; i < 4 && ok; i++)
        ok = one_step(&r, i, i == 3 ? about : NULL, t);
    ok = ok && read_all(r.net, t);
    if (!ok)
        printf("%s on %s: %s\n", model, device, ib_error());
    ib_optim_free(r.opt);
    ib_layer_free(r.net);
    ib_loader_free(r.l);
    ib_dataset_free(r.d);
    ib_graph_free(r.g);
    ib_device_close(r.dev);
    return ok;
}

#endif
