/* kept.h - finished layers of a model that is being quantized, a file each, so that a run which was stopped goes on
 * behind them. The files' names are blk-<layer>.gguf; each says what made it (`settings`). */
#ifndef IB_PTQ_KEPT_H
#define IB_PTQ_KEPT_H

#include "ptq/swaps.h"

typedef struct ib_kept {
    const char *folder, *settings;
    ib_lm *m;
    ib_swaps *swaps; /* of the model's places */
} ib_kept;

/* What took places in a block, or in embedding and head (layer -1). */
ib_status ib_kept_write(const ib_kept *k, int layer);
/* Puts it there again. *there: whether there is such a file. IB_EINVAL: it was made with other settings. */
ib_status ib_kept_read(const ib_kept *k, int layer, int *there);

#endif
