/* test_schema.c - what columns and classes mean: as JSON and back in every bit, in other hands, with every allocation
 * failing once; tables into data sets, and rows into inputs.
 *
 * Broken by: a number that loses a bit, an input at another place, a test part that is not of each class alike,
 * memory that is lost. */
#include <unistd.h>

#include "tests/check.h"

static const char *const colours[] = {"blue", "gr\303\274n \"\n", "red"}, *const classes[] = {"no", "yes"};
static const ib_column columns[] = {{.name = "a", .mean = 0.1f, .std = 1e-20f},
                                    {.name = "colour", .n_names = 3, .names = colours, .usual = 2},
                                    {.name = "b, c", .mean = -3e9f, .std = 1.0f / 3}};
static const ib_schema_opts whole = {.n_columns = 3,
                                     .columns = columns,
                                     .n_classes = 2,
                                     .classes = classes,
                                     .label = "kind",
                                     .label_at = 1,
                                     .fill_missing = 1,
                                     .split_seed = UINT64_MAX,
                                     .test_share = 0.1};

static void text_keeps_every_bit(void)
{
    ib_schema *a = ib_schema_new(&whole);
    REQUIRE(a != NULL);
    char *text = ib_schema_text(a);
    REQUIRE(text != NULL);
    ib_schema *b = ib_schema_parse(text, strlen(text));
    REQUIRE(b != NULL);
    const ib_schema_opts *o = ib_schema_of(b);
    CHECK(o->split_seed == UINT64_MAX && o->test_share == 0.1 && o->fill_missing && !o->headerless && o->label_at == 1);
    CHECK(o->columns[0].mean == 0.1f && o->columns[0].std == 1e-20f && o->columns[2].std == 1.0f / 3);
    CHECK(!strcmp(o->columns[1].names[1], colours[1]) && o->columns[1].usual == 2 && !strcmp(o->label, "kind"));
    CHECK_INT(ib_schema_inputs(b), 5);
    CHECK(!strcmp(ib_schema_class(b, 1), "yes") && !ib_schema_class(b, 2) && !ib_schema_class(NULL, 0));
    char *again = ib_schema_text(b);
    CHECK(again && !strcmp(again, text));
    for (size_t n = 0; n < strlen(text); n++) /* cut anywhere */
        CHECK(!ib_schema_parse(text, n));
    ib_free(text);
    ib_free(again);
    ib_schema_free(ib_schema_hold(a)); /* one of two hands */
    ib_schema_free(a);
    ib_schema_free(b);
}

static void rows_become_inputs(void)
{
    ib_schema *s = ib_schema_new(&whole);
    float x[5];
    REQUIRE(s != NULL);
    ib_schema_apply(s, (float[]){0.1f, 1, -3e9f}, x);
    CHECK(x[0] == 0 && x[1] == 0 && x[2] == 1 && x[3] == 0 && x[4] == 0);
    ib_schema_apply(s, (float[]){NAN, NAN, -2e9f}, x);
    CHECK(x[0] == 0 && x[1] == 0 && x[2] == 0 && x[3] == 1 && x[4] == 1e9f * (1.0f / (1.0f / 3)));
    ib_schema_free(s);
}

static void what_is_no_schema_is_refused(void)
{
    static const char *const bad[][2] = {
        {"{}", "task"},
        {"{\"task\": \"dancing\"}", "task"},
        {"{\"task\": \"regression\", \"split_seed\": \"-1\"}", "split_seed"},
        {"{\"task\": \"regression\", \"split_seed\": \"1\", \"label_at\": 0, \"headerless\": 0}", "headerless"},
        {"[1] 2", "end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(ib_schema_parse(bad[i][0], strlen(bad[i][0])) ? 0 : 1, bad[i][1]);
    ib_column twice[] = {{.name = "a", .std = 1}, {.name = "a", .std = 1}}, flat = {.name = "a"};
    CHECK_ERROR(ib_schema_new(&(ib_schema_opts){.n_columns = 2, .columns = twice}) ? 0 : 1, "'a'");
    CHECK_ERROR(ib_schema_new(&(ib_schema_opts){.n_columns = 1, .columns = &flat}) ? 0 : 1, "deviation 0");
    const char *const latin[] = {"\344"};
    CHECK_ERROR(ib_schema_new(&(ib_schema_opts){.n_classes = 1, .classes = latin}) ? 0 : 1, "UTF-8");
}

/* 60 rows of three kinds: 30, 20 and 10. */
static const char *table(void)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/isobit-table-%d.csv", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fprintf(f, "x,colour,kind\n");
    for (int i = 0; i < 60; i++)
        fprintf(f, "%d,%s,%s\n", i * 7 % 60, i % 4 ? "red" : "blue", i % 6 < 3 ? "many" : i % 6 < 5 ? "some" : "few");
    fclose(f);
    return path;
}

static void the_test_part_is_of_each_class_alike(void)
{
    char spec[96];
    const char *path = table();
    snprintf(spec, sizeof spec, "csv:%s", path);
    ib_dataset *train = NULL, *test = NULL, *again, *other;
    REQUIRE(!ib_dataset_open_parts(spec, NULL, NULL, &train, &test));
    CHECK_INT(ib_dataset_count(train), 48);
    CHECK_INT(ib_dataset_count(test), 12);
    int of[3] = {0};
    for (int i = 0; i < 12; i++)
        of[ib_dataset_label(test, i)]++;
    CHECK(of[0] == 2 && of[1] == 6 && of[2] == 4); /* few, many, some */
    double sum = 0, square = 0;
    for (int i = 0; i < 48; i++) {
        sum += ib_dataset_image(train, i)[0];
        square += ib_dataset_image(train, i)[0] * (double)ib_dataset_image(train, i)[0];
    }
    CHECK_NEAR(sum / 48, 0, 1e-6);
    CHECK_NEAR(square / 48, 1, 1e-5);
    const ib_data_opts with = {.schema = ib_dataset_schema(train)}, moved = {.split_seed = 5};
    REQUIRE((again = ib_dataset_open_with(spec, IB_SPLIT_TEST, NULL, &with)) != NULL);
    REQUIRE((other = ib_dataset_open_with(spec, IB_SPLIT_TEST, NULL, &moved)) != NULL);
    int same = 1;
    for (int i = 0; i < 12; i++) {
        CHECK(!memcmp(ib_dataset_image(test, i), ib_dataset_image(again, i), 3 * sizeof(float)));
        same &= ib_dataset_label(test, i) == ib_dataset_label(other, i) &&
                ib_dataset_image(test, i)[0] == ib_dataset_image(other, i)[0];
    }
    CHECK(!same);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_dataset_free(again);
    ib_dataset_free(other);
    unlink(path);
}

/* A schema and a table with the n-th allocation failing, until none fails. */
static void every_allocation_may_fail(void)
{
    char spec[96];
    const char *path = table();
    snprintf(spec, sizeof spec, "csv:%s", path);
    for (int64_t n = 1, failed = 1; failed; n++) {
        ib_alloc_fail_at(n);
        ib_schema *s = ib_schema_new(&whole);
        ib_dataset *train = NULL, *test = NULL;
        const ib_status status = s ? ib_dataset_open_parts(spec, NULL, NULL, &train, &test) : ib_error_status();
        failed = ib_alloc_fail_at(0) >= n;
        CHECK_INT(status, failed ? IB_ENOMEM : IB_OK);
        CHECK(!failed || (!train && !test));
        ib_schema_free(s);
        ib_dataset_free(train);
        ib_dataset_free(test);
        REQUIRE(n < 5000);
    }
    unlink(path);
}

SUITE("schema", T(text_keeps_every_bit), T(rows_become_inputs), T(what_is_no_schema_is_refused),
      T(the_test_part_is_of_each_class_alike), T(every_allocation_may_fail))
