/* error.h - inside the library: record a failure. */
#ifndef IB_BASE_ERROR_H
#define IB_BASE_ERROR_H

#include <stdint.h>

#include <isobit/status.h>

/* Sets ib_error() and returns status, so that `return ib_fail(IB_EINVAL, "...")` reads as one thought. */
ib_status ib_fail(ib_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a function that makes something. */
#define ib_fail_null(status, ...) (ib_fail(status, __VA_ARGS__), NULL)

/* Puts "prefix: " before the current message, for a caller that knows which file or layer it was. */
void ib_error_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many failures the thread has had: whether one came since an earlier count. */
uint64_t ib_failures(void);

#endif
