/* picture_jpeg.c - JPEG by libjpeg: baseline and progressive, grey, colour and CMYK of 8 bits. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/pictures/picture.h"

enum { MOST_SCANS = 500 }; /* a few bytes of a scan can cost a pass over all of a picture */

typedef struct reader {
    struct jpeg_error_mgr errors; /* first: libjpeg hands it back */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf failed;
    const char *name;
    uint8_t *row; /* of CMYK */
} reader;

static void fail(j_common_ptr j)
{
    reader *r = (reader *)j->err;
    char text[JMSG_LENGTH_MAX];
    j->err->format_message(j, text);
    ib_fail(IB_EFORMAT, "%s: cannot be decoded: %s", r->name, text);
    longjmp(r->failed, 1);
}

/* Warnings (below 0) are of bytes that libjpeg makes something up for. */
static void tell(j_common_ptr j, int level)
{
    if (level < 0)
        fail(j);
}

static void count_scans(j_common_ptr j)
{
    reader *r = (reader *)j->err;
    if (r->jpeg.input_scan_number <= MOST_SCANS)
        return;
    ib_fail(IB_EFORMAT, "%s: has more than %d scans", r->name, MOST_SCANS);
    longjmp(r->failed, 1);
}

static ib_status read_orientation(ib_picture *p, const reader *r)
{
    for (jpeg_saved_marker_ptr m = r->jpeg.marker_list; m; m = m->next)
        if (m->data_length >= 6 && !memcmp(m->data, "Exif\0", 6)) {
            p->orientation = ib_exif_orientation(m->data + 6, m->data_length - 6);
            break;
        }
    return p->orientation
               ? IB_OK
               : ib_fail(IB_EFORMAT, "%s: its EXIF block is damaged: which side is up is not known", p->name);
}

static ib_status read_header(ib_picture *p, reader *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    jpeg_mem_src(j, p->bytes, p->size);
    jpeg_save_markers(j, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(j, TRUE);
    if (ib_picture_check_size(p->name, j->image_width, j->image_height) || read_orientation(p, r))
        return ib_error_status();
    const int inks = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
    if (j->jpeg_color_space == JCS_UNKNOWN)
        return ib_fail(IB_EFORMAT, "%s: has %d components, which are no known colours", p->name, j->num_components);
    if (inks && !j->saw_Adobe_marker)
        return ib_fail(IB_EFORMAT,
                       "%s: is CMYK without Adobe's marker, which says whether 0 or 255 is no ink: save it as RGB",
                       p->name);
    p->w = (int)j->image_width;
    p->h = (int)j->image_height;
    p->c = j->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    j->out_color_space = inks ? JCS_CMYK : p->c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return IB_OK;
}

/* Adobe's CMYK holds 255 - ink, so a colour is C K / 255, rounded. */
static void without_inks(int w, const uint8_t *cmyk, uint8_t *rgb)
{
    for (int x = 0; x < w; x++)
        for (int k = 0; k < 3; k++)
            rgb[3 * x + k] = (uint8_t)((cmyk[4 * x + k] * cmyk[4 * x + 3] + 127) / 255);
}

static ib_status read_rows(ib_picture *p, reader *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    const size_t width = (size_t)p->w * (size_t)p->c;
    if (!(p->pixels = ib_alloc_raw(width * (size_t)p->h)))
        return IB_ENOMEM;
    if (j->out_color_space == JCS_CMYK && !(r->row = ib_alloc_raw((size_t)p->w * 4)))
        return IB_ENOMEM;
    jpeg_start_decompress(j);
    while (j->output_scanline < j->output_height) {
        uint8_t *to = p->pixels + j->output_scanline * width;
        jpeg_read_scanlines(j, &(JSAMPROW){r->row ? r->row : to}, 1);
        if (r->row)
            without_inks(p->w, r->row, to);
    }
    jpeg_finish_decompress(j);
    return IB_OK;
}

ib_status ib_picture_jpeg(ib_picture *p, int decode)
{
    reader *r = ib_alloc(sizeof *r);
    if (!r)
        return IB_ENOMEM;
    r->name = p->name;
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = fail;
    r->errors.emit_message = tell;
    ib_status status = IB_EFORMAT;
    if (!setjmp(r->failed)) {
        jpeg_create_decompress(&r->jpeg);
        r->progress.progress_monitor = count_scans;
        r->jpeg.progress = &r->progress;
        status = read_header(p, r);
        if (!status && decode)
            status = read_rows(p, r);
    } else {
        status = ib_error_status();
    }
    jpeg_destroy_decompress(&r->jpeg);
    ib_free(r->row);
    ib_free(r);
    return status;
}
