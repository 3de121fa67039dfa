/* levels.c - the table of each level, and which is the fastest that the processor has. */
#include "backends/cpu/levels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

/* __builtin_cpu_supports() of clang 14 knows no name for these; whether the system saves the registers it says of
 * AVX2. */
static int f16c_is_there(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static int avxvnni_is_there(void)
{
#ifdef IB_AVXVNNI_BY_EVEX /* CMakeLists.txt */
    return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
#else
    unsigned most, a, b, c, d;
    return __get_cpuid_count(7, 0, &most, &b, &c, &d) && most >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           (a >> 4 & 1);
#endif
}
#endif

/* What a column `on` of none stands for. */
static int is_there_none(void)
{
    return 1;
}

static void make_none(void)
{
}

static void replace_none(ib_kernels *k)
{
    (void)k;
}

#ifdef IB_CHECKED /* devices have the table that looks first */
#define CHECK_LEVEL(name) ib_check_level_##name()
#define SHOWN(name) &ib_checked_##name
#else
#define CHECK_LEVEL(name) ((void)0)
#define SHOWN(name) &ib_kernels_##name
#endif

/* The table of the level that this one builds on is made first: its kernels may call that one's. A level is asked for
 * before it is made, so that nothing of its compilation runs on a processor that lacks it; once, as cpuid takes
 * microseconds in a virtual machine, and verbs ask in each step. */
#define MAKE(name, on, families, condition, own)                                                                       \
    ib_kernels ib_kernels_##name;                                                                                      \
    void ib_fill_table_##families(ib_kernels *k); /* kernels/fill.c */                                                 \
    static atomic_int known_##name;               /* 0: nobody has asked, 1: it is not there, 2: it is */              \
    static int is_there_##name(void)                                                                                   \
    {                                                                                                                  \
        if (!known_##name)                                                                                             \
            known_##name = is_there_##on() && (condition) ? 2 : 1;                                                     \
        return known_##name == 2;                                                                                      \
    }                                                                                                                  \
    static void replace_##name(ib_kernels *k)                                                                          \
    {                                                                                                                  \
        replace_##on(k);                                                                                               \
        own(k);                                                                                                        \
    }                                                                                                                  \
    static void fill_##name(void)                                                                                      \
    {                                                                                                                  \
        ib_fill_table_##families(&ib_kernels_##name);                                                                  \
        replace_##name(&ib_kernels_##name);                                                                            \
        CHECK_LEVEL(name);                                                                                             \
    }                                                                                                                  \
    static void make_##name(void)                                                                                      \
    {                                                                                                                  \
        static pthread_once_t once = PTHREAD_ONCE_INIT;                                                                \
        make_##on();                                                                                                   \
        pthread_once(&once, fill_##name);                                                                              \
    }                                                                                                                  \
    static const ib_kernels *kernels_##name(void)                                                                      \
    {                                                                                                                  \
        make_##name();                                                                                                 \
        return SHOWN(name);                                                                                            \
    }
#define OWN_plain(name) replace_none
#define OWN_x86(name) ib_##name##_replace
#define OWN_arm(name) ib_##name##_replace
#define LEVEL(name, processor, on, families, flags, condition)                                                         \
    IB_FOR_##processor(MAKE(name, on, families, condition, OWN_##processor(name)))
#include "backends/cpu/levels.def"
#undef LEVEL

static const ib_level levels[] = {
#define LEVEL(name, processor, ...) IB_FOR_##processor({"cpu:" #name, is_there_##name, kernels_##name}, )
#include "backends/cpu/levels.def"
#undef LEVEL
};

const ib_level *ib_level_at(int i)
{
    return i >= 0 && i < (int)(sizeof levels / sizeof *levels) ? &levels[i] : NULL;
}

const ib_level *ib_level_best(const char *wanted)
{
    const ib_level *found = NULL, *l;
    for (int i = 0; (l = ib_level_at(i)); i++)
        if ((!wanted || !strcmp(l->name + strlen("cpu:"), wanted)) && l->is_there())
            found = l;
    return found;
}

int ib_level_is_there(const char *name)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(levels[i].name, name))
            return levels[i].is_there();
    return 0;
}
