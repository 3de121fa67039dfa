/* test_picture_folders.c - pictures in folders: classes, parts, what is refused, the same samples whether they are kept
 * or decoded again. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "data/dataset.h"
#include "tests/folder.h"
#include "tests/data/pictures.h"

/* A picture of w x h whose first pixel is `value`. */
static void picture(const char *name, int w, int h, int value)
{
    unsigned char *pixels = calloc((size_t)(w * h), 1);
    pixels[0] = (unsigned char)value;
    REQUIRE(write_png(in_dir(name), w, h, &(png_kind){.colour = PNG_COLOR_TYPE_GRAY, .bits = 8}, pixels));
    free(pixels);
}

static void folder(const char *name)
{
    REQUIRE(!mkdir(in_dir(name), 0777));
}

static ib_dataset *open_images(ib_split split, const ib_input_info *net, const ib_data_opts *opts)
{
    char spec[80];
    snprintf(spec, sizeof spec, "images:%s", dir);
    return ib_dataset_open_with(spec, split, net, opts);
}

static int first_pixel(const ib_dataset *d, int64_t i)
{
    const float *x = ib_dataset_image(d, i);
    return x ? (int)lrintf(x[0] * 255) : -1;
}

/* Classes b (6 pictures), a (11) and "C c" (1) of 3 x 2. */
static void make_classes(void)
{
    char name[32];
    make_dir();
    folder("b");
    folder("a");
    folder("C c");
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "b/%d.png", i);
        picture(name, 3, 2, 50 + i);
    }
    for (int i = 0; i < 11; i++) {
        snprintf(name, sizeof name, "a/%02d.png", i);
        picture(name, 3, 2, 100 + i);
    }
    picture("C c/x.png", 3, 2, 7);
}

static void folders_are_classes(void)
{
    make_classes();
    put("a/.hidden", "?", 1);
    put("Thumbs.db", "?", 1);
    folder(".git");
    ib_dataset *all = open_images(IB_SPLIT_ALL, NULL, NULL), *train = open_images(IB_SPLIT_TRAIN, NULL, NULL),
               *test = open_images(IB_SPLIT_TEST, NULL, NULL);
    REQUIRE(all && train && test);
    CHECK_INT(ib_dataset_count(all), 18);
    CHECK_INT(ib_dataset_count(train), 15);
    CHECK_INT(ib_dataset_count(test), 3); /* a's 5th and 10th, b's 5th */
    CHECK(first_pixel(test, 0) == 104 && first_pixel(test, 1) == 109 && first_pixel(test, 2) == 54);
    CHECK(first_pixel(all, 0) == 7 && ib_dataset_label(all, 0) == 0 && ib_dataset_label(all, 1) == 1 &&
          ib_dataset_label(all, 17) == 2);
    const ib_schema *schema = ib_dataset_schema(train);
    CHECK(!strcmp(ib_schema_class(schema, 0), "C c") && !strcmp(ib_schema_class(schema, 1), "a") &&
          !strcmp(ib_schema_class(schema, 2), "b"));
    CHECK(strstr(ib_dataset_note(train), "2 more like it: no picture, left out") != NULL);
    ib_input_info info = ib_dataset_info(all);
    CHECK(info.c == 1 && info.h == 2 && info.w == 3 && info.classes == 3 && info.raw_max == 255);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < 18; i++) {
        sum += first_pixel(all, i);
        square += (double)first_pixel(all, i) * first_pixel(all, i);
    }
    const double mean = sum / (18 * 6), var = square / (18 * 6) - mean * mean;
    CHECK_NEAR(info.mean * 255, rint(mean), 1e-4);
    CHECK_NEAR(info.std * 255, sqrt(var), 1e-3);
    ib_dataset_free(train);
    ib_dataset_free(test);
    /* the classes of a network in its order */
    ib_schema *other =
        ib_schema_new(&(ib_schema_opts){.n_classes = 4, .classes = (const char *const[]){"b", "z", "a", "C c"}});
    info.classes = 4;
    ib_dataset *known = open_images(IB_SPLIT_ALL, &info, &(ib_data_opts){.schema = other});
    REQUIRE(known != NULL);
    CHECK(first_pixel(known, 0) == 50 && ib_dataset_label(known, 0) == 0 && ib_dataset_label(known, 6) == 2 &&
          ib_dataset_label(known, 17) == 3);
    ib_dataset_free(known);
    folder("new");
    picture("new/1.png", 3, 2, 1);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, &info, &(ib_data_opts){.schema = other}),
                "/new: is none of the 4 classes of the model ('b' is the first)");
    info.classes = 5;
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, &info, NULL),
                "holds 4 folders; the model has 5 classes, and no names for them");
    ib_schema_free(other);
    ib_dataset_free(all);
    remove_dir();
}

static void parts_have_folders(void)
{
    make_dir();
    const char *const names[] = {"train",         "val",           "train/x",       "train/y",    "val/y",
                                 "train/x/1.png", "train/y/1.png", "train/y/2.png", "val/y/1.png"};
    for (int i = 0; i < 9; i++)
        if (i < 5)
            folder(names[i]);
        else
            picture(names[i], 2, 2, i);
    ib_dataset *train = open_images(IB_SPLIT_TRAIN, NULL, NULL), *test = open_images(IB_SPLIT_TEST, NULL, NULL),
               *all = open_images(IB_SPLIT_ALL, NULL, NULL);
    REQUIRE(train && test && all);
    CHECK(ib_dataset_count(train) == 3 && ib_dataset_count(test) == 1 && ib_dataset_count(all) == 4);
    CHECK(ib_dataset_label(test, 0) == 1 && first_pixel(test, 0) == 8 && first_pixel(all, 3) == 8);
    ib_dataset_free(train);
    ib_dataset_free(test);
    ib_dataset_free(all);
    folder("test");
    train = open_images(IB_SPLIT_TRAIN, NULL, NULL);
    REQUIRE(train != NULL);
    CHECK(strstr(ib_dataset_note(train), "val is its test part") != NULL);
    ib_dataset_free(train);
    folder("val/z");
    picture("val/z/1.png", 2, 2, 1);
    CHECK_ERROR(!open_images(IB_SPLIT_TEST, NULL, NULL), "val/z: is none of the 2 classes of train");
    folder("more");
    CHECK_ERROR(!open_images(IB_SPLIT_TEST, NULL, NULL), "more: stands beside train and val");
    remove_dir();
}

static void folders_that_are_refused(void)
{
    make_classes();
    put("a/list.txt", "no picture", 10);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "a/list.txt: is neither JPEG nor PNG");
    unlink(in_dir("a/list.txt"));
    put("labels.csv", "1", 1);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "labels.csv: is a file beside the folder of a class, C c");
    unlink(in_dir("labels.csv"));
    folder("d");
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "/d: holds no picture");
    folder("d/inner");
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "d/inner: is a folder where pictures are expected");
    rmdir(in_dir("d/inner"));
    rmdir(in_dir("d"));
    REQUIRE(!symlink("nowhere", in_dir("a/link.png")));
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "a/link.png: is a link to nothing");
    unlink(in_dir("a/link.png"));
    REQUIRE(!mkfifo(in_dir("a/pipe.png"), 0600));
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "a/pipe.png: is neither a file nor a folder");
    unlink(in_dir("a/pipe.png"));
    picture("a/caf\xe9.png", 3, 2, 1);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "the byte 0xe9 behind 'caf'");
    unlink(in_dir("a/caf\xe9.png"));
    picture("b/large.png", 4, 4, 1);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "C c/x.png is 1x2x3, ");
    CHECK(strstr(ib_error(), "b/large.png is 1x4x4: --input CxHxW makes all pictures one size") != NULL);
    ib_dataset *d = open_images(IB_SPLIT_ALL, NULL, &(ib_data_opts){.input = {3, 2, 2}});
    REQUIRE(d != NULL);
    const ib_input_info info = ib_dataset_info(d);
    CHECK(info.c == 3 && info.h == 2 && info.w == 2);
    ib_dataset_free(d);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, &info, &(ib_data_opts){.input = {3, 4, 4}}),
                "--input 3x4x4: the model was made for 3x2x2");
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, &(ib_data_opts){.label = "x"}), "--label is for tables");
    CHECK_ERROR(!ib_dataset_open_with("digits", IB_SPLIT_ALL, NULL, &(ib_data_opts){.input = {1, 8, 8}}),
                "--input is for folders of pictures");
    remove_dir();
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "No such file");
    make_dir();
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "holds no picture");
    folder("one");
    picture("one/1.png", 2, 2, 1);
    CHECK_ERROR(!open_images(IB_SPLIT_ALL, NULL, NULL), "holds one class, 'one'");
    remove_dir();
}

static void pictures_without_classes(void)
{
    make_dir();
    picture("b.png", 2, 2, 2);
    picture("a.png", 2, 2, 1);
    ib_dataset *d = open_images(IB_SPLIT_ALL, NULL, NULL);
    REQUIRE(d != NULL);
    CHECK(ib_dataset_count(d) == 2 && !ib_dataset_labelled(d) && first_pixel(d, 0) == 1 && first_pixel(d, 1) == 2);
    ib_dataset_free(d);
    CHECK_ERROR(!open_images(IB_SPLIT_TEST, NULL, NULL), "too few pictures for a test part");
    remove_dir();
}

/* ---- the same samples whether they are kept or decoded again, by any number of threads ---- */

static void samples_do_not_depend_on_memory(void)
{
    ib_batch a, b;
    make_classes();
    for (int threads = 1; threads <= 3; threads += 2) {
        ib_threads_set(threads);
        ib_dataset *kept = open_images(IB_SPLIT_TRAIN, NULL, NULL),
                   *again = open_images(IB_SPLIT_TRAIN, NULL, &(ib_data_opts){.memory = 1});
        REQUIRE(kept && again && kept->x && !again->x);
        const ib_input_info i = ib_dataset_info(kept), j = ib_dataset_info(again);
        CHECK(!memcmp(&i, &j, sizeof i));
        for (int shift = 0; shift < 2; shift++) {
            const ib_loader_opts opts = {
                .batch = 4, .shuffle = 1, .seed = 3, .shift = (float)shift, .rotate = (float)(10 * shift)};
            ib_loader *l = ib_loader_new(kept, &i, &opts), *m = ib_loader_new(again, &j, &opts);
            REQUIRE(l && m);
            for (int64_t k = 0; k < ib_loader_batches(l); k++) {
                REQUIRE(ib_loader_next(l, &a) && ib_loader_next(m, &b));
                CHECK(a.n == b.n && !memcmp(a.x, b.x, (size_t)a.n * 6 * sizeof *a.x) &&
                      !memcmp(a.y, b.y, (size_t)a.n * sizeof *a.y));
            }
            CHECK(!ib_loader_next(m, &b) && !ib_loader_status(m));
            ib_loader_free(l);
            ib_loader_free(m);
        }
        ib_dataset_free(kept);
        ib_dataset_free(again);
    }
    ib_threads_set(0);
    remove_dir();
}

static void files_that_go_are_told(void)
{
    ib_batch b;
    make_classes();
    ib_dataset *d = open_images(IB_SPLIT_ALL, NULL, &(ib_data_opts){.memory = 1});
    ib_loader *l = ib_loader_new(d, NULL, &(ib_loader_opts){.batch = 5});
    REQUIRE(d && l);
    CHECK(ib_loader_next(l, &b) && ib_loader_next(l, &b));
    unlink(in_dir("b/5.png"));
    int n = 2;
    while (ib_loader_next(l, &b))
        n++;
    CHECK_INT(n, 3);
    CHECK_ERROR(ib_loader_status(l), "b/5.png: No such file");
    CHECK_ERROR(!ib_dataset_image(d, 17), "b/5.png: No such file");
    picture("b/5.png", 3, 2, 55);
    CHECK(!ib_loader_start(l, 0, 3) && ib_loader_next(l, &b) && !ib_loader_status(l));
    ib_loader_free(l);
    ib_dataset_free(d);
    remove_dir();
}

/* Reading, decoding, resizing and loading. 0 when all of it worked. */
static int life(void)
{
    ib_batch b;
    ib_dataset *d = open_images(IB_SPLIT_ALL, NULL, &(ib_data_opts){.memory = 1, .input = {3, 2, 2}});
    ib_loader *l = d ? ib_loader_new(d, NULL, &(ib_loader_opts){.batch = 3, .rotate = 5}) : NULL;
    int n = 0;
    while (l && ib_loader_next(l, &b))
        n += b.n;
    const int failed = !l || ib_loader_status(l);
    CHECK(failed || n == 4);
    ib_loader_free(l);
    ib_dataset_free(d);
    return failed;
}

static void every_allocation_may_fail(void)
{
    unsigned char exif[32] = "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6", pixels[16 * 16 * 4] = {0};
    int64_t n;
    make_dir();
    folder("a");
    folder("b");
    picture("a/1.png", 3, 2, 1);
    put("a/.hidden", "?", 1);
    REQUIRE(write_png(in_dir("a/2.png"), 8, 8,
                      &(png_kind){.colour = PNG_COLOR_TYPE_RGB, .bits = 16, .interlaced = 1, .with_text = 1}, pixels));
    REQUIRE(write_jpeg(in_dir("b/1.jpg"), 16, 16, &(jpeg_kind){.colours = 4}, pixels));
    REQUIRE(write_jpeg(in_dir("b/2.jpg"), 16, 16,
                       &(jpeg_kind){.colours = 3, .progressive = 1, .n_exif = 32, .exif = exif}, pixels));
    for (int threads = 1; threads < 3; threads++) {
        ib_threads_set(threads);
        for (n = 1; n < 5000; n++) {
            ib_alloc_fail_at(n);
            const int failed = life();
            const int64_t made = ib_alloc_fail_at(0);
            if (made < n) {
                CHECK_INT(failed, 0);
                break;
            }
            CHECK(failed && *ib_error());
        }
        CHECK(n > 100 && n < 5000);
    }
    ib_threads_set(0);
    remove_dir();
}

SUITE("picture folders", T(folders_are_classes), T(parts_have_folders), T(folders_that_are_refused),
      T(pictures_without_classes), T(samples_do_not_depend_on_memory), T(files_that_go_are_told),
      T(every_allocation_may_fail))
