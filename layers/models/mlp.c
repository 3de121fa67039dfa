/* mlp.c - a plain multilayer perceptron. */
#include "layers/model.h"

ib_layer *ib_model_mlp(int c, int h, int w, int classes)
{
    return ib_sequential(ib_named("flatten", ib_flatten_layer()), ib_named("fc1", ib_linear_layer(c * h * w, 256)),
                         ib_named("relu1", ib_relu_layer()), ib_named("fc2", ib_linear_layer(256, 128)),
                         ib_named("relu2", ib_relu_layer()), ib_named("fc3", ib_linear_layer(128, classes)));
}
