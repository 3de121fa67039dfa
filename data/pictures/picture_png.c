/* picture_png.c - PNG by libpng: every kind of colour and depth, interlaced or not. */
#include <string.h>

#include <png.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/pictures/picture.h"

typedef struct reader {
    png_structp png;
    png_infop info;
    const ib_picture *p;
    size_t at;
    uint8_t **rows; /* [h] */
    int no_memory;
} reader;

/* Chunks that say nothing about which numbers the pixels are: libpng checks their sums alone. */
static const unsigned char passed_over[] = "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0"
                                           "sPLT\0sRGB\0tEXt\0tIME\0zTXt";

/* libpng's warnings are of things that it makes something up for. */
static void fail(png_structp png, png_const_charp text)
{
    const reader *r = png_get_error_ptr(png);
    if (r->no_memory)
        ib_fail(IB_ENOMEM, "%s: out of memory", r->p->name);
    else
        ib_fail(IB_EFORMAT, "%s: cannot be decoded: %s", r->p->name, text);
    png_longjmp(png, 1);
}

static void *take_memory(png_structp png, png_alloc_size_t bytes)
{
    reader *r = png_get_mem_ptr(png);
    void *p = ib_alloc(bytes);
    r->no_memory |= !p;
    return p;
}

static void give_memory(png_structp png, void *p)
{
    (void)png;
    ib_free(p);
}

static void give_bytes(png_structp png, png_bytep to, size_t n)
{
    reader *r = png_get_io_ptr(png);
    if (n > r->p->size - r->at)
        png_error(png, "it is cut short");
    memcpy(to, r->p->bytes + r->at, n);
    r->at += n;
}

/* length (4, big-endian) | type (4) | data | CRC (4), from the signature to IEND and no further (PNG 5.3). */
static ib_status check_chunks(ib_picture *p)
{
    for (size_t at = 8, n; at + 12 <= p->size; at += n + 12) {
        const unsigned char *chunk = p->bytes + at, *type = chunk + 4;
        n = (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
        if (n > p->size - at - 12)
            break;
        if (!memcmp(type, "acTL", 4))
            return ib_fail(IB_EFORMAT, "%s: is animated: a picture of one frame is needed", p->name);
        if (!memcmp(type, "eXIf", 4) && !(p->orientation = ib_exif_orientation(chunk + 8, n)))
            return ib_fail(IB_EFORMAT, "%s: its EXIF block is damaged: which side is up is not known", p->name);
        if (!memcmp(type, "IEND", 4))
            return at + n + 12 == p->size
                       ? IB_OK
                       : ib_fail(IB_EFORMAT, "%s: %zu bytes stand behind its end", p->name, p->size - at - n - 12);
    }
    return ib_fail(IB_EFORMAT, "%s: is cut short: the chunk IEND is missing", p->name);
}

static ib_status read_header(ib_picture *p, reader *r)
{
    png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, passed_over, (int)sizeof passed_over / 5);
    png_set_read_fn(r->png, r, give_bytes);
    png_read_info(r->png, r->info);
    const int colour = png_get_color_type(r->png, r->info);
    p->w = (int)png_get_image_width(r->png, r->info);
    p->h = (int)png_get_image_height(r->png, r->info);
    p->c = colour & PNG_COLOR_MASK_COLOR ? 3 : 1;
    return ib_picture_check_size(p->name, (uint64_t)p->w, (uint64_t)p->h);
}

/* It has no colour until something is behind it. */
static ib_status transparent(const ib_picture *p, size_t i, int alpha)
{
    return ib_fail(IB_EFORMAT, "%s: the pixel at %zu,%zu is transparent (alpha %d of 255): put a background behind it",
                   p->name, i % (size_t)p->w, i / (size_t)p->w, alpha);
}

/* Opaque pixels lose their alpha. */
static ib_status drop_alpha(ib_picture *p)
{
    const size_t n = (size_t)p->w * (size_t)p->h, c = (size_t)p->c;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *pixel = p->pixels + i * (c + 1);
        if (pixel[c] != 255)
            return transparent(p, i, pixel[c]);
        memmove(p->pixels + i * c, pixel, c);
    }
    return IB_OK;
}

/* Indices to colours. libpng makes up black for an index that the palette has not. */
static ib_status look_up(ib_picture *p, const reader *r)
{
    png_colorp colour = NULL;
    png_bytep alpha = NULL;
    int n = 0, n_alpha = 0;
    const size_t area = (size_t)p->w * (size_t)p->h;
    uint8_t *rgb = ib_alloc_raw(area * 3);
    if (!rgb)
        return IB_ENOMEM;
    png_get_PLTE(r->png, r->info, &colour, &n);
    png_get_tRNS(r->png, r->info, &alpha, &n_alpha, NULL);
    for (size_t i = 0; i < area; i++) {
        const int k = p->pixels[i];
        if (k >= n || (k < n_alpha && alpha[k] != 255)) {
            ib_free(rgb);
            return k >= n ? ib_fail(IB_EFORMAT, "%s: the pixel at %zu,%zu has palette index %d of %d", p->name,
                                    i % (size_t)p->w, i / (size_t)p->w, k, n)
                          : transparent(p, i, alpha[k]);
        }
        memcpy(rgb + 3 * i, (uint8_t[]){colour[k].red, colour[k].green, colour[k].blue}, 3);
    }
    ib_free(p->pixels);
    p->pixels = rgb;
    return IB_OK;
}

static ib_status read_rows(ib_picture *p, reader *r)
{
    const int palette = png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_PALETTE;
    if (palette)
        png_set_packing(r->png); /* an index a byte */
    else
        png_set_expand(r->png); /* less than 8 bits to 8, tRNS to alpha */
    png_set_scale_16(r->png);   /* v / 257, rounded */
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    const int channels = png_get_channels(r->png, r->info), wanted = palette ? 1 : p->c;
    const size_t width = (size_t)p->w * (size_t)channels;
    if (channels != wanted && channels != wanted + 1)
        return ib_fail(IB_EFORMAT, "%s: has %d channels", p->name, channels);
    if (!(p->pixels = ib_alloc_raw(width * (size_t)p->h)) || !(r->rows = ib_alloc_raw((size_t)p->h * sizeof *r->rows)))
        return IB_ENOMEM;
    for (int y = 0; y < p->h; y++)
        r->rows[y] = p->pixels + (size_t)y * width;
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return palette ? look_up(p, r) : channels == p->c ? IB_OK : drop_alpha(p);
}

ib_status ib_picture_png(ib_picture *p, int decode)
{
    reader *r = check_chunks(p) ? NULL : ib_alloc(sizeof *r);
    if (!r)
        return ib_error_status();
    r->p = p;
    ib_status status = IB_ENOMEM;
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, fail, fail, r, take_memory, give_memory);
    if (!r->png || !(r->info = png_create_info_struct(r->png)))
        status = ib_fail(r->no_memory ? IB_ENOMEM : IB_EFORMAT, "%s: libpng cannot be started", p->name);
    else if (setjmp(png_jmpbuf(r->png)))
        status = ib_error_status();
    else if (!(status = read_header(p, r)) && decode)
        status = read_rows(p, r);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    ib_free(r->rows);
    ib_free(r);
    return status;
}
