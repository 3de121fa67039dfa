/* fault.c - the text of each fault. */
#include "backends/fault.h"
#include "base/error.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" /* few texts name what they are about */

#define LESS_OR_MORE(step) ((step) < 1 ? "less" : "more")
#define FAULT(name, status, ...)                                                                                       \
    static ib_status say_##name(const ib_fault *f, const char *of)                                                     \
    {                                                                                                                  \
        (void)f, (void)of;                                                                                             \
        return ib_fail(status, __VA_ARGS__);                                                                           \
    }
#include "backends/faults.def"
#undef FAULT

ib_status ib_fault_say(const ib_fault *f, const char *of)
{
    static ib_status (*const say[])(const ib_fault *f, const char *of) = {
        NULL,
#define FAULT(name, ...) say_##name,
#include "backends/faults.def"
#undef FAULT
    };
    return say[f->kind](f, of);
}
