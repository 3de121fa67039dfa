/* number.c - see number.h: the calling thread is in the locale "C" while it reads or writes a number (POSIX 2008,
 * uselocale). */
#include "base/number.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t c_locale; /* 0: there is no memory for it; then the program's own serves */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t enter(void)
{
    pthread_once(&once, make);
    return c_locale ? uselocale(c_locale) : (locale_t)0;
}

static void leave(locale_t before)
{
    if (before)
        uselocale(before);
}

double ib_strtod(const char *s, char **end)
{
    const locale_t before = enter();
    const double v = strtod(s, end);
    leave(before);
    return v;
}

float ib_strtof(const char *s, char **end)
{
    const locale_t before = enter();
    const float v = strtof(s, end);
    leave(before);
    return v;
}

int ib_vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    const locale_t before = enter();
    const int n = vsnprintf(to, size, format, args);
    leave(before);
    return n;
}

int ib_snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = ib_vsnprintf(to, size, format, args);
    va_end(args);
    return n;
}
