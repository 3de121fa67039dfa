/* layer.h - inside the library: what a layer is made of. */
#ifndef IB_LAYERS_LAYER_H
#define IB_LAYERS_LAYER_H

#include <isobit/layer.h>

#include "autograd/op.h"

typedef struct ib_param {
    ib_tensor *t;
    char *name; /* within its layer; t->name is the full one */
    ib_init init;
    int64_t fan_in;
    int trainable;
} ib_param;

struct ib_layer {
    const ib_layer_class *cls;
    void *context;
    char *name, *path;
    char *source; /* its name in the file that it was imported from; else NULL */
    ib_layer **children;
    int n_children;
    int parents;       /* places where it stands: more than one ties its weights */
    int settled;       /* of a network that was quantized: its structure and parameters stay */
    ib_param **params; /* its own */
    int n_params;
    /* of the root */
    ib_param **all; /* borrowed from the layers */
    int n_all;
    ib_input_info input;
    ib_schema *schema;       /* or NULL */
    char *text;              /* of networks that are described by a text (wired.h); else NULL */
    struct ib_quantization { /* set by qat/: another way to run this network */
        void *plan;
        ib_tensor *(*forward)(ib_layer *net, ib_graph *g, ib_tensor *x);
        void (*free)(void *plan);
    } quantization;
};

/* Names every layer and parameter and rebuilds the root's list of parameters. */
ib_status ib_layer_name_all(ib_layer *net);
/* The same for parameters that were added to the root, whose names are full already. */
ib_status ib_layer_name_new_params(ib_layer *net);

int ib_layer_is_relu(const ib_layer *l);
/* Whether child i does the work of child i + 1, a ReLU, as well; and that. */
int ib_child_takes_relu(const ib_layer *l, int i, const ib_graph *g);
ib_tensor *ib_child_forward_relu(ib_layer *l, int i, ib_graph *g, ib_tensor *x);
/* Applies a child within its own name. */
ib_tensor *ib_child_forward(ib_layer *layer, int i, ib_graph *g, ib_tensor *x);

/* What ib_layer_param does, also in a network that was quantized, which adds its scales. */
ib_tensor *ib_layer_param_new(ib_layer *l, const char *name, int ndim, const int64_t *shape, ib_init init,
                              int64_t fan_in, int trainable);

/* Puts `item` behind the n pointers of a list. */
ib_status ib_layer_append(void ***list, int *n, void *item);

/* From now on nothing can be added. */
void ib_layer_settle(ib_layer *net);

/* A place to stand for each layer of a list; and no longer, which frees those that stand nowhere else. NULLs are
 * fine. */
void ib_layers_hold(int n, ib_layer *const *layers);
void ib_layers_drop(int n, ib_layer *const *layers);
/* Frees each layer of a list that stands nowhere, once; NULLs are fine. */
void ib_layers_free(int n, ib_layer *const *layers);

#endif
