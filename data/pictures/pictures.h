/* pictures.h - pictures in files as samples: decoded when they are asked for, by several threads. */
#ifndef IB_DATA_PICTURES_PICTURES_H
#define IB_DATA_PICTURES_PICTURES_H

#include "data/pictures/picture.h"

typedef struct ib_pictures {
    int64_t n;
    char **path; /* [n] */
    int c, h, w; /* of a sample */
    struct ib_moments {
        uint64_t sum, square;
    } * moments; /* [n] of each sample's bytes: exact, in whatever order they come */
} ib_pictures;

/* Makes n paths of room; NULL if memory is out. */
ib_pictures *ib_pictures_new(int64_t n, int c, int h, int w);
void ib_pictures_free(ib_pictures *p); /* NULL is fine */

/* Decodes all of them: looks at each once, measures the moments, and keeps x[n,c,h,w] as byte / 255 (NULL: nothing). */
ib_status ib_pictures_measure(ib_pictures *p, float *x);
/* Sums of the first n pictures' values and of their squares. */
void ib_pictures_moments(const ib_pictures *p, int64_t n, double *sum, double *square);
/* Decodes pictures at[0..n-1] as x[n,c,h,w]. */
ib_status ib_pictures_read(const ib_pictures *p, int64_t n, const uint32_t *at, float *x);

/* The sizes of n files as they are to be seen. */
typedef struct ib_picture_size {
    int c, h, w;
} ib_picture_size;
ib_status ib_picture_sizes(int64_t n, char *const *path, ib_picture_size *out);

#endif
