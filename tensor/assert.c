/* assert.c - see assert.h */
#include "tensor/assert.h"

#ifdef IB_CHECKED
#include <stdio.h>
#include <stdlib.h>

_Noreturn void ib_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: does not hold: %s\n", file, line, function, condition);
    abort();
}
#endif
