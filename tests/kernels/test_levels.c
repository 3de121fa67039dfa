/* test_levels.c - the levels of the device: their names, which one a device without a name is, and tables that are made
 * once. Broken by: a list of names besides levels.def, a level that is passed over, a table that an opening changes. */
#include "tests/check.h"

#include <pthread.h>

#include "backends/cpu/levels.h"

static void names_are_listed(void)
{
    CHECK(!strcmp(ib_device_name_at(0), "cpu:ref") && !strcmp(ib_device_name_at(1), "cpu:base"));
    CHECK(!ib_device_name_at(-1));
    int n = 0;
    for (const char *name; (name = ib_device_name_at(n)); n++) {
        CHECK(!strncmp(name, "cpu:", 4));
        for (int i = 0; i < n; i++)
            CHECK(strcmp(ib_device_name_at(i), name));
        CHECK_ERROR(!ib_device_open("gpu"), name);
        ib_device *dev = ib_device_open(name);
        CHECK(!dev || !strcmp(ib_device_name(dev), name));
        CHECK(dev || strstr(ib_error(), name));
        ib_device_close(dev);
    }
    CHECK(n > 1 && !ib_device_name_at(n));
}

/* What follows `what` in the message, to the first of `ends`, holds `name` as one of a list. */
static int is_among(const char *what, const char *ends, const char *name)
{
    const char *at = strstr(ib_error(), what);
    char list[600] = ", ", wanted[40];
    if (!at)
        return 0;
    at += strlen(what);
    strncat(list, at, strcspn(at, ends));
    for (size_t n = strlen(list); n && list[n - 1] == ' '; n--)
        list[n - 1] = 0;
    strcat(list, ",");
    snprintf(wanted, sizeof wanted, ", %s,", name);
    return strstr(list, wanted) != NULL;
}

/* A name that is none brings a list: what opens is among those that are here, what does not among the others with a
 * reason; and so does a level that is none. */
static void an_unknown_name_brings_the_others(void)
{
    static const char *const unknown[] = {"gpu", "cpu:none", "cpu:", "tpu:0"};
    const char *name;
    for (size_t u = 0; u < sizeof unknown / sizeof *unknown; u++) {
        for (int i = -1; i < 0 || (name = ib_device_name_at(i)); i++) {
            if (i < 0)
                name = "cpu";
            ib_device *dev = ib_device_open(name);
            const int opens = dev != NULL;
            ib_device_close(dev);
            CHECK_ERROR(!ib_device_open(unknown[u]), unknown[u]);
            CHECK(!strncmp(ib_error(), "device '", 8) && !strchr(ib_error(), '\n'));
            CHECK(is_among(": here are ", ";", name) == opens);
            CHECK(opens || is_among("; not here: ", "(", name));
        }
        CHECK(strstr(ib_error(), "test (") && !is_among(": here are ", ";", "test"));
        CHECK(ib_error()[strlen(ib_error()) - 1] == ')');
    }
    char name_too_long[300];
    memset(name_too_long, 'x', sizeof name_too_long - 1);
    name_too_long[sizeof name_too_long - 1] = 0;
    CHECK_ERROR(!ib_device_open(name_too_long), "x...': here are cpu, cpu:ref");
}

static void the_best_level_is_the_last_that_opens(void)
{
    ib_device *any = ib_device_open("cpu");
    REQUIRE(any != NULL);
    const char *last = NULL, *name;
    for (int i = 0; (name = ib_device_name_at(i)); i++) {
        ib_device *dev = ib_device_open(name);
        last = dev ? name : last;
        ib_device_close(dev);
    }
    CHECK(last && !strcmp(ib_device_name(any), last));
    ib_device_close(any);
}

static void *table_of(void *level)
{
    const ib_level *l = level;
    return l->is_there() ? (void *)(uintptr_t)l->kernels() : NULL;
}

/* Threads that ask for a level at once get one table, in which no kernel is missing, and which no opening changes. */
static void tables_are_made_once(void)
{
    enum { THREADS = 8 };
    const ib_level *l;
    for (int i = 0; (l = ib_level_at(i)); i++) {
        pthread_t thread[THREADS];
        void *table[THREADS];
        for (int t = 0; t < THREADS; t++)
            REQUIRE(!pthread_create(&thread[t], NULL, table_of, (void *)(uintptr_t)l));
        for (int t = 0; t < THREADS; t++)
            REQUIRE(!pthread_join(thread[t], &table[t]));
        for (int t = 1; t < THREADS; t++)
            CHECK(table[t] == table[0]);
        if (!table[0])
            continue;
        const ib_kernels k = *(const ib_kernels *)table[0];
#define KERNEL(result, name, args) CHECK(k.name != NULL);
#include "backends/kernels.def"
#undef KERNEL
        ib_device *dev = ib_device_open(l->name);
        CHECK(dev && !memcmp(&dev->k, &k, sizeof k) && !memcmp(table[0], &k, sizeof k));
        ib_device_close(dev);
    }
}

SUITE("levels", T(names_are_listed), T(an_unknown_name_brings_the_others), T(the_best_level_is_the_last_that_opens),
      T(tables_are_made_once))
