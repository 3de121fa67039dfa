/* layer.h - parameters with a forward function, and the networks made of them.
 *
 *     ib_layer *net = ib_sequential(ib_linear_layer(64, 128), ib_relu_layer(), ib_linear_layer(128, 10));
 *     if (ib_layer_init(net, seed)) ...          // names the parameters and draws their values
 *     ib_tensor *logits = ib_layer_forward(g, net, x);
 *     ib_layer_free(net);                        // and everything in it
 *
 * A constructor that is given a NULL layer frees its other arguments and returns NULL, so a whole network needs one
 * check. A layer belongs to what it stands in and is freed with it. One layer may stand in several places of a
 * network: its weights are tied, it has one name (of the first place), its gradient is the sum over the places, and
 * each place is quantized with its own ranges. After ib_qat_prepare() (isobit/qat.h) the same ib_layer_forward() runs
 * the network in integers. */
#ifndef ISOBIT_LAYER_H
#define ISOBIT_LAYER_H

#include <isobit/api.h>
#include <isobit/graph.h>
#include <isobit/schema.h>

IB_BEGIN_API

typedef struct ib_layer ib_layer;

/* ---- building blocks ---- */
ib_layer *ib_linear_layer(int in, int out);         /* weight [out,in], bias [out] */
ib_layer *ib_linear_layer_no_bias(int in, int out); /* for a batch norm to follow */

typedef struct ib_conv2d_config {
    int in, out;
    int kernel_h, kernel_w; /* kernel_w 0 means kernel_h */
    int stride;             /* 0 means 1 */
    int pad_h, pad_w;       /* as given; ib_same_pad(kernel) keeps the size at stride 1 */
    int groups;             /* 0 means 1 */
    int no_bias;
} ib_conv2d_config;
ib_layer *ib_conv2d_layer(const ib_conv2d_config *config);
ib_layer *ib_depthwise_layer(int channels, int kernel, int stride, int no_bias); /* padding (kernel - 1) / 2 */

ib_layer *ib_batch_norm_layer(int channels);
ib_layer *ib_layer_norm_layer(int size);
ib_layer *ib_relu_layer(void);
ib_layer *ib_relu6_layer(void);
ib_layer *ib_sigmoid_layer(void);
ib_layer *ib_tanh_layer(void);
ib_layer *ib_softmax_layer(void);
ib_layer *ib_dropout_layer(float p);
ib_layer *ib_max_pool_layer(int kernel, int stride);
ib_layer *ib_avg_pool_layer(int kernel, int stride);
ib_layer *ib_global_avg_pool_layer(void);
ib_layer *ib_flatten_layer(void);
ib_layer *ib_residual_layer(ib_layer *body);                               /* body(x) + x */
ib_layer *ib_residual_projected_layer(ib_layer *body, ib_layer *shortcut); /* body(x) + shortcut(x) */

ib_layer *ib_sequential_new(int n, ib_layer *const *layers);
#define ib_sequential(...)                                                                                             \
    ib_sequential_new((int)(sizeof((ib_layer *[]){__VA_ARGS__}) / sizeof(ib_layer *)), (ib_layer *[]){__VA_ARGS__})

/* Names a layer before ib_layer_init (default: its kind and index); returns it. NULL, and the layer is freed, if it
 * cannot. */
ib_layer *ib_named(const char *name, ib_layer *layer);

/* ---- a layer of your own ----
 * Give it a class, a context of your choosing, parameters and children; apply any operators in `forward`. */
typedef struct ib_layer_class { /* must outlive the layer, as does `kind` */
    const char *kind;
    ib_tensor *(*forward)(ib_layer *self, ib_graph *g, ib_tensor *x);
    /* The same with a ReLU behind it in one pass, or NULL; ib_sequential takes it where a ReLU follows. */
    ib_tensor *(*forward_relu)(ib_layer *self, ib_graph *g, ib_tensor *x);
} ib_layer_class;

typedef enum ib_init {
    IB_INIT_ZEROS,
    IB_INIT_ONES,
    IB_INIT_UNIFORM_FAN_IN,  /* U(+-1/sqrt(fan_in)), PyTorch's default */
    IB_INIT_KAIMING_NORMAL,  /* N(0, 2/fan_in): He et al., arXiv:1502.01852 */
    IB_INIT_KAIMING_UNIFORM, /* U(+-sqrt(6/fan_in)) */
    IB_INIT_XAVIER_UNIFORM,  /* U(+-sqrt(6/(fan_in+fan_out))): Glorot and Bengio 2010 */
    IB_INIT_XAVIER_NORMAL    /* N(0, 2/(fan_in+fan_out)) */
} ib_init;

ib_layer *ib_layer_new(const ib_layer_class *cls, size_t context_bytes); /* the context is zeroed, freed with the
                                                                            layer */
void *ib_layer_context(ib_layer *layer);
/* fan_in: of the weight this belongs to; trainable 0: a buffer (running statistics) that is saved but not learned. */
ib_tensor *ib_layer_param(ib_layer *layer, const char *name, int ndim, const int64_t *shape, ib_init init,
                          int64_t fan_in, int trainable);
/* Takes the child, also on failure. IB_ESTATE once the network was quantized; a layer cannot hold itself. */
ib_status ib_layer_add(ib_layer *parent, ib_layer *child);
ib_layer *ib_layer_child(ib_layer *layer, int i); /* NULL behind the last */
/* Its name within its parent; NULL before ib_layer_init() unless it was given one. Of a layer of an imported network
 * also the name in the file that it comes from, of the network that file's; else NULL. Borrowed. */
const char *ib_layer_name(const ib_layer *layer);
const char *ib_layer_source(const ib_layer *layer);

/* ---- using a network ---- */
/* Names, then draws every parameter; same seed, same values. Needed before the first forward, and again after
 * ib_layer_add(); IB_ESTATE once the network was quantized. */
ib_status ib_layer_init(ib_layer *net, uint64_t seed);
ib_status ib_layer_set_init(ib_layer *net, ib_init weights); /* before ib_layer_init: how weights (not biases) are
                                                                drawn */
ib_tensor *ib_layer_forward(ib_graph *g, ib_layer *net, ib_tensor *x);
/* The fp32 network, whether or not it was quantized. */
ib_tensor *ib_layer_forward_float(ib_graph *g, ib_layer *net, ib_tensor *x);
void ib_layer_free(ib_layer *net); /* NULL is fine; a layer that stands in another is left alone (ib_error() says so) */

const char *ib_layer_path(const ib_layer *layer); /* "block1.conv" after ib_layer_init */

/* Parameters and buffers, in a fixed order; borrowed. Names are "path.name". */
int ib_param_count(const ib_layer *net);
ib_tensor *ib_param_at(const ib_layer *net, int i);
ib_tensor *ib_param_find(const ib_layer *net, const char *name); /* NULL with ib_error() */
int ib_param_trainable(const ib_layer *net, int i);

/* What comes in and goes out; recorded with the model, so that the input's scale and zero point follow from it. */
typedef struct ib_input_info {
    int c, h, w, classes;
    float mean, std; /* x = (raw / raw_max - mean) / std; std 0 means unknown */
    int raw_max;     /* raw inputs are integers 0..raw_max (255 for bytes); 0: real numbers, raw_max 1 above */
} ib_input_info;
ib_status ib_layer_set_input(ib_layer *net, const ib_input_info *info);
const ib_input_info *ib_layer_input(const ib_layer *net);
/* What the inputs and the classes mean (schema.h): kept with the model and with its programs. NULL: nothing is known.
 * IB_EINVAL if its columns make other inputs than ib_layer_set_input() said, or it names other than its classes. */
ib_status ib_layer_set_schema(ib_layer *net, const ib_schema *schema);
const ib_schema *ib_layer_schema(const ib_layer *net); /* NULL if there is none; borrowed until it is set anew */

/* ---- ready networks: mlp, tfc, sfc, lenet, resnet8, dscnn (isobit inspect --models lists them) ----
 * "mlp:64,32" is an mlp with hidden layers of these sizes: at most 16, each from 1 to 65536. */
ib_layer *ib_model_new(const char *name, int c, int h, int w, int classes);
const char *ib_model_name_at(int i); /* NULL behind the last */
const char *ib_model_description_at(int i);

IB_END_API
#endif
