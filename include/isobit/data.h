/* data.h - where samples come from: data sets in memory, and loaders that make batches of them.
 *
 * Values are held as real numbers raw / raw_max; a loader normalizes them to (value - mean) / std. */
#ifndef ISOBIT_DATA_H
#define ISOBIT_DATA_H

#include <isobit/api.h>
#include <isobit/layer.h>
#include <isobit/schema.h>

IB_BEGIN_API

typedef enum ib_split { IB_SPLIT_TRAIN, IB_SPLIT_TEST, IB_SPLIT_ALL } ib_split;
typedef struct ib_dataset ib_dataset;

/* Opens a data set by a description:
 *   digits      1,797 handwritten 8x8 digits, inside the library (UCI, doi:10.24432/C50P49, CC BY 4.0)
 *   idx:DIR     MNIST's files in DIR: {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz
 *   hdf5:FILE   datasets {train,test}/{images,labels}, or images and labels (then every fifth sample is the test set);
 *               images N,C,H,W or N,H,W or N,K, bytes or reals, or wider integers with the attribute raw_max of the
 *               file (255 for bytes). Whatever else the file holds is refused. Without
 *               labels the samples have none. Read by a process of its own (fork), in which the HDF5 library may fail
 *               on a damaged file
 *   images:DIR  JPEG and PNG files, a folder for each class; see below
 *   csv:FILE    a table, or pictures a line each; see below. "-" is standard input
 *   npy:FILE    an array of NumPy, without labels: float16, float32, float64 or integers, [N,C,H,W], [N,H,W] or [N,K]
 *               (a square K from 64 up is a picture);
 *               every fifth sample is the test set. npy:X.npy,Y.npy has labels beside it: integers [N] or [N,1]
 *   npz:FILE    such arrays in an archive (numpy.savez): x_train, y_train, x_test, y_test (Keras's mnist.npz), or
 *               train_images, train_labels, test_images, test_labels; or x, images or data, with y or labels or
 *               without, of which every fifth sample is the test set. It holds nothing else
 *   f32:FILE    nothing but fp32 numbers, little-endian, without labels: samples of the network's shape, or of
 *               f32:FILE:CxHxW; every fifth sample is the test set
 * IB_SPLIT_ALL: all samples in the file's order, the training set before the test set where a file has two.
 *
 * For a network that is known (net not NULL) its shape decides how samples lie: the sizes behind N must be its C, H, W,
 * sizes of 1 apart; [N,H W] fits where there is one channel. What numbers mean follows from its input (layer.h):
 *   integers    (npy, csv whose values are all integers) are raw values 0..raw_max and become raw / raw_max; real
 *               numbers as they are where raw_max is 0. For a network that does not say (std 0) they are refused
 *   reals       are the values that are normalized: x = (value - mean) / std. Where raw_max is not 0 they stand for
 *               raw / raw_max, and one outside of 0..1 is refused by ib_dataset_check_input. Where the network says
 *               mean 0 and std 1, or nothing (std 0), x is the value itself, bit for bit
 * net NULL: bytes of npy are raw values 0..255, its other integers real numbers; csv ends at 255 or at its largest
 * value.
 *
 * csv:FILE is read as RFC 4180 has it, plain or .gz: commas, semicolons or tabs separate (whichever the first line has
 * most of; blanks if it has none), values with line ends or separators stand in quotes, UTF-8 with or without a
 * byte-order mark, any line ends. It holds
 *
 *   pictures    where a shape is given (csv:FILE:CxHxW), where net is known and has no schema of columns, or where a
 *               line has a square number of values from 64 up besides the label and these are all integers 0..65535 or
 *               all real numbers 0..1 (MNIST as CSV). Values are numbers; a first line without any is passed over;
 *               labels are integers 0..65535, in the last column or the one that the first line calls "label" (or
 *               opts->label); lines of as many values as a sample has are samples without labels; every fifth sample is
 *               the test set
 *   a table     else. The first line is a header if in some column it is a word where numbers stand below (or, without
 *               any column of numbers, if its words are all different and none stands again below itself); a line of
 *               numbers is data. One column is the label, the last unless opts->label says another. Integers are
 *               classes in their order (1..3 are three), words are classes in alphabetical order. A column of numbers
 *               is standardized by mean and standard deviation of its training rows, a column of words is one input a
 *               word; the schema of the data set keeps both (schema.h). Missing values (nothing, NA, N/A, NaN, null, ?,
 *               ...; docs/data.md lists them) are refused unless opts->fill_missing, errors of spreadsheets always; so
 *               are, by line, days and times, and digits with signs or units (5%, $7, 1'000, 5kg), unless
 *               opts->categorical takes the column as names. The test part is drawn by opts->split_seed from each class
 *               alike
 *
 * Columns for a network that has a schema (opts->schema) are found by their names, in any order, or, where the file has
 * no header, by their places; categories and classes by theirs. The label may be absent. Columns that the network does
 * not know are named by ib_dataset_note. Other kinds of files hold such columns as [N,columns], where all of them are
 * numbers. Of arrays of reals [N,K] that a network is to be made for, ib_dataset_open_parts makes a schema: columns of
 * numbers, found by their place, measured on the training part.
 *
 * images:DIR holds a folder of JPEG and PNG files for each class, or folders train and val (or test) of such folders;
 * or pictures alone, which have no labels. Without train and val every fifth picture of each class, in the order of
 * their names, is of the test part, or opts->test_share of each class, drawn by opts->split_seed; a folder test or val
 * that stands beside a folder train is a test part as a whole. Classes are the sorted names of the folders, or those of
 * the network's schema (a folder that is none of them is refused); the data set's schema keeps them. Hidden files,
 * Thumbs.db and desktop.ini are left out, which ib_dataset_note says; every other file must be a picture. Links are
 * followed.
 *
 *   size        the network's, or opts->input, or else the one that all pictures have. Others are resized so that they
 *               just cover it and cropped in the middle: bilinear with antialiasing, in the values of torchvision's
 *               Resize and CenterCrop over Pillow (data/pictures/picture_fit.c has the formula). c is 1 or 3: grey from
 *               colour by ITU-R BT.601, colour from grey three times the same
 *   values      bytes, raw_max 255. 16 bits become 8 (v / 257, rounded), palettes colours, CMYK with Adobe's marker
 *               C K / 255. EXIF's orientation is followed; colour profiles and gamma are not applied
 *   refused     by the file's name: what is cut, damaged or no picture, transparent pixels, animations, CMYK without
 *               that marker, more than 2^26 pixels (a header alone takes no memory)
 *
 * All pictures are decoded once when they are opened, by ib_threads() threads. A part that then takes more than
 * opts->memory bytes is not kept: loaders decode its pictures again, a batch ahead. No value depends on the threads or
 * on the memory.
 *
 * Finite numbers that fp32 cannot hold, and labels of pictures that are not whole and from 0 to 65535, are refused by
 * their value. NULL with ib_error() naming the file, the line and the column when it cannot be read, is cut short or
 * holds what cannot be. */
typedef struct ib_data_opts { /* zeros are the defaults; of tables: label to test_share (split_seed and
                                test_share of pictures in folders too) */
    const char *label;        /* the column of labels: its name, or its number from 1 */
    const char *drop;         /* columns to leave out, names or numbers with commas between */
    const char *categorical;  /* columns whose values are names, also where they are numbers; the same kind of list */
    int fill_missing;         /* a missing number is the column's mean, a missing word its most frequent one */
    uint64_t split_seed;      /* 0: as the schema's test part was drawn */
    double test_share;        /* at most 1; 0: as the schema's (all rows where it has none), or a fifth of the rows */
    int folds, fold;          /* from 2; 0: none. The test part is number fold, from 0, of so many that the rows of each
                                class are dealt to. Refused where a class has fewer rows */
    int input[3];             /* of pictures in folders: c, h, w of a sample; 0, 0, 0: the network's, or as all are */
    int64_t memory;           /* of pictures in folders: bytes that a decoded part may take, 4 a value; 0: 2^30 */
    const ib_schema *schema;  /* of the network that the data are for */
    ib_task task;             /* of a network that is to be made (that of the schema else): IB_REGRESSION takes
                                numbers as labels, in one column or several, whose names label has with commas
                                between; of hdf5, npy and npz [N] or [N,targets]; see ib_dataset_target */
} ib_data_opts;
ib_dataset *ib_dataset_open_with(const char *spec, ib_split split, const ib_input_info *net, const ib_data_opts *opts);
/* Both parts of one reading, which the caller frees; none of them on failure. */
ib_status ib_dataset_open_parts(const char *spec, const ib_input_info *net, const ib_data_opts *opts,
                                ib_dataset **train, ib_dataset **test);
/* with the default options */
ib_dataset *ib_dataset_open_for(const char *spec, ib_split split, const ib_input_info *net);
/* the same with net NULL */
ib_dataset *ib_dataset_open(const char *spec, ib_split split);
ib_dataset *ib_digits_new(ib_split split);
/* Copies n samples x[n,c,h,w] (already raw / raw_max) and labels y[n] in [0, classes); y NULL: samples without
 * labels. */
ib_dataset *ib_dataset_new(int64_t n, int c, int h, int w, int classes, int raw_max, const float *x, const int32_t *y);
void ib_dataset_free(ib_dataset *d); /* NULL is fine; its loaders keep what they need of it */

int64_t ib_dataset_count(const ib_dataset *d);
/* [c,h,w], borrowed; of pictures that are not kept until the next call. NULL where the file of one cannot be read any
 * more. */
const float *ib_dataset_image(const ib_dataset *d, int64_t i);
int ib_dataset_labelled(const ib_dataset *d);
/* Samples whose labels are real numbers: targets[n,n_targets], what the network's outputs are to be. */
ib_dataset *ib_dataset_of_targets(int64_t n, int c, int h, int w, int n_targets, int raw_max, const float *x,
                                  const float *targets);
int ib_dataset_targets(const ib_dataset *d);                    /* numbers that a sample has as labels; 0: none, or
                                                                   classes */
const float *ib_dataset_target(const ib_dataset *d, int64_t i); /* [n_targets], borrowed; of files (value - mean) /
                                                                   std of the training part's */
int32_t ib_dataset_label(const ib_dataset *d, int64_t i);       /* -1 where there are none */
/* Where sample i stands: the file of a picture in a folder (borrowed; of others NULL), and the line of a table's file
 * that its row begins in, from 1 (of others 0). */
const char *ib_dataset_path(const ib_dataset *d, int64_t i);
int64_t ib_dataset_line(const ib_dataset *d, int64_t i);
/* What the values and classes mean, or NULL; borrowed. */
const ib_schema *ib_dataset_schema(const ib_dataset *d);
/* What the reader should know (columns that are not used or constant, files that are left out), in one line; "" if
 * nothing. */
const char *ib_dataset_note(const ib_dataset *d);
/* Shape, classes (0 without labels; of real-valued labels their number) and raw_max, with mean and std measured over
 * all values. The mean is rounded to a multiple of 1 / raw_max, so that an 8-bit code of the normalized value is
 * exactly raw - 128 for bytes. Of a table mean 0 and std 1: its columns are standardized already. */
ib_input_info ib_dataset_info(const ib_dataset *d);
/* Keeps the first n samples. */
ib_status ib_dataset_limit(ib_dataset *d, int64_t n);
/* IB_EINVAL, naming the data and saying how, if their shape or raw values do not fit the network's input; */
ib_status ib_dataset_check_input(const ib_dataset *d, const ib_input_info *net);
/* or if besides a label is none of its classes; data without labels pass; */
ib_status ib_dataset_check(const ib_dataset *d, const ib_input_info *net);
/* or if besides there are no labels: what training and measuring accuracy need. */
ib_status ib_dataset_check_labels(const ib_dataset *d, const ib_input_info *net);

/* ---- loaders ---- */
typedef struct ib_loader ib_loader;

typedef struct ib_loader_opts {
    int batch;     /* 0 means 64 */
    int shuffle;   /* a new order each epoch, from seed and epoch alone */
    int drop_last; /* leave out a last batch that is not full */
    uint64_t seed;
    int64_t samples; /* an epoch ends behind so many of its order; 0: all */
    float shift;     /* augmentation: up to this many pixels in each direction */
    float rotate;    /* up to this many degrees either way */
    int flip;        /* mirror every other sample, at random */
} ib_loader_opts;

typedef struct ib_batch {
    int n;
    const float *x;       /* [n,c,h,w] normalized */
    const int32_t *y;     /* [n], or NULL if the data have no labels */
    int64_t shape[4];     /* n,c,h,w */
    int64_t index;        /* of the batch in its epoch */
    const float *targets; /* [n,n_targets], or NULL */
    int n_targets;
} ib_batch;

/* Normalizes with info's mean and std. One background thread prepares the next batch. */
ib_loader *ib_loader_new(const ib_dataset *d, const ib_input_info *info, const ib_loader_opts *opts);
void ib_loader_free(ib_loader *l);             /* NULL is fine */
int64_t ib_loader_batches(const ib_loader *l); /* in an epoch */
/* Starts epoch number `epoch` at batch `first`, 0 to ib_loader_batches() (an epoch that was finished): the same
 * batches whatever was loaded before. After a start that failed there is no batch. */
ib_status ib_loader_start(ib_loader *l, int64_t epoch, int64_t first);
/* 1 and a batch (valid until the next call), or 0 at the end of the epoch, or where a batch cannot be made (a picture's
 * file has gone). */
int ib_loader_next(ib_loader *l, ib_batch *out);
/* Why the last ib_loader_next gave 0: IB_OK, the epoch has ended, or the failure, which becomes ib_error() again. */
ib_status ib_loader_status(const ib_loader *l);

IB_END_API
#endif
