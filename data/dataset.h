/* dataset.h - inside the library: samples in memory and the readers of files. */
#ifndef IB_DATA_DATASET_H
#define IB_DATA_DATASET_H

#include <stdatomic.h>

#include <isobit/data.h>

#include "base/alloc.h"
#include "base/error.h"

enum { IB_MAX_FILE_DIMS = 32 }; /* NumPy's and HDF5's limit */

struct ib_dataset {
    int64_t n;
    int c, h, w, classes, raw_max;
    float *x;   /* [n,c,h,w], or NULL: the samples are decoded when they are asked for */
    int32_t *y; /* [n], or NULL: the samples have no labels */
    int n_targets;
    float *targets;               /* [n,n_targets], or NULL */
    char *name;                   /* of the file, for messages */
    ib_schema *schema;            /* what the values mean, or NULL */
    char *note;                   /* what the reader should know, or NULL */
    int64_t *line;                /* [n] of the file, which the row of a sample begins in, or NULL */
    struct ib_pictures *pictures; /* what the samples are in files (pictures.h), or NULL */
    float *shown;                 /* [c,h,w] of ib_dataset_image, where x is NULL */
    atomic_int held;              /* by loaders; freed with the last of them */
};

/* One more ib_dataset_free is needed. */
ib_dataset *ib_dataset_hold(const ib_dataset *d);

/* Reserves memory for a data set, or says that the file asks for too much. */
ib_dataset *ib_dataset_reserve(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max, int labelled);
/* The same for samples that are not in memory, as many as there are. */
ib_dataset *ib_dataset_reserve_unread(const char *file, int64_t n, int64_t c, int64_t h, int64_t w, int raw_max,
                                      int labelled);
/* Samples at[0..n-1] as x[n,c,h,w]; of data in memory it cannot fail. */
ib_status ib_dataset_read(const ib_dataset *d, int64_t n, const uint32_t *at, float *x);
/* Real-valued labels, n_targets for each sample: d->targets. */
ib_status ib_dataset_reserve_targets(ib_dataset *d, int n_targets);
/* What a column of labels with that mean and deviation is scaled by; refused where they say nothing. */
ib_status ib_target_scale(const char *file, const char *name, double mean, double std, ib_target *target);
/* Targets as they are in a file to (target - mean) / std of a known network's schema, or (NULL) of one that is made of
 * the training part's, or of all samples where those alone are wanted. Every part is given the schema. */
ib_status ib_dataset_scale_targets(ib_dataset *const parts[3], const ib_schema *known);
/* Mean and standard deviation of the first of the columns of x[n,columns] (array_columns.c). */
void ib_column_moments(const float *x, int64_t n, int64_t columns, double *mean, double *std);
/* Whether the samples are rows of real numbers, without a schema yet; and one that standardizes each column of these
 * training rows, NULL with ib_error() (array_columns.c). */
int ib_columns_are(const ib_dataset *d);
ib_schema *ib_columns_measure(ib_dataset *d);
#define IB_TEST_SHARE 0.2 /* of a test part where nobody says another */
/* Marks the test part: `share` of each class's rows, drawn by the seed, at least one of a class left for training;
 * without y of all rows (split.c). */
ib_status ib_stratify(int64_t n, const int32_t *y, double share, uint64_t seed, uint8_t *test);
/* The test part is part `fold` of `folds` that each class's rows are dealt to, in an order drawn by the seed: every row
 * is of one. */
ib_status ib_stratify_fold(int64_t n, const int32_t *y, int folds, int fold, uint64_t seed, uint8_t *test);
/* Checks values and labels, counts the classes; frees d and returns NULL on failure. */
ib_dataset *ib_dataset_finish(const char *file, ib_dataset *d);
/* What a loader loads, and how many samples an epoch of it has. */
const ib_dataset *ib_loader_data(const ib_loader *l);
int64_t ib_loader_samples(const ib_loader *l);
/* A copy of samples at[0..n-1] of data in memory. */
ib_dataset *ib_dataset_rows(const ib_dataset *d, int64_t n, const uint32_t *at);
/* Keeps every fifth sample (test), the others (train) or all; frees d and returns NULL if none is left. */
ib_dataset *ib_dataset_every_fifth(ib_dataset *d, ib_split split);
/* The samples of a, then those of b; frees both. Labels are kept where both have them. NULL if one is NULL or they
 * do not go together. */
ib_dataset *ib_dataset_join(ib_dataset *a, ib_dataset *b);

/* CRC-32 of the shape, all labels and targets, and the values of about a thousand samples in even steps; of pictures in
 * folders, the sum and the sum of squares of each. */
uint32_t ib_dataset_fingerprint(const ib_dataset *d);

/* 1 and the sizes, each from 1 to 65536, of "CxHxW"; 0 if the text is anything else. */
int ib_dataset_parse_shape(const char *text, int64_t shape[3]);
/* "FILE:CxHxW" as FILE, to be given to ib_free(), and the shape; 0s without one. NULL if memory is out. */
char *ib_dataset_split_spec(const char *spec, int64_t shape[3]);
/* No control characters but tabs and line ends: a terminal shows it and obeys nothing in it. */
int ib_is_plain(const char *text);
/* File i of those that a description names, whether it is there or not, to be given to ib_free(). NULL behind the last
 * of them (digits and what is no description have none), or if memory is out. */
char *ib_dataset_file(const char *spec, int i);
/* A file's dimensions as s = n,c,h,w. For a network that is known: the sizes behind N are its C,H,W, sizes of 1 left
 * out on both sides, or H W values where it has one channel, or else they are refused with both shapes. Without one:
 * [N,K] is N,1,s,s if K is the square of an s from 8 up and N,K,1,1 if not, [N,H,W] is N,1,H,W. */
ib_status ib_dataset_shape(const char *file, int ndim, const int64_t *dims, const ib_input_info *net, int64_t s[4]);
/* What a network takes integers for: as the values raw / raw_max with the raw_max that is returned, or (0) as the real
 * numbers that they are. -1 and ib_error() if it does not say. */
int ib_dataset_raw_max(const char *file, const ib_input_info *net);

/* A reader: `net` is the network that the data are for, or NULL; for regression it reads the labels as targets, as they
 * are. */
typedef ib_dataset *ib_data_reader(const char *path, ib_split split, const ib_input_info *net, ib_task task);
/* read_file(path, split, net, task) in a process of its own (apart.c). */
ib_dataset *ib_dataset_apart(ib_data_reader *read_file, const char *path, ib_split split, const ib_input_info *net,
                             ib_task task);

/* File i that a reader's path stands for, as ib_dataset_file gives it. */
typedef char *ib_data_files(const char *path, int i);
ib_data_files ib_idx_file, ib_npy_file;

ib_data_reader ib_digits_open, ib_idx_open, ib_hdf5_open, ib_npy_open, ib_npz_open, ib_f32_open;
/* The parts of one reading: parts[split] where wanted[split]. */
typedef ib_status ib_parts_reader(const char *path, const ib_input_info *net, const ib_data_opts *opts,
                                  const int wanted[3], ib_dataset *parts[3]);
ib_parts_reader ib_csv_open, ib_images_open;
ib_dataset *ib_hdf5_open_image(const void *bytes, size_t size, const char *name, ib_split split);

#endif
