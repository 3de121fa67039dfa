/* pictures.h - files of pictures for tests, written by libpng and libjpeg. */
#ifndef IB_TESTS_DATA_PICTURES_H
#define IB_TESTS_DATA_PICTURES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

typedef struct png_kind {
    int colour, bits, interlaced; /* PNG_COLOR_TYPE_... */
    int n_palette;
    png_color palette[256];
    int n_exif;
    unsigned char *exif;
    int with_text; /* a comment, a gamma and a profile that is none: chunks that say nothing of the numbers */
} png_kind;

/* rows: as PNG stores them, h of them, one after the other. 0 on failure. */
static inline int write_png(const char *path, int w, int h, const png_kind *kind, const unsigned char *rows)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (!f || setjmp(png_jmpbuf(png)))
        return 0;
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, kind->bits, kind->colour,
                 kind->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind->n_palette)
        png_set_PLTE(png, info, kind->palette, kind->n_palette);
    if (kind->n_exif)
        png_set_eXIf_1(png, info, (png_uint_32)kind->n_exif, kind->exif);
    if (kind->with_text) {
        png_set_gAMA(png, info, 0.3);
        png_set_text(png, info,
                     &(png_text){.compression = PNG_TEXT_COMPRESSION_NONE, .key = "Comment", .text = "a test"}, 1);
    }
    png_write_info(png, info);
    const size_t size = png_get_rowbytes(png, info);
    png_bytep *row = malloc((size_t)h * sizeof *row);
    for (int y = 0; y < h; y++)
        row[y] = (png_bytep)(rows + (size_t)y * size);
    png_write_image(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    return !fclose(f);
}

typedef struct jpeg_kind {
    int colours; /* 1, 3 or 4 */
    int progressive;
    int no_adobe;
    int n_exif; /* with "Exif\0\0" before it */
    const unsigned char *exif;
} jpeg_kind;

/* pixels [h,w,colours] at the best quality, without subsampling. */
static inline int write_jpeg(const char *path, int w, int h, const jpeg_kind *kind, const unsigned char *pixels)
{
    FILE *f = fopen(path, "wb");
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    if (!f)
        return 0;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_stdio_dest(&j, f);
    j.image_width = (JDIMENSION)w;
    j.image_height = (JDIMENSION)h;
    j.input_components = kind->colours;
    j.in_color_space = kind->colours == 1 ? JCS_GRAYSCALE : kind->colours == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 100, TRUE);
    j.comp_info[0].h_samp_factor = j.comp_info[0].v_samp_factor = 1;
    if (kind->progressive)
        jpeg_simple_progression(&j);
    if (kind->no_adobe)
        j.write_Adobe_marker = FALSE;
    jpeg_start_compress(&j, TRUE);
    if (kind->n_exif)
        jpeg_write_marker(&j, JPEG_APP0 + 1, kind->exif, (unsigned)kind->n_exif);
    for (int y = 0; y < h; y++)
        jpeg_write_scanlines(&j, &(JSAMPROW){(JSAMPROW)pixels + (size_t)y * (size_t)w * (size_t)kind->colours}, 1);
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    return !fclose(f);
}

#endif
