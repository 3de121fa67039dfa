/* test_pictures.c - pictures in files: what each kind of file holds, which files are refused, how they fit a size. */
#include "tests/check.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/dataset.h"
#include "data/pictures/picture.h"
#include "tests/folder.h"
#include "tests/data/pictures.h"

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

SUITE("pictures", T(png_of_every_depth), T(png_that_is_refused), T(jpeg_of_every_kind), T(jpeg_cut_anywhere_is_refused),
      T(orientation_is_followed), T(pictures_fit))
