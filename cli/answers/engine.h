/* engine.h - a model by one of its engines: batches in, the network's outputs in real numbers out. */
#ifndef IB_CLI_ANSWERS_ENGINE_H
#define IB_CLI_ANSWERS_ENGINE_H

#include "cli/cli.h"

/* What the outputs say of classes. */
typedef enum meaning {
    SCORES,        /* softmax makes probabilities of them */
    PROBABILITIES, /* they are that already: the network ends with softmax or sigmoid */
    UNKNOWN        /* nothing that can be told */
} meaning;

typedef struct engine {
    session *s;
    const char *name; /* "float", "qat", "integer" */
    ib_input_info input;
    const ib_schema *schema; /* what inputs and classes mean, or NULL */
    ib_program *program;     /* of the integer engine, else NULL */
    ib_runner *runner;
    int64_t batch; /* samples in a run at most */
    int ndim;      /* of the outputs; shape [1,...] is one sample's */
    int64_t shape[4], size;
    meaning meaning;
    int softmax;        /* the program leaves the network's softmax to the caller */
    int8_t *in, *codes; /* [batch, ...] of the program; codes: what its last run gave */
    float *out;
} engine;

/* Opens the model at `path`, a checkpoint or a program that export wrote as HDF5, in the session, and readies `name`
 * (NULL: integer, float for a float network). 0, or the exit status after telling what is wrong. */
int engine_open(engine *e, session *s, const common *o, const char *path, const char *name, int64_t batch);
/* The outputs [n, size] of a batch, valid until the next call; NULL with ib_error(). */
const float *engine_run(engine *e, const ib_batch *b);
void engine_close(engine *e);

/* The classes that the outputs score, [N,K] or [N,K,1,1]; 0 if they are none: images, or a single number. */
int64_t engine_classes(const engine *e);
/* 0 if accuracy can be measured with s->test: it has labels, and the outputs a score for each. 1 after telling why
 * not. */
int need_labels(const session *s, const engine *e);

#endif
