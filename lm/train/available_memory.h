/* available_memory.h - inside lm/: ib_memory_available() of a system whose files lie below a folder. */
#ifndef IB_LM_TRAIN_AVAILABLE_MEMORY_H
#define IB_LM_TRAIN_AVAILABLE_MEMORY_H

#include <stdint.h>

int64_t ib_memory_available_at(const char *root); /* "": this system */

#endif
