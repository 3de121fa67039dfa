/* adapter.h - inside lm/: adding adapters piece by piece, as readers of adapter files do. */
#ifndef IB_LM_ADAPTER_H
#define IB_LM_ADAPTER_H

#include "lm/lm.h"

/* An empty adapter; IB_ESTATE if the model has one. Then each layer's; then ib_layer_init on m->trainable. What fails
 * then is taken back by end: the model is as it was. */
ib_status ib_lm_adapter_begin(ib_lm *m);
void ib_lm_adapter_end(ib_lm *m);
ib_status ib_lm_adapter_add(ib_lm *m, int layer, int role, int64_t r, float alpha);

#define IB_PEFT "base_model.model." /* before the names of PEFT's tensors */
/* Turns the rows of q's and k's B (and magnitudes) between a file's order and the model's. t NULL: nothing. */
ib_status ib_lm_adapter_turn(const ib_lm *m, int role, ib_tensor *t, int to_pairs);

#endif
