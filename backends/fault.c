/* fault.c - the text of each fault. */
#include "backends/fault.h"
#include "base/error.h"

#define FAULT(name, status, ...)                                                                                       \
    static ib_status say_##name(const ib_fault *f, const char *at)                                                     \
    {                                                                                                                  \
        (void)f, (void)at;                                                                                             \
        return ib_fail(status, __VA_ARGS__);                                                                           \
    }
#include "backends/faults.def"
#undef FAULT

ib_status ib_fault_say(const ib_fault *f, const char *at)
{
    static ib_status (*const say[])(const ib_fault *f, const char *at) = {
        NULL,
#define FAULT(name, ...) say_##name,
#include "backends/faults.def"
#undef FAULT
    };
    return say[f->kind](f, at);
}
