/* checked.c - the table of a level in builds that look at contracts (IB_CHECKED): before each kernel of kernels.def
 * what backends/checks says of it. Compiled once for each level, with -DIB_OF=<level> and -DIB_ON=<the one that it
 * builds on>; an entry that is that one's has its function here too, so that tests still see that they are one. */
#include "backends/checks/checks.h"
#include "backends/cpu/levels.h"

#ifndef IB_ON
#define IB_ON IB_OF
#endif
#define CAT2(a, b) ib_##a##_##b
#define CAT(a, b) CAT2(a, b)
#define ALIGNED(p, to) IB_ASSERT((uintptr_t)(p) % (to) == 0, "pointers are aligned to their elements, room to 64");
#define APART(y, x) IB_ASSERT(!(y) || (const void *)(y) != (const void *)(x), "an output overlaps no argument");

#define CHECKED(result, name, args, names, looks)                                                                      \
    static result name##_checked args                                                                                  \
    {                                                                                                                  \
        looks return CAT(kernels, IB_OF).name names;                                                                   \
    }
#include "checked_kernels.h"
#undef CHECKED

ib_kernels CAT(checked, IB_OF);

void CAT(check_level, IB_OF)(void)
{
    const ib_kernels *own = &CAT(kernels, IB_OF), *on = &CAT(kernels, IB_ON);
#define CHECKED(result, name, args, names, looks)                                                                      \
    CAT(checked, IB_OF).name = own != on && own->name == on->name ? CAT(checked, IB_ON).name : name##_checked;
#include "checked_kernels.h"
#undef CHECKED
}
