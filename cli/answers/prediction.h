/* prediction.h - what isobit predict writes: one table row a format, samples in order. */
#ifndef IB_CLI_ANSWERS_PREDICTION_H
#define IB_CLI_ANSWERS_PREDICTION_H

#include "cli/answers/engine.h"

typedef struct prediction_format prediction_format;

typedef struct prediction {
    const prediction_format *format;
    const char *model, *engine, *path; /* path NULL: standard output */
    int64_t n;                         /* samples in all */
    int ndim;                          /* what a sample is, [1,...] */
    int64_t shape[4], size;
    const ib_dataset *data;   /* the samples: their pictures' files or their lines stand beside the answers */
    const ib_schema *schema;  /* names of classes, or NULL: numbers */
    int classes;              /* values are probabilities of classes, else the network's outputs */
    const ib_target *targets; /* values are numbers of these names, [size], in their units; else NULL */
    int codes;                /* outputs as the program's int8 codes */
    /* the state of writing */
    struct ib_file_writer *file;
    int64_t done;
    int failed; /* told already */
    char text[1 << 16];
    size_t at;
} prediction;

/* The format of that name; NULL after telling. */
const prediction_format *prediction_format_find(const char *name);
/* Opens p->path and writes what stands before the samples. 0, or 1 after telling. */
int prediction_open(prediction *p);
/* The next n samples: values[n, size]. */
int prediction_add(prediction *p, int64_t n, const float *values);
/* Writes the end; the file takes its name now, whole. 0, or 1 after telling. */
int prediction_close(prediction *p);
/* Gives up; nothing is left behind but what standard output has taken. */
void prediction_drop(prediction *p);

#endif
