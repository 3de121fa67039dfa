/* poison_kernels.c - each kernel of kernels.def: its arguments and what they point to on the host are kept, and it runs
 * later. Kernels with a result say something of shapes alone, and run at once. */
#include "backends/test/poison.h"

/* Structures of shapes and views are the host's: they are copied when a kernel is begun, with those inside them. Each
 * type that a line of kernels.def points to wants its function here. */
#define KEPT(type)                                                                                                     \
    static const type *keep_##type(ib_poison *p, const type *s)                                                        \
    {                                                                                                                  \
        return ib_poison_keep(p, s, sizeof *s);                                                                        \
    }
KEPT(ib_window)
KEPT(ib_planes)
KEPT(ib_bcast)
KEPT(ib_norm)
KEPT(ib_norm_grads)
KEPT(ib_class_loss)
KEPT(ib_affine)
KEPT(ib_coded)
KEPT(ib_qweights)
KEPT(ib_weight_codes)
KEPT(ib_conv_grads)
KEPT(ib_epilogue)
KEPT(ib_attention)
KEPT(ib_qkv)
KEPT(ib_attention_grads)
KEPT(ib_rotation)
KEPT(ib_kv_cache)
KEPT(ib_nhwc)
KEPT(ib_matrix)
KEPT(ib_adamw_step)
KEPT(ib_sgd_step)

static const ib_qproduct *keep_ib_qproduct(ib_poison *p, const ib_qproduct *s)
{
    ib_qproduct *k = ib_poison_keep(p, s, sizeof *s);
    k->w = keep_ib_qweights(p, s->w);
    k->r = keep_ib_epilogue(p, s->r);
    return k;
}

static const ib_nhwc_product *keep_ib_nhwc_product(ib_poison *p, const ib_nhwc_product *s)
{
    ib_nhwc_product *k = ib_poison_keep(p, s, sizeof *s);
    k->x = keep_ib_nhwc(p, s->x);
    k->y = keep_ib_nhwc(p, s->y);
    k->w = keep_ib_qweights(p, s->w);
    k->r = keep_ib_epilogue(p, s->r);
    return k;
}

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
