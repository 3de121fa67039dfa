/* rounding.h - post-training quantization of small networks: which code each weight takes is chosen by what samples put
 * through its layer, layer by layer, behind layers that are rounded already. The network stays the integer program that
 * it is: a weight becomes scale * code, so training, evaluation, programs and files find that code as the nearest.
 *
 *     ib_qat_opts int4 = {.weight_bits = 4, .observer = "mse", .weight_observer = "lsq"};
 *     if (ib_qat_prepare(net, g, &int4) || ib_qat_calibrate(net, g, loader, 0) ||
 *         ib_qat_set_phase(net, g, IB_FROZEN) ||
 *         ib_qat_round(net, g, loader, &(ib_rounding_opts){.method = "adaround"})) ... */
#ifndef ISOBIT_ROUNDING_H
#define ISOBIT_ROUNDING_H

#include <isobit/api.h>
#include <isobit/qat.h>

IB_BEGIN_API

/* What became of a layer's weights. Errors are |f(z) - f(q)|^2 / |f(z)|^2 over the rows: z the layer's results in fp32
 * behind layers in fp32, q those of its codes behind layers that are rounded, f its ReLU. -1: not known, z is 0. */
typedef struct ib_rounding_report {
    const char *layer;
    const char *note;      /* what was out of the ordinary, in a line; or NULL */
    int bits;              /* of the weights */
    int64_t weights, rows; /* rows: of inputs, each a place of the layer's windows */
    int64_t moved;         /* codes that are not the nearest */
    double nearest_error;  /* with each weight's nearest code */
    double error;          /* with the codes that were chosen, and the corrected bias */
} ib_rounding_report;

typedef struct ib_rounding_opts {
    /* ptq/networks/rounding.def: nearest; gptq (arXiv:2210.17323) with the results of the fp32 network as what is to be
     * reached; adaround (arXiv:2004.10568). NULL: nearest. */
    const char *method;
    /* First scales of the weights: absmax, mse (NULL), or output: least squared error of the layer's results with
     * nearest codes. Not for nearest, whose scales are those of the network. */
    const char *scales;
    double damping;      /* of gptq and of the scales by results, a share of the inputs' mean square; 0: 0.01 */
    int64_t iterations;  /* of adaround; 0: 2000 */
    int bias_correction; /* each channel's mean error goes into its bias (arXiv:1906.04721, section 4.2) */
    /* Behind each layer: not 0 stops (IB_ESTOPPED). NULL: nobody wants to know. */
    int (*tell)(void *user, const ib_rounding_report *r);
    /* Parts of the work that are done, now and then; not 0 stops. Or NULL. */
    int (*progress)(void *user, int64_t done, int64_t total);
    void *user;
} ib_rounding_opts;

/* Of a network in IB_FROZEN; the batches of one epoch of the loader are what goes through it. Same network, samples and
 * options: the same bits, at any number of threads. A layer whose chosen codes err more than the nearest keeps these,
 * and its note says so. On an error the network is as it was. IB_EUNSUPPORTED: a method chooses codes, and the weights'
 * scales are not parameters (weight_observer "lsq"), so that they would follow the weights. */
ib_status ib_qat_round(ib_layer *net, ib_graph *g, ib_loader *loader, const ib_rounding_opts *o);

/* Of a product and the products behind it: how many times the largest channel's weights are the smallest's. */
typedef struct ib_equalize_report {
    const char *layer, *next; /* the first layer that reads it, NULL: it stays as it is */
    const char *note;         /* why it stays, or NULL */
    float before, after;
} ib_equalize_report;

typedef struct ib_equalize_opts {
    void (*tell)(void *user, const ib_equalize_report *r); /* or NULL */
    void *user;
} ib_equalize_opts;

/* Cross-layer equalization (arXiv:1906.04721, section 4.1) of a network in IB_CALIBRATE that observers have not seen
 * yet: channels that vanish under one scale of all are made as large as the others, and the weights that read them as
 * much smaller, by powers of two, so that fp32 results stay in every bit (unless they leave the range of fp32). A
 * product stays as it is where a ReLU6, or something else than products, reads it. On an error the network is as it
 * was. o may be NULL. */
ib_status ib_qat_equalize(ib_layer *net, ib_graph *g, const ib_equalize_opts *o);

/* The methods and a line about each; NULL behind the last. */
const char *ib_rounding_method_at(int i);
const char *ib_rounding_summary_at(int i);

IB_END_API
#endif
