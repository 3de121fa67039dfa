/* config_hf.h - inside lm/: a model's numbers from config.json. */
#ifndef IB_LM_LOAD_CONFIG_HF_H
#define IB_LM_LOAD_CONFIG_HF_H

#include "lm/load/codes_hf.h"

/* Which linear layers have biases: q, k and v; o; gate, up and down. */
typedef struct ib_hf_biases {
    int qkv, output, mlp;
} ib_hf_biases;
/* Fills arch, c, scaling, activation and the blocks' `local`, and what the codes mean that tensors are in. file: for
 * errors. */
ib_status ib_lm_config_of_hf(ib_lm *m, struct json_object *config, const char *file, ib_hf_biases *biases,
                             ib_hf_codes *codes);
const char *ib_lm_activation_name(int activation);

#endif
