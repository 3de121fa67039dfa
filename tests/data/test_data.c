/* test_data.c - readers: content, and damage of every kind. Broken by: a file that is cut and read all the same, a
 * label taken for another, a reader that takes the program with it. */
#include "tests/data/files.h"

static void digits_are_the_digits(void)
{
    ib_dataset *a = ib_digits_new(IB_SPLIT_TRAIN), *b = ib_digits_new(IB_SPLIT_TEST);
    REQUIRE(a && b);
    CHECK_INT(ib_dataset_count(a), 1438);
    CHECK_INT(ib_dataset_count(b), 359);
    const ib_input_info i = ib_dataset_info(a);
    CHECK_INT(i.h * i.w * i.c, 64);
    CHECK_INT(i.raw_max, 16);
    CHECK_INT(i.classes, 10);
    CHECK_NEAR(i.mean * 16, rint(i.mean * 16), 1e-5);
    CHECK_INT(ib_dataset_label(a, 0), 0);
    CHECK_NEAR(ib_dataset_image(a, 0)[2] * 16, 5, 1e-6); /* the UCI file's first line: 0,0,5,13,9,... */
    CHECK_NEAR(ib_dataset_image(a, 0)[3] * 16, 13, 1e-6);
    ib_dataset_free(a);
    ib_dataset_free(b);
}

/* 30 images of 4x5 */
static size_t idx_images(unsigned char *out)
{
    const unsigned char header[] = {0, 0, 8, 3, 0, 0, 0, 30, 0, 0, 0, 4, 0, 0, 0, 5};
    memcpy(out, header, 16);
    for (int i = 0; i < 600; i++)
        out[16 + i] = (unsigned char)(i * 7);
    return 616;
}

static size_t idx_labels(unsigned char *out)
{
    const unsigned char header[] = {0, 0, 8, 1, 0, 0, 0, 30};
    memcpy(out, header, 8);
    for (int i = 0; i < 30; i++)
        out[8 + i] = (unsigned char)(i % 10);
    return 38;
}

static char *idx_spec(void)
{
    static char spec[80];
    snprintf(spec, sizeof spec, "idx:%s", dir);
    return spec;
}

static void idx_is_read_plain_and_packed(void)
{
    unsigned char images[700], labels[64];
    make_dir();
    const size_t ni = idx_images(images), nl = idx_labels(labels);
    put("train-images-idx3-ubyte", images, ni);
    gzFile z = gzopen(in_dir("train-labels-idx1-ubyte.gz"), "wb");
    gzwrite(z, labels, (unsigned)nl);
    gzclose(z);
    ib_dataset *d = ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN);
    REQUIRE(d != NULL);
    CHECK_INT(ib_dataset_count(d), 30);
    CHECK_NEAR(ib_dataset_image(d, 1)[0] * 255, (20 * 7) & 255, 1e-4);
    CHECK_INT(ib_dataset_label(d, 13), 3);
    ib_dataset_free(d);
    CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TEST) ? 1 : 0, "t10k-images-idx3-ubyte");
    remove_dir();
}

static void idx_cut_anywhere_is_an_error(void)
{
    unsigned char images[700], labels[64];
    make_dir();
    const size_t ni = idx_images(images), nl = idx_labels(labels);
    put("train-labels-idx1-ubyte", labels, nl);
    for (size_t n = 0; n < ni; n += n < 20 ? 1 : 37) {
        put("train-images-idx3-ubyte", images, n);
        CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN) ? 1 : 0, "train-images-idx3-ubyte");
    }
    put("train-images-idx3-ubyte", images, ni);
    for (size_t n = 0; n < nl; n++) {
        put("train-labels-idx1-ubyte", labels, n);
        CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN) ? 1 : 0, "train-labels-idx1-ubyte");
    }
    labels[7] = 29; /* fewer labels than images */
    put("train-labels-idx1-ubyte", labels, nl);
    CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN) ? 1 : 0, "29 labels for 30 images");
    images[4] = images[5] = images[6] = 0xFF; /* absurd count: an error, not a huge allocation */
    labels[4] = labels[5] = labels[6] = 0xFF;
    labels[7] = 30;
    put("train-images-idx3-ubyte", images, ni);
    put("train-labels-idx1-ubyte", labels, nl);
    CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN) ? 1 : 0, "ends before");
    images[2] = 9;
    put("train-images-idx3-ubyte", images, ni);
    CHECK_ERROR(!ib_dataset_open(idx_spec(), IB_SPLIT_TRAIN) ? 1 : 0, "not 00000803");
    remove_dir();
}

static void csv_is_read_and_checked(void)
{
    make_dir();
    char spec[160];
    ib_dataset *d = csv("0.5,-1.25,3e-1,1\n1,2,3,0\n", IB_SPLIT_ALL); /* a table: columns of their own scale */
    REQUIRE(d != NULL);
    CHECK_INT(ib_dataset_info(d).raw_max, 0);
    CHECK_INT(ib_dataset_info(d).c, 3);
    CHECK_NEAR(ib_dataset_image(d, 0)[1], -1, 1e-6);
    ib_dataset_free(d);
    const char *four = "a,b,c,d,label\n0,1,2,255,3\n\n4,5,6,7,1\n1,2,3,4,0\r\n1,2,3,4,0\n9,8,7,6,2\n";
    put("x.csv", four, strlen(four));
    snprintf(spec, sizeof spec, "csv:%s:1x2x2", in_dir("x.csv")); /* pictures, as the shape says */
    d = ib_dataset_open(spec, IB_SPLIT_TEST);
    REQUIRE(d != NULL);
    CHECK_INT(ib_dataset_count(d), 1);
    CHECK_INT(ib_dataset_label(d, 0), 2);
    CHECK_INT(ib_dataset_info(d).raw_max, 255);
    CHECK_INT(ib_dataset_info(d).h, 2);
    CHECK_NEAR(ib_dataset_image(d, 0)[0], 9 / 255.0, 1e-7);
    ib_dataset_free(d);
    CHECK_ERROR(!csv("1,2,3\n1,2\n", IB_SPLIT_TRAIN) ? 1 : 0, "line 2 has 2 values, 3");
    CHECK_ERROR(!csv("1,2,3\n1,zwei,3\n1,2,4\n", IB_SPLIT_TRAIN) ? 1 : 0, "line 2 has 'zwei' in column 'column 2'");
    CHECK_ERROR(!csv("1,2,3\n1,nan,4\n", IB_SPLIT_TRAIN) ? 1 : 0, "line 2 has no value in column 'column 2'");
    CHECK_ERROR(!csv("1,2,3\n1,2,0.5\n", IB_SPLIT_TRAIN) ? 1 : 0, "line 2 has '0.5' as label");
    CHECK_ERROR(!csv("", IB_SPLIT_TRAIN) ? 1 : 0, "no sample");
    CHECK_ERROR(!csv("1,2,3\n1,3,4\n", IB_SPLIT_TEST) ? 1 : 0, "too few");
    CHECK_ERROR(!ib_dataset_open("csv:/nowhere.csv", IB_SPLIT_TRAIN) ? 1 : 0, "/nowhere.csv");
    CHECK_ERROR(!ib_dataset_open("parquet:x", IB_SPLIT_TRAIN) ? 1 : 0, "parquet:x");
    put("x.csv", "1,2,3,4,5,6,0\n1,2,3,4,5,6,1\n", 28);
    snprintf(spec, sizeof spec, "csv:%s:2x3x1", in_dir("x.csv"));
    d = ib_dataset_open(spec, IB_SPLIT_TRAIN);
    REQUIRE(d && ib_dataset_info(d).c == 2 && ib_dataset_info(d).h == 3);
    ib_dataset_free(d);
    snprintf(spec, sizeof spec, "csv:%s:2x2x1", in_dir("x.csv"));
    CHECK_ERROR(!ib_dataset_open(spec, IB_SPLIT_TRAIN) ? 1 : 0, "7 values a line; a sample of 2x2x1 has 4");
    remove_dir();
}

extern const unsigned char ib_embedded_digits[];
extern const unsigned long ib_embedded_digits_size;

static void hdf5_cut_anywhere_is_an_error(void)
{
    char spec[160];
    int failed = 0, tried = 0;
    make_dir();
    snprintf(spec, sizeof spec, "hdf5:%s", in_dir("d.h5"));
    for (unsigned long n = 0; n < ib_embedded_digits_size; n += n < 64 ? 7 : 1511, tried++) {
        put("d.h5", ib_embedded_digits, n);
        ib_dataset *d = ib_dataset_open(spec, IB_SPLIT_TRAIN);
        failed += !d && strstr(ib_error(), "d.h5");
        ib_dataset_free(d);
    }
    CHECK_INT(failed, tried);
    put("d.h5", ib_embedded_digits, ib_embedded_digits_size);
    ib_dataset *d = ib_dataset_open(spec, IB_SPLIT_TEST);
    REQUIRE(d && ib_dataset_count(d) == 359);
    ib_dataset_free(d);
    CHECK_ERROR(!ib_dataset_open("hdf5:/nowhere.h5", IB_SPLIT_TRAIN) ? 1 : 0, "/nowhere.h5");
    remove_dir();
}

static void labels_and_shapes_are_checked(void)
{
    const float x[4] = {0, NAN, 0, 0};
    CHECK_ERROR(!ib_dataset_new(1, 1, 2, 2, 10, 0, x, (int32_t[]){3}) ? 1 : 0, "value 1 of sample 0 is nan");
    CHECK_ERROR(!ib_dataset_new(1, 1, 1, 1, 10, 0, x, (int32_t[]){10}) ? 1 : 0, "label 10, but 10 classes");
    CHECK_ERROR(!ib_dataset_new(1, 1, 1, 1, 10, 0, x, (int32_t[]){-2}) ? 1 : 0, "label -2");
    ib_dataset *d = ib_digits_new(IB_SPLIT_TEST);
    CHECK_ERROR(ib_dataset_check(d, &(ib_input_info){1, 28, 28, 10, 0, 0, 0}), "1x8x8, the model was made for 1x28x28");
    CHECK_ERROR(ib_dataset_check(d, &(ib_input_info){1, 8, 8, 9, 0, 0, 0}), "label 9");
    ib_dataset_free(d);
}

static ib_dataset *crash(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)path, (void)split, (void)net, (void)task;
    raise(SIGSEGV);
    return NULL;
}
static ib_dataset *stop(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)path, (void)split, (void)net, (void)task;
    _exit(7);
}
#ifndef __SANITIZE_ADDRESS__ /* which takes address space as it likes */
static ib_dataset *greedy(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)split, (void)net, (void)task;
    volatile char *p = malloc((size_t)1 << 34);
    if (p)
        p[0] = 1;
    return ib_fail_null(IB_ENOMEM, "%s: %s", path, p ? "has it" : "has not enough memory");
}
#endif
static ib_dataset *two_of_three(const char *path, ib_split split, const ib_input_info *net, ib_task task)
{
    (void)path, (void)split, (void)net, (void)task;
    static const float x[] = {1, 2, 3, 4};
    return ib_dataset_new(2, 1, 1, 2, 3, 0, x, (int32_t[]){0, 1});
}

/* A reader that dies is an error of its file. Broken by: a reader in this process, a message that is lost, classes
 * that the split leaves out. */
static void readers_work_apart(void)
{
    CHECK_ERROR(ib_dataset_apart(crash, "a.h5", IB_SPLIT_TRAIN, NULL, IB_CLASSIFICATION) == NULL,
                "a.h5: is damaged: reading it ended with signal 11");
    CHECK_ERROR(ib_dataset_apart(stop, "a.h5", IB_SPLIT_TRAIN, NULL, IB_CLASSIFICATION) == NULL, "status 7");
#ifndef __SANITIZE_ADDRESS__
    CHECK_ERROR(ib_dataset_apart(greedy, "/dev/null", IB_SPLIT_TRAIN, NULL, IB_CLASSIFICATION) == NULL,
                "not enough memory");
#endif
    CHECK_ERROR(ib_dataset_open("hdf5:/nowhere.h5", IB_SPLIT_TRAIN) == NULL, "/nowhere.h5: cannot be opened");
    ib_dataset *d = ib_dataset_apart(two_of_three, "a.h5", IB_SPLIT_TRAIN, NULL, IB_CLASSIFICATION);
    REQUIRE(d && ib_dataset_count(d) == 2);
    CHECK(ib_dataset_info(d).classes == 3 && ib_dataset_image(d, 1)[1] == 4 && ib_dataset_label(d, 1) == 1);
    ib_dataset_free(d);
}

SUITE("data", T(readers_work_apart), T(digits_are_the_digits), T(idx_is_read_plain_and_packed),
      T(idx_cut_anywhere_is_an_error), T(csv_is_read_and_checked), T(hdf5_cut_anywhere_is_an_error),
      T(labels_and_shapes_are_checked))
