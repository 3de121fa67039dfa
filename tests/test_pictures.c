/* test_pictures.c - pictures in files and folders: what each kind of file holds, which files are refused, how pictures
 * become samples. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/dataset.h"
#include "data/picture.h"
#include "tests/pictures.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[8][160];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/isobit-pictures-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(!system(command));
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
}

static ib_status decode(const char *name, ib_picture *p)
{
    const ib_status status = ib_picture_open(in_dir(name), p);
    if (status)
        return status;
    const ib_status decoded = ib_picture_decode(p);
    if (decoded)
        ib_picture_close(p);
    return decoded;
}

/* The file is refused by its name and `words`. */
static void refused(const char *name, const char *words)
{
    ib_picture p;
    CHECK_ERROR(decode(name, &p), words);
    CHECK(strstr(ib_error(), name) != NULL);
}

/* Pixel (x,y) of a picture of 3 columns and 2 rows is the number that `pixels` has there. */
static void holds(const char *name, int c, const unsigned char *pixels)
{
    ib_picture p;
    REQUIRE(!decode(name, &p));
    CHECK(p.w == 3 && p.h == 2 && p.c == c);
    CHECK(!memcmp(p.pixels, pixels, 6 * (size_t)c));
    ib_picture_close(&p);
}

/* ---- PNG ---- */

static void png_of_every_depth(void)
{
    static const struct {
        int colour, bits, c;
        unsigned char rows[36], pixels[18];
    } kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 1, {0xA0, 0x40}, {255, 0, 255, 0, 255, 0}},
        {PNG_COLOR_TYPE_GRAY, 2, 1, {0x1B, 0xE4}, {0, 85, 170, 255, 170, 85}},
        {PNG_COLOR_TYPE_GRAY, 4, 1, {0x0F, 0x10, 0x23, 0x40}, {0, 255, 17, 34, 51, 68}},
        {PNG_COLOR_TYPE_GRAY, 8, 1, {1, 2, 3, 4, 5, 255}, {1, 2, 3, 4, 5, 255}},
        {PNG_COLOR_TYPE_GRAY, 16, 1, {0, 128, 0, 129, 1, 1, 255, 255, 255, 127, 255, 126}, {0, 1, 1, 255, 255, 254}},
        {PNG_COLOR_TYPE_RGB,
         8,
         3,
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1},
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
        {PNG_COLOR_TYPE_PALETTE,
         2,
         3,
         {0x18, 0x60},
         {10, 20, 30, 40, 50, 60, 70, 80, 90, 40, 50, 60, 70, 80, 90, 10, 20, 30}},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 1, {9, 255, 8, 255, 7, 255, 6, 255, 5, 255, 4, 255}, {9, 8, 7, 6, 5, 4}},
    };
    make_dir();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            png_kind kind = {
                .colour = kinds[i].colour, .bits = kinds[i].bits, .interlaced = interlaced, .with_text = 1};
            if (kind.colour == PNG_COLOR_TYPE_PALETTE) {
                kind.n_palette = 3;
                memcpy(kind.palette, (png_color[]){{10, 20, 30}, {40, 50, 60}, {70, 80, 90}}, 9);
            }
            REQUIRE(write_png(in_dir("x.png"), 3, 2, &kind, kinds[i].rows));
            holds("x.png", kinds[i].c, kinds[i].pixels);
        }
    REQUIRE(write_png(in_dir("alpha.png"), 3, 2, &(png_kind){.colour = PNG_COLOR_TYPE_GRAY_ALPHA, .bits = 8},
                      (unsigned char[]){1, 255, 2, 255, 3, 255, 4, 255, 5, 254, 6, 255}));
    refused("alpha.png", "the pixel at 1,1 is transparent (alpha 254 of 255)");
    remove_dir();
}

static void put_chunk(unsigned char **at, const char *type, const void *data, uint32_t n)
{
    unsigned char *p = *at;
    memcpy(p,
           (unsigned char[]){(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                             (unsigned char)n},
           4);
    memcpy(p + 4, type, 4);
    if (n)
        memcpy(p + 8, data, n);
    const uint32_t sum = (uint32_t)crc32(crc32(0, NULL, 0), p + 4, n + 4);
    memcpy(p + 8 + n,
           (unsigned char[]){(unsigned char)(sum >> 24), (unsigned char)(sum >> 16), (unsigned char)(sum >> 8),
                             (unsigned char)sum},
           4);
    *at += n + 12;
}

/* A PNG of one row of `w` x `h` in its header, with a chunk before the pixels. */
static size_t make_png(unsigned char *out, uint32_t w, uint32_t h, const char *type)
{
    unsigned char header[13] = {(unsigned char)(w >> 24), (unsigned char)(w >> 16), (unsigned char)(w >> 8),
                                (unsigned char)w,         (unsigned char)(h >> 24), (unsigned char)(h >> 16),
                                (unsigned char)(h >> 8),  (unsigned char)h,         8};
    const int palette = type && !strcmp(type, "PLTE"); /* of two colours, and a pixel of the eighth */
    unsigned char row[64] = {0, 0, 7}, packed[128], *at = out + 8;
    uLongf n = sizeof packed;
    header[9] = palette ? PNG_COLOR_TYPE_PALETTE : PNG_COLOR_TYPE_GRAY;
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&at, "IHDR", header, 13);
    if (type)
        put_chunk(&at, type, "\0\0\0\1\0\0\0\0", palette ? 6 : 8);
    compress(packed, &n, row, 1 + (w < 60 ? w : 60));
    put_chunk(&at, "IDAT", packed, (uint32_t)n);
    put_chunk(&at, "IEND", "", 0);
    return (size_t)(at - out);
}

static void png_that_is_refused(void)
{
    unsigned char png[400];
    make_dir();
    size_t n = make_png(png, 5, 1, NULL);
    put("good.png", png, n);
    ib_picture p;
    REQUIRE(!decode("good.png", &p));
    ib_picture_close(&p);
    for (size_t cut = 1; cut < n; cut++) {
        put("cut.png", png, cut);
        refused("cut.png", cut < 8 ? "neither JPEG nor PNG" : "cut short");
    }
    for (size_t i = 8; i < n; i++) { /* every bit is under a checksum */
        png[i] ^= 4;
        put("flipped.png", png, n);
        CHECK(decode("flipped.png", &p) != IB_OK && strstr(ib_error(), "flipped.png"));
        png[i] ^= 4;
    }
    memcpy(png + n, "more", 4);
    put("more.png", png, n + 4);
    refused("more.png", "4 bytes stand behind its end");
    n = make_png(png, 5, 1, "acTL");
    put("moving.png", png, n);
    refused("moving.png", "is animated");
    n = make_png(png, 5, 1, "QUIK"); /* one that must be understood */
    put("critical.png", png, n);
    refused("critical.png", "critical chunk");
    n = make_png(png, 5, 1, "PLTE");
    put("index.png", png, n);
    refused("index.png", "palette index");
    n = make_png(png, 5, 2, NULL);
    put("short.png", png, n);
    refused("short.png", "cannot be decoded");
    n = make_png(png, 20000, 20000, NULL);
    put("vast.png", png, n);
    refused("vast.png", "20000 x 20000 pixels");
    n = make_png(png, 0, 1, NULL);
    put("none.png", png, n);
    refused("none.png", "");
    put("empty.png", png, 0);
    refused("empty.png", "file of 0 bytes");
    put("text.png", "a text", 6);
    refused("text.png", "neither JPEG nor PNG");
    remove_dir();
}

/* ---- JPEG ---- */

static int near_pixels(const ib_picture *p, const unsigned char *pixels, int bound)
{
    for (int i = 0; i < p->w * p->h * p->c; i++)
        if (abs(p->pixels[i] - pixels[i]) > bound)
            return 0;
    return 1;
}

static void jpeg_of_every_kind(void)
{
    unsigned char flat[16 * 16 * 4], inks[16 * 16 * 3];
    ib_picture p;
    make_dir();
    for (int i = 0; i < 16 * 16 * 4; i++)
        flat[i] = (unsigned char)(40 + 3 * (i % 7) + i / 64);
    for (int progressive = 0; progressive < 2; progressive++)
        for (int colours = 1; colours <= 4; colours += colours == 1 ? 2 : 1) {
            REQUIRE(write_jpeg(in_dir("x.jpg"), 16, 16, &(jpeg_kind){.colours = colours, .progressive = progressive},
                               flat));
            REQUIRE(!decode("x.jpg", &p));
            CHECK(p.w == 16 && p.h == 16 && p.c == (colours == 1 ? 1 : 3));
            for (int i = 0; i < 16 * 16 * 3; i++)
                inks[i] = (unsigned char)((flat[i / 3 * 4 + i % 3] * flat[i / 3 * 4 + 3] + 127) / 255);
            CHECK(near_pixels(&p, colours == 4 ? inks : flat, 6));
            ib_picture_close(&p);
        }
    REQUIRE(write_jpeg(in_dir("bare.jpg"), 16, 16, &(jpeg_kind){.colours = 4, .no_adobe = 1}, flat));
    refused("bare.jpg", "CMYK without Adobe's marker");
    remove_dir();
}

static void jpeg_cut_anywhere_is_refused(void)
{
    unsigned char flat[16 * 16];
    ib_picture p;
    size_t n = 0;
    make_dir();
    for (int i = 0; i < 256; i++)
        flat[i] = (unsigned char)(i * 37);
    for (int progressive = 0; progressive < 2; progressive++) {
        REQUIRE(write_jpeg(in_dir("whole.jpg"), 16, 16, &(jpeg_kind){.colours = 1, .progressive = progressive}, flat));
        unsigned char *bytes = ib_file_read(in_dir("whole.jpg"), &n);
        REQUIRE(bytes != NULL);
        for (size_t cut = 0; cut < n; cut++) {
            put("cut.jpg", bytes, cut);
            CHECK(decode("cut.jpg", &p) != IB_OK && strstr(ib_error(), "cut.jpg"));
        }
        for (size_t i = 0; i + 9 < n; i++)
            if (bytes[i] == 0xFF && (bytes[i + 1] == 0xC0 || bytes[i + 1] == 0xC2)) { /* SOF: height, width */
                memcpy(bytes + i + 5, "\x4e\x20\x4e\x20", 4);
                break;
            }
        put("vast.jpg", bytes, n);
        refused("vast.jpg", "20000 x 20000 pixels");
        ib_free(bytes);
    }
    remove_dir();
}

/* ---- EXIF ---- */

/* Where pixel (x,y) as it is seen stands in the stored picture of 3 columns and 2 rows, for each orientation: by EXIF's
 * words, "the 0th row is the visual top, the 0th column the visual left" (1), "top, right" (2), "bottom, right" (3),
 * "bottom, left" (4), "left, top" (5), "right, top" (6), "right, bottom" (7), "left, bottom" (8). */
static const char *const seen[] = {"abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"};

static void orientation_is_followed(void)
{
    unsigned char exif[32] = "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0";
    ib_picture p;
    make_dir();
    for (int big = 0; big < 2; big++)
        for (int turn = 0; turn <= 9; turn++) {
            if (big)
                memcpy(exif + 6, "MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\0\0\0\0\0\0", 25);
            exif[big ? 25 : 24] = (unsigned char)turn;
            exif[big ? 24 : 25] = 0;
            REQUIRE(write_png(in_dir("x.png"), 3, 2,
                              &(png_kind){.colour = PNG_COLOR_TYPE_GRAY, .bits = 8, .n_exif = 26, .exif = exif + 6},
                              (const unsigned char *)"abcdef"));
            unsigned char large[48 * 32];
            for (int i = 0; i < 48 * 32; i++)
                large[i] = (unsigned char)(40 * (i / 48 / 16 * 3 + i % 48 / 16));
            REQUIRE(write_jpeg(in_dir("x.jpg"), 48, 32, &(jpeg_kind){.colours = 1, .n_exif = 32, .exif = exif}, large));
            if (turn == 9) {
                refused("x.png", "EXIF");
                refused("x.jpg", "EXIF");
                continue;
            }
            const char *as = seen[turn ? turn - 1 : 0];
            REQUIRE(!decode("x.png", &p));
            CHECK(p.w == (turn > 4 ? 2 : 3) && p.h == (turn > 4 ? 3 : 2) && !memcmp(p.pixels, as, 6));
            ib_picture_close(&p);
            REQUIRE(!decode("x.jpg", &p));
            CHECK(p.w == (turn > 4 ? 32 : 48) && p.h == (turn > 4 ? 48 : 32));
            for (int i = 0; i < 6; i++)
                CHECK(abs(p.pixels[(i / (p.w / 16) * 16 + 8) * p.w + i % (p.w / 16) * 16 + 8] - 40 * (as[i] - 'a')) <
                      4);
            ib_picture_close(&p);
        }
    for (int n = 0; n < 26; n++) { /* cut: it cannot be read, or there is nothing in it */
        const int turn = ib_exif_orientation(exif + 6, (size_t)n);
        CHECK(turn == 0);
    }
    remove_dir();
}

/* ---- sizes ---- */

static void fit(int w, int h, int c, const unsigned char *pixels, int to_c, int to_h, int to_w, unsigned char *out)
{
    ib_picture p = {.name = "test", .w = w, .h = h, .c = c, .pixels = ib_alloc((size_t)(w * h * c))};
    REQUIRE(p.pixels != NULL);
    memcpy(p.pixels, pixels, (size_t)(w * h * c));
    CHECK(!ib_picture_fit(&p, to_c, to_h, to_w, out));
    ib_picture_close(&p);
}

static void pictures_fit(void)
{
    unsigned char pixels[64 * 48 * 3], out[64 * 64 * 3];
    for (int i = 0; i < (int)sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * 31 + i / 97);
    fit(8, 6, 1, pixels, 1, 6, 8, out); /* as they are */
    CHECK(!memcmp(out, pixels, 48));
    fit(2, 1, 3, pixels, 3, 1, 2, out); /* planes */
    CHECK(out[0] == pixels[0] && out[1] == pixels[3] && out[2] == pixels[1] && out[5] == pixels[5]);
    fit(1, 1, 3, (const unsigned char[]){255, 0, 0}, 1, 1, 1, out);
    CHECK_INT(out[0], 76); /* 0.299 x 255 = 76.2 */
    fit(1, 1, 3, (const unsigned char[]){0, 255, 0}, 1, 1, 1, out);
    CHECK_INT(out[0], 150); /* 149.7 */
    fit(1, 1, 3, (const unsigned char[]){0, 0, 255}, 1, 1, 1, out);
    CHECK_INT(out[0], 29);                                  /* 29.07 */
    fit(1, 1, 1, (const unsigned char[]){7}, 3, 9, 5, out); /* one pixel is all of them */
    for (int i = 0; i < 3 * 9 * 5; i++)
        CHECK(out[i] == 7);
    /* 4 to 2: weights 1/8 3/8 3/8 1/8 around the centre 1, of which the one outside falls away: 3/7 3/7 1/7 */
    fit(4, 4, 1, (const unsigned char[]){0, 70, 140, 210, 0, 70, 140, 210, 0, 70, 140, 210, 0, 70, 140, 210}, 1, 2, 2,
        out);
    CHECK(out[0] == 50 && out[1] == 160 && out[2] == 50 && out[3] == 160);
    /* the middle of 7 x 2: d = 5 begins at round(2.5) = 2; of 5 x 2: d = 3 at round(1.5) = 2 */
    fit(7, 2, 1, (const unsigned char[]){0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16}, 1, 2, 2, out);
    CHECK(out[0] == 2 && out[1] == 3 && out[2] == 12 && out[3] == 13);
    fit(5, 2, 1, (const unsigned char[]){0, 1, 2, 3, 4, 10, 11, 12, 13, 14}, 1, 2, 2, out);
    CHECK(out[0] == 2 && out[1] == 3);
}

/* ---- folders ---- */

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

SUITE("pictures", T(png_of_every_depth), T(png_that_is_refused), T(jpeg_of_every_kind), T(jpeg_cut_anywhere_is_refused),
      T(orientation_is_followed), T(pictures_fit), T(folders_are_classes), T(parts_have_folders),
      T(folders_that_are_refused), T(pictures_without_classes), T(samples_do_not_depend_on_memory),
      T(files_that_go_are_told), T(every_allocation_may_fail))
