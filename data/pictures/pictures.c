/* pictures.c - see pictures.h */
#include "data/pictures/pictures.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/share_out.h"

/* Decoding takes up to 12 bytes a pixel (colours, their turned copy, the coefficients of progressive JPEG). Threads
 * wait until what they need fits in this, or until nobody else decodes. */
enum { ROOM = 1 << 30, BYTES_PER_PIXEL = 12 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;
static int64_t taken;

static int64_t take_room(const ib_picture *p)
{
    const int64_t need = (int64_t)p->w * p->h * BYTES_PER_PIXEL;
    pthread_mutex_lock(&lock);
    while (taken && taken + need > ROOM)
        pthread_cond_wait(&given, &lock);
    taken += need;
    pthread_mutex_unlock(&lock);
    return need;
}

static void give_room(int64_t need)
{
    pthread_mutex_lock(&lock);
    taken -= need;
    pthread_cond_broadcast(&given);
    pthread_mutex_unlock(&lock);
}

/* One picture as bytes[c,h,w]. */
static ib_status read_one(const ib_pictures *p, int64_t i, uint8_t *bytes)
{
    ib_picture picture;
    if (ib_picture_open(p->path[i], &picture))
        return ib_error_status();
    const int64_t need = take_room(&picture);
    ib_status status = ib_picture_decode(&picture);
    if (!status)
        status = ib_picture_fit(&picture, p->c, p->h, p->w, bytes);
    ib_picture_close(&picture);
    give_room(need);
    return status;
}

typedef struct reading {
    const ib_pictures *p;
    const uint32_t *at; /* NULL: all in their order */
    float *x;           /* or NULL */
    int measure;
} reading;

static ib_status read_piece(void *context, int64_t i)
{
    const reading *r = context;
    const ib_pictures *p = r->p;
    const int64_t size = (int64_t)p->c * p->h * p->w, at = r->at ? r->at[i] : i;
    uint8_t *bytes = ib_alloc_raw((size_t)size);
    const ib_status status = bytes ? read_one(p, at, bytes) : IB_ENOMEM;
    struct ib_moments m = {0};
    for (int64_t j = 0; !status && r->x && j < size; j++)
        r->x[i * size + j] = (float)bytes[j] / 255.0f;
    for (int64_t j = 0; !status && r->measure && j < size; j++) {
        m.sum += bytes[j];
        m.square += (uint64_t)bytes[j] * bytes[j];
    }
    if (r->measure)
        p->moments[i] = m;
    ib_free(bytes);
    return status;
}

ib_pictures *ib_pictures_new(int64_t n, int c, int h, int w)
{
    ib_pictures *p = ib_alloc(sizeof *p);
    if (!p)
        return NULL;
    *p = (ib_pictures){n, ib_alloc((size_t)n * sizeof *p->path), c, h, w, ib_alloc((size_t)n * sizeof *p->moments)};
    if (p->path && p->moments)
        return p;
    ib_pictures_free(p);
    return NULL;
}

void ib_pictures_free(ib_pictures *p)
{
    if (!p)
        return;
    for (int64_t i = 0; p->path && i < p->n; i++)
        ib_free(p->path[i]);
    ib_free(p->path);
    ib_free(p->moments);
    ib_free(p);
}

ib_status ib_pictures_measure(ib_pictures *p, float *x)
{
    return ib_share_out(p->n, read_piece, &(reading){p, NULL, x, 1});
}

void ib_pictures_moments(const ib_pictures *p, int64_t n, double *sum, double *square)
{
    uint64_t s = 0, q = 0;
    for (int64_t i = 0; i < n; i++) {
        s += p->moments[i].sum;
        q += p->moments[i].square;
    }
    *sum = (double)s / 255;
    *square = (double)q / (255.0 * 255);
}

ib_status ib_pictures_read(const ib_pictures *p, int64_t n, const uint32_t *at, float *x)
{
    return ib_share_out(n, read_piece, &(reading){p, at, x, 0});
}

/* ---- sizes ---- */

typedef struct sizes {
    char *const *path;
    ib_picture_size *out;
} sizes;

static ib_status size_piece(void *context, int64_t i)
{
    const sizes *s = context;
    ib_picture p;
    if (ib_picture_open(s->path[i], &p))
        return ib_error_status();
    s->out[i] = (ib_picture_size){p.c, p.h, p.w};
    ib_picture_close(&p);
    return IB_OK;
}

ib_status ib_picture_sizes(int64_t n, char *const *path, ib_picture_size *out)
{
    return ib_share_out(n, size_piece, &(sizes){path, out});
}
