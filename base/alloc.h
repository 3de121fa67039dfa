/* alloc.h - every allocation of the library goes through here, so that a test can make each one fail. */
#ifndef IB_BASE_ALLOC_H
#define IB_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include <isobit/status.h> /* ib_free */

void *ib_alloc(size_t bytes);     /* zeroed, 64-byte aligned; NULL sets ib_error() */
void *ib_alloc_raw(size_t bytes); /* the same, not zeroed: pages that are not touched take no memory */
void *ib_realloc(void *p, size_t old_bytes, size_t bytes); /* grown part zeroed; on NULL, p stays valid */
void *ib_copy(const void *from, size_t bytes);             /* NULL if memory is out, with ib_error(), or from is NULL */
char *ib_strdup(const char *s);
char *ib_format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tests: the n-th allocation from now on fails (1 = the next); 0 switches off. Returns allocations since the last
 * call. */
int64_t ib_alloc_fail_at(int64_t n);
/* Tests: blocks that were allocated and not given to ib_free() yet. */
int64_t ib_alloc_held(void);

#endif
