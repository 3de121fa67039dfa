/* assert.c - see assert.h */
#include "base/assert.h"

#ifdef IB_CHECKED
#include <stdio.h>
#include <stdlib.h>

_Noreturn void ib_assert_failed(const char *contract, const char *condition, const char *file, int line,
                                const char *function)
{
    fprintf(stderr, "%s:%d: %s: this does not hold: %s: %s\n", file, line, function, contract, condition);
    abort();
}
#endif
