/* quantize_network.h - isobit quantize of a network: how its weights are rounded, and what is told of it. */
#ifndef IB_CLI_MODELS_QUANTIZE_NETWORK_H
#define IB_CLI_MODELS_QUANTIZE_NETWORK_H

#include "cli/cli.h"

typedef struct network_rounding {
    const char *granularity; /* NULL: not given */
    int64_t iterations;      /* 0: not given */
    int bias_correction, equalize;
} network_rounding;
extern const struct argp network_rounding_argp; /* a child parser; its input is a network_rounding * */

/* Whether one of its options is given; its name, or NULL. */
const char *network_rounding_given(const network_rounding *o);
/* Completes the options of quantization for a method (NULL: none is asked for). 0, or 2 after telling what does not go
 * together. */
int network_rounding_settle(const network_rounding *o, const char *method, ib_qat_opts *q, ib_rounding_opts *r);
/* Between preparing and calibrating: equalizes, if that is asked for; what was done goes to `pairs` (NULL: it is
 * printed). 0, or 1 after telling. */
int network_equalize(session *s, const network_rounding *o, struct json_object *pairs);
/* Rounds the calibrated network. Its layers go to `layers` (NULL: they are printed). 0, or the exit status. */
int network_rounding_run(session *s, const ib_rounding_opts *r, ib_loader *l, struct json_object *layers);

#endif
