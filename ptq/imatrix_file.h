/* imatrix_file.h - importance matrices: for each matrix of a model the sum of squares of every column of the rows that
 * it was multiplied by, in llama.cpp's two kinds of files (tools/imatrix/imatrix.cpp, common/imatrix-loader.cpp).
 *
 * .dat: i32 entries | of each: i32 length, name, i32 calls, i32 n, f32 [n] mean squares times calls | then, or nothing,
 * i32 chunks, i32 length, name of the text.
 * .gguf: general.type "imatrix"; imatrix.datasets (strings), imatrix.chunk_count, imatrix.chunk_size (u32); tensors
 * NAME.in_sum2 f32 [mats][n / mats] and NAME.counts f32 [mats][1]. */
#ifndef IB_PTQ_IMATRIX_FILE_H
#define IB_PTQ_IMATRIX_FILE_H

#include "lm/lm.h"

typedef struct ib_imatrix_entry {
    char *name;      /* "blk.3.attn_q.weight" */
    int64_t n, mats; /* values in all, and matrices (experts) that share them */
    float *sum;      /* [mats][n / mats] sums of squares, */
    int64_t *count;  /* [mats] over so many rows; of .dat files: calls */
} ib_imatrix_entry;

typedef struct ib_imatrix {
    ib_imatrix_entry *entry; /* [n] by name */
    int64_t n, room;
    char *dataset;         /* name of the text (the last of several), or NULL */
    int64_t chunks, chunk; /* of the text that were run, and tokens of one; 0: not said */
} ib_imatrix;

void ib_imatrix_release(ib_imatrix *x);
/* A new entry of zeros, which x owns; NULL with ib_error(), also where the name is taken. */
ib_imatrix_entry *ib_imatrix_add(ib_imatrix *x, const char *name, size_t length, int64_t n, int64_t mats);
/* NULL if there is none; no error is set. */
const ib_imatrix_entry *ib_imatrix_find(const ib_imatrix *x, const char *name);
void ib_imatrix_sort(ib_imatrix *x); /* by name, as files have them */
/* Mean squares of matrix `mat`, [n / mats]; 1 where nothing was counted. */
void ib_imatrix_weights(const ib_imatrix_entry *e, int64_t mat, float *weight);

/* Either kind, by what it begins with. IB_EFORMAT names the file and what is wrong: a file cut short, absurd counts,
 * values that are no sums of squares, a name twice. */
ib_status ib_imatrix_read(const char *path, ib_imatrix *out);
/* As .dat where dat is set. */
ib_status ib_imatrix_write(const ib_imatrix *x, const char *path, int dat);

/* Of each kind; the errors do not name the file. */
ib_status ib_imatrix_read_dat(const uint8_t *data, size_t size, ib_imatrix *out);
ib_status ib_imatrix_read_gguf(const char *path, ib_imatrix *out);
ib_status ib_imatrix_write_gguf(const ib_imatrix *x, const char *path);

/* Whether it is a model's: an entry as wide as each of its linear layers, and none besides. A wrong width is IB_EINVAL,
 * a missing entry too where `strict` is set; else it is told, as an entry of no matrix of the model is. */
typedef struct ib_imatrix_check {
    int strict;
    void (*missing)(void *user, const char *tensor); /* of the model; or NULL */
    void (*unknown)(void *user, const char *entry);  /* of the file; or NULL */
    void *user;
} ib_imatrix_check;
ib_status ib_imatrix_fits(const ib_imatrix *x, const ib_lm *m, const ib_imatrix_check *c);

#endif
