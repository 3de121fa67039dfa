/* test_batches.c - which samples are trained and tested on: folds, tables without a test part, numbers to learn, and
 * the same batches whatever happened before. Broken by: a row that is tested twice, an order that depends on what
 * was asked before. */
#include "tests/data/files.h"

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

SUITE("batches", T(numbers_are_targets), T(folds_test_every_row_once), T(whole_tables_have_no_test_part),
      T(batches_depend_on_seed_epoch_and_index_alone), T(augmentation_moves_and_keeps_bytes))
