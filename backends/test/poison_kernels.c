/* poison_kernels.c - each kernel of kernels.def: its arguments and what they point to on the host are kept, and it runs
 * later. Kernels with a result say something of shapes alone, and run at once. One that is given the host's memory as
 * the device's does not run, and is the device's failure; late_kernels.h, which knows the pointers of each and what is
 * the host's, is made of kernels.def and the headers of structures by cmake/late_kernels.cmake. */
#include "backends/test/looked_pointers.h"
#include "backends/test/poison.h"

static int has(const void *p, const void *pointer)
{
    return ib_poison_has(p, pointer);
}

#define STRUCT(type, looks, keeps)                                                                                     \
    static inline void keep_##type##_fields(ib_poison *p, type *s)                                                     \
    {                                                                                                                  \
        (void)p, (void)s;                                                                                              \
        keeps                                                                                                          \
    }                                                                                                                  \
    static inline type *keep_##type(ib_poison *p, const type *from)                                                    \
    {                                                                                                                  \
        type *s = ib_poison_keep(p, from, sizeof *s);                                                                  \
        if (s)                                                                                                         \
            keep_##type##_fields(p, s);                                                                                \
        return s;                                                                                                      \
    }
#define LATE(name, args, fields, looks, stores, given, names)                                                          \
    typedef struct name##_arguments {                                                                                  \
        fields                                                                                                         \
    } name##_arguments;                                                                                                \
    static void run_##name(ib_poison *self, void *arguments)                                                           \
    {                                                                                                                  \
        const name##_arguments *late = arguments;                                                                      \
        ib_poison_open(self);                                                                                          \
        self->plain->k.name given;                                                                                     \
        ib_poison_shut(self);                                                                                          \
    }                                                                                                                  \
    static void name##_late args                                                                                       \
    {                                                                                                                  \
        ib_poison *self = (ib_poison *)dev;                                                                            \
        looker here = {self, has, ""}, *look = &here;                                                                  \
        looks;                                                                                                         \
        if (*here.wrong) {                                                                                             \
            ib_poison_refuse(self, "kernel " #name, here.wrong);                                                       \
            return;                                                                                                    \
        }                                                                                                              \
        name##_arguments *late = ib_poison_later(self, run_##name, sizeof *late);                                      \
        self->counts.kernels++;                                                                                        \
        stores                                                                                                         \
    }
#define NOW(result, name, args, looks, names)                                                                          \
    static result name##_late args                                                                                     \
    {                                                                                                                  \
        ib_poison *self = (ib_poison *)dev;                                                                            \
        looker here = {self, has, ""}, *look = &here;                                                                  \
        (void)look;                                                                                                    \
        looks;                                                                                                         \
        if (*here.wrong) {                                                                                             \
            ib_poison_refuse(self, "kernel " #name, here.wrong);                                                       \
            return 0;                                                                                                  \
        }                                                                                                              \
        dev = self->plain;                                                                                             \
        return dev->k.name names;                                                                                      \
    }
#include "late_kernels.h"
#undef STRUCT
#undef LATE
#undef NOW

void ib_poison_fill_table(ib_kernels *k)
{
#define STRUCT(type, looks, keeps)
#define LATE(name, args, fields, looks, stores, given, names) k->name = name##_late;
#define NOW(result, name, args, looks, names) k->name = name##_late;
#include "late_kernels.h"
#undef STRUCT
#undef LATE
#undef NOW
}
