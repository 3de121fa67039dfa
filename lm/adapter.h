/* adapter.h - inside lm/: adding adapters piece by piece, as readers of adapter files do. */
#ifndef IB_LM_ADAPTER_H
#define IB_LM_ADAPTER_H

#include "lm/lm.h"

/* An empty adapter; IB_ESTATE if the model has one. Then each layer's; then ib_layer_init on m->trainable. */
ib_status ib_lm_adapter_begin(ib_lm *m);
ib_status ib_lm_adapter_add(ib_lm *m, int layer, int role, int64_t r, float alpha);

#endif
