/* bench.h - what the parts of isobit bench share. */
#ifndef IB_CLI_BENCH_BENCH_H
#define IB_CLI_BENCH_BENCH_H

#include "cli/cli.h"

enum { MOST_DEVICES = 16, MOST_REPEATS = 1000 };

enum { BENCH_STEPS = 1, BENCH_KERNELS = 2, BENCH_INFERENCE = 4 };
enum { BENCH_EXACT = 1, BENCH_INTEGER = 2 };

/* What is asked for, and the devices that take turns in each measurement. */
typedef struct bench {
    common common;
    const char *devices; /* --device's list, or NULL */
    const char *model, *qat, *python, *model_file, *llama_bench;
    int64_t repeats, tokens; /* tokens 0: not said */
    int peers;
    int paths; /* BENCH_ bits: of a language model */
    int parts; /* BENCH_ bits: of networks and products */
    int n;
    ib_device *dev[MOST_DEVICES], *fastest; /* the last: of this machine */
    int32_t *buffer;                        /* what reading is measured on, or NULL */
    int64_t buffer_bytes;
    int begun;                  /* a part has been printed */
    struct json_object *report; /* --json's */
} bench;

/* Adds rows to the report; they are then its own. */
static inline void bench_add(bench *b, const char *section, struct json_object *rows)
{
    json_object_object_add(b->report, section, rows);
}
/* A row of the report for device i. */
struct json_object *bench_object(const bench *b, int i);
/* Of printed rows, where several devices are compared: the first column, and how many times as fast as the first device
 * this one is. */
void bench_put_device(const bench *b, const char *name);
void bench_put_speed(const bench *b, double speed);
/* An empty line, unless it is the first part. */
void bench_part(bench *b);

/* ---- bench_turns.c ---- */
/* Things that are timed in turns: a measurement of each, then the next of each. */
typedef struct turns {
    const char *what; /* for the progress */
    int n;            /* things */
    int64_t repeats;  /* measurements of each */
    double least;     /* seconds that a measurement takes at least: as many runs as that needs */
    int (*run)(void *user, int i);
    void *user; /* run() gives 0, or 1 with ib_error() */
} turns;
/* seconds[n][repeats] of a run. 0, or 1 after telling what failed. */
int take_turns(const turns *t, double *seconds);
double bench_median(const double *v, int64_t n);
double bench_paired(const double *a, const double *b, int64_t n); /* the median of a[i] / b[i] */

/* ---- contender.c ---- */
/* One network with what it needs to take steps. */
typedef struct contender {
    ib_layer *net;
    ib_optim *opt;
    ib_graph *g;
    size_t saved; /* bytes that the last step kept for its backward pass */
} contender;
/* Random images and labels of the size that the model is usually measured with. */
ib_dataset *bench_data(const char *model, int batch);
int bench_make(contender *c, ib_device *dev, const ib_dataset *d, const char *model);
void bench_drop(contender *c);

/* ---- bench_limits.c: rows beside what allows no more, measured in the same turns ---- */
typedef enum bench_limit {
    LIMIT_FP32, /* fp32 products in registers, of the machine's fastest level: BLAS chooses its instructions itself */
    LIMIT_REAL, /* of factors in bfloat16, where the level has them, else LIMIT_FP32 */
    LIMIT_INT8,
    LIMIT_INT4,
    LIMIT_READ /* bytes from memory */
} bench_limit;

typedef struct bench_row {
    const char *key, *name, *unit;
    double count; /* of units in a run */
    double work;  /* of the limit's in a run: operations (two for a product and its addition) or bytes */
    bench_limit limit;
    int (*run)(void *user, int device);
    void *user;
} bench_row;

typedef struct bench_result {
    double rate;        /* units a second, median */
    double speed;       /* beside the first device's in the same turns, median of the ratios */
    double limit;       /* billions a second, median; 0: the level has no such instruction */
    double share;       /* of it, median */
    const char *unit;   /* of the limit */
    const char *called; /* the limit that it is: "fp32", "bf16", "int8", "int4" or "read" */
} bench_result;

/* out[b->n]. 0, or 1 after telling. */
int bench_measure(bench *b, const bench_row *r, bench_result *out);
/* Prints a line a device, without its end, and gives its object. */
struct json_object *bench_tell(const bench *b, const bench_row *r, int device, const bench_result *result);

/* ---- the parts: 0, or 1 after telling ---- */
int bench_kernels(bench *b);
int bench_steps(bench *b, const char *const *models, int n);
/* The integer runtime, profile fp32_rne, at batch 1 and 64; beside `peers`, which may be NULL. */
int bench_inference(bench *b, const char *const *models, int n, struct json_object *peers);
int bench_language(bench *b);

/* ---- bench_paths.c: how a language model multiplies ---- */
/* Weights that rows meet: in linear layers, and in the head; bytes of both. */
typedef struct bench_weights {
    double linear, head, bytes;
} bench_weights;
/* What is counted of a path, and what registers allow there. */
typedef struct bench_path {
    ib_path path;
    const char *name;      /* "exact" or "integer" */
    bench_weights all, of; /* of: those in integers alone on the integer path, without `bytes` */
    bench_weights four;    /* of those, the ones of at most 4 bits, without `bytes` */
    ib_lm_products made;
} bench_path;
/* Of --path's word; 0 after telling of another. */
int bench_paths_of(const char *word);
/* From now on the model runs so. 0, or 1 after telling. */
int bench_take_path(ib_lm *m, ib_path path, bench_path *out);
/* The limit of rows that meet the linear layers `linear` times and the head `head` times; *work: products and additions
 * that are counted. */
bench_limit bench_limit_of(const bench_path *p, double linear, double head, double *work);

/* ---- bench_peers.c ---- */
/* The same networks in PyTorch and ONNX Runtime; NULL with a note on standard error where the Python has not got
 * them. */
struct json_object *bench_peers(const bench *b);
/* Of a language model: tokens of a prompt, window or training row; before what is generated; generated. */
typedef struct bench_lengths {
    int64_t tokens, behind, generated;
} bench_lengths;
/* The same language model in transformers, and PEFT's training step; NULL likewise. */
struct json_object *bench_language_peers(const bench *b, const bench_lengths *l);
/* Row of a table of theirs for a model (threads and batch 0: any); NULL if there is none. */
struct json_object *bench_peer_row(struct json_object *peers, const char *table, const char *model, int threads,
                                   int64_t batch);
double bench_number(struct json_object *row, const char *key); /* NaN: there is none */
void bench_print_peers(bench *b, struct json_object *peers);

/* ---- bench_program.c ---- */
/* What a program that is found by PATH prints; NULL where it cannot be started or fails, which *status says (127: not
 * found, as the shell's). Its errors are not shown. For free(). */
char *bench_output(char *const *argv, int *status);

/* ---- bench_llama.c ---- */
typedef struct llama_figures {
    double prompt, generation; /* tokens/s, medians; 0: there is none */
} llama_figures;
/* llama.cpp's llama-bench on the same file. Its rows are added to the report; a line says where there are none. */
llama_figures bench_llama(bench *b, const bench_lengths *l);

#endif
