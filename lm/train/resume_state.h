/* resume_state.h - inside lm/: everything a training run needs to go on bit for bit. */
#ifndef IB_LM_TRAIN_RESUME_STATE_H
#define IB_LM_TRAIN_RESUME_STATE_H

#include "lm/lm.h"
#include "optim/optim.h"

/* <folder>/state.safetensors: parameters, optimizer states, the step. */
ib_status ib_state_save(const char *folder, const ib_lm *m, const ib_optim *opt, const char *settings, int64_t step,
                        int64_t steps);
/* IB_EINVAL names the settings that are others, or says that more than `steps` are done. */
ib_status ib_state_load(const char *folder, ib_optim *opt, const char *settings, int64_t steps, int64_t *step);
int ib_state_exists(const char *folder);
void ib_state_remove(const char *folder);

#endif
