/* poison_kernels.c - each kernel of kernels.def: its arguments and what they point to on the host are kept, and it runs
 * later. Kernels with a result say something of shapes alone, and run at once. One that is given the host's memory as
 * the device's does not run, and is the device's failure; late_kernels.h, which knows the pointers of each and what is
 * the host's, is made of kernels.def and the headers of structures by cmake/late_kernels.cmake. */
#include "backends/quantization.h"
#include "backends/test/poison.h"
#include "base/number.h"
#include "tensor/matrix_fields.h"

/* A field of a field ... of an argument. */
typedef struct path {
    const struct path *of;    /* NULL: it is the argument */
    const char *name, *joint; /* between it and its fields */
} path;

/* What has looked at the arguments of a kernel. */
typedef struct looker {
    ib_poison *p;
    const char *kernel;
    int refuses;
} looker;

static size_t spell(const path *at, char *text, size_t size)
{
    const size_t n = at->of ? spell(at->of, text, size) : 0;
    return n + (size_t)ib_snprintf(text + n, size - n, "%s%s", at->of ? at->of->joint : "", at->name);
}

static void look_pointer(looker *look, const path *at, const void *pointer)
{
    char text[120];
    if (ib_poison_has(look->p, pointer))
        return;
    spell(at, text, sizeof text);
    ib_poison_refuse(look->p, look->kernel, text);
    look->refuses = 1;
}

#define STRUCT(type, looks, keeps)                                                                                     \
    static inline void look_##type(looker *look, const path *of, const type *s)                                        \
    {                                                                                                                  \
        (void)look, (void)of;                                                                                          \
        if (s) {                                                                                                       \
            looks                                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
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
#define LATE(name, args, fields, looks, stores, given)                                                                 \
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
        looker here = {self, "kernel " #name, 0}, *look = &here;                                                       \
        looks;                                                                                                         \
        if (here.refuses)                                                                                              \
            return;                                                                                                    \
        name##_arguments *late = ib_poison_later(self, run_##name, sizeof *late);                                      \
        self->counts.kernels++;                                                                                        \
        stores                                                                                                         \
    }
#define NOW(result, name, args, looks, names)                                                                          \
    static result name##_late args                                                                                     \
    {                                                                                                                  \
        ib_poison *self = (ib_poison *)dev;                                                                            \
        looker here = {self, "kernel " #name, 0}, *look = &here;                                                       \
        (void)look;                                                                                                    \
        looks;                                                                                                         \
        if (here.refuses)                                                                                              \
            return 0;                                                                                                  \
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
#define LATE(name, args, fields, looks, stores, given) k->name = name##_late;
#define NOW(result, name, args, looks, names) k->name = name##_late;
#include "late_kernels.h"
#undef STRUCT
#undef LATE
#undef NOW
}
