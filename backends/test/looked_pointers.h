/* looked_pointers.h - look_<type>() for each structure that kernels are given (late_kernels.h, which is made of their
 * headers by cmake/late_kernels.cmake): every pointer of it that is to be the device's is looked at. */
#ifndef IB_BACKENDS_TEST_LOOKED_POINTERS_H
#define IB_BACKENDS_TEST_LOOKED_POINTERS_H

#include "backends/quantization.h"
#include "tensor/matrix_fields.h"

/* A field of a field ... of an argument. */
typedef struct path {
    const struct path *of;    /* NULL: it is the argument */
    const char *name, *joint; /* between it and its fields */
} path;

/* What looks at the arguments of a kernel. */
typedef struct looker {
    const void *dev;
    int (*has)(const void *dev, const void *pointer); /* whether a kernel may be given it */
    char wrong[120];                                  /* the first that it may not, as C names it; "": none */
} looker;

static size_t spell_word(const char *word, char *text, size_t at, size_t size)
{
    for (; *word && at + 1 < size; word++)
        text[at++] = *word;
    text[at] = 0;
    return at;
}

static size_t spell(const path *at, char *text, size_t size)
{
    const size_t n = at->of ? spell_word(at->of->joint, text, spell(at->of, text, size), size) : 0;
    return spell_word(at->name, text, n, size);
}

static void look_pointer(looker *look, const path *at, const void *pointer)
{
    if (!*look->wrong && !look->has(look->dev, pointer))
        spell(at, look->wrong, sizeof look->wrong);
}

#define STRUCT(type, looks, keeps)                                                                                     \
    static inline void look_##type(looker *look, const path *of, const type *s)                                        \
    {                                                                                                                  \
        (void)look, (void)of;                                                                                          \
        if (s) {                                                                                                       \
            looks                                                                                                      \
        }                                                                                                              \
    }
#define LATE(name, args, fields, looks, stores, given, names)
#define NOW(result, name, args, looks, names)
#include "late_kernels.h"
#undef STRUCT
#undef LATE
#undef NOW

#endif
