/* poison_kernels.c - each kernel of kernels.def: its arguments and what they point to on the host are kept, and it runs
 * later. Kernels with a result say something of shapes alone, and run at once. */
#include "backends/test/poison.h"
#include "tensor/matrix_fields.h"

/* Structures of shapes and views are the host's: they are copied when a kernel is begun, with those inside them. */
static void *keep_qproduct(ib_poison *p, const void *from, size_t bytes)
{
    ib_qproduct *s = ib_poison_keep(p, from, bytes);
    s->w = ib_poison_keep(p, s->w, sizeof *s->w);
    s->r = ib_poison_keep(p, s->r, sizeof *s->r);
    return s;
}

static void *keep_nhwc_product(ib_poison *p, const void *from, size_t bytes)
{
    ib_nhwc_product *s = ib_poison_keep(p, from, bytes);
    s->x = ib_poison_keep(p, s->x, sizeof *s->x);
    s->y = ib_poison_keep(p, s->y, sizeof *s->y);
    s->w = ib_poison_keep(p, s->w, sizeof *s->w);
    s->r = ib_poison_keep(p, s->r, sizeof *s->r);
    return s;
}

#define KEEP(p, s)                                                                                                     \
    _Generic((s), const ib_qproduct * : keep_qproduct, const ib_nhwc_product * : keep_nhwc_product, default            \
             : ib_poison_keep)(p, s, sizeof *(s))

/* LATE(kernel, arguments, their declarations as fields, their assignments to `late`, its fields), NOW(result, kernel,
 * arguments, names): made of kernels.def by cmake/late_kernels.cmake */
#define LATE(name, args, fields, stores, given)                                                                        \
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
        name##_arguments *late = ib_poison_later(self, run_##name, sizeof *late);                                      \
        self->counts.kernels++;                                                                                        \
        stores                                                                                                         \
    }
#define NOW(result, name, args, names)                                                                                 \
    static result name##_late args                                                                                     \
    {                                                                                                                  \
        ib_poison *self = (ib_poison *)dev;                                                                            \
        dev = self->plain;                                                                                             \
        return dev->k.name names;                                                                                      \
    }
#include "late_kernels.h"
#undef LATE
#undef NOW

void ib_poison_fill_table(ib_kernels *k)
{
#define LATE(name, args, fields, stores, given) k->name = name##_late;
#define NOW(result, name, args, names) k->name = name##_late;
#include "late_kernels.h"
#undef LATE
#undef NOW
}
