/* host_given.c - in the plugin of "cuda:host": in front of each kernel a look at all that it is given, also within
 * structures. One that is given memory which is no block of the device's does not run, and is the device's failure, in
 * the words of test:poison. */
#include "backends/cuda/inner.h"
#include "backends/test/looked_pointers.h"

#define KERNEL(result, name, args) result ib_cuda_##name args;
#include "backends/kernels.def"
#undef KERNEL

static int has(const void *dev, const void *pointer)
{
    (void)dev; /* one memory serves all of them */
    return !pointer || ib_host_has(pointer);
}

#define LOOKED(result, nothing, name, args, looks, names)                                                              \
    static result name##_looked args                                                                                   \
    {                                                                                                                  \
        looker here = {dev, has, ""}, *look = &here;                                                                   \
        (void)look;                                                                                                    \
        looks;                                                                                                         \
        if (*here.wrong) {                                                                                             \
            ib_cuda_break(dev, cudaSuccess, "kernel " #name ": %s is no memory of the device", here.wrong);            \
            return nothing;                                                                                            \
        }                                                                                                              \
        return ib_cuda_##name names;                                                                                   \
    }
#define STRUCT(type, looks, keeps)
#define LATE(name, args, fields, looks, stores, given, names) LOOKED(void, , name, args, looks, names)
#define NOW(result, name, args, looks, names) LOOKED(result, 0, name, args, looks, names)
#include "late_kernels.h"
#undef LATE
#undef NOW

void ib_cuda_look_at_given(ib_kernels *k)
{
#define LATE(name, args, fields, looks, stores, given, names) k->name = name##_looked;
#define NOW(result, name, args, looks, names) k->name = name##_looked;
#include "late_kernels.h"
}
