/* picture.h - one file of JPEG or PNG, its pixels, and these as the planes that a network takes.
 *
 * A picture is understood wholly or refused: libjpeg's and libpng's warnings are failures here, checksums count, and
 * what would have to be guessed (a background behind transparent pixels, the ink of CMYK without Adobe's marker, the
 * frame of an animation) is not. Colour profiles and gamma are not applied: numbers stay as they stand in the file. */
#ifndef IB_DATA_PICTURES_PICTURE_H
#define IB_DATA_PICTURES_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h>

enum {
    IB_PICTURE_PIXELS = 1 << 26, /* the most that a picture may have: 8192 x 8192 */
    IB_PICTURE_BYTES = 1 << 28   /* and of its file */
};

typedef struct ib_picture {
    const char *name; /* of the file, for messages; borrowed */
    unsigned char *bytes;
    size_t size;
    int w, h, c;     /* as it is to be seen; c 1: grey, 3: red, green, blue */
    uint8_t *pixels; /* [h,w,c], once it is decoded */
    int orientation; /* 1 to 8, of EXIF 2.3, table 4: how the stored rows and columns are to be turned */
} ib_picture;

/* Reads the file and the picture's header. */
ib_status ib_picture_open(const char *path, ib_picture *out);
/* Its pixels, turned as EXIF says. */
ib_status ib_picture_decode(ib_picture *p);
/* The pixels as planes out[c,h,w] (picture_fit.c); they are lost by it. */
ib_status ib_picture_fit(ib_picture *p, int c, int h, int w, uint8_t *out);
void ib_picture_close(ib_picture *p);

/* ---- inside: the two formats. Header, or (decode) pixels of w x h as they are stored ---- */
typedef ib_status ib_picture_reader(ib_picture *p, int decode);
ib_picture_reader ib_picture_jpeg, ib_picture_png;
/* Fails where a picture has no pixel, or more than are possible. */
ib_status ib_picture_check_size(const char *name, uint64_t w, uint64_t h);

/* EXIF's orientation in a block that begins with TIFF's header; 1 where it says nothing, 0 where it cannot be read. */
int ib_exif_orientation(const unsigned char *exif, size_t size);
/* Turns pixels[h,w,c] of a stored picture; afterwards w and h are as it is to be seen. */
ib_status ib_picture_turn(ib_picture *p);

#endif
