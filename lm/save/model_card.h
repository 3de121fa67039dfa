/* model_card.h - inside lm/: README.md of the folders that are written, with the metadata that the Hugging Face Hub
 * reads of it (github.com/huggingface/hub-docs, modelcard.md). */
#ifndef IB_LM_SAVE_MODEL_CARD_H
#define IB_LM_SAVE_MODEL_CARD_H

#include "lm/save/save.h"

/* Where a model came from, as its files say. Each is yours to ib_free(), and NULL where they say nothing or memory is
 * short: a card then says less. source: what it was opened from, or NULL. */
char *ib_origin_name(const ib_lm *m, const char *source); /* for people, never a path */
char *ib_origin_hub(const ib_lm *m, const char *source);  /* the model's own name on the Hub, "organization/name" */
/* The lines of metadata of one key, "license: mit\n": those of the source's own card, or made of a GGUF file's
 * general.*. */
char *ib_origin_lines(const ib_lm *m, const char *source, const char *key);

/* 1 if there is a README.md in the folder that none of these wrote: it is kept. */
int ib_card_is_foreign(const char *folder);
/* Write it to `at`, what is to become `folder`. Of a model: `out` is what it consists of; of an adapter: base is what
 * it was trained over, or NULL. */
ib_status ib_save_model_card(const ib_lm *m, const char *source, const char *folder, const char *at, const ib_out *out,
                             const ib_lm_saved *saved);
ib_status ib_save_adapter_card(const ib_lm *m, const char *base, const char *folder, const char *at);

#endif
