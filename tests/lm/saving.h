/* saving.h - a model written by a device of its own. */
#ifndef IB_TESTS_LM_SAVING_H
#define IB_TESTS_LM_SAVING_H

#include <isobit/isobit.h>

static inline ib_status save_model(ib_lm *m, const char *path, const char *source, const char *format)
{
    ib_device *dev = ib_device_open(NULL);
    const ib_status status = ib_lm_save(m, dev, path, &(ib_lm_save_opts){.source = source, .format = format}, NULL);
    ib_device_close(dev);
    return status;
}

#endif
