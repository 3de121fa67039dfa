/* runtime.h - the functions of runtime/isobit_rt.h for files that need some of them: each is static there, and the
 * compiler would warn of those that a file leaves unused. */
#ifndef IB_ARITHMETIC_RUNTIME_H
#define IB_ARITHMETIC_RUNTIME_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "runtime/isobit_rt.h"
#pragma GCC diagnostic pop

#endif
