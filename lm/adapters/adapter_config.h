/* adapter_config.h - inside lm/: adapter_config.json of PEFT folders. */
#ifndef IB_LM_ADAPTERS_ADAPTER_CONFIG_H
#define IB_LM_ADAPTERS_ADAPTER_CONFIG_H

#include "lm/adapters/adapter.h"

typedef struct ib_adapter_config {
    int r, rslora, dora;
    double alpha, dropout;
    struct json_object *ranks, *alphas, *targets, *excluded, *layers, *layers_pattern, *save; /* borrowed */
} ib_adapter_config;

/* Every field by adapter_fields.def; file: for errors. */
ib_status ib_adapter_config_read(struct json_object *o, const char *file, ib_adapter_config *out);
/* Whether peft would adapt the linear layer of that path, which lies in block `layer`; its rank and alpha. */
int ib_adapter_config_names(const ib_adapter_config *c, const char *path, int layer);
double ib_adapter_config_rank(const ib_adapter_config *c, const char *path);
double ib_adapter_config_alpha(const ib_adapter_config *c, const char *path);

/* Whether the weight `which` of IB_WHOLE_EMBEDDING, ... is trained whole. */
int ib_adapter_config_saves(const ib_adapter_config *c, int which);

#endif
