/* argument.h - what a public function is given, checked in one way: the line names the function and the argument as the
 * header calls it, and for NULL the failure that came before, which is where it mostly came from.
 *
 *     IB_NEED(loader);                                             in a function that returns ib_status
 *     IB_NEED_OR(loader, NULL);                                    in one that returns a pointer
 *     IB_TAKE(first, first >= 0, "is batch %lld", (long long)first); */
#ifndef IB_BASE_ARGUMENT_H
#define IB_BASE_ARGUMENT_H

#include "base/error.h"

/* "function: argument is NULL", and the last failure of another kind; IB_EINVAL. */
ib_status ib_fail_null_argument(const char *function, const char *argument);

/* A pointer must not be NULL: return IB_EINVAL, or `value` (which may be empty: a function that returns nothing). */
#define IB_NEED(argument) IB_NEED_OR(argument, IB_EINVAL)
#define IB_NEED_OR(argument, value)                                                                                    \
    do {                                                                                                               \
        if (!(argument)) {                                                                                             \
            ib_fail_null_argument(__func__, #argument);                                                                \
            return value;                                                                                              \
        }                                                                                                              \
    } while (0)

/* A value must be one that is understood: return IB_EINVAL, or `value`. The text goes on after "function: argument ";
 * a field of options is an argument like `opts->lr`. */
#define IB_TAKE(argument, condition, ...) IB_TAKE_FOR(__func__, argument, condition, IB_EINVAL, __VA_ARGS__)
#define IB_TAKE_OR(argument, condition, value, ...) IB_TAKE_FOR(__func__, argument, condition, value, __VA_ARGS__)
/* The same for what `function` was given, in a function that checks for it. */
#define IB_TAKE_FOR(function, argument, condition, value, format, ...)                                                 \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            ib_fail(IB_EINVAL, "%s: %s " format, function, #argument, __VA_ARGS__);                                    \
            return value;                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
