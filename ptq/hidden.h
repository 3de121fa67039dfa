/* hidden.h - the rows that go from one block of a decoder to the next, window by window, in a file: memory holds one
 * window. */
#ifndef IB_PTQ_HIDDEN_H
#define IB_PTQ_HIDDEN_H

#include <stdint.h>

#include <isobit/status.h>

typedef struct ib_hidden {
    int fd;
    int64_t windows, values; /* of a window: tokens x width */
    float *row;              /* [values] the window that was read last */
    char *path;
} ib_hidden;

/* A new file in `folder` (NULL: that of temporary files), which goes with the process. */
ib_status ib_hidden_new(ib_hidden *h, const char *folder, int64_t windows, int64_t values);
void ib_hidden_release(ib_hidden *h);
ib_status ib_hidden_read(ib_hidden *h, int64_t window); /* into row */
ib_status ib_hidden_write(ib_hidden *h, int64_t window, const float *row);

#endif
