/* adapter.h - inside lm/: adding adapters piece by piece, as readers of adapter files do. */
#ifndef IB_LM_ADAPTERS_ADAPTER_H
#define IB_LM_ADAPTERS_ADAPTER_H

#include "lm/lm.h"

/* An empty adapter; IB_ESTATE if the model has one. Then each layer's; then ib_layer_init on m->trainable. What fails
 * then is taken back by end: the model is as it was. */
ib_status ib_lm_adapter_begin(ib_lm *m);
void ib_lm_adapter_end(ib_lm *m);
ib_status ib_lm_adapter_add(ib_lm *m, int layer, int role, int64_t r, float alpha);

/* Embedding and head, trained whole beside the adapter in fp32 (PEFT's modules_to_save). They are parameters of the
 * adapter's layer behind all others. A shared embedding and head part: PEFT copies each that is named, and leaves the
 * other alone. */
enum { IB_WHOLE_EMBEDDING, IB_WHOLE_HEAD, IB_N_WHOLE };
extern const char *const ib_whole_paths[IB_N_WHOLE]; /* "model.embed_tokens", "lm_head" */
const char *ib_whole_name(int which);                /* "embed_tokens", "lm_head" */
int ib_whole_find(const char *name);                 /* by path or name; -1: no such one */
ib_tensor *ib_lm_whole(const ib_lm *m, int which);   /* NULL: it is the base's */
ib_status ib_lm_whole_add(ib_lm *m, int which);
void ib_lm_whole_fill(ib_lm *m); /* with the base's values, after ib_layer_init */
/* Names joined by commas, NULL: none. Adds each; holds against what the adapter has (NULL: whatever it has). */
ib_status ib_lm_whole_adapt(ib_lm *m, const char *list);
ib_status ib_lm_whole_check(const ib_lm *m, const char *list);

#define IB_PEFT "base_model.model." /* before the names of PEFT's tensors */
/* Turns the rows of q's and k's B (and magnitudes), the values of t, between a file's order and the model's. */
ib_status ib_lm_adapter_turn(const ib_lm *m, int role, const ib_tensor *t, float *values, int to_pairs);

#endif
