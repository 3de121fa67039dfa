/* fidelity.h - how near a quantized network's outputs are to those of its float original. */
#ifndef IB_CLI_ANSWERS_FIDELITY_H
#define IB_CLI_ANSWERS_FIDELITY_H

#include "cli/answers/regression.h"

/* Signal-to-quantization-noise ratios in dB: 10 log10(sum y^2 / sum (y - q)^2) over all samples, y of the float
 * forward, q of the quantized one. NAN where it has no value: nothing differs (then largest is 0 in all), or the float
 * outputs are all 0. */
typedef struct fidelity {
    int64_t samples;
    int ndim;                          /* of the outputs */
    int64_t shape[4];                  /* [1,...], of one sample */
    int64_t channels;                  /* shape[1], or 1 */
    double *channel_db;                /* [channels] */
    double db, largest;                /* over all of them; the largest |y - q| */
    int labels_fit;                    /* the data have labels, and each a score among the outputs */
    double float_accuracy, accuracy;   /* if they do */
    char misfit[120];                  /* else why there is no accuracy */
    ib_evaluation in_float, quantized; /* of labels that are numbers, as many as outputs; else n_targets is 0 */
} fidelity;

/* Runs d through the network and through `original`, as it was in float; 0, or 1 after telling what is wrong. */
int fidelity_measure(session *s, ib_layer *original, const ib_dataset *d, fidelity *f);
void fidelity_free(fidelity *f);

/* "SQNR 34.2 dB, ..." on standard output, or as keys of j. */
void fidelity_print(const fidelity *f);
void fidelity_json(const fidelity *f, struct json_object *j);

#endif
