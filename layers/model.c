/* model.c - the table of ready networks and what several of them share. */
#include "layers/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/argument.h"
#include "base/names.h"

static const struct {
    const char *name, *description;
    ib_layer *(*make)(int c, int h, int w, int classes);
} models[] = {
#define MODEL(name, description) {#name, description, ib_model_##name},
#include "layers/models.def"
#undef MODEL
};
enum { N_MODELS = sizeof models / sizeof *models };

const char *ib_model_name_at(int i)
{
    return i >= 0 && i < N_MODELS ? models[i].name : NULL;
}

const char *ib_model_description_at(int i)
{
    return i >= 0 && i < N_MODELS ? models[i].description : NULL;
}

/* An mlp with the hidden layers "64,32". */
static ib_layer *of_hidden(const char *list, int in, int classes)
{
    enum { MOST = 16, WIDEST = 1 << 16, WEIGHTS = 1 << 26 };
    int sizes[MOST], n = 0;
    int64_t weights = 0;
    for (const char *at = list;; at++) {
        char *end;
        const long v = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : 0;
        if (v < 1 || v > WIDEST || (*end && *end != ',') || n == MOST)
            return ib_fail_null(IB_EINVAL,
                                "hidden layers '%s': at most %d sizes from 1 to %d with commas between are possible",
                                list, MOST, WIDEST);
        weights += (n ? sizes[n - 1] : in) * (int64_t)v;
        sizes[n++] = (int)v;
        if (weights > WEIGHTS)
            return ib_fail_null(IB_EINVAL, "hidden layers '%s' behind %d inputs take more than %d weights", list, in,
                                WEIGHTS);
        if (!*end)
            return ib_mlp_of_sizes(in, sizes, n, classes);
        at = end;
    }
}

ib_layer *ib_model_new(const char *name, int c, int h, int w, int classes)
{
    IB_NEED_OR(name, NULL);
    const int most = 1 << 24;
    IB_TAKE_OR(c, c > 0 && c <= most, NULL, "is %d", c);
    IB_TAKE_OR(h, h > 0 && h <= most / c, NULL, "is %d", h);
    IB_TAKE_OR(w, w > 0 && w <= most / c / h, NULL, "is %d", w);
    IB_TAKE_OR(classes, classes > 0, NULL, "is %d", classes);
    const char *hidden = strchr(name, ':');
    char row[16] = "";
    if (hidden && (size_t)(hidden - name) < sizeof row)
        name = memcpy(row, name, (size_t)(hidden - name));
    const int i = IB_NAME_FIND(name, models, IB_EINVAL, "no model is named");
    if (i >= 0 && hidden && models[i].make != ib_model_mlp)
        return ib_fail_null(IB_EINVAL, "model '%s' has hidden layers of its own: mlp alone takes their sizes", name);
    ib_layer *net = i < 0    ? NULL
                    : hidden ? of_hidden(hidden + 1, c * h * w, classes)
                             : models[i].make(c, h, w, classes);
    if (net)
        ib_layer_set_input(net, &(ib_input_info){c, h, w, classes, 0, 0, 0});
    return net;
}

ib_layer *ib_conv_bn(int in, int out, int kernel, int stride, int relu)
{
    const int pad = (kernel - 1) / 2;
    ib_layer *conv = ib_named(
        "conv",
        ib_conv2d_layer(&(ib_conv2d_config){
            .in = in, .out = out, .kernel_h = kernel, .stride = stride, .pad_h = pad, .pad_w = pad, .no_bias = 1}));
    ib_layer *bn = ib_named("bn", ib_batch_norm_layer(out));
    return relu ? ib_sequential(conv, bn, ib_named("relu", ib_relu_layer())) : ib_sequential(conv, bn);
}

static ib_layer *dense_bn(int in, int out)
{
    return ib_sequential(ib_named("linear", ib_linear_layer_no_bias(in, out)), ib_named("bn", ib_batch_norm_layer(out)),
                         ib_named("relu", ib_relu_layer()));
}

ib_layer *ib_fully_connected(int in, int width, int classes)
{
    return ib_sequential(ib_named("flatten", ib_flatten_layer()), ib_named("fc1", dense_bn(in, width)),
                         ib_named("fc2", dense_bn(width, width)), ib_named("fc3", dense_bn(width, width)),
                         ib_named("fc4", ib_linear_layer(width, classes)));
}
