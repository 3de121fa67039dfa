/* test_data.c - readers and loader: content, damage of every kind, the same batches whatever happened before. */
#include "tests/check.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/dataset.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/isobit-test-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
}

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

/* Targets of a table are (value - mean) / std of their training rows, those of ib_dataset_of_targets as they are;
 * batches bring them. */
static void numbers_are_targets(void)
{
    static const char text[] = "a,low,b,high\n1,10,0,-1\n2,20,1,-2\n3,30,0,-3\n4,40,1,-4\n5,50,0,-5\n";
    char spec[160];
    make_dir();
    put("x.csv", text, strlen(text));
    snprintf(spec, sizeof spec, "csv:%s", in_dir("x.csv"));
    const ib_data_opts opts = {.label = "high,low", .task = IB_REGRESSION};
    ib_dataset *d = ib_dataset_open_with(spec, IB_SPLIT_ALL, NULL, &opts);
    REQUIRE(d && !ib_dataset_labelled(d));
    CHECK_INT(ib_dataset_targets(d), 2);
    CHECK_INT(ib_dataset_info(d).c, 2);
    CHECK_INT(ib_dataset_info(d).classes, 2);
    const ib_schema_opts *s = ib_schema_of(ib_dataset_schema(d));
    REQUIRE(s->n_targets == 2 && s->task == IB_REGRESSION);
    CHECK(!strcmp(s->targets[0].name, "high") && !strcmp(s->targets[1].name, "low") && !s->label);
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++)
            CHECK_NEAR(ib_dataset_target(d, i)[k] * s->targets[k].std + s->targets[k].mean, k ? 10 * (i + 1) : -(i + 1),
                       1e-5);
    ib_loader *l = ib_loader_new(d, NULL, &(ib_loader_opts){.batch = 2, .shuffle = 1, .seed = 3});
    int seen = 0;
    for (ib_batch b; ib_loader_next(l, &b);) {
        REQUIRE(b.targets && b.n_targets == 2 && !b.y);
        for (int i = 0; i < b.n; i++, seen++) /* low falls by ten where high falls by one */
            CHECK_NEAR(b.targets[2 * i], -b.targets[2 * i + 1], 1e-6);
    }
    CHECK_INT(seen, 5);
    ib_loader_free(l);
    ib_dataset_free(d);
    CHECK_ERROR(!ib_dataset_open(spec, IB_SPLIT_ALL) ? 1 : 0, "--task regression");
    d = ib_dataset_of_targets(2, 1, 1, 1, 3, 0, (float[]){1, 2}, (float[]){1, 2, 3, 4, 5, 6});
    REQUIRE(d != NULL);
    CHECK_NEAR(ib_dataset_target(d, 1)[2], 6, 0);
    CHECK_ERROR(ib_dataset_check_labels(d, &(ib_input_info){.c = 1, .h = 1, .w = 1, .classes = 2}), "3 targets");
    ib_dataset_free(d);
    CHECK_ERROR(!ib_dataset_of_targets(1, 1, 1, 1, 1, 0, (float[]){1}, (float[]){NAN}) ? 1 : 0, "target 0 of sample 0");
    remove_dir();
}

/* Rows of three classes, or with numbers to learn, over all folds: each is tested once, as many of each class as of any
 * other fold and one more at most; means are of the rows that are trained on. */
static void folds_test_every_row_once(void)
{
    enum { ROWS = 53, FOLDS = 4 };
    char text[ROWS * 12 + 8] = "id,k\n", spec[160];
    for (int i = 0; i < ROWS; i++) /* 9, 18 and 26 of them */
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,%c\n", i, "abbccc"[i % 6]);
    make_dir();
    put("x.csv", text, strlen(text));
    snprintf(spec, sizeof spec, "csv:%s", in_dir("x.csv"));
    for (uint64_t seed = 0; seed < 3; seed++) {
        int tested[ROWS] = {0}, least[3] = {ROWS, ROWS, ROWS}, most[3] = {0};
        for (int k = 0; k < FOLDS; k++) {
            ib_dataset *train, *test;
            int count[3] = {0};
            REQUIRE(!ib_dataset_open_parts(spec, NULL, &(ib_data_opts){.folds = FOLDS, .fold = k, .split_seed = seed},
                                           &train, &test));
            CHECK_INT(ib_dataset_count(train) + ib_dataset_count(test), ROWS);
            CHECK(ib_dataset_count(test) == ROWS / FOLDS || ib_dataset_count(test) == ROWS / FOLDS + 1);
            const ib_column *id = &ib_schema_of(ib_dataset_schema(test))->columns[0];
            double sum = ROWS * (ROWS - 1) / 2;
            for (int64_t i = 0; i < ib_dataset_count(test); i++) {
                const int row = (int)lround(ib_dataset_image(test, i)[0] * id->std + id->mean);
                REQUIRE(row >= 0 && row < ROWS);
                tested[row]++;
                count[ib_dataset_label(test, i)]++;
                sum -= row;
            }
            CHECK_NEAR(id->mean, sum / (double)ib_dataset_count(train), 1e-4);
            for (int c = 0; c < 3; c++) {
                least[c] = count[c] < least[c] ? count[c] : least[c];
                most[c] = count[c] > most[c] ? count[c] : most[c];
            }
            ib_dataset_free(train);
            ib_dataset_free(test);
        }
        for (int i = 0; i < ROWS; i++)
            CHECK_INT(tested[i], 1);
        for (int c = 0; c < 3; c++)
            CHECK(most[c] - least[c] <= 1 && least[c] > 0);
    }
    CHECK_ERROR(!ib_dataset_open_with(spec, IB_SPLIT_TEST, NULL, &(ib_data_opts){.folds = 10}) ? 1 : 0,
                "class 'a' has 9 rows");
    remove_dir();
}

/* A network that was trained on all rows knows none that are of a test: each part of a file is all of it, and that is
 * said. */
static void whole_tables_have_no_test_part(void)
{
    static const char text[] = "a,k\n1,x\n2,y\n3,x\n4,y\n5,x\n6,y\n";
    char spec[160];
    ib_dataset *train, *test;
    make_dir();
    put("x.csv", text, strlen(text));
    snprintf(spec, sizeof spec, "csv:%s", in_dir("x.csv"));
    ib_dataset *all = ib_dataset_open(spec, IB_SPLIT_ALL);
    REQUIRE(all != NULL);
    const ib_schema *schema = ib_dataset_schema(all);
    CHECK(ib_schema_of(schema)->test_share == 0);
    REQUIRE(!ib_dataset_open_parts(spec, NULL, &(ib_data_opts){.schema = schema}, &train, &test));
    CHECK(ib_dataset_count(train) == 6 && ib_dataset_count(test) == 6 &&
          strstr(ib_dataset_note(test), "trained on all rows"));
    ib_dataset_free(train);
    ib_dataset_free(test);
    test = ib_dataset_open_with(spec, IB_SPLIT_TEST, NULL, &(ib_data_opts){.schema = schema, .test_share = 0.34});
    REQUIRE(test != NULL);
    CHECK_INT(ib_dataset_count(test), 2);
    ib_dataset_free(test);
    ib_dataset_free(all);
    remove_dir();
}

static ib_dataset *csv(const char *text, ib_split split)
{
    char spec[160];
    put("x.csv", text, strlen(text));
    snprintf(spec, sizeof spec, "csv:%s", in_dir("x.csv"));
    return ib_dataset_open(spec, split);
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

/* A hash of the batches of one epoch from batch `first`. */
static uint64_t hash(ib_loader *l, int64_t epoch, int64_t first, int64_t count)
{
    ib_batch b;
    uint64_t h = 1469598103934665603ull;
    ib_loader_start(l, epoch, first);
    for (int64_t i = 0; i < count && ib_loader_next(l, &b); i++) {
        const int64_t size = b.shape[1] * b.shape[2] * b.shape[3] * b.n;
        for (int64_t j = 0; j < size * 4; j++)
            h = (h ^ ((const uint8_t *)b.x)[j]) * 1099511628211ull;
        for (int j = 0; j < b.n; j++)
            h = (h ^ (uint64_t)b.y[j]) * 1099511628211ull;
    }
    return h;
}

static void batches_depend_on_seed_epoch_and_index_alone(void)
{
    ib_dataset *d = ib_digits_new(IB_SPLIT_TRAIN);
    const ib_input_info info = ib_dataset_info(d);
    const ib_loader_opts o = {.batch = 32, .shuffle = 1, .seed = 9, .shift = 1, .rotate = 15, .flip = 1};
    ib_loader *a = ib_loader_new(d, &info, &o), *b = ib_loader_new(d, &info, &o);
    REQUIRE(a && b);
    hash(b, 4, 0, 7);
    hash(b, 2, 30, 3);
    CHECK(hash(a, 3, 20, 5) == hash(b, 3, 20, 5));
    CHECK(hash(a, 3, 0, 99) != hash(a, 4, 0, 99));
    ib_loader_free(a);
    ib_loader_free(b);
    int seen[10] = {0};
    ib_batch batch;
    int64_t n = 0;
    a = ib_loader_new(d, &info, &(ib_loader_opts){.batch = 100, .shuffle = 1});
    while (ib_loader_next(a, &batch))
        for (int i = 0; i < batch.n; i++, n++)
            seen[batch.y[i]]++;
    CHECK_INT(n, 1438); /* every sample once */
    int want[10] = {0};
    for (int64_t i = 0; i < 1438; i++)
        want[ib_dataset_label(d, i)]++;
    CHECK(!memcmp(seen, want, sizeof seen));
    ib_loader_free(a);
    CHECK_ERROR(!ib_loader_new(d, &info, &(ib_loader_opts){.batch = -1}) ? 1 : 0, "-1");
    ib_dataset_free(d);
}

static void augmentation_moves_and_keeps_bytes(void)
{
    float x[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0};
    ib_dataset *d = ib_dataset_new(1, 1, 3, 3, 2, 255, x, (int32_t[]){1});
    ib_loader *l = ib_loader_new(d, NULL, &(ib_loader_opts){.batch = 1, .seed = 5, .shift = 1});
    ib_batch b;
    int places[9] = {0};
    for (int epoch = 0; epoch < 200; epoch++) {
        ib_loader_start(l, epoch, 0);
        REQUIRE(ib_loader_next(l, &b));
        for (int i = 0; i < 9; i++) {
            CHECK(b.x[i] == 0 || b.x[i] == 1); /* whole pixels: no new values */
            places[i] += b.x[i] == 1;
        }
    }
    for (int i = 0; i < 9; i++)
        CHECK(places[i] > 0);
    ib_loader_free(l);
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

/* A reader that dies is an error of its file. Broken by: a reader in this process, a message that is lost, classes that
 * the split leaves out. */
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
      T(idx_cut_anywhere_is_an_error), T(csv_is_read_and_checked), T(numbers_are_targets), T(folds_test_every_row_once),
      T(whole_tables_have_no_test_part), T(hdf5_cut_anywhere_is_an_error), T(labels_and_shapes_are_checked),
      T(batches_depend_on_seed_epoch_and_index_alone), T(augmentation_moves_and_keeps_bytes))
