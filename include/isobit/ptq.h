/* ptq.h - post-training quantization of language models: each matrix's codes are chosen by what a calibration text puts
 * through it, layer by layer, behind layers that are quantized already. */
#ifndef ISOBIT_PTQ_H
#define ISOBIT_PTQ_H

#include <isobit/lm.h>

IB_BEGIN_API

/* What became of a matrix. */
typedef struct ib_ptq_report {
    const char *tensor;      /* "blk.3.attn_q.weight" */
    const char *asked, *got; /* storage formats: as the recipe has it, and as the rows' length allows */
    const char *method;      /* that made its codes */
    char note[120];          /* what was out of the ordinary; "": nothing */
    char transform[120];     /* what a transform did to the rows that it multiplies; "": there was none */
    int64_t rows, cols, bytes;
    /* |X (W - Q)'|^2 / |X W'|^2 over the calibration text, of W as a transform made it; without a Hessian the same of
     * its diagonal, without a text of 1. Of the method's codes, and of codes that are rounded to nearest (-1: not
     * known). */
    double error, nearest_error;
} ib_ptq_report;

typedef struct ib_ptq_opts {
    const char *to;        /* a recipe of ib_ptq_recipe_at() or a storage format of GGUF */
    const char *method;    /* of ib_ptq_method_at(); NULL or "auto": gptq with a text, else nearest */
    const char *transform; /* of ib_ptq_transform_at(), before the method; NULL: the method's own, if it has one */
    double alpha;          /* smoothquant's alpha, awq's ratio, 0 .. 1; 0: searched for each input of each layer */
    const int32_t *ids;    /* [n] the calibration text; NULL: none */
    int64_t n;
    int context;      /* tokens of a window; 0: 512 */
    int64_t windows;  /* at most, spread evenly over the text; 0: 128 */
    int bos;          /* the token that each window begins with, -1: none */
    double damping;   /* of Hessians, a share of their mean diagonal; 0: 0.01 */
    int folder;       /* of a Hugging Face folder's types; embedding and head stay as they are. 0: of GGUF's */
    int strict;       /* a matrix that cannot be as it was asked for is an error */
    const char *work; /* a folder that is there, for hidden states, and for finished layers, which a later run with the
                         same options takes up; NULL: none are kept, states lie among temporary files */
    int (*tell)(void *user,
                const ib_ptq_report *r); /* of each matrix that is done; not 0: stop (IB_ESTOPPED); or NULL */
    int (*progress)(void *user, int64_t done, int64_t total); /* in windows through a block; else the same */
    void *user;
} ib_ptq_opts;

/* Replaces the matrices of a model without adapter: linear layers, embedding and head. What is written by ib_lm_save()
 * afterwards, with format "keep", is theirs. On an error the model is as it was.
 * Methods and sources: ptq/methods.def, ptq/transforms.def; recipes: ptq/recipes.def. */
ib_status ib_lm_quantize(ib_lm *m, ib_graph *g, const ib_ptq_opts *o);

/* Names and a line about each; NULL behind the last. */
typedef struct ib_ptq_name {
    const char *name, *summary;
} ib_ptq_name;
const ib_ptq_name *ib_ptq_method_at(int i);
const ib_ptq_name *ib_ptq_transform_at(int i);
const ib_ptq_name *ib_ptq_recipe_at(int i);

/* ---- importance matrices ---- */

typedef struct ib_imatrix_opts {
    const int32_t *ids; /* [n] the text */
    int64_t n;
    int context;         /* tokens of a window; 0: 512 */
    int64_t windows;     /* at most; 0: all of the text */
    int bos;             /* before the text and in the place of each window's first token; -1: none */
    int process_output;  /* what the head reads too: as output.weight, or token_embd.weight where that is the head */
    const char *dataset; /* the text's name, for the file; NULL: none */
    int dat;             /* 0: a GGUF file; 1: the older kind, .dat */
    int (*progress)(void *user, int64_t done, int64_t total); /* windows; not 0: stop (IB_ESTOPPED); or NULL */
    void *user;
} ib_imatrix_opts;
/* Writes a file for llama-quantize --imatrix (llama.cpp's tools/imatrix/imatrix.cpp: windows side by side, every
 * token of them counts): of each linear layer, for each of its columns, the sum of x^2 over the rows x that it
 * multiplies. Sums are double, window after window: the same bytes with any number of threads. An adapter is run too.
 * Memory: one layer's values of a window, and the sums. Nothing is written on an error. */
ib_status ib_lm_imatrix(ib_lm *m, ib_graph *g, const char *path, const ib_imatrix_opts *o);

IB_END_API
#endif
