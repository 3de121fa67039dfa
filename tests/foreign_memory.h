/* foreign_memory.h - kernels that are given memory which is none of the device's, for suites of devices that look. */
#ifndef IB_TESTS_FOREIGN_MEMORY_H
#define IB_TESTS_FOREIGN_MEMORY_H

#include <stdio.h>
#include <string.h>

#include "backends/kernels.h"
#include "tests/check.h"

/* The device's failure, which is then forgotten. */
static inline void refused(ib_device *dev, const char *line)
{
    if (strcmp(dev->failure, line))
        printf("\n    '%s' is not '%s' ", dev->failure, line);
    CHECK(!strcmp(dev->failure, line));
    *dev->failure = 0;
}

/* host[8] in an argument, a field, a field of a field, one of a copy, and in m; own[8] is the device's. */
static inline void kernels_refuse(ib_device *dev, float *own, float *host, const ib_matrix *m)
{
    static ib_fault fault;
    const ib_qweights w = {.codes = (const int8_t *)host};
    dev->k.axpy(dev, own, host, 8, 1);
    refused(dev, "kernel axpy: x is no memory of the device");
    dev->k.bn_apply(dev, &(ib_planes){1, 1, 8}, &(ib_norm){.x = own, .gamma = host, .y = own});
    refused(dev, "kernel bn_apply: p->gamma is no memory of the device");
    dev->k.qlinear(dev, 1, 8, 1, &(ib_qproduct){.w = &w});
    refused(dev, "kernel qlinear: p->w->codes is no memory of the device");
    dev->k.row_steps(dev, 1, own, (ib_site){.fault = &fault});
    refused(dev, "kernel row_steps: at.fault is no memory of the device");
    dev->k.follow(dev, &(ib_following){.scale = own, .param_at = {.fault = &fault}});
    refused(dev, "kernel follow: p->param_at.fault is no memory of the device");
    dev->k.decode(dev, m, 0, 8, own);
    refused(dev, "kernel decode: m->data is no memory of the device");
}

#endif
