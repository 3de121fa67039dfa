/* checkpoint_open.c - a checkpoint from its file: into a network that is there, or one that the file names. */
#include "train/checkpoint.h"

#include "base/alloc.h"
#include "base/argument.h"
#include "layers/wired.h"
#include "optim/optim.h"

ib_status ib_checkpoint_restore(const char *path, ib_layer *net, ib_graph *g, ib_optim *opt, ib_checkpoint *c)
{
    IB_NEED(path);
    IB_NEED(net);
    IB_NEED(g);
    IB_NEED(c);
    IB_TAKE(opt, !opt || opt->net == net, "is %s", "of another network");
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return ib_error_status();
    const ib_status status = ib_checkpoint_read(f, net, g, opt, c);
    H5Fclose(f);
    if (status)
        ib_error_prefix("%s", path);
    return status;
}
/* The network that the file describes. */
static ib_layer *described(hid_t f)
{
    if (H5Lexists(f, "network", H5P_DEFAULT) <= 0)
        return ib_fail_null(IB_EFORMAT,
                            "holds a network of somebody's own: only the program that made it can build it");
    int64_t n = 0;
    char *text = ib_h5_read_text(f, "network", "description", 1 << 24, &n);
    ib_layer *net = text ? ib_wired_network(text) : NULL;
    ib_free(text);
    return net;
}

/* A ready model, whose parameters the file holds: some for each channel of its input and for each class. */
static ib_layer *ready_model(hid_t f, const char *name, const ib_input_info *in)
{
    hsize_t bytes = 0;
    H5Fget_filesize(f, &bytes);
    const int most = in->c > in->classes ? in->c : in->classes;
    if (most > 0 && (hsize_t)most > bytes / sizeof(float))
        return ib_fail_null(IB_EFORMAT, "says %d channels and %d classes, of which %llu bytes hold no parameters",
                            in->c, in->classes, (unsigned long long)bytes);
    return ib_model_new(name, in->c, in->h, in->w, in->classes);
}

ib_layer *ib_checkpoint_open(const char *path, ib_graph *g, ib_checkpoint *c)
{
    IB_NEED_OR(path, NULL);
    IB_NEED_OR(g, NULL);
    IB_NEED_OR(c, NULL);
    ib_input_info in;
    int phase;
    const hid_t f = ib_h5_open(path);
    if (f < 0)
        return NULL;
    ib_layer *net = NULL;
    if (ib_checkpoint_read_header(f, c, &in, &phase) == 0) {
        ib_checkpoint_release(c);
        net = *c->model ? ready_model(f, c->model, &in) : described(f);
        if (net && (ib_layer_init(net, 0) || ib_checkpoint_read(f, net, g, NULL, c))) {
            ib_layer_free(net);
            net = NULL;
        }
    }
    H5Fclose(f);
    if (!net)
        ib_error_prefix("%s", path);
    return net;
}
