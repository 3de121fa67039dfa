/* number.h - numbers as text with a point, whatever decimal sign the locale of the program has (setlocale(3)). The
 * library reads and writes text by these alone (tests/house/order.py); C's functions of the same names would follow
 * the locale. */
#ifndef IB_BASE_NUMBER_H
#define IB_BASE_NUMBER_H

#include <stdarg.h>
#include <stddef.h>

double ib_strtod(const char *s, char **end);
float ib_strtof(const char *s, char **end);
int ib_snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int ib_vsnprintf(char *to, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

#endif
