/* share_out.h - pieces of work that know nothing of each other, done by threads. */
#ifndef IB_DATA_SHARE_OUT_H
#define IB_DATA_SHARE_OUT_H

#include <stdint.h>

#include <isobit/status.h>

typedef ib_status ib_piece(void *context, int64_t i);
/* piece(context, i) for i from 0 to n - 1, in as many threads as ib_threads() says. Whatever their number, a failure is
 * the one of the lowest i; pieces behind it may be left undone. */
ib_status ib_share_out(int64_t n, ib_piece *piece, void *context);

#endif
